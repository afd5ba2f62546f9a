"""The chart of time against memory: where each allocator lies, and which ones no other beats in
both.
"""

import math
from itertools import pairwise

import numpy
from matplotlib.transforms import Bbox

from frontend.charts import canvas, far_out, lettering, palette, tips
from frontend.figures import digest


NAME_SIZE = 11
LONGEST = 3.0  # inches of a name


def frontier_points(summary):
    """{allocator: (time, memory)} of geometric means; the reference is (1, 1) by definition."""
    points = {}
    for name, cell in summary.overall.items():
        if cell.time_ratio and cell.rss_ratio:
            points[name] = (cell.time_ratio.median, cell.rss_ratio.median)
    return points


def means_text(summary):
    """What the large marks are."""
    over = digest.subjects_text(summary)
    return over if len(summary.subjects) == 1 else f"geometric means over {over}"


def frontier_figure(summary):
    """Geometric means of time against memory, each subject faintly behind, and the frontier."""
    points, faint = frontier_points(summary), faint_points(summary)
    limits = [axis_limits(summary, key) for key in ("time_ratio", "rss_ratio")]
    figure = canvas.sheet(
        6.35,
        canvas.caption(summary, remarks(summary, faint, limits)),
        "Time against memory",
        f"Ratios to {summary.reference}, {means_text(summary)}; "
        "lower left is better. Dashed: frontier, nobody is better in both.",
    )
    axes = canvas.plot_area(figure, 0.85, 0.75, canvas.WIDTH - 1.1, 5.0)
    set_frontier_axes(axes, summary, limits)
    for key, point in faint.items():
        tip = tips.pair(summary, ", ".join(key), summary.cells[key])
        canvas.draw_mark(axes, key[1], held(point, limits), tip, 4.5, alpha=0.45)
    covered = draw_frontier(axes, points)
    places = {name: held(point, limits) for name, point in points.items()}
    for name, point in places.items():
        draw_crossed_mark(axes, summary, name, point)
    covered += [box_around(axes, held(point, limits), 5) for point in faint.values()]
    covered += [box for name in points for box in cross_boxes(axes, summary.overall[name])]
    names = {name: name_text(summary, name, point, limits) for name, point in points.items()}
    label_points(axes, places, names, covered)
    return figure


def axis_limits(summary, key):
    """Limits of an axis: what few cells or means lie far out is shown at its edge."""
    cells = [*summary.cells.values(), *summary.overall.values()]
    whole = [cell for cell in cells if cell.time_ratio and cell.rss_ratio]
    found = [getattr(cell, key) for cell in whole]
    return far_out.limits_of(found)


def held(point, limits):
    """The point, or the place at the edge of the panel beyond which it lies."""
    return tuple(min(max(value, low), high) for value, (low, high) in zip(point, limits))


def remarks(summary, faint, limits):
    """What the caption explains: hollow marks, and marks at the edge."""
    beyond = [point for point in faint.values() if held(point, limits) != point]
    farthest = [
        far_out.figure(max(values, key=lambda ratio: abs(math.log(ratio))))
        for values in zip(*beyond)
    ]
    told = f"marks at the edge lie beyond it, up to {' in time and '.join(farthest)} in memory"
    return "\n".join(filter(None, (canvas.twin_note(summary), told if beyond else "")))


def faint_points(summary):
    """{(subject, rival): (time, memory)} where there are both."""
    return {
        key: (cell.time_ratio.median, cell.rss_ratio.median)
        for key, cell in summary.cells.items()
        if key[1] in summary.rivals and cell.time_ratio and cell.rss_ratio
    }


def set_frontier_axes(axes, summary, limits):
    """Logarithmic axes around (1, 1)."""
    for letter, ends in zip("xy", limits):
        canvas.set_ratio_axis(axes, letter, ends)
    axes.grid(True)
    colour = palette.style(summary.reference).colour
    axes.axvline(1, color=colour, lw=1)
    axes.axhline(1, color=colour, lw=1)
    axes.set_xlabel(
        f"{summary.time.name}, ratio to {summary.reference}   (← {summary.time.better})"
    )
    axes.set_ylabel(f"peak RSS, ratio to {summary.reference}   (← {digest.RSS.better})")


def draw_frontier(axes, points):
    """The stairs through the allocators that no other one beats in both; boxes of what they
    cover."""
    corners = [points[name] for name in digest.frontier(points)]
    xs, ys = [corners[0][0]], [axes.get_ylim()[1]]
    for left, right in pairwise(corners):
        xs += [left[0], right[0]]
        ys += [left[1], left[1]]
    xs += [corners[-1][0], axes.get_xlim()[1]]
    ys += [corners[-1][1], corners[-1][1]]
    axes.plot(xs, ys, color=palette.MUTED, lw=1.2, ls=(0, (5, 3)), zorder=1.5)
    cross = [((1, ys[0]), (1, axes.get_ylim()[0])), ((axes.get_xlim()[0], 1), (xs[-1], 1))]
    segments = [*pairwise(zip(xs, ys)), *cross]
    return [line_box(axes, *ends) for ends in segments]


