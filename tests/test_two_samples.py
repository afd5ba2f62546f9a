"""The ratio of two samples without pairs, and p-values among many."""

import numpy
import pytest
from scipy import stats as scipy_stats

from frontend.figures import stats, two_samples


def effects(before, after):
    """The Effects of one pair of samples."""
    return two_samples.effects(*(numpy.log([list(side)]) for side in (before, after)))


def p_value(before, after):
    """The p-value of one pair of samples."""
    return effects(before, after).p_values[0]


@pytest.mark.parametrize("m, n", [(3, 3), (4, 4), (3, 7), (10, 10)])
def test_p_value_is_scipys_where_nothing_is_equal(m, n):
    random = numpy.random.default_rng(m * n)
    for shift in (0.0, 0.5, 2.0):
        before, after = random.lognormal(size=m), random.lognormal(shift, size=n)
        expected = scipy_stats.mannwhitneyu(before, after, method="exact").pvalue
        assert p_value(before, after) == pytest.approx(expected)


@pytest.mark.parametrize("n, coverage", [(2, 2 / 3), (3, 0.9), (4, 1 - 2 / 70)])
def test_whole_range_has_its_textbook_coverage(n, coverage):
    found = effects([1.0] * n, [2.0 + i for i in range(n)])
    assert found.coverage == pytest.approx(coverage)
    assert numpy.exp([found.lows[0], found.highs[0]]) == pytest.approx([2.0, 1.0 + n])


@pytest.mark.parametrize("m, n", [(3, 3), (4, 6), (8, 8)])
def test_stated_coverage_is_what_random_samples_show(m, n):
    random = numpy.random.default_rng(5)
    sides = random.normal(size=(2000, m)), random.normal(0.5, size=(2000, n))
    found = two_samples.effects(*sides)
    missed = numpy.sum((found.lows > 0.5) | (found.highs < 0.5))
    assert 1 - missed / 2000 == pytest.approx(found.coverage, abs=0.015)


def test_interval_and_p_value_agree():
    random = numpy.random.default_rng(9)
    found = two_samples.effects(*numpy.log(random.integers(100, 106, size=(2, 300, 6))))
    is_out = (found.lows > 0) | (found.highs < 0)
    assert (is_out == (found.p_values <= 1 - found.coverage + 1e-12)).all() and is_out.any()


def test_direction_is_after_over_before():
    assert numpy.exp(effects([1.0] * 3, [2.0] * 3).medians[0]) == pytest.approx(2.0)


def test_one_run_has_no_interval():
    one = effects([1.0], [3.0, 3.0])
    assert (one.lows, one.coverage) == (None, 0.0)
    assert one.p_values[0] == pytest.approx(2 / 3)


def test_equal_samples_differ_in_nothing():
    assert p_value([5.0] * 9, [5.0] * 9) == 1.0


def test_least_runs_can_reject_and_one_fewer_cannot():
    assert two_samples.least_runs(0.05) == 4
    assert p_value([1.0] * 4, [2.0] * 4) <= 0.05 < p_value([1.0] * 3, [2.0] * 3)


def test_holm_is_the_textbooks():
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert stats.holm([0.5, 0.9]) == [1.0, 1.0]
    assert stats.holm([]) == []


def test_holm_errs_no_more_often_than_stated():
    random = numpy.random.default_rng(3)
    alarms = sum(min(stats.holm(list(random.uniform(size=20)))) <= 0.05 for _ in range(2000))
    assert alarms / 2000 == pytest.approx(0.05, abs=0.015)
