"""The charts of time and of peak RSS: a row for each subject, in it a lane for each allocator. The
wide panel shows ratios to the reference, with the geometric means on top, which also name the
marks; the narrow one absolute figures from zero. A failed row is a named gap. The null allocator
is a floor in the panel of absolute times and nowhere else.
"""

import math

from frontend.charts import canvas, far_out, lettering, palette, tips
from frontend.figures import digest

TOP_LANE = 0.21  # inches
LANE = 0.1
ROW_PAD = 0.1
NAMES = (1.25, 2.6)  # for the names: at least, and at most, which cuts them
NAME_PAD = 0.11  # between a name and the panel
BETWEEN = 0.3  # the panels
ABSOLUTE_LEFT = 6.2
ABSOLUTE_WIDTH = 1.85
HEAD = 0.92
TOP_AXIS = 0.17  # of the head, where the axis is repeated there
TALL = 3.0  # from here on, arbitrary; the eye does not find the way down to the axis
LEAST_IDEAL = 0.5  # farther left, peak live bytes would squeeze the rest
FARTHEST = 2.0  # times the reference's greatest figure; what lies beyond would squeeze the rest
EDGE = 0.13  # of the panel, free for figures beyond it
EDGE_SIZE = 6.5
MEAN_SIZE = 8.5
MEAN_PAD = 0.2  # inches beside a mean's text
GROUND = {"fc": palette.PAPER, "ec": "none", "pad": 0.6}  # of a text that covers lines
LIVE_TICK = (palette.INK, 0.9, (0, (2, 1)))  # also the floor's


def ratio_figure(summary, measure):
    """Ratio to the reference of every subject and rival, the geometric means on top, and beside it
    the absolute figures from zero."""
    rivals = by_overall(summary, measure)
    top = TOP_LANE * max(2, len(rivals)) + 0.1
    row = LANE * max(2, len(rivals)) + ROW_PAD
    height = top + row * len(summary.subjects)
    head = HEAD + (TOP_AXIS if height > TALL else 0)
    figure = canvas.sheet(
        head + height + 0.34,
        canvas.caption(summary, canvas.twin_note(summary)),
        *ratio_titles(summary, measure),
    )
    left = names_width(summary.subjects, rivals)
    ratios = canvas.plot_area(figure, left, head, ABSOLUTE_LEFT - BETWEEN - left, height)
    absolutes = canvas.plot_area(figure, ABSOLUTE_LEFT, head, ABSOLUTE_WIDTH, height)
    for axes in (ratios, absolutes):
        draw_bands(axes, len(summary.subjects), top, row)
        repeat_axis(axes)
    middles = [top + row * (i + 0.5) for i in range(len(summary.subjects))]
    draw_ratios(ratios, summary, measure, rivals, middles)
    draw_means(ratios, summary, measure, rivals)
    draw_absolutes(absolutes, summary, measure, rivals, middles)
    return figure


def names_width(subjects, rivals):
    """Inches for the names left of the panel."""
    wanted = max(lettering.widest(subjects, 10), lettering.widest(rivals, 9.5, "bold"))
    return min(max(NAMES[0], wanted + 2 * NAME_PAD), NAMES[1])


def put_name(axes, name, y, **look):
    """A name left of the panel, cut to the room there."""
    look = {"size": 10, "weight": "normal", **look}
    room = axes.get_position().x0 * canvas.WIDTH - 2 * NAME_PAD
    shown = lettering.fitted(name, room, look["size"], look["weight"])
    text = canvas.note(axes, shown, (0, y), (-8, 0), canvas.EDGE, ha="right", **look)
    if shown != name:
        canvas.tip(text, name)


def repeat_axis(axes):
    """Writes the numbers of a tall panel's axis at its top as well."""
    if height_of(axes) > TALL:
        axes.tick_params(axis="x", labeltop=True, pad=2)


def height_of(axes):
    """The panel's height in inches."""
    return axes.get_position().height * axes.figure.get_size_inches()[1]


def width_of(axes):
    """The panel's width in inches."""
    return axes.get_position().width * canvas.WIDTH


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
    low, median, high = digest.ends(estimate)
    colour = palette.style(name).colour
    axes.plot([low, high], [y, y], color=colour, lw=1.3, solid_capstyle="butt")
    canvas.draw_mark(axes, name, (median, y), text, size, mew=1.1)


