"""What the rounds of fidelity.py come to: a table of predicted against real savings, how far apart
they are, with and without the model, and a chart of both.
"""

import textwrap
from dataclasses import dataclass
from pathlib import Path

from frontend.charts import canvas, palette
from frontend.charts.canvas import ticker
from frontend.failure import Failure
from frontend.figures import digest, markdown, paired_samples, results, stats
from frontend.lazily import Lazy
from studies.fidelity import FITTED, LOAD_WORTH_TELLING, MODELLED, PLAIN, REFERENCE, RIVALS, WAYS

numpy = Lazy("numpy")

MARKERS = BEGIN, END = "<!-- fidelity:begin -->", "<!-- fidelity:end -->"
LEAST = 0.03  # of the program's time: a smaller saving is nothing that a ratio could be made of
NEAR, FACTOR = 0.2, 1.5  # what is aimed at: the median pair within a fifth, all within this factor
LEVEL = stats.WANTED_COVERAGE
WORDS = {PLAIN: "replay", MODELLED: "with the model"}


@dataclass(frozen=True)
class Pair:
    """A program and an allocator: savings as Estimates of shares of the program's time."""

    program: str
    allocator: str
    is_fitted: bool
    real: object
    plain: object
    modelled: object
    plain_ratio: object  # predicted over real; None where the real saving may be nothing
    ratio: object

    @property
    def counts(self):
        """Whether there is a saving, or a loss, that a ratio can be made of."""
        return self.ratio is not None


def pairs_of(record):
    """The Pairs of a Record, programs in alphabetical order."""
    programs = record.data["programs"]
    return [
        pair_of(name, rival, name in FITTED, programs[name])
        for name in sorted(programs)
        for rival in RIVALS
        if rival in programs[name]
    ]


def pair_of(name, rival, is_fitted, times):
    """The Pair of one program and allocator, of {allocator: [ns in each of WAYS]}."""
    before, after = (numpy.array(times[key], dtype=float) for key in (REFERENCE, rival))
    n = min(len(before), len(after))
    saved = (before[:n] - after[:n]) / numpy.median(before[:, 0])
    savings = [paired_samples.effect(saved[:, i], LEVEL) for i in range(len(WAYS))]
    real = savings[0]
    has_ratio = abs(real.median) > LEAST and real.excludes(0.0)
    ratios = [
        paired_samples.ratio(saved[:, i], saved[:, 0], LEVEL) if has_ratio else None for i in (1, 2)
    ]
    return Pair(name, rival, is_fitted, *savings, *ratios)


# In words


def text_of(record):
    """The table, and what it comes to."""
    pairs = pairs_of(record)
    lines = [
        circumstances(record, pairs),
        "",
        markdown.table(sums(pairs)),
        "",
        markdown.table(table(pairs), texts=2),
    ]
    return "\n".join(lines)


def circumstances(record, pairs):
    """Where and how it was measured."""
    facts = record.data["context"]
    counts = sorted({pair.real.n for pair in pairs})
    n = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
    coverage = 100 * min(pair.real.coverage for pair in pairs)
    load = facts.get("load_before", 0)
    busy = f" **Busy machine** (load {load:.1f} before)." if load > LOAD_WORTH_TELLING else ""
    intervals = f"intervals of {coverage:.3g} %" if coverage else "no intervals, no ratios"
    return (
        f"n = {n} interleaved rounds, medians, {intervals};" f" {digest.origin_text(facts)}.{busy}"
    )


def sums(pairs):
    """How far predictions are from what is real, without the model and with it."""
    yield (
        *(f"real savings beyond {100 * LEAST:g} %", "pairs", "predicted / real, median", "range"),
        *(f"within {100 * NEAR:.0f} %", f"within a factor of {FACTOR:g}"),
    )
    counting = [pair for pair in pairs if pair.counts]
    fitted = [pair for pair in counting if pair.is_fitted]
    judged = [pair for pair in counting if not pair.is_fitted]
    for name, chosen in (
        ("fitted programs", fitted),
        ("judged programs", judged),
        ("all", counting),
    ):
        for way in WAYS[1:]:
            yield f"{name}, {WORDS[way]}", *sum_cells(ratios_of(chosen, way))
    for way in WAYS[1:]:
        factor = factor_of(fitted, way)
        if factor:
            ratios = [factor * ratio for ratio in ratios_of(judged, way)]
            yield f"judged programs, {WORDS[way]}, times {factor:.2f}", *sum_cells(ratios)


