"""The chart of the micro-benchmarks that are not a matter of size: a row for each, in it a dot for
the ratio of each allocator to the reference, whose time stands at the right edge.
"""


from frontend.charts import canvas, palette, ratio_chart, size_chart, tips
from frontend.figures import digest

LEFT, RIGHT, HEAD = 2.1, 0.75, 1.25  # inches
LANE, LANES = 0.07, 0.34  # distance of dots in a row, and most that all of a row may take
ROW_PAD = 0.12
DOT = 4.2
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
    """All rows."""
    subjects, rivals = rows_of(summary), ratio_chart.by_overall(summary, summary.time)
    lane = min(LANE, LANES / max(1, len(rivals)))
    row = lane * max(2, len(rivals)) + ROW_PAD
    text = canvas.caption(summary, canvas.twin_note(summary))
    height = HEAD + row * len(subjects) + 0.34 + canvas.caption_height(text)
    figure = canvas.sheet(
        height,
        text,
        "Time of single calls and of small patterns, by allocator",
        f"Left is faster. Ratio to {summary.reference}, logarithmic; at the right edge the "
        f"nanoseconds of {summary.reference}.",
    )
    width = canvas.WIDTH - LEFT - RIGHT
    axes = canvas.plot_area(figure, LEFT, HEAD, width, row * len(subjects))
    ratio_chart.draw_bands(axes, len(subjects), 0, row)
    set_axis(axes, summary, subjects)
    for i, subject in enumerate(subjects):
        draw_row(axes, summary, subject, row * (i + 0.5), [(name, lane) for name in rivals])
    put_names(axes, rivals)
    return figure


def set_axis(axes, summary, subjects):
    """The axis of ratios, wide enough for all of them."""
    ratios = [summary.cells[s, name].time_ratio for s in subjects for name in summary.rivals]
    limits = canvas.ratio_limits([end for r in ratios if r for end in digest.ends(r)])
    canvas.set_ratio_axis(axes, "x", limits)
    axes.grid(axis="x")
    axes.axvline(1, color=palette.style(summary.reference).colour, lw=1.6)
    ratio_chart.put_directions(axes, summary.time, limits)


def draw_row(axes, summary, subject, middle, lanes):
    """One benchmark: its name, its dots, what failed, and the reference's time."""
    canvas.note(axes, subject, (0, middle), (-8, 0), canvas.EDGE, ha="right", size=9)
    gaps = []
    for i, (name, lane) in enumerate(lanes):
        cell = summary.cells[subject, name]
        if cell.time_ratio:
            y = middle + lane * (i - (len(lanes) - 1) / 2)
            text = tips.ratio(summary, subject, name, summary.time)
            ratio_chart.draw_mark(axes, name, cell.time_ratio, y, text, DOT)
        elif cell.error and cell.error != digest.NOT_RUN:
            gaps.append(name)
    if gaps:
        text = f"× {', '.join(gaps)} failed"
        canvas.note(axes, text, (0, middle), (4, 0), canvas.EDGE, size=7, weight="bold")
    reference = summary.cells[subject, summary.reference]
    time = digest.number_text(reference.time.median) if reference.time else "failed"
    colour = palette.style(summary.reference).colour
    canvas.note(axes, time, (1, middle), (6, 0), canvas.EDGE, size=8.5, color=colour)


def put_names(axes, rivals):
    """The names of the marks, above the rows."""
    for name in rivals:
        style = palette.style(name)
        axes.plot([], [], style.marker, color=style.colour, mfc=style.face, ms=6, label=name)
    place = {"loc": "lower left", "bbox_to_anchor": (-0.34, 1), "borderaxespad": 1.4}
    axes.legend(
        ncol=6, frameon=False, handletextpad=0, columnspacing=0.9, labelcolor="linecolor", **place
    )
