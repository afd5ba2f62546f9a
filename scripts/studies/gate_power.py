"""What the gate's verdicts are worth, from what gate_proof measured: gates resampled from its
pairs, whole gates counted, as tables in docs/method.md and a chart of power against time.

A resampled gate takes its rounds in blocks of neighbours, all rows of a round together, so that
what drifts in the machine, or hits all rows at once, is in it. A slowdown by s adds log(1 + s) to
every pair of one and the same library; builds that are slower show whether that is allowed.
"""

import math
from functools import partial
from pathlib import Path

import numpy
from scipy import stats as scipy_stats

from frontend.charts import canvas, palette
from frontend.charts.canvas import pyplot, ticker
from frontend.counted import counted
from frontend.failure import Failure
from frontend.figures import digest, markdown, paired_samples, results
from frontend.gate import gate_subjects, gate_verdict
from frontend.gate.gate_time import PAIRS_A_ROUND
from frontend.gate.gate_verdict import PASS, UNKNOWN, WORSE, Looks, Pairs, mean_of, overall
from studies import gate_proof
from studies.gate_proof import SAME, SLOWER

MARKERS = BEGIN, END = "<!-- gate-proof:begin -->", "<!-- gate-proof:end -->"
BLOCK = 6  # rounds taken together; arbitrary, some seconds to a minute of the machine's moods
ALARM_GATES, POWER_GATES, CURVE_GATES = 2000, 500, 200
CURVE_PAIRS = (24, 32, 48, 64, 96, 128)  # half of them for the first look, nine at least
SEED = 1
COLOURS = ("#0072b2", "#009e73", "#b07d00", "#d55e00", "#56406f")  # one a slowdown
CHART = "power"
QUICK, STANDARD = "--quick", "standard"
DETECT = {QUICK: gate_verdict.DETECT_QUICK, STANDARD: gate_verdict.DETECT}
STATUSES = {0: PASS, 1: WORSE, 77: UNKNOWN}


def write(record, page):
    """Puts the tables between their markers in the page, and draws the chart beside the record."""
    proof = Proof(record.data)
    results.write_text(Path(page), markdown.filled(page, MARKERS, proof.text())[1])
    with pyplot.rc_context(canvas.STYLE):
        canvas.save(power_figure(proof), record.path.parent / CHART, ("svg",))


class Proof:
    """What follows from a record."""

    def __init__(self, data):
        self.data = data
        self.series = {name: rows_of(found) for name, found in data["series"].items()}
        if SAME not in self.series:
            raise Failure("the record holds no pairs of one and the same library")

    @property
    def extents(self):
        """The extents of a gate of which there are pairs of one and the same library."""
        is_whole = set(self.series[SAME]) > set(gate_subjects.QUICK)
        return (QUICK, STANDARD) if is_whole else (QUICK,)

    def rows(self, extent, name=SAME):
        """{row: Pairs} of a series, for one extent of a gate."""
        rows = self.series[name]
        chosen = gate_subjects.QUICK if extent == QUICK else rows
        return {row: rows[row] for row in chosen}

    def seconds_a_pair(self, extent):
        """How long a gate of this extent takes for a pair of all rows: what pairs of just these
        rows took, or else what whole gates did, all of which are quick."""
        count = len(self.rows(extent))
        names = [n for n, rows in self.series.items() if len(rows) == count]
        took = [(self.data["series"][n]["seconds"], length(self.series[n])) for n in names]
        if not took and extent == QUICK:
            took = [(s, n) for found in self.data["gates"].values() for _, s, n, *_ in found if n]
        pairs = sum(n for _, n in took)
        return sum(s for s, _ in took) / pairs if pairs else math.nan

    def text(self):
        parts = (
            circumstances(self),
            alarm_table(self),
            "A library that takes longer in every allocating call:",
            power_table(self),
            "How long a gate takes to see a slowdown in time alone (its instructions show each of "
            "these at once):",
            duration_table(self),
        )
        return "\n\n".join(filter(None, parts))


def rows_of(series):
    """{row: Pairs} as arrays."""
    return {
        row: Pairs(numpy.array(kept["logs"]), numpy.array(kept["noise"]))
        for row, kept in series["rows"].items()
    }


def length(rows):
    """How many pairs all rows have."""
    return min(len(pairs.logs) for pairs in rows.values())


# Resampling


