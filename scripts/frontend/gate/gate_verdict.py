"""The gate's rules: from figures of base and head to a verdict on each row and on the whole, and
whether more pairs are needed for it.

Figures that hardly vary have a hard limit, row by row. For time the geometric mean over the rows of
a build decides: its interval must exclude no change, and the effect must exceed both LEAST_EFFECT
and what two copies of one and the same file show against each other in the same rounds. Single rows
fail only by much, after Holm's correction for their number, and when they do so a second time.
"""

import math
from dataclasses import dataclass

from frontend.counted import counted
from frontend.figures import decision, paired_samples, stats
from frontend.figures.decision import BETTER, UNKNOWN, WORSE, Rule
from frontend.lazily import Lazy

numpy = Lazy("numpy")

# What is not judged differs by more than a pass allows, but is no figure that decides.
PASS, SUSPECT, UNJUDGED = "pass", "suspect", "not judged"
ORDER = (WORSE, SUSPECT, UNKNOWN, UNJUDGED, PASS, BETTER)
TIME = "time"
MEAN = "mean"
PAIRS_FIRST, PAIRS_MOST = 12, 48  # of a gate, where nothing else is asked for
DETECT, DETECT_QUICK = 0.03, 0.05  # the slowdown that it rules out before it passes
LEAST_EFFECT = 0.01  # a change of the mean below this is none; arbitrary
ROW_LEAST_EFFECT = 0.03  # of a single row; arbitrary
ROW_LEAST_PAIRS = 12  # below, no row can fail: 2 ** -11 is what the correction asks for
ROW_SUSPECT_LEVEL = 0.05  # after Holm's correction: such a row is measured again
ROW_LEVEL = 0.01  # and fails at this one, with all its pairs


@dataclass(frozen=True)
class Finding:
    """One figure of one row."""

    build: str
    row: str
    metric: str
    verdict: str
    ratio: object  # the Estimate of head / base; without an interval where nothing varies
    base: float = None
    head: float = None
    remark: str = ""
    limit: float = None  # of a figure that hardly varies: the share by which it may grow

    @property
    def worth(self):
        """Sorts the worst first."""
        return ORDER.index(self.verdict), -self.ratio.median


@dataclass(frozen=True)
class Pairs:
    """What a row's runs gave, as logarithms of ratios of time."""

    logs: list  # head / base, one a pair
    noise: list  # a copy / the other copy of the same file


def judge_figure(build, row, metric, base, head):
    """The Finding on a figure that hardly varies; metric is a metrics.Metric."""
    change = head - base
    is_much = abs(change) > max(metric.slack, metric.limit * base)
    verdict = (WORSE if change > 0 else BETTER) if is_much else PASS
    ratio = stats.Estimate(head / base if base else 1.0 + bool(change), None, None, 1.0, 1)
    return Finding(build, row, metric.key, verdict, ratio, base, head, limit=metric.limit)


def judge_figures_mean(build, metric, findings):
    """The Finding on the geometric mean of a figure over its rows, which are Findings. The limits
    hold row by row, so it says no more than a row of it; beyond the limit it is no pass.
    """
    mean = math.exp(sum(math.log(f.ratio.median) for f in findings) / len(findings))
    word = WORSE if mean > 1 else BETTER
    verdict, remark = PASS, ""
    if abs(mean - 1) > findings[0].limit:
        is_told = any(f.verdict == word for f in findings)
        verdict, remark = (word, "") if is_told else (UNJUDGED, "each row within its slack")
    ratio = stats.Estimate(mean, None, None, 1.0, 1)
    return Finding(build, MEAN, metric, verdict, ratio, remark=remark, limit=findings[0].limit)


def mean_of(rows, series):
    """The mean over rows, pair by pair, of as many pairs as all of them have."""
    columns = [getattr(pairs, series) for pairs in rows.values()]
    n = min(map(len, columns))
    return numpy.mean([column[:n] for column in columns], axis=0)


def judge_mean(build, rows, detect):
    """The Finding on the time of a build; rows is {row: Pairs}, detect the share that a pass must
    rule out."""
    effect = paired_samples.effect(mean_of(rows, "logs"))
    noise = paired_samples.effect(mean_of(rows, "noise"))
    verdict, remark = mean_verdict(effect, paired_samples.far_end(noise), math.log1p(detect)), ""
    if verdict == UNKNOWN:
        needed = pairs_needed(effect, noise, math.log1p(detect))
        remark = counted(needed, "pair") if needed else "copies differ as much"
    return Finding(build, MEAN, TIME, verdict, stats.exponential(effect), remark=remark)


