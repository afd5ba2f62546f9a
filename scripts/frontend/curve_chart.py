"""The charts of memory over operations: RSS under each allocator as a line, live bytes as an area;
one chart for each trace, and one of all.
"""

import math

import numpy
from matplotlib import pyplot, ticker

from frontend import canvas, digest, palette

CURVE_POINTS = 500
OVERVIEW_POINTS = 160


def curves_of(results, summary, subject):
    """{allocator: columns} of the curves of a subject that did not fail."""
    whole = [name for name in summary.allocators if not summary.cells[subject, name].error]
    curves = {name: results.curve(subject, name) for name in whole}
    return {name: curve for name, curve in curves.items() if curve and curve["op"]}


def thin(op, values, points):
    """At most about `points` of a curve, the highest and the lowest of each stretch among them."""
    op, values = numpy.asarray(op), numpy.asarray(values)
    if len(op) <= points:
        return op, values
    stretches = numpy.array_split(numpy.arange(len(op)), max(1, points // 2))
    keep = {0, len(op) - 1}
    for stretch in stretches:
        keep |= {int(stretch[values[stretch].argmax()]), int(stretch[values[stretch].argmin()])}
    kept = sorted(keep)
    return op[kept], values[kept]


def draw_curves(axes, summary, subject, curves, points):
    """Live bytes as an area and one line of RSS per allocator, named at its end."""
    live = next(iter(curves.values()))
    op, values = thin(live["op"], live["live"], points)
    axes.fill_between(op, values / digest.MIB, color=palette.LIVE, lw=0)
    for name, curve in curves.items():
        style = palette.style(name)
        op, values = thin(curve["op"], curve["rss"], points)
        axes.plot(op, values / digest.MIB, color=style.colour, ls=style.dashes)
    axes.set_xlim(0, max(curve["op"][-1] for curve in curves.values()))
    axes.set_ylim(0, 1.06 * max(max(curve["rss"]) for curve in curves.values()) / digest.MIB)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(5))
    axes.xaxis.set_major_formatter(ticker.EngFormatter(sep=""))
    axes.yaxis.set_major_locator(ticker.MaxNLocator(5))
    axes.grid(axis="y")
    put_failures(axes, summary, subject)


def put_failures(axes, summary, subject):
    """Names what has no line, and why, in the upper left corner."""
    gaps = [(name, summary.cells[subject, name].gap) for name in summary.allocators]
    for i, (name, gap) in enumerate(pair for pair in gaps if pair[1]):
        look = {"va": "top", "size": 8, "weight": "bold", "color": palette.style(name).colour}
        canvas.note(axes, f"× {name} {gap}", (0, 1), (5, -4 - 11 * i), "axes fraction", **look)


def label_lines(axes, curves, size):
    """Names the lines and the area at their right ends, moved apart, with a thin leader to each."""
    live = next(iter(curves.values()))["live"]
    at = [curve["rss"][-1] / digest.MIB for curve in curves.values()] + [live[-1] / digest.MIB]
    colours = [palette.style(name).colour for name in curves] + [palette.MUTED]
    top = axes.get_ylim()[1]
    step = 1.25 * size * axes.figure.dpi / 72 / axes.get_window_extent().height * top
    places = spread(at, step, top)
    for name, y, place, colour in zip([*curves, "live bytes"], at, places, colours):
        label_line(axes, name, (y, place), {"size": size, "color": colour})


def label_line(axes, name, heights, look):
    """Writes a name right of the axes; heights are those of the line's end and of the name."""
    frame = axes.get_yaxis_transform()
    x = 1 + 14 / axes.get_window_extent().width
    leader = {"arrowstyle": "-", "color": look["color"], "lw": 0.7, "relpos": (0, 0.5)}
    leader.update(shrinkA=1, shrinkB=0)
    options = {"arrowprops": leader, "annotation_clip": False, "va": "center", **look}
    axes.annotate(name, (1, heights[0]), (x, heights[1]), frame, frame, **options)


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
    """One subject, large."""
    text = canvas.caption(summary)
    figure = pyplot.figure(figsize=(canvas.WIDTH, 4.3 + canvas.caption_height(text)))
    canvas.put_title(
        figure,
        f"{subject}: memory over operations",
        "MiB; lines: resident (RSS) under each allocator, grey area: live bytes. Lower is leaner.",
    )
    canvas.put_caption(figure, text)
    axes = canvas.plot_area(figure, 0.65, 0.75, canvas.WIDTH - 2.05, 3.0)
    draw_curves(axes, summary, subject, curves, CURVE_POINTS)
    axes.set_xlabel("operations")
    label_lines(axes, curves, 9)
    return figure


def overview_figure(summary, all_curves):
    """All subjects, small, two in a row."""
    rows = math.ceil(len(all_curves) / 2)
    text = canvas.caption(summary)
    figure = pyplot.figure(
        figsize=(canvas.WIDTH, 0.7 + 1.95 * rows + 0.1 + canvas.caption_height(text))
    )
    canvas.put_title(
        figure,
        "Memory over operations",
        "MiB over operations; lines: resident (RSS) under each allocator, "
        "grey area: live bytes. Lower is leaner.",
    )
    canvas.put_caption(figure, text)
    for i, (subject, curves) in enumerate(all_curves.items()):
        left, top = 0.5 + (i % 2) * (canvas.WIDTH / 2), 0.95 + 1.95 * (i // 2)
        axes = canvas.plot_area(figure, left, top, canvas.WIDTH / 2 - 1.6, 1.4)
        draw_curves(axes, summary, subject, curves, OVERVIEW_POINTS)
        axes.set_title(subject, loc="left", size=10, weight="bold", pad=4)
        label_lines(axes, curves, 8)
    return figure
