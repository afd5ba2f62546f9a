"""Compares rows of two measurements: ratios B / A with intervals, their geometric means, verdicts.

Rows of one run are paired by round, for its rounds are neighbours in time; those of two runs are
two samples. A figure that is not a time and barely varies (peak RSS, instructions) has a hard limit
instead of a test: the interval is the whole range of ratios. Nothing is drawn or read here.
"""

from dataclasses import dataclass

import numpy

from frontend.figures import paired_samples, stats, two_samples
from frontend.figures.digest import MIB, RSS, TIME, Measure
from frontend.figures.results import is_time, unique
from frontend.measuring import deterministic

LEVEL = 0.05  # how often a family of tests may find something where nothing is
MARGIN = 0.02  # a difference of less is none that matters; an option says otherwise
STEADY_PART = 0.25  # of the margin: what varies less barely varies
STEADY_RUNS = 3  # a side, to say so; what is counted needs one
WORSE, FAILED, UNKNOWN, SAME, BETTER = "worse", "failed", "cannot tell", "no difference", "better"
ORDER = (FAILED, WORSE, UNKNOWN, SAME, BETTER)

# What is no time and may hardly vary, by the name of the option, which is its key.
STEADY = {
    "peak_rss": RSS,
    "peak_mapped": Measure("peak mapped", "peak_mapped", "MiB", MIB, "leaner", "fatter"),
    "rss_after_drain": Measure("RSS left", "rss_after_drain", "MiB", MIB, "leaner", "fatter"),
    "waste": Measure("waste", "waste", "", 1, "leaner", "fatter"),
    "minor_faults": Measure("page faults", "minor_faults", "", 1, "fewer", "more"),
    "instructions": Measure("instructions", "instructions", "M", 1e6, "fewer", "more"),
    "system_calls": Measure("system calls", "system_calls", "", 1, "fewer", "more"),
}
SLACK = {metric.key: metric.slack for metric in deterministic.METRICS}
CPU = Measure("CPU time", "cpu_time", "ms", 1, "faster", "slower")
LATENCIES = {
    key: Measure(key.removesuffix("_ns"), key, "ns", 1, "faster", "slower")
    for key in ("p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns")
}
METRICS = ("time", "cpu", *STEADY, *LATENCIES)
DEFAULT_METRICS = ("time", "peak_rss")


@dataclass(frozen=True)
class Manner:
    """How rows are compared."""

    is_paired: bool
    margin: float = MARGIN


@dataclass
class Comparison:
    """One figure of one row, or of many rows together, in A and in B."""

    name: str  # of the row, or what the mean is over
    metric: str = None  # None where a run failed
    measure: Measure = None
    before: float = None  # medians; None for a mean
    after: float = None
    ratio: object = None  # Estimate of B / A, None if there is none
    p_value: float = None  # None where a hard limit decides
    rows: int = 1  # how many a mean is over
    verdict: str = UNKNOWN

    @property
    def is_slight(self):
        """Whether the figures differ by so little that a large share of it means nothing."""
        if self.before is None or self.metric not in SLACK:
            return False
        return abs(self.after - self.before) <= SLACK[self.metric]


def measure_of(metric, kind):
    """The Measure that an option means in rows of a kind."""
    if metric == "time":
        return TIME.get(kind)
    if metric == "cpu":
        return CPU
    return LATENCIES.get(metric) or STEADY[metric]


def samples(row, key):
    """{round: figure} of the figures that a ratio can be made of."""
    return {r: v for r, v in row.by_round(key).items() if is_time(v) and v > 0}


def relative(row, reference, key):
    """The same as ratios to another allocator's row of the same file, within a round."""
    return stats.ratios(samples(row, key), samples(reference, key))


def compare(a, b, metric, manner):
    """(Estimate of b / a, p-value) of two {round: figure}; the p-value is None where the figures
    barely vary."""
    if not a or not b:
        return None, None
    least = 1 if metric in deterministic.COUNTED else STEADY_RUNS
    sides = (list(a.values()), list(b.values()))
    if metric in STEADY and all(is_steady(side, least, manner.margin) for side in sides):
        return whole_range(*sides), None
    if manner.is_paired:
        logs = numpy.log(list(stats.ratios(b, a).values()))
        estimate = stats.exponential(paired_samples.effect(logs, stats.WANTED_COVERAGE))
        return estimate, paired_samples.p_value(logs) if len(logs) else None
    return two_samples.ratio(*sides), two_samples.p_value(*sides)


def is_steady(values, least, margin):
    """Whether there are enough figures to know that they barely vary."""
    return len(values) >= least and max(values) <= min(values) * (1 + STEADY_PART * margin)


def whole_range(a, b):
    """The Estimate of b / a that holds whichever figures of either are taken."""
    median = stats.median(b) / stats.median(a)
    return stats.Estimate(median, min(b) / max(a), max(b) / min(a), 1.0, min(len(a), len(b)))


