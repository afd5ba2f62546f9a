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

from frontend.figures import stats
from frontend.figures.stats import Estimate
from frontend.lazily import Lazy

numpy = Lazy("numpy")
scipy_stats = Lazy("scipy.stats")

LEVEL = 0.995  # of the intervals that decide: a gate looks several times, see gate_verdict
FAR, NEAR = 1e3, 1e-4  # a ratio farther from its median is infinite; how exactly its ends are found
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
def tails(n):
    """Two-sided p-values of n pairs, by how many means of two pairs lie on the side that has fewer:
    0, 1, ... up to the middle."""
    sums = range(n * (n + 1) // 4 + 1)
    if n <= EXACT_MOST:
        return numpy.array([p_value(with_rank_sum(n, total)) for total in sums])
    middle, spread = n * (n + 1) / 4, numpy.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    return numpy.minimum(1.0, 2 * scipy_stats.norm.cdf((numpy.array(sums) - middle) / spread))


@lru_cache(maxsize=None)
def walsh_rank(n, level=LEVEL):
    """(k, coverage): the interval is from the k-th smallest to the k-th largest mean of two."""
    return stats.rank_interval(tails(n), level)


@lru_cache(maxsize=None)
def least_runs(level):
    """How many pairs a test must have to be able to reject at a level at all: of all signs that n
    pairs can have, two are the same everywhere."""
    return next(n for n in range(2, EXACT_MOST) if 2 / 2**n <= level)


@lru_cache(maxsize=None)
def couples(n):
    """All couples of n things, each with itself too: two arrays of indices."""
    return numpy.triu_indices(n)


def effects(logs, level=LEVEL):
    """The Effects in the rows of a matrix of logarithms, each of as many pairs, one at least."""
    n = logs.shape[1]
    if n == 1:
        return stats.of_single_runs(logs[:, 0])
    first, second = couples(n)
    means = numpy.sort((logs[:, first] + logs[:, second]) / 2, axis=1)
    return stats.effects_of(means, tails(n), level)


def effect(logs, level=LEVEL):
    """The Estimate of the effect in logarithms; None without pairs."""
    logs = numpy.asarray(logs, dtype=float)
    if not len(logs):
        return None
    found = effects(logs[None, :], level)
    if found.lows is None:
        return Estimate(float(found.medians[0]), None, None, 0.0, 1)
    ends = float(found.lows[0]), float(found.highs[0])
    return Estimate(float(found.medians[0]), *ends, found.coverage, len(logs))


def ratio(after, before, level):
    """The Estimate of the ratio of two effects that were measured in the same rounds, `before` not
    nothing: its interval are the ratios r for which after - r * before may be nothing. An end is
    infinite where `before` itself may be nothing."""
    after, before = numpy.asarray(after, dtype=float), numpy.asarray(before, dtype=float)
    middle = effect(after, level).median / effect(before, level).median

    def is_possible(r):
        found = effect(after - r * before, level)
        return not found.excludes(0.0)

    low, high = (farthest(is_possible, middle, way) for way in (-1, 1))
    return Estimate(middle, low, high, effect(after, level).coverage, len(after))


def farthest(is_possible, start, way):
    """The last number that is possible, going up (way 1) or down from a start; infinite if none is
    the last."""
    inside, outside = 0.0, 1.0
    while is_possible(start + way * outside):
        inside, outside = outside, 2 * outside
        if outside > FAR:
            return way * float("inf")
    while outside - inside > NEAR:
        middle = (inside + outside) / 2
        inside, outside = (
            (middle, outside) if is_possible(start + way * middle) else (inside, middle)
        )
    return start + way * inside


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
