"""The charts of time and of peak RSS: a row for each subject, in it a lane for each allocator. The
wide panel shows ratios to the reference, with the geometric means on top, which also name the
marks; the narrow one absolute figures from zero. A failed row is a named gap. The null allocator
is a floor in the panel of absolute times and nowhere else.
"""

import math

from matplotlib import ticker

from frontend.charts import canvas, palette, tips
from frontend.figures import digest

TOP_LANE = 0.21  # inches
LANE = 0.1
ROW_PAD = 0.1
LEFT = 1.25
RATIO_WIDTH = 4.75
ABSOLUTE_LEFT = 6.2
ABSOLUTE_WIDTH = 1.85
HEAD = 0.92
LEAST_IDEAL = 0.5  # farther left, peak live bytes would squeeze the rest
FARTHEST = 2.0  # times the reference's greatest figure; what lies beyond would squeeze the rest
LIVE_TICK = (palette.INK, 0.9, (0, (2, 1)))  # also the floor's


def ratio_figure(summary, measure):
    """Ratio to the reference of every subject and rival, the geometric means on top, and beside it
    the absolute figures from zero."""
    rivals = by_overall(summary, measure)
    top = TOP_LANE * max(1, len(rivals)) + 0.1
    row = LANE * max(2, len(rivals)) + ROW_PAD
    height = top + row * len(summary.subjects)
    text = canvas.caption(summary, canvas.twin_note(summary))
    figure = canvas.sheet(
        HEAD + height + 0.34 + canvas.caption_height(text),
        text,
        *ratio_titles(summary, measure),
    )
    ratios = canvas.plot_area(figure, LEFT, HEAD, RATIO_WIDTH, height)
    absolutes = canvas.plot_area(figure, ABSOLUTE_LEFT, HEAD, ABSOLUTE_WIDTH, height)
    for axes in (ratios, absolutes):
        draw_bands(axes, len(summary.subjects), top, row)
    middles = [top + row * (i + 0.5) for i in range(len(summary.subjects))]
    draw_ratios(ratios, summary, measure, rivals, middles)
    draw_means(ratios, summary, measure, rivals)
    draw_absolutes(absolutes, summary, measure, rivals, middles)
    return figure


def ratio_titles(summary, measure):
    """Headline and how to read it."""
    what = "replayed traces" if summary.kind == "replay" else "real programs"
    return f"{measure.title} of {what}, by allocator", (
        f"Left is {measure.better}. Wide panel: ratio to {summary.reference}, logarithmic; on top "
        f"the geometric means. Narrow panel: {measure.unit}, from zero."
    )


def by_overall(summary, measure):
    """The rivals, best geometric mean first; those without one last."""

    def place(name):
        estimate = digest.part(summary.overall[name], measure, "_ratio")
        return (estimate is None, estimate.median if estimate else 0)

    return sorted(summary.rivals, key=place)


