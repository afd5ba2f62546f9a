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


def test_geometric_means_treat_half_and_double_alike():
    assert stats.geometric_means([{0: 0.5, 1: 8.0}, {0: 2.0, 1: 2.0}]) == pytest.approx(
        {0: 1.0, 1: 4.0}
    )
    assert stats.geometric_means([]) == {}


def test_geometric_means_are_of_the_rounds_that_all_subjects_have():
    assert stats.geometric_means([{0: 4.0, 1: 4.0}, {1: 1.0}]) == pytest.approx({1: 2.0})
    assert stats.geometric_means([{0: 4.0}, {1: 1.0}]) == {}


def test_an_interval_on_one_side_excludes():
    assert stats.estimate([1.1, 1.2, 1.3]).excludes(1.0)
    assert not stats.estimate([0.9, 1.2, 1.3]).excludes(1.0)
