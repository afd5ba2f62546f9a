"""What becomes of the results that a verb has measured."""

from frontend.failure import WORK_FAILED
from frontend.figures import results, table
from frontend.progress import say


def keep(measured, output, curves, curves_name):
    """Writes the results and puts the curves beside them; standard output has no place for them."""
    if any(curves.iterdir()) and not results.is_stdout(output):
        measured.context["curves"] = curves_name
        results.replace_folder(curves, output.parent / curves_name)
    results.write(output, measured)


def show(measured, output=None):
    """Prints the table, unless the results themselves went to standard output, and the failures;
    the exit status."""
    if not results.is_stdout(output):
        table.show(measured)
    failures = results.unique(
        (row.name, entry["error_message"]) for row in measured.rows for entry in row.failures
    )
    for name, message in failures:
        say(f"{name}: {message}")
    return WORK_FAILED if failures else 0
