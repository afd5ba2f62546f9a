"""Whether two samples differ: what is decided, that all who show it agree, and how many runs would
tell."""

import itertools
import re
from pathlib import Path

import numpy
import pytest
from page_pieces import piece

from frontend.comparing import comparing
from frontend.figures import decision, digest, metrics, results, stats, table
from frontend.figures.decision import BETTER, SAME, UNKNOWN, WORSE, Question, decide, decide_all
from frontend.page import readme_tables, report_tables

TIME = metrics.TIME["replay"]
FIVE = (0.334, 0.42, 0.574, 0.8, 0.989)  # a ratio of five rounds, all of them below 1
MIB = 1 << 20


def estimate(low, median, high, coverage=0.97):
    """An Estimate of nine runs."""
    return stats.Estimate(median, low, high, coverage, 9)


def ask(ratios, metric=TIME, is_paired=True, before=None):
    """The Decision on samples of such ratios."""
    before = before or [100.0] * len(ratios)
    after = [b * r for b, r in zip(before, ratios)]
    sides = (dict(enumerate(side)) for side in (before, after))
    return decide(Question(*sides, metric, is_paired))


@pytest.mark.parametrize(
    "low, median, high, word",
    [
        (1.03, 1.05, 1.07, WORSE),
        (0.9, 0.95, 0.97, BETTER),
        (0.99, 1.0, 1.01, SAME),
        (1.001, 1.002, 1.003, SAME),  # certainly less than the margin
        (0.9, 1.0, 1.1, UNKNOWN),
        (1.001, 1.004, 1.03, UNKNOWN),  # written as 1.00
        (1.001, 1.006, 1.03, WORSE),
        (None, 0.5, None, UNKNOWN),
    ],
)
def test_the_interval_decides(low, median, high, word):
    assert decision.verdict(estimate(low, median, high)) == word


def test_an_interval_that_covers_too_little_says_nothing():
    for interval in ((1.03, 1.05, 1.07), (0.99, 1.0, 1.01)):
        assert decision.verdict(estimate(*interval, coverage=0.9375)) == UNKNOWN


def test_pairs_are_of_a_round():
    drifting = [10.0**i for i in range(7)]
    found = ask([2.0] * 7, before=drifting)
    assert (found.median, found.low, found.high) == pytest.approx((2, 2, 2))
    assert found.verdict == WORSE and ask([2.0] * 7, is_paired=False, before=drifting).low < 1
    found = decide(Question({0: 1.0, 2: 1.0}, {0: 2.0, 1: 50.0}, TIME))
    assert (found.n, found.median, found.low) == (1, 2.0, None)
    assert decide(Question({0: 1.0}, {1: 2.0}, TIME)) is None
    assert decide(Question({}, {1: 2.0}, TIME)) is None


def test_what_hardly_varies_has_its_whole_range():
    near = [1.0, 1.001, 0.999, 1.0]
    found = ask([1.1 * x for x in near], metrics.RSS)
    assert found.verdict == WORSE and found.p_value is None and found.coverage == 1
    assert (found.low, found.high) == pytest.approx((1.1 * 0.999, 1.1 * 1.001))
    assert ask([1.01 * x for x in near], metrics.RSS).verdict == SAME
    assert ask([1.1 * x for x in near], TIME).verdict == UNKNOWN  # a time, and four rounds
    assert ask([1.1], metrics.STEADY["instructions"]).verdict == WORSE


def test_a_difference_within_the_slack_is_none():
    def of(mib):
        rows = [
            results.Row("replay", "a", "x", [{"peak_rss": int(v), "repetition_index": i}] * 1)
            for i, v in enumerate((mib * MIB, 1.1 * mib * MIB))
        ]
        for row in rows:
            row.samples = [{**row.samples[0], "repetition_index": i} for i in range(3)]
        return decide(decision.of_rows(*rows, metrics.RSS))

    assert (of(1).verdict, of(10).verdict) == (SAME, WORSE)


def test_many_are_decided_as_each_alone():
    random = numpy.random.default_rng(2)
    questions = []
    for _ in range(300):
        sides = [
            dict(enumerate(random.lognormal(shift, 0.05, int(random.integers(0, 9)))))
            for shift in (0, random.choice([0, 0.2]))
        ]
        metric = random.choice([TIME, metrics.RSS])
        questions.append(Question(*sides, metric, bool(random.integers(2))))
    assert decide_all(questions) == [decide(question) for question in questions]


def test_verdicts_of_equal_samples_err_no_more_often_than_stated():
    random = numpy.random.default_rng(3)
    for is_paired, n in itertools.product((True, False), (6, 7, 10)):
        sides = numpy.exp(random.normal(0, 0.3, (2, 1500, n)))
        rounds = [[dict(enumerate(values)) for values in side.tolist()] for side in sides]
        made = decide_all([Question(a, b, TIME, is_paired) for a, b in zip(*rounds)])
        found = sum(one.verdict in (BETTER, WORSE) for one in made)
        assert found / 1500 <= 0.05 + 3 * (0.05 * 0.95 / 1500) ** 0.5


# All who show it


def made_results(times, memories=None):
    """Results of {allocator: [time of each round] of each trace}, of glibc too."""
    entries = []
    for allocator, by_trace in times.items():
        for t, values in enumerate(by_trace):
            for i, ns in enumerate(values):
                figures = {"ns_per_op": ns}
                if memories:
                    figures["peak_rss"] = memories[allocator][t]
                name = f"replay/trace{t}/{allocator}"
                entries.append(results.sample(name, (i, len(values)), (ns, ns), figures))
    return results.Results({"date": "2026"}, entries, Path("made.json"))


