"""What becomes of the results that a verb has measured."""

from frontend.failure import WORK_FAILED, Failure
from frontend.figures import results, table
from frontend.progress import say


def keep(measured, output, curves, curves_name):
    """Writes the results and puts the curves beside them; show tells if that failed."""
    is_file = output.is_file() or not output.exists()  # beside a device there is no place
    if any(curves.iterdir()) and is_file:
        measured.context["curves"] = curves_name
        try:
            results.replace_folder(curves, output.parent / curves_name)
        except Failure as failure:
            measured.unwritten = failure
            return
    results.keep(output, measured)


def show(measured):
    """Prints the table and the failures; the exit status."""
    table.show(measured)
    failures = results.unique(
        (row.name, entry["error_message"]) for row in measured.rows for entry in row.failures
    )
    for name, message in failures:
        say(f"{name}: {message}")
    results.check_kept(measured)
    return WORK_FAILED if failures else 0
