"""The chart of micro-benchmarks by size: the time of one iteration under each allocator for sizes
from bytes to megabytes, a panel for each benchmark that has several sizes. Both axes are
logarithmic.
"""

import re

from matplotlib import ticker

from frontend.charts import canvas, curve_chart, palette, tips
from frontend.figures import digest

SIZES_LEAST = 5
WITH_SIZE = re.compile(r"(\w+)/(\d+)")
LEFT, HEAD, PANEL, GAP = 0.65, 0.95, 3.0, 0.75  # inches
TIMES_ROOM = 1.3  # above and below the lines, as a factor
NAME_SIZE = 9
DECADES = 1e3  # of times, below which each has three numbers at the axis
UNITS = ((1 << 20, "M"), (1 << 10, "K"))


def panels_of(summary):
    """{benchmark: {size: subject}} of those with enough sizes, in order."""
    found = {}
    for subject in summary.subjects:
        match = WITH_SIZE.fullmatch(subject)
        if match:
            found.setdefault(match.group(1), {})[int(match.group(2))] = subject
    return {name: sizes for name, sizes in found.items() if len(sizes) >= SIZES_LEAST}


def size_figure(summary):
    """All panels, one below the other."""
    panels = panels_of(summary)
    figure = canvas.sheet(
        HEAD + len(panels) * (PANEL + GAP),
        canvas.caption(summary, canvas.twin_note(summary)),
        "Time by size of block, by allocator",
        "Nanoseconds of one iteration; both axes are logarithmic. Lower is faster.",
    )
    for i, (name, sizes) in enumerate(panels.items()):
        top = HEAD + i * (PANEL + GAP)
        width = canvas.WIDTH - LEFT - curve_chart.names_room(summary.allocators, NAME_SIZE)
        axes = canvas.plot_area(figure, LEFT, top, width, PANEL)
        draw_panel(axes, summary, name, sizes)
    return figure


def draw_panel(axes, summary, name, sizes):
    """One benchmark: a line for each allocator, named at its end."""
    canvas.put_panel_title(axes, name)
    lines = {a: line_of(summary, a, sizes) for a in summary.allocators}
    lines = {a: line for a, line in lines.items() if line}
    set_axes(axes, sizes, [time for line in lines.values() for time in line.values()])
    for allocator, line in lines.items():
        texts = [tips.figure(summary, sizes[size], allocator, summary.time) for size in line]
        draw_line(axes, allocator, line, texts)
    ends = {a: list(line.values())[-1].median for a, line in lines.items()}
    curve_chart.label_lines(axes, ends, NAME_SIZE)
    gaps = {a: [summary.cells[s, a].gap for s in sizes.values()] for a in summary.allocators}
    curve_chart.put_gaps(axes, [(a, "failed" in told and "failed") for a, told in gaps.items()])


def line_of(summary, allocator, sizes):
    """{size: Estimate} of an allocator, where it has one."""
    cells = {size: summary.cells[subject, allocator] for size, subject in sizes.items()}
    return {size: cell.time for size, cell in sorted(cells.items()) if cell.time}


def set_axes(axes, sizes, times):
    """Logarithmic axes that hold everything."""
    ends = [end for time in times for end in digest.ends(time)] or [1]
    axes.set(xscale="log", yscale="log", xlim=(min(sizes), max(sizes)))
    axes.set_ylim(min(ends) / TIMES_ROOM, max(ends) * TIMES_ROOM)
    axes.xaxis.set_major_locator(ticker.LogLocator(2, numticks=12))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda size, _: size_text(size)))
    if max(ends) < DECADES * min(ends):
        axes.yaxis.set_major_locator(ticker.LogLocator(10, subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda ns, _: f"{ns:,g}"))
    axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    axes.grid(axis="y")
    axes.set_xlabel("bytes")


def size_text(size):
    """ "64", "4K", "1M"."""
    for unit, letter in UNITS:
        if size >= unit:
            return f"{size / unit:g}{letter}"
    return f"{size:g}"


def draw_line(axes, name, line, texts):
    """Medians of an allocator with their intervals; texts are the tips of the points."""
    style = palette.style(name)
    ends = [digest.ends(time) for time in line.values()]
    axes.vlines(list(line), [e[0] for e in ends], [e[2] for e in ends], color=style.colour, lw=1)
    points = [(size, time.median) for size, time in line.items()]
    axes.plot(*zip(*points), color=style.colour, ls=style.dashes, clip_on=False)
    for point, text in zip(points, texts):
        canvas.draw_mark(axes, name, point, text, 3.6, mew=0.9)