def compared(measured, metric="time"):
    """Comparer of glibc with span, as `compare FILE --base glibc --head span` has it."""
    ours, theirs = ({r.subject: r for r in measured.rows if r.allocator == n} for n in NAMES)
    pairs = [(subject, row, theirs[subject]) for subject, row in ours.items()]
    comparer = comparing.Comparer(pairs, comparing.Manner(is_paired=True))
    (mean,) = comparer.means([metric])
    return mean, {row.name: row for row in comparer.rows([metric])}


NAMES = ("glibc", "span")


def mark(cell):
    """The verdict that a cell of the page shows."""
    html = piece("macros", "table_row", ["row", cell])
    shown = re.search(r'<td data-sort="[^"]*">(?:<span class="(\w+)">)?[\d.]+', html)
    return shown.group(1) or ""


def head_says(sentence):
    """What the page's opening says of span against glibc."""
    if "not settled" in sentence or "cannot settle" in sentence:
        return UNKNOWN
    if "equally" in sentence:
        return SAME
    return BETTER if sentence.startswith("<b>span</b>") else WORSE


def all_say(measured, is_time=True):
    """What everybody says of span against glibc over the traces of the results."""
    summary = digest.digest(measured, "replay")
    metric = summary.time if is_time else metrics.RSS
    mean, rows = compared(measured, "time" if is_time else "peak_rss")
    suffix = "time_ratio" if is_time else "rss_ratio"
    shown = digest.part(summary.overall["span"], metric, "_ratio")
    assert (shown.verdict, shown.low, shown.high) == (
        mean.ratio.verdict,
        mean.ratio.low,
        mean.ratio.high,
    )
    assert head_says(piece("verdict", "best", summary, metric)) == mean.verdict
    for subject in summary.subjects:
        estimate = getattr(summary.cells[subject, "span"], suffix)
        word = rows[subject].verdict
        assert mark(report_tables.estimate_cell(estimate)) == (
            word if word in (BETTER, WORSE) else ""
        )
        bold = readme_tables.estimate_text(estimate, digest.figure_text).startswith("**")
        assert bold == (word == WORSE)
        styled = getattr(table.ratio_cell(estimate), "style", "")
        assert styled == {WORSE: "red", BETTER: "green"}.get(word, "")
    return mean.verdict


def test_page_table_compare_and_readme_agree_on_five_rounds_and_on_six():
    def of(ratios):
        return made_results({"glibc": [[10.0] * len(ratios)], "span": [[10 * r for r in ratios]]})

    assert all_say(of(FIVE)) == UNKNOWN
    assert all_say(of((*FIVE, 0.6))) == BETTER
    assert all_say(of([1 / r for r in (*FIVE, 0.6)])) == WORSE


def test_page_table_compare_and_readme_agree_on_any_samples():
    random, seen = numpy.random.default_rng(14), set()
    for _ in range(250):
        n, traces = int(random.integers(1, 13)), int(random.integers(1, 4))
        noise, shift = random.choice([0.001, 0.02, 0.3]), random.choice([0, 0.01, 0.03, 0.5])
        effects = {"glibc": 0.0, "span": shift * random.choice([-1, 1])}
        times = {
            name: numpy.exp(random.normal(effect, noise, (traces, n))).tolist()
            for name, effect in effects.items()
        }
        seen.add((all_say(made_results(times)), n < 6))
    assert seen == {(BETTER, False), (WORSE, False), (SAME, False), (UNKNOWN, False)} | {
        (UNKNOWN, True)
    }


def test_memory_that_is_equal_is_nobodys_win():
    times = {name: [[10.0] * 7] * 2 for name in NAMES}
    equal = made_results(times, {"glibc": [40 * MIB, 50 * MIB], "span": [40 * MIB, 50 * MIB + 1]})
    assert all_say(equal, is_time=False) == SAME
    text = piece("verdict", "best", digest.digest(equal, "replay"), metrics.RSS)
    assert "are equally lean over 2 traces, within 2 %" in text and "leanest" not in text
    fatter = made_results(times, {"glibc": [40 * MIB, 50 * MIB], "span": [44 * MIB, 50 * MIB]})
    assert all_say(fatter, is_time=False) == WORSE


# What would tell


def test_the_runs_that_would_tell_follow_from_the_effect_that_was_seen():
    random = numpy.random.default_rng(8)
    near, far = (ask(list(numpy.exp(random.normal(x, 0.2, 8)))) for x in (0.05, 0.15))
    assert decision.runs_needed(near) > decision.runs_needed(far) > 8 or far.verdict == WORSE
    wide = stats.Estimate(1.1, 0.9, 1.1**2 / 0.9, 0.95, 10)
    of = decision.Decision(wide.median, wide.low, wide.high, wide.coverage, wide.n)
    width = numpy.log(1.1 / 0.9)
    assert decision.runs_needed(of) == numpy.ceil(10 * (width / numpy.log(1.1)) ** 2)


def test_that_many_runs_do_tell_more_often_than_not():
    random = numpy.random.default_rng(21)
    told = of = 0
    for _ in range(200):
        first = ask(list(numpy.exp(random.normal(0.1, 0.15, 6))))
        if first.verdict != UNKNOWN or first.median < 1.05:
            continue
        n = decision.runs_needed(first)
        again = ask(list(numpy.exp(random.normal(numpy.log(first.median), 0.15, n))))
        told, of = told + (again.verdict == WORSE), of + 1
    assert of > 20 and told > of / 2


@pytest.mark.parametrize("is_paired, least", [(True, 6), (False, 4)])
def test_no_fewer_runs_can_tell_anything(is_paired, least):
    assert decision.least_runs(is_paired) == least
    words = [ask([2.0] * n, is_paired=is_paired).verdict for n in (least - 1, least)]
    assert words == [UNKNOWN, WORSE]
    assert decision.runs_needed(ask([2.0], is_paired=is_paired)) == least
