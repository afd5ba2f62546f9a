"""The chart of how long single calls take: a small panel for each trace, in it a line for each
allocator over the percentiles of its calls, in the way of HdrHistogram: each nine takes as much
room as the one before it. The counts are those of all rounds; the worst calls are not here.
"""

import math
from dataclasses import dataclass
from functools import partial

import numpy
from matplotlib import ticker

from frontend.charts import canvas, curve_chart, palette
from frontend.figures import latency_counts
from frontend.figures.digest import duration_text

HEAD, PANEL, ALONE, GAP, LEFT = 0.95, 1.75, 2.6, 0.75, 0.65  # inches
SIZE = 8
NINES = 4  # at the right end: 99.99 %
POINTS = 120  # of a line
SLICES = 12  # of a panel, each with a tip
TAIL = 10  # calls that are left at the end of a line; arbitrary, fewer say little of the rest
ROOM = 1.4  # above and below the lines, as a factor


@dataclass(frozen=True)
class Latencies:
    """The calls of one trace under one allocator."""

    ns: numpy.ndarray  # durations, rising
    share: numpy.ndarray  # of all calls, which take at most as long
    calls: int

    def at(self, nines):
        """The duration that all but a share of 10^-nines of the calls do not exceed."""
        place = numpy.searchsorted(self.share, 1 - 10.0**-nines, "left")
        return float(self.ns[min(place, len(self.ns) - 1)])


def latencies_of(results, summary, subject):
    """{allocator: Latencies} of a subject, of those that have any and did not fail."""
    whole = [name for name in summary.allocators if not summary.cells[subject, name].error]
    paths = {name: results.latency_path(subject, name) for name in whole}
    counts = {name: latency_counts.read(path) for name, path in paths.items() if path}
    sorted_ = {name: latency_counts.by_duration(counted) for name, counted in counts.items()}
    return {name: from_counts(pairs) for name, pairs in sorted_.items() if pairs}


def from_counts(pairs):
    """The Latencies of [(ns, count)]."""
    ns, counts = (numpy.asarray(column, float) for column in zip(*pairs))
    sums = numpy.cumsum(counts)
    return Latencies(ns, sums / sums[-1], int(sums[-1]))


def last_nines(found):
    """Where the lines of {allocator: Latencies} end: where the fewest calls leave TAIL of them."""
    fewest = min(latencies.calls for latencies in found.values())
    return min(NINES, math.log10(max(2.0, fewest / TAIL)))


def latency_figure(summary, all_found):
    """All panels; all_found is {subject: {allocator: Latencies}}, none of them empty."""
    names = {name for found in all_found.values() for name in found}
    height = PANEL if len(all_found) > 1 else ALONE
    figure, panels = canvas.grid(
        all_found,
        (HEAD, height, GAP, LEFT, curve_chart.names_room(names, SIZE)),
        canvas.caption(summary, remark_of(summary), "one call in sixteen, of all rounds"),
        "How long single calls take",
        "At 99: the time that 99 % of the calls do not exceed. Both axes are logarithmic. "
        "Lower is faster.",
    )
    limits = limits_of(all_found)
    for subject, (axes, _) in panels.items():
        found = all_found[subject]
        set_axes(axes, last_nines(found), limits)
        draw_lines(axes, found)
        curve_chart.put_slices(axes, SLICES, partial(slice_text, found))
        curve_chart.put_failures(axes, summary, subject)
    return figure


def remark_of(summary):
    """How coarse the clock is."""
    steps = [step for row in summary.rows.values() for step in row.values("counter_step_ns")]
    return f"the clock moves in steps of {max(steps):.3g} ns" if steps else ""


def limits_of(all_found):
    """Durations between which all lines lie. What is below the clock's first step counts as zero,
    and lies at the lower end."""
    ends = [
        ends_of(lines, last_nines(found))
        for found in all_found.values()
        for lines in found.values()
    ]
    lows = [low for low, _ in ends if low > 0]
    low, high = min(lows, default=1), max(high for _, high in ends)
    return low / ROOM, max(high, 10 * low) * ROOM


def ends_of(latencies, nines):
    """The shortest duration that is not zero (0 if there is none), and the last of the line."""
    above = latencies.ns[latencies.ns > 0]
    return (float(above[0]) if len(above) else 0), latencies.at(nines)


def set_axes(axes, nines, limits):
    """Percentiles to the right, so many nines, and durations upwards."""
    axes.set(yscale="log", xlim=(0, nines), ylim=limits)
    axes.xaxis.set_major_locator(ticker.FixedLocator(range(math.floor(nines + 1e-9) + 1)))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda nines, _: percent_text(nines)))
    axes.yaxis.set_major_locator(ticker.LogLocator(10, numticks=9))
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda ns, _: duration_text(ns)))
    axes.yaxis.set_minor_locator(ticker.NullLocator())
    axes.grid(axis="y")
    axes.set_xlabel("percentile")


def percent_text(nines):
    """The percentile after so many nines: "0", "90", "99", "99.9"."""
    return f"{100 * (1 - 10.0**-nines):.{max(0, math.ceil(nines) - 2)}f}"


def draw_lines(axes, found):
    """A line for each allocator, named at its end."""
    low, last = axes.get_ylim()[0], axes.get_xlim()[1]
    for name, latencies in found.items():
        style = palette.style(name)
        points = [(nines, max(ns, low)) for nines, ns in line_of(latencies, last)]
        axes.plot(*zip(*points), color=style.colour, ls=style.dashes)
    ends = {name: max(latencies.at(last), low) for name, latencies in found.items()}
    curve_chart.label_lines(axes, ends, SIZE)


def line_of(latencies, nines):
    """[(nines, ns)] of a line, without those points that lie between two of the same height."""
    points = [(x, latencies.at(x)) for x in numpy.linspace(0, nines, POINTS)]
    kept = [
        here
        for before, here, after in zip(points, points[1:], points[2:])
        if not before[1] == here[1] == after[1]
    ]
    return [points[0], *kept, points[-1]]


def slice_text(found, nines):
    """How long so many per cent of the calls take at most, the longest first."""
    durations = {name: latencies.at(nines) for name, latencies in found.items()}
    longest_first = sorted(durations.items(), key=lambda item: -item[1])
    lines = [f"{name} {duration_text(ns)}" for name, ns in longest_first]
    return "\n".join([f"{100 * (1 - 10.0**-nines):.4g} % of the calls take at most", *lines])