def mean_verdict(effect, noise, detect):
    """The verdict on an effect; all in logarithms. Too few pairs for the level tell nothing."""
    least = max(LEAST_EFFECT, math.expm1(noise))
    rule = Rule(paired_samples.LEVEL, LEAST_EFFECT, least)
    word = decision.verdict(stats.exponential(effect), rule)
    if word in (WORSE, BETTER) or effect.coverage < rule.level:
        return word
    return PASS if effect.high < detect else UNKNOWN


def pairs_needed(effect, noise, detect):
    """How many pairs would decide: for a pass the upper end must fall below detect; for a
    regression the lower end must rise above no change, and the noise fall below the effect. The
    nearer of the two, None if neither can be."""
    to_pass = paired_samples.pairs_needed(effect, detect - effect.median)
    to_fail = [
        paired_samples.pairs_needed(effect, effect.median),
        paired_samples.pairs_needed(noise, effect.median - abs(noise.median)),
    ]
    ways = [to_pass, None if None in to_fail else max(to_fail)]
    return min(filter(None, ways), default=None)


def judge_rows(rows_by_build, first):
    """The Findings on the time of every row; rows_by_build is {build: {row: Pairs}}. A row with
    twice as many pairs as at `first`, where it could be judged then, has been measured again.
    """
    second = 2 * max(first, ROW_LEAST_PAIRS)
    rows = [
        (build, row, pairs, paired_samples.effect(pairs.logs))
        for build, by_row in rows_by_build.items()
        for row, pairs in by_row.items()
    ]
    # The correction is for all rows, also for those that differ by too little to be asked.
    corrected = stats.holm([row_p_value(pairs, effect) for _, _, pairs, effect in rows])
    verdicts = [
        row_verdict(effect.median, p, is_second=len(pairs.logs) >= second)
        for (_, _, pairs, effect), p in zip(rows, corrected)
    ]
    return [
        Finding(build, row, TIME, verdict, stats.exponential(effect))
        for (build, row, _, effect), verdict in zip(rows, verdicts)
    ]


def row_p_value(pairs, effect):
    """The p-value of a row; 1 where there are too few pairs, or the effect is too small or no
    larger than that between two copies of one file."""
    if len(pairs.logs) < ROW_LEAST_PAIRS or abs(effect.median) <= math.log1p(ROW_LEAST_EFFECT):
        return 1.0
    noise = paired_samples.far_end(paired_samples.effect(pairs.noise))
    return paired_samples.p_value(pairs.logs) if abs(effect.median) > noise else 1.0


def row_verdict(median, p, is_second):
    """What becomes of a row; one that differs by too much for a pass, though nothing is sure, is
    not judged."""
    if abs(median) <= math.log1p(ROW_LEAST_EFFECT):
        return PASS
    if p < ROW_SUSPECT_LEVEL and median > 0 and not is_second:
        return SUSPECT
    if p < ROW_LEVEL:
        return WORSE if median > 0 else BETTER
    return UNJUDGED


class Looks:
    """The looks that a gate takes at its pairs: after `first` of them, and each time that their
    number has doubled, until all is decided or there are `most`."""

    def __init__(self, first, most, detect):
        self.first, self.most, self.detect = first, max(first, most), detect
        self.last = {}  # {build: verdict of its mean at the last look}
        self.open = []  # the Findings of the last look for which more pairs are needed

    def look(self, rows_by_build):
        """The {(build, row)} that need more pairs; rows_by_build is {build: {row: Pairs}}."""
        means = [judge_mean(build, rows, self.detect) for build, rows in rows_by_build.items()]
        undecided = [mean for mean in means if not self.is_decided(mean.build, mean)]
        rows = judge_rows(rows_by_build, self.first)
        suspects = [finding for finding in rows if finding.verdict == SUSPECT]
        self.open = undecided + suspects
        return {(mean.build, row) for mean in undecided for row in rows_by_build[mean.build]} | {
            (finding.build, finding.row) for finding in suspects
        }

    def is_decided(self, build, finding):
        """Whether a build's mean needs no more pairs; a regression must be seen twice in a row."""
        before, self.last[build] = self.last.get(build), finding.verdict
        if finding.verdict == WORSE:
            return before == WORSE
        return finding.verdict != UNKNOWN or finding.ratio.n >= self.most

    def findings(self, rows_by_build):
        """The Findings on time: means, then rows."""
        means = [judge_mean(build, rows, self.detect) for build, rows in rows_by_build.items()]
        return means + (judge_rows(rows_by_build, self.first) if rows_by_build else [])


def overall(findings):
    """The verdict on everything: worse if anything is, else unknown if anything is, else pass."""
    verdicts = {finding.verdict for finding in findings}
    if WORSE in verdicts:
        return WORSE
    return UNKNOWN if verdicts & {UNKNOWN, SUSPECT} else PASS