def line_box(axes, *line_ends):
    """The box in pixels around a straight line that is level or upright."""
    low, high = sorted(map(tuple, axes.transData.transform(line_ends)))
    bottom, top = sorted((low[1], high[1]))
    return Bbox.from_extents(low[0] - 3, bottom - 3, high[0] + 3, top + 3)


def box_around(axes, point, reach):
    """The box in pixels around a mark."""
    x, y = axes.transData.transform(point)
    return Bbox.from_bounds(x - reach, y - reach, 2 * reach, 2 * reach)


def cross_boxes(axes, cell):
    """Boxes in pixels around the intervals of both ratios."""
    time, rss = digest.ends(cell.time_ratio), digest.ends(cell.rss_ratio)
    yield line_box(axes, (time[0], rss[1]), (time[2], rss[1]))
    yield line_box(axes, (time[1], rss[0]), (time[1], rss[2]))


def draw_crossed_mark(axes, summary, name, point):
    """A large mark with the intervals of both ratios."""
    colour, cell = palette.style(name).colour, summary.overall[name]
    time, rss = digest.ends(cell.time_ratio), digest.ends(cell.rss_ratio)
    axes.plot(time[::2], [point[1]] * 2, color=colour, lw=1.4)
    axes.plot([point[0]] * 2, rss[::2], color=colour, lw=1.4)
    label = f"{name}, geometric mean{digest.counted_text(summary, name)}"
    canvas.draw_mark(axes, name, point, tips.pair(summary, label, cell), 10, mew=1.6)


def name_text(summary, name, point, limits):
    """The name, how many subjects its mean holds if not all, and both ratios of a mean that lies
    beyond the panel."""
    shown = lettering.fitted(name, LONGEST, NAME_SIZE, "bold") + digest.counted_text(summary, name)
    if held(point, limits) == point:
        return shown
    return f"{shown} ({', '.join(map(far_out.figure, point))})"


def label_points(axes, points, names, covered):
    """Writes each name beside its mark, where it covers no mark, no line and no other name. What
    stands farther off has a thin leader."""
    renderer = axes.figure.canvas.get_renderer()
    marks, written = [box_around(axes, point, 9) for point in points.values()], []
    for name, point in sorted(points.items(), key=lambda item: item[1]):
        look = {"size": NAME_SIZE, "weight": "bold", "color": palette.style(name).colour}
        text = canvas.note(axes, names[name], point, (0, 0), **look)
        place = best_place(text, (written + marks, covered), axes.bbox, renderer)
        written.append(place_text(text, place, renderer))
        if math.hypot(*place[:2]) > LEADER_FROM:
            ends = {"xytext": place[:2], "xycoords": "data", "textcoords": "offset points"}
            line = {"arrowstyle": "-", "color": look["color"], "lw": 0.7}
            line.update(shrinkA=2, shrinkB=5)
            axes.annotate("", point, **ends, arrowprops=line, annotation_clip=False)


LEADER_FROM = 24  # points
PLACES = [
    (shift_x * reach, shift_y * reach, side, level)
    for reach in (1, 1.8, 2.8, 4, 5.5, 7.5, 10)
    for shift_x, shift_y, side, level in (
        (10, 0, "left", "center"),
        (-10, 0, "right", "center"),
        (0, 10, "center", "bottom"),
        (0, -10, "center", "top"),
        (8, 8, "left", "bottom"),
        (8, -8, "left", "top"),
        (-8, 8, "right", "bottom"),
        (-8, -8, "right", "top"),
    )
]
WORST = 1e5  # of a name outside of the panel, and the share of one that is covered by another


def best_place(text, taken, frame, renderer):
    """The place for the text that covers least of what is taken: names and large marks not at all
    if that can be helped, lines and small marks as little as can be."""
    names, others = map(extents, taken)

    def cost(place):
        box = place_text(text, place, renderer)
        area = box.width * box.height
        is_outside = 1 - overlap(box, extents([frame])) / area > 0.01
        distance = math.hypot(place[0], place[1])
        shared = WORST * (overlap(box, names) / area + is_outside)
        return shared + overlap(box, others) + 4 * distance

    return min(PLACES, key=cost)


def place_text(text, place, renderer):
    """Moves an annotation to a place (shift, alignment) around its point; its box in pixels."""
    text.set_position(place[:2])
    text.set(ha=place[2], va=place[3])
    return text.get_window_extent(renderer)


def extents(boxes):
    """An array of the left, lower, right and upper ends of boxes."""
    return numpy.array([box.extents for box in boxes]).reshape(-1, 4)


def overlap(box, others):
    """The area that a box shares with others, of which the extents are given, added up."""
    low = numpy.maximum(box.extents[:2], others[:, :2])
    high = numpy.minimum(box.extents[2:], others[:, 2:])
    return numpy.prod(numpy.maximum(high - low, 0), axis=1).sum()
