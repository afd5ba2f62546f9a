"""What the regression gate's verdicts on time rest on: pairs of neighbouring runs, one of either
side, as logarithms of the ratio head / base.

If the sides do not differ, to exchange the two runs of a pair changes nothing, so the sign of each
pair's logarithm is as good as the toss of a coin, whatever the noise is distributed like. That is
all that Wilcoxon's signed-rank test asks for: it is exact here for any number of pairs. The
interval is the set of effects that the test does not reject (Hodges and Lehmann, 1963), its true
coverage is stated. A bootstrap would ask for more pairs than a gate has time for: with a dozen its
intervals are too short.
"""

from functools import lru_cache

import numpy
from scipy import stats as scipy_stats

from frontend.figures.stats import Estimate

LEVEL = 0.995  # of the intervals that decide: a gate looks several times, see gate_verdict
EXACT_MOST = 50  # pairs for which the distribution is enumerated; beyond, scipy approximates it


def p_value(logs):
    """The exact two-sided p-value that the pairs differ from nothing; 1 if all are alike."""
    logs = numpy.asarray(logs, dtype=float)
    logs = logs[logs != 0]  # a pair that does not differ tells nothing
    if not len(logs):
        return 1.0
    method = "exact" if len(logs) <= EXACT_MOST else "approx"
    return float(scipy_stats.wilcoxon(logs, mode=method).pvalue)


def with_rank_sum(n, total):
    """n numbers without ties whose positive ones have ranks that add up to `total`."""
    signed = []
    for rank in range(n, 0, -1):
        is_positive = rank <= total
        signed.append(rank if is_positive else -rank)
        total -= rank if is_positive else 0
    return signed


@lru_cache(maxsize=None)
def walsh_rank(n, level=LEVEL):
    """(k, coverage): from the k-th smallest to the k-th largest mean of two pairs is an interval.

    The narrowest one that covers `level`; the widest there is if none does.
    """
    rank, coverage = 1, 1 - p_value(with_rank_sum(n, 0))
    for k in range(2, n * (n + 1) // 4 + 1):
        covered = 1 - p_value(with_rank_sum(n, k - 1))
        if covered < level:
            break
        rank, coverage = k, covered
    return rank, coverage


@lru_cache(maxsize=None)
def couples(n):
    """All couples of n things, each with itself too: two arrays of indices."""
    return numpy.triu_indices(n)


def effect(logs, level=LEVEL):
    """The Estimate of the effect in logarithms; None without pairs."""
    logs = numpy.asarray(logs, dtype=float)
    n = len(logs)
    if n == 0:
        return None
    first, second = couples(n)
    means = numpy.sort((logs[first] + logs[second]) / 2)
    median = float(numpy.median(means))
    if n == 1:
        return Estimate(median, None, None, 0.0, 1)
    k, coverage = walsh_rank(n, level)
    return Estimate(median, float(means[k - 1]), float(means[len(means) - k]), coverage, n)


def far_end(estimate):
    """How far from nothing an effect may be, going by its interval; infinite without one."""
    if estimate is None or estimate.low is None:
        return float("inf")
    return max(abs(estimate.low), abs(estimate.high))


def pairs_needed(estimate, half_width):
    """How many pairs would make the interval of an effect no wider than 2 * half_width: its width
    goes with one over the root of their number."""
    if estimate is None or estimate.low is None or half_width <= 0:
        return None
    width = (estimate.high - estimate.low) / 2
    return max(estimate.n, int(numpy.ceil(estimate.n * (width / half_width) ** 2)))