def ratios_of(pairs, way):
    """Predicted over real saving of Pairs that have a ratio, in one way of predicting."""
    return [(pair.plain_ratio if way == PLAIN else pair.ratio).median for pair in pairs]


def factor_of(fitted, way):
    """What predictions are to be multiplied by to be right for the median fitted Pair; None if
    there is no such factor."""
    ratios = ratios_of(fitted, way)
    return 1 / stats.median(ratios) if ratios and stats.median(ratios) > 0 else None


def sum_cells(ratios):
    """The cells of a line of sums."""
    if not ratios:
        return 0, "", "", "", ""
    near = sum(abs(ratio - 1) <= NEAR for ratio in ratios)
    within = sum(1 / FACTOR <= ratio <= FACTOR for ratio in ratios)
    of = len(ratios)
    cells = (of, f"{stats.median(ratios):.2f}", f"{min(ratios):.2f} to {max(ratios):.2f}")
    return *cells, f"{near} of {of}", f"{within} of {of}"


def table(pairs):
    """A line for each Pair."""
    yield "program", "allocator", "saved really", "replay says", "model says", "model / real"
    for pair in pairs:
        name = pair.program + ("" if pair.is_fitted else " (judged)")
        cells = [share_text(e) for e in (pair.real, pair.plain, pair.modelled)]
        ratio = digest.figure_text(pair.ratio) if pair.counts else ""
        yield name, pair.allocator, *cells, ratio


def share_text(estimate):
    """ "4.2 % (3.9–4.4)"; a loss has a minus."""
    ends = digest.interval(estimate, lambda end: f"{100 * end:.1f}", " ({} to {})")
    return f"{100 * estimate.median:.1f} %{ends}"


# On the page


def write(record, page, chart):
    """Puts the tables between their markers in the page, and draws the chart."""
    if not record.data["programs"]:
        raise Failure(f"{record.path}: nothing has been measured yet")
    results.write_text(page, markdown.filled(page, MARKERS, text_of(record))[1])
    with canvas.pyplot.rc_context(canvas.STYLE):
        canvas.save(figure_of(record), Path(chart), ("svg",))


# Chart


def figure_of(record):
    """Predicted savings against real ones: without the model on the left, with it on the right."""
    pairs = pairs_of(record)
    figure = canvas.sheet(
        4.78,
        textwrap.fill(circumstances(record, pairs).replace("**", ""), canvas.CAPTION_COLUMNS),
        "What replays predict, and what programs save",
        "share of the program's time saved against glibc; on the line, both agree",
    )
    shares = [100 * e.median for pair in pairs for e in (pair.real, pair.plain, pair.modelled)]
    ends = min(0, *shares) - 2, max(shares) + 2
    width = (canvas.WIDTH - 0.8) / 2
    for i, (title, way) in enumerate((("replay", "plain"), ("with the model", "modelled"))):
        axes = canvas.plot_area(figure, 0.8 + i * width, 0.95, width - 0.6, 3.2)
        draw_panel(axes, pairs, way, title, ends)
    return figure


def draw_panel(axes, pairs, way, title, ends):
    axes.plot(ends, ends, color=palette.MUTED, lw=0.8)
    for factor in (1 / FACTOR, FACTOR):
        axes.plot(ends, [factor * end for end in ends], color=palette.MUTED, lw=0.8, ls=":")
    for pair in pairs:
        point = [100 * pair.real.median], [100 * getattr(pair, way).median]
        tip = f"{pair.program}, {pair.allocator}"
        canvas.draw_mark(axes, pair.allocator, point, tip, 4.5, mew=0.9)
    for allocator in RIVALS:
        style = palette.style(allocator)
        look = {"color": style.colour, "mfc": style.face, "ls": "", "marker": style.marker}
        axes.plot([], [], label=allocator, ms=4.5, **look)
    axes.legend(frameon=False, fontsize=8, loc="upper left", handletextpad=0.2)
    axes.set(xlim=ends, ylim=ends, title=title, xlabel="saved really", ylabel="predicted")
    axes.title.set(size=10, color=palette.INK)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(ticker.PercentFormatter(100, decimals=0))
    axes.grid()
