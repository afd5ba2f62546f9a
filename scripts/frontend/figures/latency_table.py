"""The table of how long single calls of a replay took: percentiles of a sample, the worst call, and
one of these figures compared with the reference's. Then the worst calls, one line each."""

from frontend.allocators.registry import FLOOR
from frontend.figures import decision, stats, worst_calls
from frontend.figures.digest import digest
from frontend.figures.duration import duration_text
from frontend.figures.metrics import LATENCIES
from frontend.figures.table import (
    add_number_columns,
    console,
    coverage_text,
    new_table,
    print_prose,
    ratio_cell,
)

WORST_SHOWN = 3  # of an allocator; the results have ten


def show(measured, metric):
    """Prints the latencies, if the results have any, and compares them by a Metric of theirs."""
    summed = digest(measured, "replay")
    rows = [row for row in measured.rows if row.values(metric.key)] if summed else []
    rivals = [row for row in rows if row.allocator != FLOOR]
    if not rows:
        return
    out = console()
    ratios = {row.name: ratio_of(row, summed, metric) for row in rows}
    out.print(latency_rows(rows, ratios, metric, summed.reference))
    print_prose(out, legend(rows, ratios, metric))
    for line in worst_lines(rivals):
        print_prose(out, line)


def ratio_of(row, summed, metric):
    """The Decision on a figure against the reference's; None for the reference itself."""
    reference = summed.rows.get((row.subject, summed.reference))
    compared_with_nobody = row.allocator in (summed.reference, FLOOR)
    if reference is None or compared_with_nobody or reference.failures:
        return None
    return decision.decide(decision.of_rows(reference, row, metric))


def latency_rows(rows, ratios, metric, reference):
    """The table of all rows."""
    head = f"{metric.name} / {reference}"
    heads = [key for key in LATENCIES if any(row.values(key) for row in rows)]
    table = new_table("trace", "allocator", spare=("p50", "p90", "p99.99"))
    add_number_columns(table, (*(LATENCIES[key].name for key in heads), head))
    subject = None
    for row in rows:
        if subject not in (None, row.subject):
            table.add_section()
        ratio = ratios[row.name]
        cells = [duration_text(stats.median(row.values(key))) for key in heads]
        name = "" if row.subject == subject else row.subject
        table.add_row(name, row.allocator, *cells, ratio_cell(ratio) if ratio else "")
        subject = row.subject
    return table


def legend(rows, ratios, metric):
    """What the numbers are."""
    step = max((step for row in rows for step in row.values("counter_step_ns")), default=0)
    lines = [
        "Latency: of one call in sixteen, without what is written to the block. max: of all calls,"
        " in a run of its own, without those during which the system ran something else.",
        f"The clock moves in steps of {step:.3g} ns. {metric.name}: ratios are medians over"
        f" rounds, within a round{coverage_text(ratios.values())}.",
    ]
    return "\n".join(lines)


def worst_lines(rows):
    """The worst calls of each allocator, of all its rounds."""
    for row in rows:
        calls = worst_calls.of_row(row)[:WORST_SHOWN]
        if calls:
            told = "; ".join(call_text(call, len(row.samples)) for call in calls)
            yield f"worst of {row.allocator} on {row.subject}: {told}"


def call_text(call, rounds):
    """ "malloc of 4,096 bytes by make (x.c:3) 1.2 ms (operation 77 of thread 0, 1 fault, in 2 of 7
    rounds)"; without the site where it is not told."""
    faults = f"{call.faults:,} fault{'' if call.faults == 1 else 's'}"
    where = f"operation {call.op:,} of thread {call.thread}"
    seen = f"in {call.rounds} of {rounds} rounds"
    by = f" by {call.site}" if call.site else ""
    took = f"{call.kind} of {call.size:,} bytes{by} {duration_text(call.ns)}"
    return f"{took} ({where}, {faults}, {seen})"
