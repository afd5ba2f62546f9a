"""The rules of the gate on made-up pairs: equal, slower, faster, noisy, one bad row among many."""

import math

import numpy
import pytest

from frontend.figures import metrics
from frontend.figures.stats import Estimate
from frontend.gate import gate_verdict
from frontend.gate.gate_verdict import BETTER, MEAN, PASS, SUSPECT, UNJUDGED, UNKNOWN, WORSE
from frontend.gate.gate_verdict import Finding, Looks, Pairs, judge_figure, overall

ROWS = tuple(f"row{i}" for i in range(14))
DETECT = 0.03


class Machine:
    """A made-up machine that can be asked for pairs, each row of which has a noise and a slowdown
    (all rows', or single ones', or by pair)."""

    def __init__(self, seed=1, noise=0.01, slower=0.0, rows=ROWS, most=400, by_row=(), apart=0.0):
        random = numpy.random.default_rng(seed)
        self.rows, by_row = rows, dict(by_row)
        self.logs = {
            row: random.normal(0, noise, most) + numpy.log1p(by_row.get(row, slower))
            for row in rows
        }
        self.noise = {row: random.normal(apart, noise, most) for row in rows}

    def pairs(self, counts):
        """{row: Pairs}, of each row as many as it counts."""
        return {row: Pairs(self.logs[row][:n], self.noise[row][:n]) for row, n in counts.items()}


def decide(machine, first=12, most=48, detect=DETECT):
    """(Findings, number of looks, pairs of each row) of a gate as gate.measure_time does it."""
    looks, counts, number = Looks(first, most, detect), dict.fromkeys(machine.rows, 0), 0
    wanted, target = set(machine.rows), first
    while wanted:
        counts.update({row: target for row in wanted})
        rows = {"": machine.pairs(counts)}
        wanted = {row for _, row in looks.look(rows)}
        number += 1
        target = 2 * max((counts[row] for row in wanted), default=0)
        assert number < 10, "it never ends"
    return looks.findings(rows), number, counts


def finding_on(findings, row):
    """The Finding on a row."""
    return next(f for f in findings if f.row == row)


def test_equal_sides_pass_at_the_first_look():
    findings, looks, counts = decide(Machine())
    assert overall(findings) == PASS and looks == 1
    assert {f.verdict for f in findings} == {PASS}
    assert [f.row for f in findings] == [MEAN, *ROWS]
    assert set(counts.values()) == {12}
    mean = findings[0].ratio
    assert mean.low < 1 < mean.high < 1 + DETECT and mean.n == 12 and mean.coverage >= 0.995


@pytest.mark.parametrize("slower", [0.02, 0.05, 0.10, 1.0])
def test_a_slowdown_is_seen_twice_and_then_fails(slower):
    findings, looks, counts = decide(Machine(slower=slower))
    mean = finding_on(findings, MEAN)
    assert (overall(findings), mean.verdict, looks) == (WORSE, WORSE, 2)
    assert set(counts.values()) == {24}
    assert mean.ratio.median == pytest.approx(1 + slower, rel=0.01)
    assert mean.ratio.low <= 1 + slower <= mean.ratio.high


def test_one_look_at_a_slowdown_is_not_enough():
    machine = Machine(slower=0.02, noise=0.002)  # too little for single rows
    looks = Looks(12, 12, DETECT)
    pairs = {"": machine.pairs(dict.fromkeys(ROWS, 12))}
    assert looks.look(pairs) == {("", row) for row in ROWS}
    assert looks.look(pairs) == set()


def test_a_slowdown_that_does_not_come_again_is_none():
    machine = Machine(slower=0.05)
    for logs in machine.logs.values():
        logs[12:] -= math.log1p(0.05)
        logs[12:24] -= 0.05
    findings, looks, _ = decide(machine)
    assert looks > 1 and overall(findings) == PASS


def test_a_speedup_is_better_at_the_first_look():
    findings, looks, _ = decide(Machine(slower=-0.05))
    assert finding_on(findings, MEAN).verdict == BETTER
    assert (overall(findings), looks) == (PASS, 1)


def test_a_change_of_the_mean_below_one_percent_is_none():
    findings, _, _ = decide(Machine(slower=0.008, noise=0.001))
    mean = finding_on(findings, MEAN)
    assert mean.ratio.low > 1 and mean.verdict == PASS


