"""The table of what allocators give back while a program does nothing: resident memory after the
drain of a replay, at once, a while later, and after malloc_trim."""

from frontend.figures.metrics import MIB
from frontend.figures.table import console, figure_table, print_prose

COLUMNS = tuple(
    (head, key, MIB, 2)
    for head, key in (
        ("peak", "peak_rss"),
        ("at once", "rss_after_drain"),
        ("0.1 s", "rss_after_100ms"),
        ("1 s", "rss_after_1s"),
        ("5 s", "rss_after_5s"),
        ("trimmed", "rss_after_trim"),
    )
)
WATCHED = "rss_after_5s"  # only what was replayed with --decay has it
LEGEND = (
    "MiB of RSS: the peak, and what is left when every block has been freed, at once and after so"
    " long without a call. trimmed: after malloc_trim(0), where the allocator has one of its own."
)


def show(measured):
    """Prints the table, if the Results have such figures."""
    rows = [row for row in measured.rows if row.values(WATCHED)]
    if rows:
        out = console()
        out.print(figure_table(rows, COLUMNS))
        print_prose(out, LEGEND)
