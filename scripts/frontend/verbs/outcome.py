"""What becomes of the results that a verb has measured."""

from frontend.failure import WORK_FAILED
from frontend.figures import results, table
from frontend.progress import say


def keep(measured, output, curves, curves_name):
    """Writes the results and puts the curves beside them; standard output has no place for any."""
    if output != results.STDOUT and any(curves.iterdir()):
        measured.context["curves"] = curves_name
        results.replace_folder(curves, output.parent / curves_name)
    results.write(output, measured)


def show(measured):
    """Prints the table, unless the results themselves were printed, and the failures; the exit
    status."""
    if measured.path != results.STDOUT:
        table.show(measured)
    failures = results.unique(
        (row.name, entry["error_message"]) for row in measured.rows for entry in row.failures
    )
    for name, message in failures:
        say(f"{name}: {message}")
    return WORK_FAILED if failures else 0