def draw_ratio(axes, name, estimate, y, text, size=4.6):
    """The mark of a ratio, or its figure at the edge beyond which it lies."""
    which = far_out.side(estimate.median, axes.get_xlim())
    if not which:
        draw_mark(axes, name, estimate, y, text, size)
        return
    shown = far_out.arrowed(far_out.figure(estimate.median), which)
    draw_beyond(axes, name, (shown, which), y, text)


def draw_beyond(axes, name, shown, y, tip, size=EDGE_SIZE):
    """What is shown (text, side) of a figure beyond the panel, at its edge."""
    text, which = shown
    look = {"ha": "right" if which > 0 else "left", "size": size, "weight": "bold"}
    colour, x = palette.style(name).colour, 1 if which > 0 else 0
    canvas.tip(canvas.note(axes, text, (x, y), (-which, 0), canvas.EDGE, color=colour, **look), tip)


def draw_ratios(axes, summary, measure, rivals, middles):
    ideals = ideal_ratios(summary) if measure is digest.RSS else {}
    limits = ratio_limits(axes, summary, measure, ideals)
    set_ratio_axis(axes, summary, measure, limits)
    for subject, middle in zip(summary.subjects, middles):
        put_name(axes, subject, middle)
        draw_row(axes, summary, measure, (subject, middle), rivals)
        if ideals.get(subject, 0) > LEAST_IDEAL:
            draw_tick(axes, ideals[subject], (middle, half_row(middles)), *LIVE_TICK)


def set_ratio_axis(axes, summary, measure, limits):
    """Makes the lower axis one of ratios to the reference, which is a line."""
    canvas.set_ratio_axis(axes, "x", limits)
    axes.grid(axis="x")
    axes.axvline(1, color=palette.style(summary.reference).colour, lw=1.6)
    put_directions(axes, measure)


def ratio_limits(axes, summary, measure, ideals):
    """Limits of the axis of ratios, with room for the figures of the means."""
    means = [digest.part(cell, measure, "_ratio") for cell in summary.overall.values()]
    cells = [digest.part(cell, measure, "_ratio") for cell in summary.cells.values()]
    others = [ideal for ideal in ideals.values() if ideal > LEAST_IDEAL]
    shown = [estimate for estimate in (*cells, *means) if estimate]
    limits = far_out.limits_of(shown, others, edges=(EDGE, EDGE))
    texts = [
        (estimate, mean_text(summary, name, estimate))
        for name, estimate in zip(summary.overall, means)
        if estimate and name != summary.reference
    ]
    return with_room(limits, texts, width_of(axes))


def with_room(limits, texts, width):
    """The limits, the right one moved until each mean of [(estimate, text)] has room for its text
    in a panel of that width. What moves for one may take the room on the left from another."""
    for estimate, text in texts * len(texts):
        need = share_of(text, width)
        if not mean_side(limits, estimate, need):
            low, high = map(math.log, (limits[0], min(limits[1], digest.ends(estimate)[2])))
            limits = (limits[0], math.exp(low + (high - low) / (1 - need) + 1e-6))
    return limits


def share_of(text, width):
    """How much of a panel of some width a mean's text takes."""
    return min(0.8, (lettering.width_of(text, MEAN_SIZE) + MEAN_PAD) / width)