def draw_bands(axes, count, top, row):
    """Prepares axes whose y is inches downwards: a band behind every second row."""
    axes.set_ylim(top + row * count, 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    for i in range(0, count, 2):
        axes.axhspan(top + row * i, top + row * (i + 1), color=palette.BAND, lw=0)
    axes.axhline(top, color=palette.MUTED, lw=0.8)


def lane(middle, i, count):
    """Where the i-th of count lanes lies in a row."""
    return middle + LANE * (i - (count - 1) / 2)


def draw_mark(axes, name, estimate, y, text, size=4.6):
    """Marker and interval of one allocator, with the text as tip."""
    style = palette.style(name)
    low, median, high = digest.ends(estimate)
    axes.plot([low, high], [y, y], color=style.colour, lw=1.3, solid_capstyle="butt")
    (mark,) = axes.plot(
        median, y, style.marker, color=style.colour, mfc=style.face, ms=size, mew=1.1, clip_on=False
    )
    canvas.tip(mark, text)


def draw_ratios(axes, summary, measure, rivals, middles):
    """The panel of ratios."""
    estimates = [digest.part(cell, measure, "_ratio") for cell in summary.cells.values()]
    values = [end for estimate in estimates if estimate for end in digest.ends(estimate)]
    ideals = ideal_ratios(summary) if measure is digest.RSS else {}
    limits = canvas.ratio_limits(
        [*values, *(ideal for ideal in ideals.values() if ideal > LEAST_IDEAL)]
    )
    canvas.set_ratio_axis(axes, "x", limits)
    axes.grid(axis="x")
    axes.axvline(1, color=palette.style(summary.reference).colour, lw=1.6)
    for subject, middle in zip(summary.subjects, middles):
        canvas.note(axes, subject, (0, middle), (-8, 0), canvas.EDGE, ha="right", size=10)
        draw_row(axes, summary, measure, (subject, middle), rivals)
        if ideals.get(subject, 0) > LEAST_IDEAL:
            draw_tick(axes, ideals[subject], (middle, half_row(middles)), *LIVE_TICK)
    put_directions(axes, measure, limits)


def ideal_ratios(summary):
    """{subject: peak live bytes / peak RSS of the reference}: where an allocator without waste
    lies."""
    cells = {subject: summary.cells[subject, summary.reference] for subject in summary.live}
    return {
        subject: summary.live[subject] / digest.MIB / cell.rss.median
        for subject, cell in cells.items()
        if cell.rss
    }


def half_row(middles):
    """Half the length of a tick through a row."""
    return (middles[1] - middles[0]) / 2 - 0.04 if len(middles) > 1 else 0.12


def draw_row(axes, summary, measure, place, rivals):
    """The marks of one subject, and the names of what failed in it."""
    subject, middle = place
    for i, name in enumerate(rivals):
        cell, y = summary.cells[subject, name], lane(middle, i, len(rivals))
        estimate = digest.part(cell, measure, "_ratio")
        if estimate:
            draw_mark(axes, name, estimate, y, tips.ratio(summary, subject, name, measure))
        elif cell.error:
            draw_gap(axes, f"{name} {cell.gap}", name, y)
    if summary.cells[subject, summary.reference].error:
        draw_gap(axes, f"{summary.reference} failed: no ratios", summary.reference, middle)


def draw_gap(axes, text, name, y):
    """Says at the left edge why an allocator has no mark."""
    colour = palette.style(name).colour
    canvas.note(axes, f"× {text}", (0, y), (4, 0), canvas.EDGE, size=7, weight="bold", color=colour)


def put_directions(axes, measure, limits):
    """Which way is better, above the panel on both sides of 1, where there is room."""
    fraction = math.log(1 / limits[0]) / math.log(limits[1] / limits[0])
    place = {"at": (1, 1), "coords": ("data", "axes fraction"), "size": 8.5, "va": "bottom"}
    if fraction > 0.15:
        canvas.note(
            axes, f"← {measure.better}", shift=(-6, 4), ha="right", color=palette.MUTED, **place
        )
    if fraction < 0.85:
        canvas.note(
            axes, f"{measure.worse} →", shift=(6, 4), ha="left", color=palette.MUTED, **place
        )


def draw_means(axes, summary, measure, rivals):
    """The geometric means in the rows on top, which also name the marks."""
    for i, name in enumerate(rivals):
        y, estimate = 0.05 + TOP_LANE * (i + 0.5), digest.part(
            summary.overall[name], measure, "_ratio"
        )
        look = {"weight": "bold", "color": palette.style(name).colour}
        canvas.note(axes, name, (0, y), (-8, 0), canvas.EDGE, ha="right", **look)
        if estimate:
            draw_mark(axes, name, estimate, y, tips.mean(summary, name, measure), 6.5)
            put_mean_text(axes, estimate, y, digest.counted_text(summary, name))


def put_mean_text(axes, estimate, y, remark):
    """The figure beside its mark, on the side where there is room."""
    low, _, high = digest.ends(estimate)
    left, right = axes.get_xlim()
    is_right = math.log(right / high) > 0.42 * math.log(right / left)
    spot, shift, side = (high, 8, "left") if is_right else (low, -8, "right")
    text = canvas.note(
        axes, digest.figure_text(estimate) + remark, (spot, y), (shift, 0), ha=side, size=8.5
    )
    text.set_bbox({"fc": palette.PAPER, "ec": "none", "pad": 0.6})


def draw_absolutes(axes, summary, measure, rivals, middles):
    """The panel of absolute figures: the reference is a tall tick with its number, the floor a thin
    one."""
    half = half_row(middles)
    marks = {"time": summary.floor, "rss": {s: v / digest.MIB for s, v in summary.live.items()}}
    marks = marks["rss" if measure is digest.RSS else "time"]
    limit = absolute_limit(summary, measure)
    for subject, middle in zip(summary.subjects, middles):
        for i, name in enumerate(rivals):
            estimate = digest.part(summary.cells[subject, name], measure)
            if estimate:
                place = (lane(middle, i, len(rivals)), tips.figure(summary, subject, name, measure))
                draw_absolute(axes, name, estimate, place, limit)
        if subject in marks:
            draw_tick(axes, marks[subject], (middle, half), *LIVE_TICK)
        draw_reference(axes, summary, measure, subject, (middle, half))
    axes.set_xlim(0, limit)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(4))
    axes.grid(axis="x")
    put_absolute_key(axes, summary, measure, bool(marks))


