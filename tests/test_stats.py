"""Medians of paired ratios and the true coverage of their intervals."""

import math

import numpy
import pytest

from frontend.figures import stats


@pytest.mark.parametrize(
    "n, k, coverage",
    [(2, 1, 0.5), (3, 1, 0.75), (5, 1, 0.9375), (6, 1, 0.96875), (9, 2, 0.9609375)],
)
def test_interval_of_the_median_has_its_textbook_coverage(n, k, coverage):
    assert stats.order_interval(n) == (k, pytest.approx(coverage))


@pytest.mark.parametrize("n", range(6, 40))
def test_interval_is_the_narrowest_that_covers_95_percent(n):
    k, coverage = stats.order_interval(n)
    assert coverage >= 0.95
    if k < n // 2:
        assert 1 - 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n < 0.95


def test_stated_coverage_is_what_random_samples_show():
    random = numpy.random.default_rng(7)
    samples = random.lognormal(size=(4000, 9))  # median 1
    hits = sum(not stats.estimate(sample).excludes(1.0) for sample in samples)
    assert hits / 4000 == pytest.approx(stats.order_interval(9)[1], abs=0.015)


def test_estimate_of_nothing_and_of_one():
    assert stats.estimate([]) is None
    one = stats.estimate([3.0])
    assert (one.median, one.low, one.high, one.coverage, one.n) == (3.0, None, None, 0.0, 1)
    assert not one.excludes(1.0)


def test_ratio_is_paired_by_round():
    drifting = {0: 1.0, 1: 10.0, 2: 100.0}
    twice = {r: 2 * v for r, v in drifting.items()}
    estimate = stats.ratio(twice, drifting)
    assert (estimate.median, estimate.low, estimate.high) == pytest.approx((2.0, 2.0, 2.0))
    assert estimate.coverage == 0.75


def test_rounds_without_a_partner_and_zero_times_do_not_count():
    estimate = stats.ratio({0: 2.0, 1: 50.0, 2: 0.0}, {0: 1.0, 2: 1.0})
    assert (estimate.n, estimate.median) == (1, 2.0)
    assert stats.ratio({1: 2.0}, {0: 1.0}) is None


def test_geometric_mean_treats_half_and_double_alike():
    by_subject = [{0: 0.5, 1: 0.5}, {0: 2.0, 1: 2.0}]
    assert stats.geometric_mean(by_subject).median == pytest.approx(1.0)
    assert stats.geometric_mean([]) is None


def test_geometric_mean_uses_rounds_that_all_subjects_have():
    estimate = stats.geometric_mean([{0: 4.0, 1: 4.0}, {1: 1.0}])
    assert (estimate.n, estimate.median) == (1, pytest.approx(2.0))


def test_an_interval_on_one_side_excludes():
    assert stats.estimate([1.1, 1.2, 1.3]).excludes(1.0)
    assert not stats.estimate([0.9, 1.2, 1.3]).excludes(1.0)
