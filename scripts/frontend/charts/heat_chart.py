"""The heat map of workloads: a row for each, a column for each allocator, once for time and once
for peak RSS. A cell says how many times the best one's figure it is, and is the darker the more
that is; the best one's figure itself stands at the edge.
"""

import math

from matplotlib import colors, patches

from frontend.charts import canvas, palette, tips
from frontend.figures import digest

RIGHT, BETWEEN = 0.12, 0.14  # inches
LETTER = 0.06  # width of one in the names of workloads
BEST = 0.5  # of the column with the best one's figure
ROW, HEAD, NAMES = 0.17, 0.72, 0.95
DARKEST = 4.0  # from this ratio on a cell is as dark as it gets; arbitrary
LEAST_MIB = 1.0  # what is below counts as this much: it is little more than rounding
# Neither is in the palette: a cell looks the same on a dark page, and so does what is in it.
SHADES = colors.LinearSegmentedColormap.from_list("shades", ("#fdfcf7", "#f3b562", "#8c2d04"))
INK_ON_LIGHT, INK_ON_DARK, GAP = "#24292e", "#fdfcf8", "#8b949e"


def heat_figure(summary):
    """Both panels."""
    text = canvas.caption(summary)
    height = ROW * len(summary.subjects)
    figure = canvas.sheet(
        HEAD + NAMES + height + 0.12 + canvas.caption_height(text),
        text,
        "Synthetic workloads: time and peak RSS, by allocator",
        "In each cell: how many times the best figure of its row. Lighter is better; 1 is best.",
    )
    start = 0.2 + LETTER * max(map(len, summary.subjects))
    width = (canvas.WIDTH - start - RIGHT - BETWEEN) / 2
    for i, measure in enumerate((summary.time, digest.RSS)):
        left = start + i * (width + BETWEEN)
        axes = canvas.plot_area(figure, left, HEAD + NAMES, width, height)
        draw_panel(axes, summary, measure, width)
        if i == 0:
            put_subjects(axes, summary)
    return figure


def draw_panel(axes, summary, measure, width):
    """One figure of all workloads under all allocators; x counts columns, y rows."""
    columns = len(summary.allocators)
    edge = columns * BEST / (width - BEST)  # width of the edge column in columns
    axes.set(xlim=(0, columns + edge), ylim=(len(summary.subjects), 0), xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set_visible(False)
    for x, name in enumerate(summary.allocators):
        look = {"rotation": 60, "ha": "left", "va": "bottom", "size": 8.5, "weight": "bold"}
        colour = palette.style(name).colour
        canvas.note(axes, name, (x + 0.3, 0), (0, 3), color=colour, **look)
    title = f"{measure.title}, {measure.unit}"
    look = {"size": 8, "ha": "right", "va": "bottom", "color": palette.MUTED}
    canvas.note(axes, f"best,\n{measure.unit}", (columns + edge, 0), (0, 3), **look)
    canvas.note(axes, title, (0, 0), (0, 62), size=9.5, weight="bold", va="bottom")
    for y, subject in enumerate(summary.subjects):
        draw_row(axes, summary, measure, (y, subject), columns + edge)


def draw_row(axes, summary, measure, place, right):
    """The cells of one workload."""
    y, subject = place
    figures = figures_of(summary, measure, subject)
    best = min(figures.values(), default=None)
    for x, name in enumerate(summary.allocators):
        if name in figures:
            ratio = figures[name] / best
            text = f"{tips.figure(summary, subject, name, measure)}\n{ratio:.3g} times the best"
            draw_cell(axes, (x, y), ratio, text)
        else:
            text = "×" if summary.cells[subject, name].gap == "failed" else "–"
            axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", color=GAP, size=8)
    if best is not None:
        look = {"ha": "right", "va": "center", "size": 7.5, "color": palette.MUTED}
        is_least = measure is digest.RSS and best == LEAST_MIB
        axes.text(right, y + 0.5, "≤ 1" if is_least else short_text(best), **look)


def figures_of(summary, measure, subject):
    """{allocator: figure} of one workload."""
    cells = {name: summary.cells[subject, name] for name in summary.allocators}
    estimates = {name: digest.part(cell, measure) for name, cell in cells.items()}
    least = LEAST_MIB if measure is digest.RSS else 0
    return {name: max(e.median, least) for name, e in estimates.items() if e}


def draw_cell(axes, place, ratio, tip):
    """A cell with its number and its tip."""
    depth = min(1.0, math.log(ratio) / math.log(DARKEST))
    x, y = place
    cell = patches.Rectangle((x + 0.03, y + 0.04), 0.94, 0.92, color=SHADES(depth), lw=0)
    canvas.tip(axes.add_patch(cell), tip)
    ink = INK_ON_DARK if depth > 0.72 else INK_ON_LIGHT
    weight = "bold" if ratio == 1 else "normal"
    look = {"ha": "center", "va": "center", "size": 7.5, "color": ink, "weight": weight}
    axes.text(x + 0.5, y + 0.5, ratio_text(ratio), **look)


def short_text(figure):
    """A figure with three digits that count: "42.5", "270 k", "2.22 M"."""
    if figure >= 999.5e3:
        return f"{digest.number_text(figure / 1e6)} M"
    return (
        f"{digest.number_text(figure / 1e3)} k" if figure >= 9999.5 else digest.number_text(figure)
    )


def ratio_text(ratio):
    """ "1", "1.25", "12.5", "125": as many digits as fit."""
    if ratio == 1:
        return "1"
    return f"{ratio:.2f}" if ratio < 9.995 else f"{ratio:.1f}" if ratio < 99.95 else f"{ratio:.0f}"


def put_subjects(axes, summary):
    """The names of the workloads, left of their rows."""
    for y, subject in enumerate(summary.subjects):
        canvas.note(axes, subject, (0, y + 0.5), (-6, 0), ha="right", size=8.5)