def absolute_limit(summary, measure):
    """Where the panel of absolute figures ends; None if there is none."""
    found = {key: digest.part(cell, measure) for key, cell in summary.cells.items()}
    ends = {key: digest.ends(estimate)[2] for key, estimate in found.items() if estimate}
    greatest = [end for (_, name), end in ends.items() if name == summary.reference]
    if not greatest:
        return None
    return min(1.06 * max(ends.values()), FARTHEST * max(greatest))


def draw_absolute(axes, name, estimate, place, limit):
    """The mark of one allocator at (y, tip), or its number at the edge that it lies beyond."""
    y, text = place
    if limit is None or estimate.median <= limit:
        draw_mark(axes, name, estimate, y, text, 3.4)
        return
    look = {"ha": "right", "size": 6.5, "weight": "bold", "color": palette.style(name).colour}
    shown = f"{digest.number_text(estimate.median)} →"
    canvas.tip(canvas.note(axes, shown, (1, y), (-1, 0), canvas.EDGE, **look), text)


def draw_tick(axes, x, place, colour, width, dashes="solid"):
    """A vertical line through the row at place (middle, half its height)."""
    middle, half = place
    axes.plot([x, x], [middle - half, middle + half], color=colour, lw=width, ls=dashes)


def draw_reference(axes, summary, measure, subject, place):
    """The reference's figure as a tick and as a number at the right edge."""
    estimate = digest.part(summary.cells[subject, summary.reference], measure)
    colour = palette.style(summary.reference).colour
    if estimate:
        draw_tick(axes, estimate.median, place, colour, 2.2)
    text = digest.number_text(estimate.median) if estimate else "failed"
    canvas.note(axes, text, (1, place[0]), (6, 0), canvas.EDGE, size=8.5, color=colour)


def put_absolute_key(axes, summary, measure, has_marks):
    """Names the ticks in the head of the panel, where no marks are."""
    colour = palette.style(summary.reference).colour
    look = {"size": 8, "weight": "bold", "color": colour}
    canvas.note(axes, f"| {summary.reference}", (0, 0.15), (2, 0), canvas.EDGE, **look)
    canvas.note(axes, measure.unit, (1, 0.15), (6, 0), canvas.EDGE, **look)
    if has_marks:
        text = "¦ peak live bytes" if measure is digest.RSS else "¦ null, the harness's floor"
        canvas.note(axes, text, (0, 0.32), (2, 0), canvas.EDGE, size=8)
