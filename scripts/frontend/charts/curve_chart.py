"""The charts of memory over operations: RSS under each allocator as a line, live bytes as an area;
one chart for each trace, with the waste under each allocator in a small panel, and one of all.
"""

import math
from itertools import pairwise

import numpy
from matplotlib import ticker

from frontend.charts import canvas, lettering, palette
from frontend.counted import plural
from frontend.figures import digest

CURVE_POINTS = 300
OVERVIEW_POINTS = 160
WASTE_POINTS = 60
SLICES = 32  # of a chart, each with a tip
ACROSS = 5  # small panels in a row
HEAD, MAIN, BETWEEN = 0.75, 3.0, 1.0  # inches: title, large panel, from there to the small ones
SMALL, SMALL_GAP = 0.75, 0.32
LEFT, RIGHT = 0.65, 0.1
NAMES_MOST, LEADER_ROOM = 1.5, 0.3  # inches
LIVE = "live bytes"


def curves_of(results, summary, subject):
    """{allocator: columns} of the curves of a subject that did not fail. A trace without a call has
    none: there is nothing to draw."""
    whole = [name for name in summary.allocators if not summary.cells[subject, name].error]
    curves = {name: results.curve(subject, name) for name in whole}
    return {name: curve for name, curve in curves.items() if curve and any(curve["op"])}


def thin(op, values, points):
    """At most about `points` of a curve, the highest and the lowest of each stretch among them."""
    op, values = numpy.asarray(op), numpy.asarray(values)
    kept = extremes(values, points)
    return op[kept], values[kept]