def judge(comparisons, margin):
    """Sets the verdicts of Comparisons that belong together: p-values are corrected for their
    number."""
    tested = [c for c in comparisons if c.p_value is not None]
    corrected = stats.holm([c.p_value for c in tested])
    found = {id(c) for c, p in zip(tested, corrected) if p <= LEVEL}
    for comparison in comparisons:
        is_sure = comparison.p_value is None or id(comparison) in found
        comparison.verdict = verdict(comparison.ratio, is_sure, margin)
        if comparison.is_slight and comparison.verdict in (WORSE, BETTER):
            comparison.verdict = SAME


def verdict(ratio, is_sure, margin):
    """What an Estimate of a ratio says; `is_sure` whether a test or a limit lets it say more than
    that nothing is there."""
    if ratio is None or ratio.low is None:
        return UNKNOWN
    if 1 / (1 + margin) <= ratio.low and ratio.high <= 1 + margin:
        is_known = ratio.coverage >= stats.WANTED_COVERAGE or ratio.low == ratio.high
        return SAME if is_known else UNKNOWN
    if not is_sure or not ratio.excludes(1.0):
        return UNKNOWN
    return WORSE if ratio.median > 1 else BETTER


def worst_first(comparisons):
    """By verdict, then by ratio."""

    def key(comparison):
        return ORDER.index(comparison.verdict), -(
            comparison.ratio.median if comparison.ratio else 1
        )

    return sorted(comparisons, key=key)


def has_failed(pair):
    """Whether a run of either side failed."""
    _, a, b = pair
    return bool(a.failures or b.failures)


class Comparer:
    """Compares pairs of rows (name, row of A, row of B); `references` are the rows to which a pair
    is relative, {name: (row of A, row of B)}, or None."""

    def __init__(self, pairs, manner, references=None):
        self.pairs, self.manner, self.references = pairs, manner, references

    def rows(self, metrics):
        """The judged Comparisons of single rows, worst first."""
        sound = [pair for pair in self.pairs if not has_failed(pair)]
        made = [self.row(pair, metric) for metric in metrics for pair in sound]
        made = [comparison for comparison in made if comparison]
        judge(made, self.manner.margin)
        return worst_first(self.new_failures() + made)

    def row(self, pair, metric):
        """The Comparison of one pair, or None if it has no such figure."""
        name, a, b = pair
        measure = measure_of(metric, a.kind)
        if measure is None:
            return None
        ours, theirs = self.figures(pair, measure.key)
        if not ours or not theirs:
            return None
        before, after = (stats.median(samples(row, measure.key).values()) for row in (a, b))
        estimate, p = compare(ours, theirs, metric, self.manner)
        return Comparison(name, metric, measure, before, after, estimate, p)

    def new_failures(self):
        """What fails in B alone is worse than any figure; what failed in A is no news."""
        names = [name for name, a, b in self.pairs if b.failures and not a.failures]
        return [Comparison(name, verdict=FAILED) for name in names]

    def figures(self, pair, key):
        """Of A and of B {round: figure}, relative ones where that is asked for."""
        name, a, b = pair
        if self.references is None:
            return samples(a, key), samples(b, key)
        if name not in self.references:
            return {}, {}
        return tuple(relative(row, to, key) for row, to in zip((a, b), self.references[name]))

    def means(self, metrics):
        """The judged Comparisons of geometric means: of each kind, then of each allocator in it."""
        wholes, parts = [], []
        for kind in unique(a.kind for _, a, _ in self.pairs):
            for metric in metrics:
                ours = [pair for pair in self.pairs if pair[1].kind == kind]
                wholes.append(self.mean(f"{kind}: all", ours, metric))
                names = unique(b.allocator for _, _, b in ours)
                for name in names if len(names) > 1 else ():
                    chosen = [pair for pair in ours if pair[2].allocator == name]
                    parts.append(self.mean(f"{kind}: {name}", chosen, metric))
        families = [[mean for mean in family if mean] for family in (wholes, parts)]
        for family in families:
            judge(family, self.manner.margin)
        return families[0] + worst_first(families[1])

    def mean(self, name, pairs, metric):
        """The Comparison of the geometric mean over the pairs that have the figure, or None."""
        measure = measure_of(metric, pairs[0][1].kind)
        if measure is None:
            return None
        sound = [pair for pair in pairs if not has_failed(pair)]
        both = [self.figures(pair, measure.key) for pair in sound]
        both = [(ours, theirs) for ours, theirs in both if ours and theirs]
        if not both:
            return None
        a, b = (stats.geometric_means(side) for side in zip(*both))
        estimate, p = compare(a, b, metric, self.manner)
        return Comparison(name, metric, measure, None, None, estimate, p, len(both))
