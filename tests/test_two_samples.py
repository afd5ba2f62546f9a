"""The ratio of two samples without pairs, and p-values among many."""

import numpy
import pytest
from scipy import stats as scipy_stats

from frontend.figures import stats, two_samples


@pytest.mark.parametrize("m, n", [(3, 3), (4, 4), (3, 7), (10, 10)])
def test_p_value_is_scipys_where_nothing_is_equal(m, n):
    random = numpy.random.default_rng(m * n)
    for shift in (0.0, 0.5, 2.0):
        before, after = random.lognormal(size=m), random.lognormal(shift, size=n)
        expected = scipy_stats.mannwhitneyu(before, after, method="exact").pvalue
        assert two_samples.p_value(before, after) == pytest.approx(expected)


@pytest.mark.parametrize("n, coverage", [(2, 2 / 3), (3, 0.9), (4, 1 - 2 / 70)])
def test_whole_range_has_its_textbook_coverage(n, coverage):
    estimate = two_samples.ratio([1.0] * n, [2.0 + i for i in range(n)])
    assert estimate.coverage == pytest.approx(coverage)
    assert (estimate.low, estimate.high) == pytest.approx((2.0, 1.0 + n))


@pytest.mark.parametrize("m, n", [(3, 3), (4, 6), (8, 8)])
def test_stated_coverage_is_what_random_samples_show(m, n):
    random = numpy.random.default_rng(5)
    made = [(random.lognormal(size=m), 1.7 * random.lognormal(size=n)) for _ in range(2000)]
    estimates = [two_samples.ratio(before, after) for before, after in made]
    missed = sum(estimate.excludes(1.7) for estimate in estimates)
    assert 1 - missed / 2000 == pytest.approx(estimates[0].coverage, abs=0.015)


def test_interval_and_p_value_agree():
    random = numpy.random.default_rng(9)
    for _ in range(300):
        before, after = (random.integers(100, 106, size=6).astype(float) for _ in range(2))
        estimate = two_samples.ratio(before, after)
        p = two_samples.p_value(before, after)
        assert estimate.excludes(1.0) == (p <= 1 - estimate.coverage + 1e-12)


def test_direction_is_after_over_before():
    assert two_samples.ratio([1.0, 1.0, 1.0], [2.0, 2.0, 2.0]).median == pytest.approx(2.0)


def test_few_runs_say_so():
    assert two_samples.ratio([], [1.0]) is None
    one = two_samples.ratio([1.0], [3.0, 3.0])
    assert (one.median, one.low, one.coverage) == (pytest.approx(3.0), None, 0.0)
    assert two_samples.p_value([1.0], [3.0, 3.0]) == pytest.approx(2 / 3)


def test_equal_samples_differ_in_nothing():
    assert two_samples.p_value([5.0] * 9, [5.0] * 9) == 1.0


def test_least_runs_can_reject_and_one_fewer_cannot():
    assert two_samples.least_runs() == 4
    assert two_samples.p_value([1.0] * 4, [2.0] * 4) <= 0.05 < two_samples.p_value([1] * 3, [2] * 3)


def test_holm_is_the_textbooks():
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert stats.holm([0.5, 0.9]) == [1.0, 1.0]
    assert stats.holm([]) == []


def test_holm_errs_no_more_often_than_stated():
    random = numpy.random.default_rng(3)
    alarms = sum(min(stats.holm(list(random.uniform(size=20)))) <= 0.05 for _ in range(2000))
    assert alarms / 2000 == pytest.approx(0.05, abs=0.015)
