"""The heat map of workloads: a row for each, a column for each allocator, once for time and once
for peak RSS. A cell says how many times the best one's figure it is, and is the darker the more
that is; the best one's figure itself stands at the edge.
"""

import math

from matplotlib import colors, patches

from frontend.charts import canvas, lettering, palette, tips
from frontend.figures import digest

RIGHT, BETWEEN = 0.12, 0.14  # inches
SUBJECT_SIZE, SUBJECT_MOST = 8.5, 2.4  # points; inches, which cut longer names
COLUMN_MOST = 0.8  # inches
TITLE_LEAST = 1.0  # inches of a panel without its edge
NAME_SIZE = 8.5
SLOPE = 60  # degrees, of names that are wider than their column
NAME_MOST = 1.15  # inches of a sloping name
BEST = 0.5  # of the column with the best one's figure
ROW, HEAD, TITLES = 0.17, 0.72, 0.26
DARKEST = 4.0  # from this ratio on a cell is as dark as it gets; arbitrary
LEAST_MIB = 1.0  # what is below counts as this much: it is little more than rounding
# Neither is in the palette: a cell looks the same on a dark page, and so does what is in it.
SHADES = colors.LinearSegmentedColormap.from_list("shades", ("#fdfcf7", "#f3b562", "#8c2d04"))
INK_ON_LIGHT, INK_ON_DARK, GAP = "#24292e", "#fdfcf8", "#8b949e"


def heat_figure(summary):
    height = ROW * len(summary.subjects)
    start = 0.2 + min(SUBJECT_MOST, lettering.widest(summary.subjects, SUBJECT_SIZE))
    columns = len(summary.allocators)
    room = (canvas.WIDTH - start - RIGHT - BETWEEN) / 2
    column = min(COLUMN_MOST, (room - BEST) / columns)
    names = names_height(summary.allocators, column)
    figure = canvas.sheet(
        HEAD + TITLES + names + height + 0.12,
        canvas.caption(summary),
        "Synthetic workloads: time and peak RSS, by allocator",
        "In each cell: how many times the best figure of its row. Lighter is better; 1 is best.",
    )
    width = max(column * columns, TITLE_LEAST) + BEST
    for i, measure in enumerate((summary.time, digest.RSS)):
        left = start + i * (width + BETWEEN)
        axes = canvas.plot_area(figure, left, HEAD + TITLES + names, width, height)
        draw_panel(axes, summary, measure, (column, width, names))
        if i == 0:
            put_subjects(axes, summary)
    return figure


def names_height(names, column):
    """Inches that the names take above their columns, of some width: they slope where they must."""
    widest = min(NAME_MOST, lettering.widest(names, NAME_SIZE, "bold"))
    is_level = widest + 0.08 < column
    return 0.2 if is_level else 0.14 + widest * math.sin(math.radians(SLOPE))


def draw_panel(axes, summary, measure, sizes):
    """One figure of all workloads under all allocators; x counts columns, y rows. Sizes in inches:
    a column, the panel, the height of the names."""
    column, width, names = sizes
    right = width / column  # in columns, as x is
    axes.set(xlim=(0, right), ylim=(len(summary.subjects), 0), xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set_visible(False)
    for x, name in enumerate(summary.allocators):
        put_name(axes, name, x, names > 0.2)
    look = {"size": 8, "ha": "right", "va": "bottom", "color": palette.MUTED}
    canvas.note(axes, f"best,\n{measure.unit}", (right, 0), (0, 3), **look)
    title = f"{measure.title}, {measure.unit}"
    canvas.note(axes, title, (0, 0), (0, 72 * names + 2), size=9.5, weight="bold", va="bottom")
    for y, subject in enumerate(summary.subjects):
        draw_row(axes, summary, measure, (y, subject), right)


def put_name(axes, name, x, is_sloping):
    """The name of an allocator above its column."""
    look = {"rotation": SLOPE, "ha": "left"} if is_sloping else {"ha": "center"}
    look.update(size=NAME_SIZE, weight="bold", va="bottom", color=palette.style(name).colour)
    shown = lettering.fitted(name, NAME_MOST, NAME_SIZE, "bold")
    canvas.note(axes, shown, (x + (0.3 if is_sloping else 0.5), 0), (0, 3), **look)


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
        shown = lettering.fitted(subject, SUBJECT_MOST, SUBJECT_SIZE)
        canvas.note(axes, shown, (0, y + 0.5), (-6, 0), ha="right", size=SUBJECT_SIZE)
