"""The part of a trace's section about the moment at which an allocator wastes most memory, and
whose blocks live then; for traces with call sites."""

from html import escape

from frontend.figures import wasteful_moments
from frontend.figures.metrics import MIB
from frontend.page.report_tables import name_cell, number_cell, table

HEADS = ("allocator", "waste, MiB", "operation", "live, MiB", "most of it by")


def trace_part(summary, subject):
    """A row for each allocator of a Digest; nothing without sites."""
    rows = {name: summary.rows.get((subject, name)) for name in summary.allocators}
    moments = {name: wasteful_moments.of_row(row) for name, row in rows.items() if row}
    cells = [moment_row(name, moment) for name, moment in moments.items() if moment]
    if not cells:
        return ""
    return (
        '<p class="small">When most memory was resident beyond what lived, and whose blocks lived '
        f'then</p>{table(HEADS, cells, look="flat")}'
    )


def moment_row(name, moment):
    """The cells of a Moment."""
    owners = (f"{escape(site)}, {wasteful_moments.mib_text(live)}" for site, live in moment.owners)
    return [
        name_cell(name),
        number_cell(moment.waste / MIB),
        number_cell(moment.op, f"{moment.op:,}"),
        number_cell(moment.live / MIB),
        f'<td class="name">{"<br>".join(owners)}</td>',
    ]
