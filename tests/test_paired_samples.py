"""The statistics of the gate, against all flips of the signs and against simulation."""

import itertools
import warnings

import numpy
import pytest

from frontend.figures import paired_samples
from frontend.figures.paired_samples import EXACT_MOST, LEVEL, effect, far_end, p_value
from frontend.figures.paired_samples import pairs_needed, walsh_rank
from frontend.figures.stats import Estimate


def rank_sum(values):
    """Wilcoxon's statistic: the ranks of the positive values, added up."""
    order = sorted(range(len(values)), key=lambda i: abs(values[i]))
    return sum(rank for rank, i in enumerate(order, 1) if values[i] > 0)


def p_by_enumeration(values):
    """The two-sided p-value from all flips of the signs."""
    middle = len(values) * (len(values) + 1) / 4
    flips = itertools.product((-1, 1), repeat=len(values))
    sums = [rank_sum([s * abs(v) for s, v in zip(signs, values)]) for signs in flips]
    seen = abs(rank_sum(values) - middle)
    return sum(abs(total - middle) >= seen for total in sums) / len(sums)


@pytest.mark.parametrize("n", range(1, 9))
def test_p_values_are_those_of_all_flips_of_the_signs(n):
    random = numpy.random.default_rng(n)
    for shift in (0.0, 0.5, 2.0):
        values = list(random.normal(shift, 1, n))
        assert p_value(values) == pytest.approx(p_by_enumeration(values))


def test_p_values_of_many_pairs_go_on_where_exact_ones_end():
    random = numpy.random.default_rng(7)
    values = random.normal(0.3, 1, EXACT_MOST + 1)
    assert p_value(values) == pytest.approx(p_value(values[:-1]), rel=0.5)
    assert p_value(values + 5) < 1e-8


@pytest.mark.parametrize("n", range(2, 9))
def test_coverage_of_intervals_is_that_of_all_flips_of_the_signs(n):
    """An interval misses 0 if the k-th smallest mean of two is above it, or the k-th largest
    below."""
    for level in (0.5, 0.8, 0.95, LEVEL):
        k, coverage = walsh_rank(n, level)
        missed = 0
        sizes = 2.0 ** numpy.arange(n)  # no mean of two is 0
        for signs in itertools.product((-1, 1), repeat=n):
            values = sizes * signs
            means = sorted(
                (a + b) / 2 for a, b in itertools.combinations_with_replacement(values, 2)
            )
            missed += means[k - 1] > 0 or means[-k] < 0
        assert coverage == pytest.approx(1 - missed / 2**n)


@pytest.mark.parametrize("n", [4, 8, 12, 24])
def test_intervals_are_the_narrowest_that_cover_the_level(n):
    k, coverage = walsh_rank(n)
    wider = [walsh_rank(n, level)[1] for level in (0.9, 0.99)]
    assert all(coverage >= other for other in wider)
    assert coverage >= LEVEL or k == 1
    assert 1 - p_value(paired_samples.with_rank_sum(n, k)) < LEVEL


@pytest.mark.parametrize("draw", ["normal", "laplace", "standard_cauchy"])
def test_simulated_coverage_is_as_stated(draw):
    random = numpy.random.default_rng(3)
    samples = getattr(random, draw)(size=(2000, 12))
    found = [effect(sample, 0.9) for sample in samples]
    share = sum(e.low <= 0 <= e.high for e in found) / len(found)
    assert found[0].coverage >= 0.9
    assert share == pytest.approx(found[0].coverage, abs=0.02)


@pytest.mark.parametrize("n", [1, 2, 12, 31])
def test_numbers_with_a_rank_sum_have_it_and_no_ties(n):
    for total in range(n * (n + 1) // 2 + 1):
        signed = paired_samples.with_rank_sum(n, total)
        assert sorted(map(abs, signed)) == list(range(1, n + 1))
        assert rank_sum(signed) == total


def parts(estimate):
    """Lower end, middle and upper end."""
    return [estimate.low, estimate.median, estimate.high]


@pytest.mark.parametrize("n", [2, 5, 12, 24])
def test_an_effect_moves_with_the_pairs_and_turns_with_them(n):
    values = numpy.random.default_rng(n).normal(0.01, 0.05, n)
    found = effect(values)
    assert parts(effect(values + 0.25)) == pytest.approx([x + 0.25 for x in parts(found)])
    assert parts(effect(-values)) == pytest.approx([-x for x in reversed(parts(found))])
    assert parts(effect(values[::-1])) == pytest.approx(parts(found))
    assert found.low <= found.median <= found.high and found.n == n


def test_the_effect_is_the_median_of_the_means_of_two():
    assert effect([0.0, 1.0, 5.0]).median == numpy.median([0, 1, 5, 0.5, 2.5, 3])


def test_one_outlier_moves_an_effect_little():
    values = numpy.random.default_rng(5).normal(0, 0.01, 12)
    spoilt = [*values[:-1], 10.0]
    assert abs(effect(spoilt).median - effect(values).median) < 0.01


def test_pairs_that_are_all_alike_have_an_interval_of_no_width():
    assert p_value([0.0] * 12) == 1.0
    assert parts(effect([0.0] * 12)) == [0.0, 0.0, 0.0]
    assert parts(effect([0.2] * 12)) == pytest.approx([0.2] * 3)
    assert p_value([0.2] * 12) == pytest.approx(2 / 2**12)


def test_pairs_without_any_difference_among_others_warn_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert p_value([0.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]) == pytest.approx(2 / 2**6)


def test_one_pair_has_no_interval_and_none_no_effect():
    one = effect([0.1])
    assert (one.median, one.low, one.high, one.coverage, one.n) == (0.1, None, None, 0.0, 1)
    assert effect([]) is None
    assert far_end(one) == far_end(None) == float("inf")


def test_the_far_end_is_the_larger_of_both():
    assert far_end(Estimate(0.0, -0.03, 0.02, 0.99, 12)) == 0.03
    assert far_end(Estimate(0.0, 0.01, 0.02, 0.99, 12)) == 0.02


def test_half_the_width_needs_four_times_the_pairs():
    estimate = Estimate(0.0, -0.02, 0.02, 0.99, 12)
    assert pairs_needed(estimate, 0.02) == 12
    assert pairs_needed(estimate, 0.01) == 48
    assert pairs_needed(estimate, 0.1) == 12  # never fewer than there are
    assert pairs_needed(estimate, 0.0) is None
    assert pairs_needed(None, 0.01) is None
    assert pairs_needed(effect([0.1]), 0.01) is None
