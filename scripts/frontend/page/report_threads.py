"""The part of a trace's section about its threads: how long each was inside calls, how long it
waited for others, and what it took of a processor."""

from html import escape

from frontend.allocators.registry import FLOOR
from frontend.figures import thread_figures
from frontend.page.report_tables import name_cell, number_cell, table

HEADS = ("allocator", "thread", "operations", "in calls, ms", "waiting, ms", "on a processor, ms")
READING = f"""
<p class="small">In calls: from a run of its own that times every call. Waiting: for calls of other
threads of the replay. {FLOOR} makes no real calls, so its figures are the harness's own share of
all others. Medians over the rounds.</p>
"""


def trace_part(summary, subject):
    """A row for each allocator of a Digest and thread of the trace, those of the floor last; it
    unfolds at a click. Nothing of traces of one thread."""
    rows = {name: summary.rows.get((subject, name)) for name in (*summary.allocators, FLOOR)}
    cells = [
        thread_row(name, figures)
        for name, row in rows.items()
        for figures in (thread_figures.of_row(row) if row else [])
    ]
    if not cells:
        return ""
    return (
        f"<details><summary>Thread by thread</summary>{READING}"
        f'{table(HEADS, cells, look="flat")}</details>'
    )


def thread_row(name, figures):
    """The cells of a ThreadFigures."""
    times = (figures.in_calls_ns, figures.wait_ns, figures.cpu_ns)
    return [
        name_cell(name),
        f'<td class="name">{escape(figures.name)}</td>',
        number_cell(figures.ops, f"{figures.ops:,}"),
        *(number_cell(None if ns is None else ns / 1e6) for ns in times),
    ]
