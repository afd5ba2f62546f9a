"""The ratio of two samples that are not paired: of runs of two measurements at different times.

Run number 3 of one measurement has nothing to do with run number 3 of another, so nothing is taken
within a round. The ratio is the median of all ratios of a run of one to a run of the other (Hodges
and Lehmann, 1963), and its interval is the set of ratios that the Mann-Whitney test does not
reject: exact for samples of any size, whatever the noise is distributed like, as long as it is the
same on both sides. A bootstrap of three to ten runs would give intervals that are too short. What
no method can see in two files is a machine that was another one at another time: intervals are of
the noise within each measurement.
"""

from functools import lru_cache

import numpy
from scipy import stats as scipy_stats

from frontend.figures.stats import WANTED_COVERAGE, Estimate, exponential

EXACT_MOST = 50  # runs of a side for which the distribution is enumerated; beyond, approximated


@lru_cache(maxsize=None)
def tails(m, n):
    """P(U <= u) for u = 0, 1, ... up to the middle, U being how many of the m * n pairs are on one
    side although nothing differs."""
    u = numpy.arange(m * n // 2 + 1)[:, None]
    first = numpy.clip(u - numpy.arange(m) * n, 0, n) - 0.5  # u numbers of the second are below
    second = numpy.broadcast_to(numpy.arange(n), (len(u), n))
    method = "exact" if max(m, n) <= EXACT_MOST else "asymptotic"
    test = scipy_stats.mannwhitneyu(first, second, alternative="less", method=method, axis=1)
    return numpy.minimum(0.5, test.pvalue)


def differences(before, after):
    """All differences of logarithms between a run of `after` and one of `before`, sorted."""
    before, after = (numpy.log(numpy.asarray(list(v), dtype=float)) for v in (before, after))
    return numpy.sort((after[:, None] - before[None, :]).ravel())


def p_value(before, after):
    """The two-sided p-value that the samples differ in nothing. Pairs that are equal count for
    whichever side makes it larger, so it is never too small."""
    logs = differences(before, after)
    fewest = min(numpy.sum(logs <= 0), numpy.sum(logs >= 0))
    chances = tails(len(before), len(after))
    return float(2 * chances[fewest]) if fewest < len(chances) else 1.0


def ratio(before, after, wanted=WANTED_COVERAGE):
    """The Estimate of after / before: the narrowest interval that covers `wanted`, else the whole
    range, with what it does cover. None if a sample is empty."""
    if not len(before) or not len(after):
        return None
    logs, fewest = differences(before, after), min(len(before), len(after))
    median = float(numpy.median(logs))
    if fewest == 1:
        return exponential(Estimate(median, None, None, 0.0, 1))
    coverages = 1 - 2 * tails(len(before), len(after))
    k = max(1, int(numpy.sum(coverages >= wanted)))
    ends = float(logs[k - 1]), float(logs[-k])
    return exponential(Estimate(median, *ends, float(coverages[k - 1]), fewest))


def least_runs(level=1 - WANTED_COVERAGE):
    """How many runs a side must have for a test to be able to reject at a level at all."""
    return next(n for n in range(2, EXACT_MOST) if 2 * tails(n, n)[0] <= level)
