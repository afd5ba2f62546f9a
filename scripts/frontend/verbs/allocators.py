"""The verb allocators: those found on this machine."""

from frontend.allocators import registry
from frontend.figures.table import console, new_table
from frontend.paths import shown

SUMMARY = "list the allocators found on this machine"


def add_arguments(_parser):
    """The verb has none."""


def run(_options, _argv):
    """Prints the table and what was looked for in vain."""
    found = registry.found()
    out = console()
    out.print(allocator_table(found))
    names = {allocator.name for allocator in found}
    absent = [name for name in registry.NAMES if name not in names]
    if absent:
        out.print(f"not found: {', '.join(absent)}", soft_wrap=True)
    return 0


def allocator_table(found):
    """One row an allocator; a long path is broken rather than cut."""
    table = new_table("name", "version", "file", "what", spare=("what", "version"))
    for allocator in found:
        settings = [f"{key}={value}" for key, value in allocator.settings.items()]
        note = "; ".join(filter(None, [registry.NOTES.get(allocator.name, ""), *settings]))
        version = registry.version(allocator)
        table.add_row(allocator.name, version, shown(allocator.path), note)
    return table
