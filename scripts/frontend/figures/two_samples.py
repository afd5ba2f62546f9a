"""The ratio of two samples that are not paired: of runs of two measurements at different times.

Run number 3 of one measurement has nothing to do with run number 3 of another, so nothing is taken
within a round. The ratio is the median of all ratios of a run of one to a run of the other (Hodges
and Lehmann, 1963), and its interval is the set of ratios that the Mann-Whitney test does not
reject: exact for samples of any size, whatever the noise is distributed like, as long as it is the
same on both sides. A bootstrap of three to ten runs would give intervals that are too short. What
no method can see in two files is a machine that was another one at another time: intervals are of
the noise within each measurement.
"""

import math
from dataclasses import replace
from functools import lru_cache

from frontend.figures import stats
from frontend.figures.stats import WANTED_COVERAGE
from frontend.lazily import Lazy

numpy = Lazy("numpy")
scipy_stats = Lazy("scipy.stats")

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


def effects(before, after, wanted=WANTED_COVERAGE):
    """The Effects after - before in the rows of two matrices of logarithms."""
    m, n = before.shape[1], after.shape[1]
    if m == n == 1:
        return stats.of_single_runs((after - before)[:, 0])
    logs = numpy.sort((after[:, :, None] - before[:, None, :]).reshape(len(before), m * n), axis=1)
    found = stats.effects_of(logs, 2 * tails(m, n), wanted)
    return found if min(m, n) > 1 else replace(found, lows=None, highs=None, coverage=0.0)


@lru_cache(maxsize=None)
def least_runs(level):
    """How many runs a side must have for a test to be able to reject at a level at all: of all
    orders of the runs, two have those of one side first or last."""
    return next(n for n in range(2, EXACT_MOST) if 2 / math.comb(2 * n, n) <= level)
