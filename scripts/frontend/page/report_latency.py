"""The parts of the page about how long single calls take: the percentile curves of all traces, and
of each trace the percentiles and the worst calls.
"""

from html import escape

from frontend.figures import stats, worst_calls
from frontend.figures.duration import duration_text
from frontend.figures.metrics import LATENCIES
from frontend.page.report_figures import figure
from frontend.page.report_tables import name_cell, number_cell, table

INTRODUCTION = """
<h3>Latency of single calls</h3>
<p>One call in sixteen is timed, without what is written to its block; a curve holds the calls of
all rounds. The worst calls stand in the section of each trace. They come from a further run in
which every call is timed. What is among the worst ten in every round is slow by what it does; what
is there once may have been disturbed.</p>
"""
WORST_HEADS = ("allocator", "duration", "call", "bytes", "operation", "thread", "faults", "rounds")


def curves_part(part):
    """The percentile curves of a Part, and what they are of; nothing without latencies."""
    chart = figure(part.folder / "latency.svg", f"{part.title}: how long single calls take")
    return INTRODUCTION + chart if chart else ""


def trace_part(summary, subject):
    """Percentiles and worst calls of a trace; nothing without latencies."""
    rows = {name: summary.rows.get((subject, name)) for name in summary.allocators}
    rows = {name: row for name, row in rows.items() if row and not row.failures}
    return percentiles_table(rows) + worst_table(rows)


def percentiles_table(rows):
    """Medians over the rounds of {allocator: Row}, of those figures that somebody has."""
    keys = [key for key in LATENCIES if any(row.values(key) for row in rows.values())]
    if not keys:
        return ""
    cells = [
        [name_cell(name), *(duration_cell(stats.median(row.values(key))) for key in keys)]
        for name, row in rows.items()
    ]
    heads = ["allocator", *(LATENCIES[key].name for key in keys)]
    return f'<p class="small">How long one call takes</p>{table(heads, cells, look="flat")}'


def duration_cell(ns):
    """A cell that sorts by a duration; empty without one."""
    return number_cell(ns, duration_text(ns))


def worst_table(rows):
    """The worst calls of {allocator: Row}; it unfolds at a click."""
    found = [(name, call, row) for name, row in rows.items() for call in worst_calls.of_row(row)]
    if not found:
        return ""
    has_sites = any(call.site for _, call, _ in found)
    cells = [worst_row(name, call, len(row.samples), has_sites) for name, call, row in found]
    heads = (*WORST_HEADS, "site") if has_sites else WORST_HEADS
    return (
        "<details><summary>The worst calls of each allocator</summary>"
        f'{table(heads, cells, look="flat")}</details>'
    )


def worst_row(name, call, rounds, has_site):
    """The cells of a WorstCall; has_site: one for who made it."""
    numbers = (call.size, call.op, call.thread, call.faults)
    return [
        name_cell(name),
        duration_cell(call.ns),
        f'<td class="name">{escape(call.kind)}</td>',
        *(number_cell(number, f"{number:,}") for number in numbers),
        number_cell(call.rounds, f"{call.rounds} of {rounds}"),
        *([f'<td class="name">{escape(call.site)}</td>'] if has_site else []),
    ]
