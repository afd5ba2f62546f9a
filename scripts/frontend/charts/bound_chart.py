"""The chart of the adversaries: a row for each, in it a mark for the peak RSS under each allocator,
and ticks for the live bytes and for what theory says that is needed.
"""

from matplotlib import ticker

from frontend.charts import canvas, palette, ratio_chart, tips
from frontend.figures import digest

LEFT, RIGHT, HEAD = 1.45, 1.1, 0.78  # inches
LANE = 0.15
LIVE = (palette.MUTED, 0.9, (0, (2, 1)))
BOUND = (palette.INK, 2.2, "solid")


def bound_figure(summary):
    """All adversaries, one below the other on one axis."""
    subjects = list(summary.bound)
    row = LANE * max(2, len(summary.allocators)) + 0.16
    text = canvas.caption(summary, canvas.twin_note(summary))
    height = row * len(subjects)
    figure = canvas.sheet(
        HEAD + height + 0.34 + canvas.caption_height(text),
        text,
        "Adversaries: memory needed, and what theory asks for",
        "Peak RSS in MiB, from zero; left is leaner. | needed according to theory, "
        "¦ live bytes at the peak.",
    )
    axes = canvas.plot_area(figure, LEFT, HEAD, canvas.WIDTH - LEFT - RIGHT, height)
    ratio_chart.draw_bands(axes, len(subjects), 0, row)
    for i, subject in enumerate(subjects):
        draw_row(axes, summary, subject, (row * (i + 0.5), row / 2 - 0.04))
    axes.set_xlim(0, None)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(8))
    axes.grid(axis="x")
    return figure


def draw_row(axes, summary, subject, place):
    """One adversary; place is (middle, half its height)."""
    middle, half = place
    canvas.note(axes, subject, (0, middle), (-8, 0), canvas.EDGE, ha="right", size=10)
    bound = summary.bound[subject] / digest.MIB
    ratio_chart.draw_tick(axes, bound, place, *BOUND)
    canvas.note(axes, f"{bound:.0f}", (bound, middle - half), (3, -4), size=8)
    if subject in summary.live:
        ratio_chart.draw_tick(axes, summary.live[subject] / digest.MIB, place, *LIVE)
    count = len(summary.allocators)
    for i, name in enumerate(summary.allocators):
        draw_lane(axes, summary, (subject, name), middle + LANE * (i - (count - 1) / 2))


def draw_lane(axes, summary, key, y):
    """The mark of an allocator and its name, or that it failed."""
    cell, name = summary.cells[key], key[1]
    colour = palette.style(name).colour
    if cell.error:
        ratio_chart.draw_gap(axes, f"{name} {cell.gap}", name, y)
    elif cell.rss:
        ratio_chart.draw_mark(axes, name, cell.rss, y, tips.figure(summary, *key, digest.RSS))
        shown = f"{name} {digest.number_text(cell.rss.median)}"
        canvas.note(axes, shown, (digest.ends(cell.rss)[2], y), (6, 0), size=7.5, color=colour)