def test_a_difference_as_between_copies_of_one_file_is_none():
    """The machine makes one copy slower than the other, so that 5 % may be its doing."""
    findings, _, _ = decide(Machine(slower=0.05, noise=0.002, apart=0.06), most=12)
    mean = finding_on(findings, MEAN)
    assert mean.ratio.low > 1 and mean.verdict == UNKNOWN
    assert mean.remark == "copies differ as much"
    assert overall(findings) == UNKNOWN


@pytest.mark.parametrize(
    "median, low, high, verdict",
    [
        (0.020, 0.001, 0.050, WORSE),
        (0.020, -0.001, 0.050, UNKNOWN),
        (0.020, -0.001, 0.029, PASS),
        (0.009, 0.001, 0.029, PASS),
        (0.009, 0.001, 0.050, UNKNOWN),
        (-0.020, -0.050, -0.001, BETTER),
        (-0.020, -0.050, 0.001, PASS),
        (-0.020, -0.100, 0.050, UNKNOWN),
        (-0.009, -0.020, -0.001, PASS),
        (0.500, None, None, UNKNOWN),
    ],
)
def test_the_interval_of_a_mean_decides(median, low, high, verdict):
    effect = Estimate(median, low, high, 0.995 if low else 0.0, 12)
    assert gate_verdict.mean_verdict(effect, 0.005, 0.03) == verdict


def test_too_few_pairs_for_the_level_tell_nothing():
    effect = Estimate(0.0, -0.001, 0.001, 0.99, 8)
    assert gate_verdict.mean_verdict(effect, 0.0, 0.03) == UNKNOWN


def test_noise_cannot_tell_and_says_how_many_pairs_would():
    findings, looks, counts = decide(Machine(noise=0.5))
    mean = finding_on(findings, MEAN)
    assert overall(findings) == UNKNOWN and mean.verdict == UNKNOWN
    assert looks == 3 and set(counts.values()) == {48}
    pairs, word = mean.remark.split()
    assert word == "pairs" and int(pairs) > 48
    width = (math.log(mean.ratio.high) - math.log(mean.ratio.low)) / 2
    room = max(math.log1p(DETECT) - math.log(mean.ratio.median), math.log(mean.ratio.median))
    assert int(pairs) == pytest.approx(48 * (width / room) ** 2, abs=1)


def test_pairs_that_would_decide_are_those_of_the_nearer_way():
    def estimate(middle, width):
        return Estimate(middle, middle - width, middle + width, 0.995, 10)

    quiet, loud, askew = estimate(0.0, 0.001), estimate(0.0, 0.04), estimate(0.03, 0.001)
    cases = [
        (estimate(0.01, 0.04), quiet, 40),  # to pass
        (estimate(0.02, 0.04), quiet, 40),  # to fail
        (estimate(0.02, 0.01), loud, 10),  # to pass: noise is no matter then
        (estimate(0.08, 0.01), loud, 10),
        (estimate(0.04, 0.01), estimate(0.0, 0.08), 40),
    ]
    for effect, noise, pairs in cases:
        assert gate_verdict.pairs_needed(effect, noise, 0.03) == pytest.approx(pairs, abs=1)
    assert gate_verdict.pairs_needed(estimate(0.03, 0.01), askew, 0.03) is None


def test_no_more_than_two_pairs_cannot_tell():
    findings, _, _ = decide(Machine(slower=0.10), first=1, most=1)
    assert overall(findings) == UNKNOWN


def test_what_a_pass_rules_out_decides_how_many_pairs_are_taken():
    machine = Machine(noise=0.1, seed=4)
    taken = [max(decide(machine, detect=detect)[2].values()) for detect in (0.5, 0.02, 0.002)]
    assert taken == [12, 24, 48]


def test_one_bad_row_is_suspected_measured_again_alone_and_fails():
    findings, looks, counts = decide(Machine(by_row={"row3": 0.12}))
    assert looks == 2
    assert counts == {row: 24 if row == "row3" else 12 for row in ROWS}
    assert finding_on(findings, MEAN).verdict == PASS
    assert finding_on(findings, "row3").verdict == WORSE
    assert {f.verdict for f in findings if f.row != "row3"} == {PASS}
    assert overall(findings) == WORSE


