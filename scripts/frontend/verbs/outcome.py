"""What becomes of the results that a verb has measured."""

import json
from contextlib import contextmanager

from frontend.failure import WORK_FAILED, Failure
from frontend.figures import results, table, together
from frontend.paths import temporary_folder
from frontend.progress import say

# What drawing charts and page loads: who draws at the end of long work sees to it at the beginning.
PAGE_NEEDS = ("jinja2", "matplotlib", "scipy")


def print_json(document):
    """Prints an object for programs."""
    print(json.dumps(document, indent=1))


@contextmanager
def curves_folder():
    """An empty folder for curves, for as long as a `with` lasts; it may be moved away meanwhile."""
    with temporary_folder() as folder:
        curves = folder / "curves"
        curves.mkdir()
        yield curves


def keep(measured, output, curves, curves_name):
    """Writes the results, if there is an output, and puts the curves beside them; show tells if
    that failed."""
    if output is None:
        return
    is_file = output.is_file() or not output.exists()  # beside a device there is no place
    if results.is_stdout(output) or not any(curves.iterdir()) or not is_file:
        results.keep(output, measured)
        return
    measured.context["curves"] = curves_name
    try:
        with together.folder_at(output.parent / curves_name, curves):
            results.write(output, measured)
    except Failure as failure:
        measured.unwritten = failure


def show(measured, unasked=(), more=()):
    """Prints the table, unless the results themselves were printed, and the failures; the exit
    status. `more` are functions that print further tables of the Results. Where those allocators
    fail that nobody asked for, that is told, and the work has not failed."""
    if measured.path != results.STDOUT:
        table.show(measured)
        for show_more in more:
            show_more(measured)
    failures = results.unique(
        (row.name, entry["error_message"])
        for row in measured.rows
        if row.allocator not in unasked
        for entry in row.failures
    )
    for name, message in failures:
        say(f"{name}: {message}")
    for name in unasked:
        rows = [row for row in measured.rows if row.allocator == name]
        failed = [row for row in rows if row.failures]
        if failed:
            missing = f"no net time of {len(failed)} of {len(rows)}"
            say(f"the floor ({name}) failed, {missing}: {failed[0].subject}: {failed[0].error}")
    results.check_kept(measured)
    return WORK_FAILED if failures else 0
