"""The statistics of paired samples: medians of ratios and intervals that state their true
coverage.

Samples are paired by round, since the runs of a round are neighbours in time. Ratios are treated
as logarithms, so that 2 and 1/2 are equally far from 1. Intervals are order statistics of the
sample: for the median of any continuous distribution their coverage is exact, and a small sample
cannot reach 95 % (five give 93.75 %, four 87.5 %), which is said rather than hidden.
"""

from dataclasses import dataclass

from frontend.lazily import Lazy

statistics = Lazy("statistics")
numpy = Lazy("numpy")
stats = Lazy("scipy.stats")

WANTED_COVERAGE = 0.95


@dataclass(slots=True)
class Estimate:
    """A median and its interval; low and high are None when there is one sample only."""

    median: float
    low: float
    high: float
    coverage: float  # of the interval, true for this n; 0 without one
    n: int

    def excludes(self, value):
        """Whether the interval lies wholly on one side of value."""
        return self.low is not None and not self.low <= value <= self.high


@dataclass(frozen=True)
class Effects:
    """Many effects in logarithms, of samples of one size: arrays of medians and of the ends of
    their intervals (None of samples that have none), what these cover, an array of p-values."""

    medians: object
    lows: object
    highs: object
    coverage: float
    p_values: object


def of_single_runs(logs):
    """The Effects of one run against one: no interval, and whatever they are, nothing is told.
    (This is what the tests say too, which need scipy, half a second to load.)"""
    return Effects(logs, None, None, 0.0, numpy.ones(len(logs)))


def rank_interval(chances, wanted):
    """(k, coverage): from the k-th smallest to the k-th largest is the narrowest interval that
    covers `wanted`, the widest there is if none does; chances as for effects_of."""
    coverages = 1 - chances
    k = max(1, int(numpy.sum(coverages >= wanted)))
    return k, float(coverages[k - 1])


def effects_of(ordered, chances, wanted):
    """The Effects in the rows of a matrix of ordered logarithms; chances are the two-sided p-values
    where 0, 1, ... of a row, up to its middle, lie on the side that has fewer. What is nothing
    counts for whichever side makes the p-value larger, so that none is ever too small."""
    fewer = numpy.minimum(numpy.sum(ordered <= 0, axis=1), numpy.sum(ordered >= 0, axis=1))
    p_values = numpy.append(chances, 1.0)[numpy.minimum(fewer, len(chances))]
    k, coverage = rank_interval(chances, wanted)
    medians = numpy.median(ordered, axis=1)
    return Effects(medians, ordered[:, k - 1], ordered[:, -k], coverage, p_values)


def order_interval(n, wanted=WANTED_COVERAGE):
    """(k, coverage): the k-th smallest to the k-th largest of n samples is an interval of the
    median.

    The narrowest one that covers `wanted`; if none does, the whole range, with what it does cover.
    """
    ranks = range(n // 2, 0, -1)
    choices = ((k, float(1 - 2 * stats.binom.cdf(k - 1, n, 0.5))) for k in ranks)
    return next(((k, c) for k, c in choices if c >= wanted), (1, float(1 - 2 * 0.5**n)))


def estimate(values):
    """The Estimate of the median of values; None without values."""
    ordered = numpy.sort(numpy.asarray(list(values), dtype=float))
    n = len(ordered)
    if n == 0:
        return None
    median = float(numpy.median(ordered))
    if n == 1:
        return Estimate(median, None, None, 0.0, 1)
    k, coverage = order_interval(n)
    return Estimate(median, float(ordered[k - 1]), float(ordered[n - k]), coverage, n)


def ratios(values, reference):
    """{round: value / reference} over the rounds that both {round: value} have, both above zero."""
    return {r: v / reference[r] for r, v in values.items() if v > 0 and reference.get(r, 0) > 0}


def geometric_means(by_subject):
    """{round: geometric mean} of a list of {round: value}, of the rounds that all of them have."""
    rounds = sorted(set(by_subject[0]).intersection(*by_subject[1:])) if by_subject else []
    if not rounds:
        return {}
    figures = numpy.fromiter((values[r] for values in by_subject for r in rounds), dtype=float)
    logs = numpy.log(figures.reshape(len(by_subject), len(rounds)))
    return dict(zip(rounds, numpy.exp(numpy.mean(logs, axis=0)).tolist()))


def exponential(logs):
    """The Estimate of a quantity from the one of its logarithm."""
    if logs is None:
        return None
    low, high = (None if x is None else float(numpy.exp(x)) for x in (logs.low, logs.high))
    return Estimate(float(numpy.exp(logs.median)), low, high, logs.coverage, logs.n)


def median(values):
    """The median of some values, or None without any."""
    values = list(values)
    if len(values) == 1:
        return float(values[0])
    return float(statistics.median(values)) if values else None  # quicker than numpy on few


def holm(p_values):
    """The p-values of some tests, each as it counts among all of them (Holm, 1979): of tests where
    there is nothing to find, the chance that any falls to a level is no more than this level.
    """
    adjusted, worst = [1.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = worst
    return adjusted
