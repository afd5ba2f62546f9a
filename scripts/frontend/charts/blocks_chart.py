"""The chart of a trace's blocks: how large they are asked to be, and how long they live. Sizes and
lifetimes come in classes, each twice as wide as the one before.
"""

from matplotlib import ticker

from frontend.charts import canvas, palette
from frontend.charts.size_chart import size_text
from frontend.counted import counted, plural

LEFT, BETWEEN, RIGHT = 0.65, 0.75, 0.15  # inches
HEAD, PANEL = 1.05, 1.35
PANELS = {
    "sizes": ("bytes requested", "byte", "have at most"),
    "lifetimes": ("lifetime in allocations", "allocation", "live for at most"),
}
MOST_TICKS = 9


def blocks_of(summary, subject):
    """{"sizes", "lifetimes": [{from, to, count}]} of a trace, if the result file has them."""
    facts = summary.context.get("traces", {}).get(subject, {})
    return {key: facts[key] for key in PANELS if facts.get(key)}


def blocks_figure(summary, subject):
    """Both histograms side by side."""
    figure = canvas.sheet(
        HEAD + PANEL + 0.55,
        caption(summary.context["traces"][subject]),
        f"{subject}: sizes and lifetimes of its blocks",
        "Share of all blocks in each class; a class reaches up to the next one's number.",
    )
    width = (canvas.WIDTH - LEFT - BETWEEN - RIGHT) / len(PANELS)
    for i, (key, classes) in enumerate(blocks_of(summary, subject).items()):
        axes = canvas.plot_area(figure, LEFT + i * (width + BETWEEN), HEAD, width, PANEL)
        draw_panel(axes, classes, PANELS[key])
    return figure


def caption(facts):
    """What was counted, and when and where the trace was recorded."""
    sums = {key: sum(found["count"] for found in facts.get(key, ())) for key in PANELS}
    origin = facts.get("origin", {})
    system = ", ".join(str(origin[key]) for key in ("cpu", "kernel", "libc") if origin.get(key))
    date = str(origin.get("date", ""))[:10]
    parts = (
        f"n = {counted(sums['sizes'], 'request')}, {counted(sums['lifetimes'], 'free')}",
        date and f"recorded {date}",
        system,
    )
    return " · ".join(filter(None, parts))


def draw_panel(axes, classes, words):
    """One histogram; words are what is counted, its unit, and how half of the blocks are told."""
    label, unit, verb = words
    total = sum(found["count"] for found in classes)
    for found in classes:
        share = 100 * found["count"] / total
        (bar,) = axes.bar(place_of(found), share, 0.86, align="edge", color=palette.MUTED)
        sizes = f"{range_text(found)} {plural(found['to'], unit)}"
        canvas.tip(bar, f"{sizes}\n{counted(found['count'], 'block')}, {share:.2g} %")
    half = middle(classes)["to"]
    title = f"half of the blocks {verb} {number_text(half)} {plural(half, unit)}"
    axes.set_title(title, loc="left", size=9, weight="bold", pad=5)
    axes.set_xlabel(label)
    set_axes(axes, classes)


def place_of(found):
    """Where a class begins on the axis: 0 at 0, 1 at 1, and one more with each doubling."""
    return int(found["from"]).bit_length()


def set_axes(axes, classes):
    """Ticks at the beginnings of classes, and shares from zero."""
    last = max(place_of(found) for found in classes) + 1
    step = -(-last // MOST_TICKS)
    places = range(0, last + 1, step)
    axes.set_xticks(places, [number_text(1 << place - 1 if place else 0) for place in places])
    axes.set_xlim(0, last)
    axes.set_ylim(0, None)
    axes.yaxis.set_major_formatter(ticker.PercentFormatter(decimals=0))
    axes.yaxis.set_major_locator(ticker.MaxNLocator(4))
    axes.grid(axis="y")


def middle(classes):
    """The class in which the blocks' median lies."""
    left = sum(found["count"] for found in classes) / 2
    for found in classes:
        left -= found["count"]
        if left <= 0:
            return found
    return classes[-1]


def number_text(number):
    """ "64", "4K", "12": whole binary thousands where that is exact but for one."""
    whole = number + 1 if number >= 1023 and number % 2 else number
    return size_text(whole)


def range_text(found):
    """ "16–31", or "0" for a class of one."""
    ends = sorted({found["from"], found["to"]})
    return "–".join(f"{end:,}" for end in ends)
