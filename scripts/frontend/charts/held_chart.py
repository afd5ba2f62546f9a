"""The chart of what memory is held for, of one trace: for each allocator that tells a bar of its
mapped bytes by cause, where the replay needs most, and a tick for how many of them are resident.
"""

from dataclasses import dataclass

from frontend.charts import canvas, lettering, palette, ratio_chart
from frontend.figures import digest
from frontend.figures.results import has_figures

HEAD, AXIS = 1.12, 0.36  # inches
LANE, BAR = 0.3, 0.17
SIZE = 8.5
KEY = "held"  # of the entries, from an allocator with a mallinfo2 of its own
NUMBERS = ("rss", "live", "used", "cached", "free", "empty")
# The fields of a Held from left to right, what they are, and how opaque they are drawn.
CAUSES = (
    ("live", "live", 1.0),
    ("overhead", "headers and rounding", 0.7),
    ("cached", "caches", 0.45),
    ("free", "free between blocks", 0.25),
    ("empty", "empty", 0.1),
)


@dataclass(frozen=True)
class Held:
    """Bytes by cause; together they are what is mapped, of which `rss` bytes are resident."""

    rss: int
    live: int  # requested by the program
    overhead: int  # headers, and what requests were rounded up by
    cached: int  # freed, in caches of threads or not merged yet
    free: int  # free between blocks in use
    empty: int  # could be given back as it is


def of_row(row):
    """The Held of a results.Row in the round with the highest RSS; None if it does not tell."""
    told = [entry[KEY] for entry in row.samples if has_figures(entry.get(KEY), NUMBERS)]
    if not told:
        return None
    most = max(told, key=lambda held: held["rss"])
    overhead = max(0, most["used"] - most["live"])
    return Held(most["rss"], most["live"], overhead, *(most[key] for key in NUMBERS[3:]))


def held_of(summary, subject):
    """{allocator: Held} of those that tell."""
    rows = {name: summary.rows.get((subject, name)) for name in summary.allocators}
    found = {name: of_row(row) for name, row in rows.items() if row}
    return {name: held for name, held in found.items() if held}


def held_figure(summary, subject):
    """A bar for each allocator."""
    told = held_of(summary, subject)
    tall = LANE * len(told)
    figure = canvas.sheet(
        HEAD + tall + AXIS,
        canvas.caption(summary, "By each allocator's own mallinfo2; the others have none."),
        f"{subject}: what memory is held for, where most is needed",
        "MiB mapped, from zero; | marks what is resident: the rest was never touched.",
    )
    put_causes(figure)
    left = ratio_chart.names_width(told, ())
    axes = canvas.plot_area(figure, left, HEAD, canvas.WIDTH - left - 0.3, tall)
    ratio_chart.draw_bands(axes, len(told), 0, LANE)
    most = max(max(mapped(held), held.rss) for held in told.values())
    canvas.set_axis_from_zero(axes, 1.04 * most / digest.MIB)
    for i, (name, held) in enumerate(told.items()):
        ratio_chart.put_name(axes, name, LANE * (i + 0.5))
        draw_bar(axes, name, held, LANE * (i + 0.5))
    return figure


def put_causes(figure):
    """The legend: a patch of each opacity and what it stands for."""
    height = figure.get_figheight()
    left = 0.12
    for _, words, opacity in CAUSES:
        axes = canvas.plot_area(figure, left, 0.74, 0.16, 0.12)
        axes.set_axis_off()
        axes.barh(0.5, 1, 1, alpha=opacity, color=palette.MUTED)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        look = {"size": SIZE, "color": palette.MUTED, "va": "center"}
        figure.text((left + 0.22) / canvas.WIDTH, 1 - 0.8 / height, words, **look)
        left += 0.22 + lettering.width_of(words, SIZE) + 0.22


def mapped(held):
    """All bytes of a Held."""
    return sum(getattr(held, key) for key, _, _ in CAUSES)


def draw_bar(axes, name, held, y):
    """One allocator: its causes one behind the other, and the tick."""
    colour, start = palette.style(name).colour, 0
    for key, words, opacity in CAUSES:
        size = getattr(held, key) / digest.MIB
        (bar,) = axes.barh(y, size, BAR, left=start, alpha=opacity, color=colour, lw=0)
        canvas.tip(bar, f"{name}, {words}\n{digest.number_text(size)} MiB")
        start += size
    rss = held.rss / digest.MIB
    tick = ratio_chart.draw_tick(axes, rss, (y, LANE / 2.4), palette.INK, 1.6)
    canvas.tip(tick, f"{name}, resident\n{digest.number_text(rss)} MiB")
