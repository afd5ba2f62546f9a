"""The chart of least limits: for each trace a panel of its own, in it for each allocator a mark for
its peak RSS and a tick for the least memory limit under which the replay came to its end.
"""

from matplotlib import ticker

from frontend.charts import canvas, lettering, palette, ratio_chart
from frontend.figures import digest, stats
from frontend.figures.limit_table import LEAST

HEAD = 0.84  # inches
LANE, PANEL_PAD, AXIS = 0.17, 0.12, 0.36
SIZE = 7.5


def limits_of(summary):
    """{(subject, allocator): least limit in bytes} of the rows that have one."""
    rows = {key: row.values(LEAST) for key, row in summary.rows.items() if key[1] != "null"}
    return {key: stats.median(values) for key, values in rows.items() if values}


def limit_figure(summary):
    """All panels, one below the other."""
    limits = limits_of(summary)
    subjects = [s for s in summary.subjects if any(subject == s for subject, _ in limits)]
    panel = LANE * len(summary.allocators) + PANEL_PAD
    text = canvas.caption(summary, limit_note(summary))
    figure = canvas.sheet(
        HEAD + (panel + AXIS) * len(subjects) + canvas.caption_height(text),
        text,
        "The least memory limit that each allocator survives",
        "MiB, from zero in each panel; left is leaner. ● peak RSS, | least limit.",
    )
    left, right = ratio_chart.names_width(subjects, ()), room_for_labels(summary, limits)
    for i, subject in enumerate(subjects):
        place = (left, HEAD + i * (panel + AXIS), canvas.WIDTH - left - right, panel)
        axes = canvas.plot_area(figure, *place)
        ratio_chart.draw_bands(axes, 1, 0, panel)
        draw_panel(axes, summary, limits, subject)
    return figure


def limit_note(summary):
    """What was limited."""
    kind = summary.context.get("memory_limit_of", "memory")
    return f"Limit on the {kind} without the harness's own memory, to 1 %."


def draw_panel(axes, summary, limits, subject):
    """One trace."""
    sizes = [size / digest.MIB for (s, _), size in limits.items() if s == subject]
    cells = [summary.cells[subject, name] for name in summary.allocators]
    peaks = [cell.rss.median for cell in cells if cell.rss]
    axes.set_xlim(0, 1.04 * max((*sizes, *peaks)))
    axes.xaxis.set_major_locator(ticker.MaxNLocator(8))
    axes.grid(axis="x")
    ratio_chart.put_name(axes, subject, LANE * len(cells) / 2 + PANEL_PAD / 2)
    for i, name in enumerate(summary.allocators):
        y = PANEL_PAD / 2 + LANE * (i + 0.5)
        draw_lane(axes, summary, (subject, name), limits.get((subject, name)), y)


def label_of(name, limit):
    """The name of an allocator with its least limit."""
    return f"{name} {digest.number_text(limit / digest.MIB)}"


def room_for_labels(summary, limits):
    """Inches right of the panels that the labels beside marks may take."""
    labels = [label_of(name, limit) for (_, name), limit in limits.items()]
    return min(2.5, lettering.widest(labels, SIZE) + 0.3)


def draw_lane(axes, summary, key, limit, y):
    """An allocator on a trace: peak, least limit, name; or that it failed."""
    cell, name = summary.cells[key], key[1]
    if cell.error or limit is None:
        ratio_chart.draw_gap(axes, f"{name} {cell.gap or 'no limit found'}", name, y)
        return
    colour = palette.style(name).colour
    limit_mib = limit / digest.MIB
    told = f"{key[0]}, {name}\nleast limit {digest.number_text(limit_mib)} MiB"
    if cell.rss:
        told += f", peak RSS {digest.number_text(cell.rss.median)} MiB"
        ratio_chart.draw_mark(axes, name, cell.rss, y, told)
    (tick,) = axes.plot([limit_mib] * 2, [y - LANE / 2, y + LANE / 2], color=colour, lw=2.2)
    canvas.tip(tick, told)
    end = max(limit_mib, cell.rss.median if cell.rss else 0)
    canvas.note(axes, label_of(name, limit), (end, y), (7, 0), size=SIZE, color=colour)