def test_one_bad_row_that_does_not_come_again_is_acquitted():
    machine = Machine(by_row={"row3": 0.12})
    machine.logs["row3"][12:] -= 2 * math.log1p(0.12)
    findings, looks, counts = decide(machine)
    assert (looks, counts["row3"]) == (2, 24)
    assert finding_on(findings, "row3").verdict == PASS and overall(findings) == PASS


def test_one_good_row_is_better_and_not_measured_again():
    findings, looks, _ = decide(Machine(by_row={"row3": -0.12}))
    assert finding_on(findings, "row3").verdict == BETTER and looks == 1


def test_a_row_below_its_least_effect_does_not_fail():
    machine = Machine(noise=0.001, by_row={"row3": 0.025})
    assert overall(decide(machine)[0]) == PASS
    machine = Machine(noise=0.001, by_row={"row3": 0.035})
    assert overall(decide(machine)[0]) == WORSE


def test_a_row_whose_copies_differ_as_much_does_not_fail():
    machine = Machine(noise=0.002, by_row={"row3": 0.1})
    machine.noise["row3"] += 0.11
    assert overall(decide(machine)[0]) == PASS


@pytest.mark.parametrize("first", range(1, 12))
def test_fewer_than_a_dozen_pairs_fail_no_row_and_a_dozen_are_seen_first(first):
    machine = Machine(noise=0.001, by_row={"row3": 0.3})
    by_row = {n: gate_verdict.judge_rows({"": machine.pairs({"row3": n})}, first) for n in (11, 12)}
    assert [findings[0].verdict for findings in by_row.values()] == [UNJUDGED, SUSPECT]


def test_rows_are_corrected_for_their_number_over_all_builds():
    """A row whose p-value of 12 pairs is 6 in 2048: enough for 15 rows, not for 40."""
    logs = [0.05 + i / 1000 for i in range(12)]
    logs[:2] = [-0.0011, -0.0022]
    bad = Pairs(logs, [0.001, -0.001] * 6)
    assert gate_verdict.paired_samples.p_value(logs) == pytest.approx(5 * 2 / 2**12, rel=0.3)
    good = Pairs([0.001, -0.0012] * 6, [0.001, -0.001] * 6)

    def verdicts(count):
        rows = {"a": {"bad": bad}, "b": {f"good{i}": good for i in range(count - 1)}}
        return {f.verdict for f in gate_verdict.judge_rows(rows, 12)}

    assert verdicts(15) == {SUSPECT, PASS}
    assert verdicts(40) == {UNJUDGED, PASS}


def test_forty_rows_of_noise_never_fail():
    rows = tuple(f"row{i}" for i in range(40))
    found = [
        overall(decide(Machine(seed=seed, noise=0.01, rows=rows, most=100))[0])
        for seed in range(200)
    ]
    assert found == [PASS] * 200


def test_builds_are_judged_each_by_itself():
    good, bad = Machine(), Machine(slower=0.05, seed=2)
    counts = dict.fromkeys(ROWS, 24)
    rows = {"good": good.pairs(counts), "bad": bad.pairs(counts)}
    looks = Looks(24, 48, DETECT)
    assert looks.look(rows) == {("bad", row) for row in ROWS}
    verdicts = {f.build: f.verdict for f in looks.findings(rows) if f.row == MEAN}
    assert verdicts == {"good": PASS, "bad": WORSE}


def test_a_mean_takes_as_many_pairs_as_all_rows_have():
    machine = Machine()
    counts = {row: 24 if row == "row3" else 12 for row in ROWS}
    mean = gate_verdict.judge_mean("", machine.pairs(counts), DETECT)
    assert mean == gate_verdict.judge_mean("", machine.pairs(dict.fromkeys(ROWS, 12)), DETECT)


def test_without_rows_nothing_is_found():
    looks = Looks(12, 48, DETECT)
    assert looks.look({}) == set() and looks.findings({}) == []


# What hardly varies


METRIC = metrics.Metric("peak RSS", "peak_rss", limit=0.02, slack=1000)


@pytest.mark.parametrize(
    "base, head, verdict",
    [
        (100_000, 100_000, PASS),
        (100_000, 102_000, PASS),  # just the limit
        (100_000, 102_001, WORSE),
        (100_000, 97_999, BETTER),
        (10_000, 11_000, PASS),  # just the slack
        (10_000, 11_001, WORSE),
        (10_000, 8_999, BETTER),
        (0, 0, PASS),
        (0, 1000, PASS),
        (0, 1001, WORSE),
        (5000, 0, BETTER),
    ],
)
def test_a_figure_may_grow_by_its_limit_or_its_slack(base, head, verdict):
    found = judge_figure("span", "made", METRIC, base, head)
    assert (found.verdict, found.base, found.head) == (verdict, base, head)
    assert found.ratio.low is None
    if base:
        assert found.ratio.median == head / base


