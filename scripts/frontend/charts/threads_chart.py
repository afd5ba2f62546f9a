"""The chart of throughput by threads: a small panel for each workload that was run with several
numbers of threads, a line for each allocator.
"""

import re

from matplotlib import ticker

from frontend.charts import canvas, curve_chart, lettering, palette

NAME = re.compile(r"(.*)/threads:(\d+)")
HEAD, PANEL, GAP = 0.95, 1.75, 0.75  # inches
SIZE = 8


def scaled_workloads(summary):
    """{workload: {threads: subject}} of those with more than one number of threads."""
    found = {}
    for subject in summary.subjects:
        match = NAME.fullmatch(subject)
        if match:
            found.setdefault(match.group(1), {})[int(match.group(2))] = subject
    return {name: counts for name, counts in found.items() if len(counts) > 1}


def threads_figure(summary):
    scaled = scaled_workloads(summary)
    figure, panels = canvas.grid(
        scaled,
        (HEAD, PANEL, GAP, 0.5, curve_chart.names_room(summary.allocators, SIZE)),
        canvas.caption(summary),
        "Throughput by threads",
        "Million calls a second of all threads together, from zero. Higher is better.",
    )
    for name, (axes, width) in panels.items():
        draw_panel(axes, summary, scaled[name])
        room = width - lettering.width_of(axes.get_title("left"), 10, "bold") - 0.2
        put_failures(axes, failing(summary, scaled[name]), room)
        axes.set_xlabel("threads")
    return figure


def draw_panel(axes, summary, counts):
    """One workload: a line for each allocator, named at its end."""
    lines = {name: line_of(summary, counts, name) for name in summary.allocators}
    lines = {name: line for name, line in lines.items() if line}
    for name, line in lines.items():
        style = palette.style(name)
        axes.plot(*zip(*line), color=style.colour, ls=style.dashes, clip_on=False)
        for count, rate in line:
            text = f"{name}, threads: {count}\n{rate:.3g} million calls a second"
            canvas.draw_mark(axes, name, (count, rate), text, 4.5, mew=0.9)
    axes.set_xticks(sorted(counts))
    axes.set_xlim(min(counts) - 0.1, max(counts))
    axes.set_ylim(0, 1.06 * max((y for line in lines.values() for _, y in line), default=1))
    axes.yaxis.set_major_locator(ticker.MaxNLocator(5))
    axes.grid(axis="y")
    last = {name: line[-1] for name, line in lines.items()}
    ends = {name: rate for name, (count, rate) in last.items() if count == max(counts)}
    curve_chart.label_lines(axes, ends, SIZE)


def failing(summary, counts):
    """The allocators that failed with some number of threads."""
    whole = {name: len(line_of(summary, counts, name)) for name in summary.allocators}
    return [name for name, length in whole.items() if length < len(counts)]


def line_of(summary, counts, name):
    """[(threads, million calls a second)] of an allocator."""
    cells = [(count, summary.cells[counts[count], name]) for count in sorted(counts)]
    return [(count, 1e3 / cell.time.median) for count, cell in cells if cell.time]


def put_failures(axes, names, room):
    """Names the allocators that failed with some number of threads, above the panel on the right,
    where there are so many inches."""
    if names:
        text = lettering.fitted(f"× {', '.join(names)} failed", room, 7.5, "bold")
        look = {"ha": "right", "va": "bottom", "size": 7.5, "weight": "bold"}
        canvas.note(axes, text, (1, 1), (0, 5), "axes fraction", color=palette.MUTED, **look)
