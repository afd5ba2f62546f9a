"""The chart of the micro-benchmarks that are not a matter of size: a row for each, in it a dot for
the ratio of each allocator to the reference, whose time stands at the right edge.
"""

from frontend.charts import canvas, far_out, lettering, palette, ratio_chart, size_chart, tips
from frontend.figures import digest

RIGHT, HEAD = 0.75, 0.9  # inches
LANE, LANES = 0.07, 0.34  # distance of dots in a row, and most that all of a row may take
ROW_PAD = 0.12
DOT = 4.2
EDGE_SIZE = 7
MOST_EDGE = 0.4  # of the panel, for what stands at an edge
NO_CALLS = ("empty",)  # calls no allocator


def rows_of(summary):
    """The subjects that the chart shows: outside of the panels by size, and not of one allocator
    only."""
    by_size = {s for sizes in size_chart.panels_of(summary).values() for s in sizes.values()}
    return [s for s in summary.subjects if s not in by_size and is_compared(summary, s)]


def is_compared(summary, subject):
    """Whether the reference and some other allocator were meant to run it, and it is about them."""
    ran = {
        name: summary.cells[subject, name].error != digest.NOT_RUN for name in summary.allocators
    }
    return subject not in NO_CALLS and ran[summary.reference] and sum(ran.values()) > 1


def dot_figure(summary):
    subjects, rivals = rows_of(summary), ratio_chart.by_overall(summary, summary.time)
    lane = min(LANE, LANES / max(1, len(rivals)))
    row = lane * max(2, len(rivals)) + ROW_PAD
    left = ratio_chart.names_width(subjects, ())
    rows = canvas.rows_of_names(rivals)
    tall = row * len(subjects)
    top = HEAD + canvas.NAMES_LINE * len(rows)
    top += ratio_chart.TOP_AXIS if tall > ratio_chart.TALL else 0
    figure = canvas.sheet(
        top + tall + 0.34,
        canvas.caption(summary, canvas.twin_note(summary)),
        "Time of single calls and of small patterns, by allocator",
        f"Left is faster. Ratio to {summary.reference}, logarithmic; at the right edge the "
        f"nanoseconds of {summary.reference}.",
    )
    canvas.put_names(figure, rows, 0.72)
    axes = canvas.plot_area(figure, left, top, canvas.WIDTH - left - RIGHT, tall)
    ratio_chart.draw_bands(axes, len(subjects), 0, row)
    ratio_chart.repeat_axis(axes)
    set_axis(axes, summary, subjects)
    for i, subject in enumerate(subjects):
        draw_row(axes, summary, subject, row * (i + 0.5), [(name, lane) for name in rivals])
    return figure


def set_axis(axes, summary, subjects):
    """The axis of ratios, wide enough for all that is not far out, and for what stands at its edges
    instead."""
    ratios = [summary.cells[s, name].time_ratio for s in subjects for name in summary.rivals]
    ratios = [ratio for ratio in ratios if ratio]
    bounds = far_out.near([ratio.median for ratio in ratios])
    edges = [edge_share(axes, summary, subjects, bounds, which) for which in (-1, 1)]
    limits = far_out.limits_of(ratios, edges=edges)
    ratio_chart.set_ratio_axis(axes, summary, summary.time, limits)


def edge_share(axes, summary, subjects, bounds, which):
    """How much of the panel the longest text at one of its edges takes."""
    texts = [edge_text(summary, subject, bounds, which) for subject in subjects]
    wanted = lettering.widest(texts, EDGE_SIZE, "bold") + 0.1
    return min(MOST_EDGE, wanted / ratio_chart.width_of(axes))


def edge_text(summary, subject, bounds, which):
    """Who lies beyond the panel on one side, and how far; empty if nobody does."""
    ratios = {name: summary.cells[subject, name].time_ratio for name in summary.rivals}
    beyond = [
        f"{name} {far_out.figure(ratio.median)}"
        for name, ratio in ratios.items()
        if ratio and far_out.side(ratio.median, bounds) == which
    ]
    return far_out.arrowed(", ".join(beyond), which) if beyond else ""


def draw_row(axes, summary, subject, middle, lanes):
    """One benchmark: its name, its dots, what failed, and the reference's time."""
    ratio_chart.put_name(axes, subject, middle, size=9)
    limits = axes.get_xlim()
    gaps = []
    for i, (name, lane) in enumerate(lanes):
        cell = summary.cells[subject, name]
        if cell.time_ratio and not far_out.side(cell.time_ratio.median, limits):
            y = middle + lane * (i - (len(lanes) - 1) / 2)
            text = tips.ratio(summary, subject, name, summary.time)
            ratio_chart.draw_mark(axes, name, cell.time_ratio, y, text, DOT)
        elif cell.error and cell.error != digest.NOT_RUN:
            gaps.append(name)
    put_edges(axes, summary, subject, middle, gaps)
    reference = summary.cells[subject, summary.reference]
    time = digest.number_text(reference.time.median) if reference.time else "failed"
    colour = palette.style(summary.reference).colour
    canvas.note(axes, time, (1, middle), (6, 0), canvas.EDGE, size=8.5, color=colour)


def put_edges(axes, summary, subject, middle, gaps):
    """What stands at the edges of a row: who failed, and who lies beyond."""
    failed = f"× {', '.join(gaps)} failed" if gaps else ""
    limits = axes.get_xlim()
    texts = (
        (0, 4, "left", "  ".join(filter(None, (edge_text(summary, subject, limits, -1), failed)))),
        (1, -4, "right", edge_text(summary, subject, limits, 1)),
    )
    for x, shift, side, text in texts:
        room = MOST_EDGE * ratio_chart.width_of(axes)
        shown = lettering.fitted(text, room, EDGE_SIZE, "bold")
        look = {"ha": side, "size": EDGE_SIZE, "weight": "bold"}
        if shown:
            canvas.tip(canvas.note(axes, shown, (x, middle), (shift, 0), canvas.EDGE, **look), text)
