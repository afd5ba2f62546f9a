"""The chart of the adversaries: a row for each, in it a mark for the peak RSS under each allocator,
and ticks for the live bytes and for what theory says that is needed.
"""

from frontend.charts import canvas, far_out, lettering, palette, ratio_chart, tips
from frontend.figures import digest

HEAD = 0.78  # inches
LANE, ROW_PAD = 0.15, 0.28
SIZE = 7.5
LIVE = (palette.MUTED, 0.9, (0, (2, 1)))
BOUND = (palette.INK, 2.2, "solid")


def bound_figure(summary):
    """All adversaries, one below the other on one axis."""
    subjects = list(summary.bound)
    row = LANE * max(2, len(summary.allocators)) + ROW_PAD
    height = row * len(subjects)
    figure = canvas.sheet(
        HEAD + height + 0.34,
        canvas.caption(summary, canvas.twin_note(summary)),
        "Adversaries: memory needed, and what theory asks for",
        "Peak RSS in MiB, from zero; left is leaner. | needed according to theory, "
        "¦ live bytes at the peak.",
    )
    left, right = ratio_chart.names_width(subjects, ()), room_for_labels(summary)
    axes = canvas.plot_area(figure, left, HEAD, canvas.WIDTH - left - right, height)
    ratio_chart.draw_bands(axes, len(subjects), 0, row)
    canvas.set_axis_from_zero(axes, limit(summary))
    for i, subject in enumerate(subjects):
        draw_row(axes, summary, subject, (row * (i + 0.5), row / 2 - 0.04))
    return figure


def draw_row(axes, summary, subject, place):
    """One adversary; place is (middle, half its height)."""
    middle, half = place
    ratio_chart.put_name(axes, subject, middle)
    bound = summary.bound[subject] / digest.MIB
    ratio_chart.draw_tick(axes, bound, place, *BOUND)
    canvas.note(axes, f"{bound:.0f}", (bound, middle - half), (3, -4), size=8)
    if subject in summary.live:
        ratio_chart.draw_tick(axes, summary.live[subject] / digest.MIB, place, *LIVE)
    count = len(summary.allocators)
    for i, name in enumerate(summary.allocators):
        draw_lane(axes, summary, (subject, name), middle + LANE * (i - (count - 1) / 2))


def limit(summary):
    """Where the axis ends: few figures that lie far out would squeeze the rest."""
    needs = [cell.rss for (s, _), cell in summary.cells.items() if s in summary.bound and cell.rss]
    marks = [size / digest.MIB for size in (*summary.bound.values(), *summary.live.values())]
    greatest = far_out.greatest_near([need.median for need in needs])
    near = [digest.ends(need)[2] for need in needs if need.median <= greatest]
    return 1.06 * max((*marks, *(min(end, far_out.FAR * greatest) for end in near)))


def label_of(name, cell):
    """The name of an allocator with its figure."""
    return f"{name} {digest.number_text(cell.rss.median)}"


def room_for_labels(summary):
    """Inches right of the panel that the labels beside marks may take."""
    cells = [(key[1], cell) for key, cell in summary.cells.items() if key[0] in summary.bound]
    labels = [label_of(name, cell) for name, cell in cells if cell.rss]
    return min(2.5, lettering.widest(labels, SIZE) + 0.2)


def draw_lane(axes, summary, key, y):
    """The mark of an allocator and its name, or that it failed or lies beyond the panel."""
    cell, name = summary.cells[key], key[1]
    colour = palette.style(name).colour
    if cell.error:
        ratio_chart.draw_gap(axes, f"{name} {cell.gap}", name, y)
        return
    if not cell.rss:
        return
    shown, tip = label_of(name, cell), tips.figure(summary, *key, digest.RSS)
    if cell.rss.median > axes.get_xlim()[1]:
        ratio_chart.draw_beyond(axes, name, (far_out.arrowed(shown, 1), 1), y, tip, SIZE)
        return
    ratio_chart.draw_mark(axes, name, cell.rss, y, tip)
    end = min(digest.ends(cell.rss)[2], axes.get_xlim()[1])
    canvas.note(axes, shown, (end, y), (6, 0), size=SIZE, color=colour)