def resampled(rows, pairs, shift, random):
    """{row: Pairs} of so many pairs in blocks of neighbouring rounds, slower by exp(shift)."""
    rounds = length(rows) // PAIRS_A_ROUND
    needed = -(-pairs // PAIRS_A_ROUND)
    starts = random.integers(0, rounds, -(-needed // BLOCK))
    chosen = (starts[:, None] + numpy.arange(BLOCK)).ravel()[:needed] % rounds
    places = (chosen[:, None] * PAIRS_A_ROUND + numpy.arange(PAIRS_A_ROUND)).ravel()
    return {row: Pairs(p.logs[places] + shift, p.noise[places]) for row, p in rows.items()}


def simulated(rows, looks, shift, random):
    """(verdict, most pairs of a row) of one resampled gate that takes these Looks."""
    everything = resampled(rows, 4 * looks.most, shift, random)
    taken = {row: looks.first for row in rows}
    while True:
        seen = {row: prefix(pairs, taken[row]) for row, pairs in everything.items()}
        more = {row for _, row in looks.look({"": seen})}
        if not more:
            return overall(looks.findings({"": seen})), max(taken.values())
        target = 2 * max(taken[row] for row in more)
        if target > 4 * looks.most:
            return UNKNOWN, max(taken.values())
        taken.update({row: target for row in more})


def prefix(pairs, n):
    return Pairs(pairs.logs[:n], pairs.noise[:n])


def simulate(rows, new_looks, shift, count):
    """[(verdict, pairs)] of resampled gates; new_looks() makes the Looks of one."""
    random = numpy.random.default_rng(SEED)
    return [simulated(rows, new_looks(), shift, random) for _ in range(count)]


def standard_looks(extent):
    """What a gate of this extent does where nothing else is asked for."""
    return partial(Looks, gate_verdict.PAIRS_FIRST, gate_verdict.PAIRS_MOST, DETECT[extent])


def looks_of(pairs, extent):
    """What a gate does that may take so many pairs and no more: half of them for the first look, so
    that a regression can be seen twice."""
    return partial(Looks, pairs // 2, pairs // 2, DETECT[extent])


def share_of(verdict, gates):
    """(how many of the gates have the verdict, how many there are)."""
    return sum(found == verdict for found, _ in gates), len(gates)


# Text


def share_text(share, has_interval=True):
    """ "3 of 2000 (0.15 %, 95 %: 0.03 to 0.44)"."""
    count, of = share
    if not of:
        return "none run"
    interval = scipy_stats.binomtest(count, of).proportion_ci(0.95)
    ends = f", 95 %: {100 * interval.low:.3g} to {100 * interval.high:.3g}" if has_interval else ""
    return f"{count} of {of} ({100 * count / of:.3g} %{ends})"


def circumstances(proof):
    """What was measured, where and when."""
    context = proof.data["context"]
    same = proof.series[SAME]
    slower = [n for n in proof.series if n != SAME]
    more = f", and {length(proof.series[slower[0]])} of each slower one" if slower else ""
    return (
        f"libspan-fast against itself: {counted(length(same), 'pair')} of each of "
        f"{counted(len(same), 'row')}{more}. "
        f"{digest.origin_text(context)}."
    )


def real(proof, name):
    """[(verdict, pairs, seconds)] of the whole gates of a kind."""
    return [(STATUSES.get(s, WORSE), n, t) for s, t, n, *_ in proof.data["gates"].get(name, [])]


def real_effect(proof, name):
    """ "4.8 %": by how much the whole gates of a kind found head slower, the median; "" if they did
    not measure that."""
    ratios = [ratio for _, _, _, *more in proof.data["gates"][name] for ratio in more if ratio]
    return f"{100 * (numpy.median(ratios) - 1):.1f} %" if ratios else ""


def real_cells(proof, name):
    """Regressions and answers of 77 among the whole gates of a kind."""
    gates = [(verdict, pairs) for verdict, pairs, _ in real(proof, name)]
    return share_text(share_of(WORSE, gates)), share_text(share_of(UNKNOWN, gates), False)


def alarm_table(proof):
    """How often a gate on two copies of one library cries wolf."""
    rows = []
    for extent in proof.extents:
        gates = simulate(proof.rows(extent), standard_looks(extent), 0.0, ALARM_GATES)
        shares = share_text(share_of(WORSE, gates)), share_text(share_of(UNKNOWN, gates), False)
        rows.append((f"resampled, {extent}, time", *shares))
    rows += [
        (f"real, --quick: {name}", *real_cells(proof, name))
        for name, library, _, _ in gate_proof.PLANNED
        if library == SAME and proof.data["gates"].get(name)
    ]
    return markdown.table([("nothing has changed", "regression", "cannot tell"), *rows])


def power_table(proof):
    """How often gates catch what is slower or fatter."""
    rows = []
    for percent in SLOWER:
        shift = math.log1p(percent / 100)
        gates = simulate(proof.rows(QUICK), standard_looks(QUICK), shift, POWER_GATES)
        rows.append(power_row(f"resampled, {percent} % added", f"{percent} %", gates))
        if str(percent) in proof.series:
            measured = proof.rows(QUICK, str(percent))
            effect = 100 * math.expm1(paired_samples.effect(mean_of(measured, "logs")).median)
            gates = simulate(measured, standard_looks(QUICK), 0.0, POWER_GATES)
            loops = proof.data["loops"][str(percent)]
            rows.append(
                power_row(f"resampled, {counted(loops, 'loop')} burnt", f"{effect:.1f} %", gates)
            )
    for name, library, _, _ in gate_proof.PLANNED:
        if library != SAME and proof.data["gates"].get(name):
            rows.append((f"real: {name}", real_effect(proof, name), *real_cells(proof, name)))
    return markdown.table([("--quick", "slower by", "regression", "cannot tell"), *rows])


def power_row(name, effect, gates):
    """A line of resampled gates."""
    return (
        name,
        effect,
        share_text(share_of(WORSE, gates)),
        share_text(share_of(UNKNOWN, gates), False),
    )


def duration_table(proof):
    """Pairs and time until a gate has decided."""
    rows = []
    for extent in proof.extents:
        seconds = proof.seconds_a_pair(extent)
        for percent in (0, *SLOWER):
            shift = math.log1p(percent / 100)
            gates = simulate(proof.rows(extent), standard_looks(extent), shift, CURVE_GATES)
            pairs = [n for _, n in gates]
            low, high = numpy.percentile(pairs, (50, 95))
            caught = share_of(WORSE, gates)
            rows.append(
                (
                    extent,
                    f"{percent} %",
                    f"{100 * caught[0] / caught[1]:.3g} %",
                    f"{low:.0f}",
                    minutes(low * seconds),
                    f"{high:.0f}",
                    minutes(high * seconds),
                )
            )
    heads = ("gate", "slower by", "caught", "pairs, median", "time", "pairs, 95 of 100", "time")
    return markdown.table([heads, *rows])


def minutes(seconds):
    """ "1:05" of 65."""
    if math.isnan(seconds):
        return "not measured"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


# Chart


def power_curve(proof, extent, percent):
    """[(minutes, share caught)] by number of pairs."""
    shift, seconds = math.log1p(percent / 100), proof.seconds_a_pair(extent)
    points = []
    for pairs in CURVE_PAIRS:
        gates = simulate(proof.rows(extent), looks_of(pairs, extent), shift, CURVE_GATES)
        count, of = share_of(WORSE, gates)
        points.append((pairs * seconds / 60, count / of))
    return points


def power_figure(proof):
    """Share of slower builds that are caught, against the time that a gate may take."""
    text = (
        f"{CURVE_GATES} resampled gates a point, each of as many pairs as fit the time · "
        f"{digest.machine_text(proof.data['context'])}"
    )
    figure = canvas.sheet(
        4.32,
        text,
        "How long a gate needs to see a slowdown",
        "share of builds slower by 1, 2, 3, 5 and 10 % that its timing catches; higher is better",
    )
    width = (canvas.WIDTH - 0.6) / len(proof.extents)
    for i, extent in enumerate(proof.extents):
        axes = canvas.plot_area(figure, 0.6 + i * width, 0.95, width - 0.6, 2.8)
        draw_curves(axes, proof, extent)
    return figure


def draw_curves(axes, proof, extent):
    """A panel: the curves of one extent."""
    for percent, colour in zip(SLOWER, COLOURS):
        curve = power_curve(proof, extent, percent)
        axes.plot(*zip(*curve), color=colour, marker="o", ms=3)
        place = next((i for i, (_, share) in enumerate(curve) if share >= 0.97), len(curve) - 1)
        canvas.note(axes, f"{percent} %", curve[place], (6, -7), color=colour, size=9)
    axes.set(ylim=(0, 1.03), title=f"{extent} gate", xlabel="minutes of timing")
    axes.set_xlim(left=0)
    axes.title.set(size=10, color=palette.INK)
    axes.yaxis.set_major_formatter(ticker.PercentFormatter(1.0))
    axes.axhline(0.95, color=palette.MUTED, lw=0.8, ls=":")
    axes.grid(axis="y")
