"""The verb allocators: those found on this machine."""

from frontend.allocators import registry
from frontend.figures.table import Text, console
from frontend.paths import shown
from frontend.verbs.options import add_json
from frontend.verbs.outcome import print_json

EXAMPLES = (
    "spanbench allocators",
    "spanbench allocators --json | jq -r '.allocators[].path'",
)


def add_arguments(parser):
    add_json(parser)


def run(options, _argv):
    """Prints what was found, and what was looked for in vain."""
    found = registry.found()
    names = {allocator.name for allocator in found}
    absent = [name for name in registry.NAMES if name not in names]
    if options.json:
        print_json({"allocators": list(map(facts, found)), "not_found": absent})
    else:
        show(found, absent)
    return 0


def facts(allocator):
    """What is known of an allocator, for programs."""
    note = registry.NOTES.get(allocator.name, "")
    described = {**registry.describe(allocator), "path": str(allocator.path)}
    return {"name": allocator.name, **described, "note": note}


def show(found, absent):
    """Prints some lines an allocator: what it is, its file, and each setting. A path has a line of
    its own and is never cut, since it is there to be copied, or for other programs to find."""
    out = console()
    width = max((len(allocator.name) for allocator in found), default=0)
    for allocator in found:
        first, *others = lines(allocator)
        out.print(Text(f"{allocator.name:{width}}  {first}"), soft_wrap=True)
        for line in others:
            out.print(Text(f"{'':{width}}  {line}", style="dim"), soft_wrap=True)
    if absent:
        out.print(Text(f"not found: {', '.join(absent)}"))


def lines(allocator):
    """What is said of one allocator."""
    note = registry.NOTES.get(allocator.name, "")
    head = ", ".join(filter(None, [registry.version(allocator), note]))
    settings = [f"{key}={value}" for key, value in allocator.settings.items()]
    return [head, shown(allocator.path), *settings]