def ideal_ratios(summary):
    """{subject: peak live bytes / peak RSS of the reference}: where an allocator without waste
    lies."""
    cells = {subject: summary.cells[subject, summary.reference] for subject in summary.live}
    return {
        subject: summary.live[subject] / digest.MIB / cell.rss.median
        for subject, cell in cells.items()
        if cell.rss and cell.rss.median > 0
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
            draw_ratio(axes, name, estimate, y, tips.ratio(summary, subject, name, measure))
        elif cell.error:
            draw_gap(axes, f"{name} {cell.gap}", name, y)
    if summary.cells[subject, summary.reference].error:
        # On the right: who else failed stands on the left, and marks there are none.
        draw_gap(axes, f"{summary.reference} failed: no ratios", summary.reference, middle, 1)


def draw_gap(axes, text, name, y, x=0):
    """Says at the left edge (x = 0) or the right one (1) why an allocator has no mark."""
    look = {"ha": "right" if x else "left", "size": 7, "weight": "bold"}
    shift = (-4 if x else 4, 0)
    colour = palette.style(name).colour
    note = canvas.note(axes, f"× {text}", (x, y), shift, canvas.EDGE, color=colour, **look)
    note.set_bbox(GROUND)  # ticks and lines pass behind it


def put_directions(axes, measure):
    """Which way is better, above the panel on both sides of 1, where there is room."""
    low, high = map(math.log, axes.get_xlim())
    up = 4 + (TOP_AXIS * 72 if height_of(axes) > TALL else 0)
    look = {"coords": ("data", "axes fraction"), "size": 8.5, "va": "bottom"}
    texts = ((f"← {measure.better}", -low, -6, "right"), (f"{measure.worse} →", high, 6, "left"))
    for text, room, shift, side in texts:
        if lettering.width_of(text, 8.5) + 0.1 < room / (high - low) * width_of(axes):
            canvas.note(axes, text, (1, 1), (shift, up), ha=side, color=palette.MUTED, **look)


def draw_means(axes, summary, measure, rivals):
    """The geometric means in the rows on top, which also name the marks."""
    first = 0.05 + TOP_LANE * max(0, 2 - len(rivals)) / 2
    for i, name in enumerate(rivals):
        y, estimate = first + TOP_LANE * (i + 0.5), digest.part(
            summary.overall[name], measure, "_ratio"
        )
        put_name(axes, name, y, size=9.5, weight="bold", color=palette.style(name).colour)
        if estimate:
            draw_mean(axes, summary, measure, (name, estimate), y)


def draw_mean(axes, summary, measure, mean, y):
    """One of them, (allocator, estimate), with its figure, which stands alone beyond the panel."""
    name, estimate = mean
    text, tip = mean_text(summary, name, estimate), tips.mean(summary, name, measure)
    which = far_out.side(estimate.median, axes.get_xlim())
    if which:
        draw_beyond(axes, name, (far_out.arrowed(text, which), which), y, tip, MEAN_SIZE)
        return
    draw_mark(axes, name, estimate, y, tip, 6.5)
    put_mean_text(axes, estimate, y, text)


def mean_text(summary, name, estimate):
    """The figure of a mean, and of how many subjects it is."""
    return digest.figure_text(estimate) + digest.counted_text(summary, name)


def mean_side(limits, estimate, need):
    """The side of its mark on which there is room for a mean's text, which needs so much of the
    panel: the right one rather than the left one; None if on neither. A mean that lies beyond needs
    none."""
    left, right = map(math.log, limits)
    ends = digest.ends(estimate)
    low, high = (math.log(min(max(end, limits[0]), limits[1])) for end in ends[::2])
    if far_out.side(estimate.median, limits) or (right - high) / (right - left) >= need:
        return "right"
    return "left" if (low - left) / (right - left) >= need else None


def put_mean_text(axes, estimate, y, text):
    """The figure beside its mark, on the side where there is room."""
    need = share_of(text, width_of(axes))
    low, _, high = digest.ends(estimate)
    is_left = mean_side(axes.get_xlim(), estimate, need) == "left"
    spot, shift, side = (low, -8, "right") if is_left else (high, 8, "left")
    text = canvas.note(axes, text, (spot, y), (shift, 0), ha=side, size=MEAN_SIZE)
    text.set_bbox(GROUND)


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
    canvas.set_axis_from_zero(axes, limit, ticks=4)
    put_absolute_key(axes, summary, measure, bool(marks))


def absolute_limit(summary, measure):
    """Where the panel of absolute figures ends; None if there is none."""
    found = {key: digest.part(cell, measure) for key, cell in summary.cells.items()}
    ends = {key: digest.ends(estimate)[2] for key, estimate in found.items() if estimate}
    greatest = [end for (_, name), end in ends.items() if name == summary.reference]
    if not greatest:
        return None
    return min(1.06 * max(ends.values()), FARTHEST * max(greatest)) or None


def draw_absolute(axes, name, estimate, place, limit):
    """The mark of one allocator at (y, tip), or its number at the edge that it lies beyond."""
    y, tip = place
    if limit is None or estimate.median <= limit:
        draw_mark(axes, name, estimate, y, tip, 3.4)
        return
    shown = far_out.arrowed(digest.number_text(estimate.median), 1)
    draw_beyond(axes, name, (shown, 1), y, tip)


def draw_tick(axes, x, place, colour, width, dashes="solid"):
    """A vertical line through the row at place (middle, half its height), which is returned."""
    middle, half = place
    ends = [middle - half, middle + half]
    return axes.plot([x, x], ends, color=colour, lw=width, ls=dashes)[0]


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
