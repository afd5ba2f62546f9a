"""The chart of least limits: for each trace a panel of its own, in it for each allocator a mark for
its peak RSS and a tick for the least memory limit under which the replay came to its end.
"""

from frontend.charts import canvas, far_out, lettering, palette, ratio_chart
from frontend.figures import digest, stats
from frontend.figures.replay_tables import LEAST

HEAD = 0.84  # inches
LANE, PANEL_PAD, AXIS = 0.17, 0.12, 0.36
SIZE = 7.5
LONGEST = 1.5  # inches of a name


def limits_of(summary):
    """{(subject, allocator): least limit in bytes} of the rows that have one."""
    rows = {key: row.values(LEAST) for key, row in summary.rows.items() if key[1] != "null"}
    return {key: stats.median(values) for key, values in rows.items() if values}


def limit_figure(summary):
    """All panels, one below the other."""
    limits = limits_of(summary)
    subjects = [s for s in summary.subjects if any(subject == s for subject, _ in limits)]
    panel = LANE * len(summary.allocators) + PANEL_PAD
    kind = summary.context.get("memory_limit_of", "memory")
    note = f"Limit on the {kind} without the harness's own memory, to 1 %."
    figure = canvas.sheet(
        HEAD + (panel + AXIS) * len(subjects),
        canvas.caption(summary, note),
        "The least memory limit that each allocator survives",
        "MiB, from zero in each panel; left is leaner. ● peak RSS, | least limit.",
    )
    labels = [label_of(summary, limits, key) for key in limits]
    left, right = ratio_chart.names_width(subjects, ()), lettering.widest(labels, SIZE) + 0.3
    for i, subject in enumerate(subjects):
        place = (left, HEAD + i * (panel + AXIS), canvas.WIDTH - left - right, panel)
        axes = canvas.plot_area(figure, *place)
        ratio_chart.draw_bands(axes, 1, 0, panel)
        draw_panel(axes, summary, limits, subject)
    return figure


def draw_panel(axes, summary, limits, subject):
    canvas.set_axis_from_zero(axes, axis_end(summary, limits, subject))
    ratio_chart.put_name(axes, subject, LANE * len(summary.allocators) / 2 + PANEL_PAD / 2)
    for i, name in enumerate(summary.allocators):
        y = PANEL_PAD / 2 + LANE * (i + 0.5)
        draw_lane(axes, summary, limits, (subject, name), y)


def axis_end(summary, limits, subject):
    """Where a trace's axis ends, in MiB: few allocators that lie far out would squeeze the rest."""
    greatest = []
    for name in summary.allocators:
        limit, rss = limits.get((subject, name), 0), summary.cells[subject, name].rss
        greatest.append(max(limit / digest.MIB, rss.median if rss else 0))
    return 1.04 * far_out.greatest_near([size for size in greatest if size > 0])


def label_of(summary, limits, key):
    """The name of an allocator with its least limit, and with what lies beyond the panel."""
    limit, rss = limits[key] / digest.MIB, summary.cells[key].rss
    edge = axis_end(summary, limits, key[0])
    shown = f"{lettering.fitted(key[1], LONGEST, SIZE)} {digest.number_text(limit)}"
    if rss and rss.median > edge:
        return far_out.arrowed(f"{shown}, peak {digest.number_text(rss.median)}", 1)
    return far_out.arrowed(shown, 1) if limit > edge else shown


def draw_lane(axes, summary, limits, key, y):
    """An allocator on a trace: peak, least limit, name; or that it failed."""
    cell, name = summary.cells[key], key[1]
    if cell.error or key not in limits:
        ratio_chart.draw_gap(axes, f"{name} {cell.gap or 'no limit found'}", name, y)
        return
    colour, edge = palette.style(name).colour, axes.get_xlim()[1]
    limit = limits[key] / digest.MIB
    told = f"{key[0]}, {name}\nleast limit {digest.number_text(limit)} MiB"
    seen = [min(limit, edge)]
    if cell.rss:
        told += f", peak RSS {digest.number_text(cell.rss.median)} MiB"
    if cell.rss and cell.rss.median <= edge:
        ratio_chart.draw_mark(axes, name, cell.rss, y, told)
        seen.append(cell.rss.median)
    if limit <= edge:
        canvas.tip(ratio_chart.draw_tick(axes, limit, (y, LANE / 2), colour, 2.2), told)
    label = label_of(summary, limits, key)
    note = canvas.note(axes, label, (max(seen), y), (7, 0), size=SIZE, color=colour)
    canvas.tip(note, told)