@pytest.mark.parametrize(
    "ratios, verdict",
    [
        ([1.9665], WORSE),  # as its only row
        ([1.0, 1.01, 0.99], PASS),
        ([1.3, 1.0, 1.0], WORSE),
        ([0.5, 0.5], BETTER),
        ([1.03, 0.97], PASS),  # rows beyond their limits, whose mean is not
        ([1.0009, 1.0009], PASS),
    ],
)
def test_a_mean_of_what_hardly_varies_says_what_its_rows_say(ratios, verdict):
    rows = [judge_figure("span", "made", METRIC, 1e6, 1e6 * ratio) for ratio in ratios]
    mean = gate_verdict.judge_figures_mean("span", METRIC.key, rows)
    assert mean.verdict == verdict and mean.row == MEAN
    assert mean.ratio.median == pytest.approx(math.prod(ratios) ** (1 / len(ratios)))


def test_a_mean_of_rows_within_their_slack_is_no_pass_beside_much():
    rows = [judge_figure("span", "made", METRIC, 1000, 1900) for _ in range(3)]
    assert {row.verdict for row in rows} == {PASS}
    mean = gate_verdict.judge_figures_mean("span", METRIC.key, rows)
    assert (mean.verdict, mean.remark) == (UNJUDGED, "each row within its slack")


def test_no_pass_stands_beside_a_figure_that_a_pass_does_not_allow():
    """Whatever the pairs are, of a mean, of a row, of a figure."""
    random = numpy.random.default_rng(11)
    for _ in range(200):
        effect, noise, n = random.normal(0, 0.2), random.choice([0.001, 0.02, 0.3]), 6 + 3
        logs = list(random.normal(effect, noise, int(random.integers(1, 40))))
        pairs = Pairs(logs, list(random.normal(0, noise, n)))
        row = gate_verdict.judge_rows({"": {"row": pairs}}, 12)[0]
        mean = gate_verdict.judge_mean("", {"row": pairs}, DETECT)
        assert row.verdict != PASS or row.ratio.median <= 1.03 + 1e-9
        assert mean.verdict != PASS or mean.ratio.high < 1.03 + 1e-9


def test_another_limit_replaces_the_usual_one_and_keeps_the_slack():
    strict = metrics.STEADY["instructions"].limited(0.001)
    usual = metrics.STEADY["instructions"].limited(None)
    verdicts = [judge_figure("", "", m, 10_000, 10_020).verdict for m in (strict, usual)]
    assert verdicts == [WORSE, PASS]
    assert metrics.RSS.limited(0.5).slack == metrics.RSS.slack


# All together


def made_up_finding(verdict, ratio=1.0):
    """A Finding with a verdict."""
    return Finding("", "row", "time", verdict, Estimate(ratio, None, None, 0.0, 1))


@pytest.mark.parametrize(
    "verdicts, expected",
    [
        ((), PASS),
        ((PASS, BETTER), PASS),
        ((PASS, UNKNOWN), UNKNOWN),
        ((PASS, SUSPECT), UNKNOWN),
        ((BETTER, UNKNOWN, WORSE), WORSE),
    ],
)
def test_the_worst_verdict_is_that_on_everything(verdicts, expected):
    assert overall([made_up_finding(verdict) for verdict in verdicts]) == expected


def test_the_worst_is_sorted_first():
    findings = [
        *(made_up_finding(v) for v in (BETTER, PASS, UNKNOWN, SUSPECT)),
        *(made_up_finding(WORSE, 1.1), made_up_finding(WORSE, 1.3), made_up_finding(PASS, 1.2)),
    ]
    ordered = sorted(findings, key=lambda f: f.worth)
    expected = [WORSE, WORSE, SUSPECT, UNKNOWN, PASS, PASS, BETTER]
    assert [f.verdict for f in ordered] == expected
    assert [f.ratio.median for f in ordered] == [1.3, 1.1, 1, 1, 1.2, 1, 1]