def extremes(values, points):
    """The places of at most about `points` of the values: both ends, and the highest and the lowest
    of each stretch."""
    if len(values) <= points:
        return list(range(len(values)))
    stretches = numpy.array_split(numpy.arange(len(values)), max(1, points // 2))
    keep = {0, len(values) - 1}
    for stretch in stretches:
        keep.update(int(stretch[place]) for place in step_of(values[stretch]))
    return sorted(keep)


def step_of(values):
    """The places of the highest and the lowest value, as close together as they come, so that a
    step stays one."""
    early, late = sorted((int(values.argmax()), int(values.argmin())))
    return int(numpy.flatnonzero(values[: late + 1] == values[early])[-1]), late


def draw_curves(axes, summary, subject, curves, points):
    """Live bytes as an area and one line of RSS per allocator, named at its end."""
    live = next(iter(curves.values()))
    op, values = thin(live["op"], live["live"], points)
    axes.fill_between(op, values / digest.MIB, color=palette.LIVE, lw=0)
    for name, curve in curves.items():
        style = palette.style(name)
        op, values = thin(curve["op"], curve["rss"], points)
        axes.plot(op, values / digest.MIB, color=style.colour, ls=style.dashes)
    set_limits(axes, curves)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(5))
    axes.xaxis.set_major_formatter(ticker.EngFormatter(sep=""))
    axes.yaxis.set_major_locator(ticker.MaxNLocator(5))
    axes.grid(axis="y")
    put_failures(axes, summary, subject)


def set_limits(axes, curves):
    """Both axes from zero to where all curves fit in."""
    last = max(curve["op"][-1] for curve in curves.values())
    top = 1.06 * max(max(curve["rss"]) for curve in curves.values()) / digest.MIB
    axes.set_xlim(0, last or 1)  # a trace may have no operation, and need no memory
    axes.set_ylim(0, top or 1)


def put_slices(axes, count, text_at):
    """Invisible upright slices, so many, that say as tips what text_at has for their middle."""
    edges = numpy.linspace(*axes.get_xlim(), count + 1)
    for left, right in pairwise(edges):
        text = text_at((left + right) / 2)
        canvas.tip(axes.axvspan(left, right, fc="none", lw=0), text)


def slice_text(curves, op):
    """What is resident after so many operations, most first."""
    live = next(iter(curves.values()))
    resident = {name: value_at(curve, "rss", op) for name, curve in curves.items()}
    most_first = sorted(resident.items(), key=lambda item: -item[1])
    lines = [f"{name} {number:.1f}" for name, number in most_first]
    head = f"after {ticker.EngFormatter(places=0, sep='')(op)} {plural(op, 'operation')}, MiB"
    return "\n".join([head, *lines, f"{LIVE} {value_at(live, 'live', op):.1f}"])


def value_at(curve, column, op):
    """The MiB that a curve last had at some operation."""
    place = int(numpy.searchsorted(curve["op"], op, "right")) - 1
    return curve[column][max(0, place)] / digest.MIB


def put_failures(axes, summary, subject):
    """Names what of a subject has no line, and why."""
    put_gaps(axes, [(name, summary.cells[subject, name].gap) for name in summary.allocators])


def put_gaps(axes, gaps):
    """Names each of [(allocator, what it has in the place of figures or None)] that has something,
    in the upper left corner."""
    for i, (name, gap) in enumerate(pair for pair in gaps if pair[1]):
        look = {"va": "top", "size": 8, "weight": "bold", "color": palette.style(name).colour}
        canvas.note(axes, f"× {name} {gap}", (0, 1), (5, -4 - 11 * i), "axes fraction", **look)


def label_curves(axes, curves, size):
    """Names the lines and the area."""
    ends = {name: curve["rss"][-1] / digest.MIB for name, curve in curves.items()}
    label_lines(axes, {**ends, LIVE: next(iter(curves.values()))["live"][-1] / digest.MIB}, size)


def label_lines(axes, ends, size):
    """Names lines, {name: its last height}, right of the axes, moved apart, with a thin leader to
    each; heights are in the axes' scale, whichever it is."""
    right, frame = axes.get_xlim()[1], axes.get_window_extent()
    scale = axes.transScale + axes.transLimits
    heights = [scale.transform((right, end))[1] for end in ends.values()]
    places = spread(heights, 1.25 * size * axes.figure.dpi / 72 / frame.height, 1)
    for name, height, place in zip(ends, heights, places):
        colour = palette.MUTED if name == LIVE else palette.style(name).colour
        leader = {"arrowstyle": "-", "color": colour, "lw": 0.7, "relpos": (0, 0.5)}
        axes.annotate(
            lettering.fitted(name, NAMES_MOST, size),
            *((1, height), (1 + 14 / frame.width, place), "axes fraction", "axes fraction"),
            arrowprops={**leader, "shrinkA": 1, "shrinkB": 0},
            annotation_clip=False,
            va="center",
            size=size,
            color=colour,
        )


def names_room(names, size):
    """Inches for names right of a panel, and their leaders."""
    return min(NAMES_MOST, lettering.widest(names, size)) + LEADER_ROOM


def spread(values, step, top):
    """Places near the values, at least a step apart and in the same order, from 0 to top if they
    fit."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    up, down = pushed(values, order, step), pushed([-v for v in values], order[::-1], step)
    middle = [(a - b) / 2 for a, b in zip(up, down)]
    raised = pushed([max(place, 0) for place in middle], order, step)
    highest = max(top, step * (len(values) - 1))
    return [-v for v in pushed([max(-place, -highest) for place in raised], order[::-1], step)]


def pushed(values, order, step):
    """The values, in their order each moved up until it is a step above the one before."""
    places, least = [0.0] * len(values), -math.inf
    for i in order:
        places[i] = max(values[i], least)
        least = places[i] + step
    return places


def curve_figure(summary, subject, curves):
    """One subject: all allocators in one large panel, the waste under each in a small one."""
    rows = math.ceil(len(curves) / ACROSS)
    figure = canvas.sheet(
        HEAD + MAIN + BETWEEN + rows * (SMALL + SMALL_GAP),
        canvas.caption(summary),
        f"{subject}: memory over operations",
        "MiB; lines: resident (RSS) under each allocator, grey area: live bytes. Lower is leaner.",
    )
    width = canvas.WIDTH - LEFT - names_room([*curves, LIVE], 9)
    axes = canvas.plot_area(figure, LEFT, HEAD, width, MAIN)
    draw_curves(axes, summary, subject, curves, CURVE_POINTS)
    put_slices(axes, SLICES, lambda op: slice_text(curves, op))
    axes.set_xlabel("operations")
    label_curves(axes, curves, 9)
    draw_wastes(figure, summary, subject, curves)
    return figure


def draw_wastes(figure, summary, subject, curves):
    """The small panels, on the scales of the large one."""
    text = "waste: what is resident beyond the live bytes (shaded), and its share of them"
    look = {"va": "top", "size": 9.5, "color": palette.MUTED}
    height = figure.get_size_inches()[1]
    figure.text(LEFT / canvas.WIDTH, 1 - (HEAD + MAIN + 0.55) / height, text, **look)
    width = (canvas.WIDTH - LEFT - RIGHT) / ACROSS
    for i, (name, curve) in enumerate(curves.items()):
        top = HEAD + MAIN + BETWEEN + i // ACROSS * (SMALL + SMALL_GAP)
        left = LEFT + i % ACROSS * width
        axes = canvas.plot_area(figure, left, top, width - 0.14, SMALL)
        draw_waste(axes, palette.style(name).colour, curve)
        set_limits(axes, curves)
        axes.set(xticks=[], yticks=[])
        waste = summary.waste.get((subject, name))
        told = "" if waste is None else f"{100 * waste:.0f} %"
        look = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
        colour = palette.style(name).colour
        shown = lettering.fitted(name, width - 0.6, 8, "bold")
        axes.annotate(shown, (0, 1), (1, 2), size=8, weight="bold", color=colour, **look)
        axes.annotate(told, (1, 1), (0, 2), size=7.5, ha="right", color=palette.MUTED, **look)


def draw_waste(axes, colour, curve):
    """Live bytes, and shaded above them what else is resident."""
    op, rss, live = (numpy.asarray(curve[column]) for column in ("op", "rss", "live"))
    kept = sorted({*extremes(rss, WASTE_POINTS // 2), *extremes(live, WASTE_POINTS // 2)})
    op, rss, live = op[kept], rss[kept] / digest.MIB, live[kept] / digest.MIB
    axes.fill_between(op, live, color=palette.LIVE, lw=0)
    axes.fill_between(op, live, numpy.maximum(rss, live), color=colour, alpha=0.5, lw=0)
    axes.plot(op, rss, color=colour, lw=0.9)


def overview_figure(summary, all_curves):
    """All subjects, small."""
    names = {name for curves in all_curves.values() for name in (*curves, LIVE)}
    figure, panels = canvas.grid(
        all_curves,
        (0.92, 1.4, 0.55, 0.5, names_room(names, 8)),
        canvas.caption(summary),
        "Memory over operations",
        "MiB over operations; lines: resident (RSS) under each allocator, "
        "grey area: live bytes. Lower is leaner.",
    )
    for subject, (axes, _) in panels.items():
        draw_curves(axes, summary, subject, all_curves[subject], OVERVIEW_POINTS)
        label_curves(axes, all_curves[subject], 8)
    return figure
