"""The table of replays under a limit of memory: who survived it, and where the others failed; or
the least limit that each survives, beside its peak RSS."""

from frontend.figures import stats
from frontend.figures.metrics import MIB
from frontend.figures.table import (
    add_number_columns,
    console,
    figure,
    figure_table,
    new_table,
    print_prose,
)

LEAST = "least_limit"
PEAK_COLUMN = ("peak MiB", "peak_rss", MIB, 2)
LEAST_COLUMNS = (PEAK_COLUMN, ("least limit MiB", LEAST, MIB, 2))
FAILED_COLUMNS = (("live MiB then", "failed_live", MIB, 2), PEAK_COLUMN)
ADDRESS_SPACE = (
    "No memory cgroup could be made here, so the limit is on address space (RLIMIT_AS): what is"
    " only reserved counts like what is used, and allocators that reserve much fail early."
)


def show(measured):
    """Prints the table, if the Results have such figures."""
    out = console()
    ends = [row for row in measured.rows if any("survived" in entry for entry in row.samples)]
    searched = [row for row in measured.rows if row.values(LEAST)]
    if ends:
        out.print(ends_table(ends))
    if searched:
        out.print(figure_table(searched, LEAST_COLUMNS))
    if ends or searched:
        print_prose(out, legend(measured.context, bool(searched)))


def ends_table(rows):
    """How the runs under one limit ended."""
    table = new_table("trace", "allocator", spare=("peak MiB",))
    add_number_columns(table, ("survived", "failed at operation"))
    add_number_columns(table, [column[0] for column in FAILED_COLUMNS])
    subject = None
    for row in rows:
        if subject not in (None, row.subject):
            table.add_section()
        cells = [survived_text(row), failed_text(row), *(figure(row, c) for c in FAILED_COLUMNS)]
        table.add_row("" if row.subject == subject else row.subject, row.allocator, *cells)
        subject = row.subject
    return table


def survived_text(row):
    """ "yes", "no", or "2 of 5"."""
    ends = [entry["survived"] for entry in row.samples if "survived" in entry]
    if len(set(ends)) == 1:
        return "yes" if ends[0] else "no"
    return f"{sum(ends)} of {len(ends)}"


def failed_text(row):
    """ "1,234 of 5,678", or nothing where no run failed."""
    failed = stats.median(row.values("failed_at_op"))
    return f"{failed:,.0f} of {row.values('ops')[0]:,}" if failed else ""


def legend(context, is_searched):
    """What was limited, and what it means to fail."""
    size = context.get("memory_limit")
    kind = context.get("memory_limit_of", "memory")
    lines = [
        f"Limit on the {kind}{'' if is_searched else f', {size / MIB:,.2f} MiB'}, in a run of its"
        f" own; the harness's memory does not count.",
        "To fail: a call returns NULL, or the system kills the process. Medians.",
    ]
    if is_searched:
        lines[1] = "least limit: the least, to 1 %, under which the replay comes to its end."
    if kind == "address space":
        lines.append(ADDRESS_SPACE)
    return " ".join(lines)
