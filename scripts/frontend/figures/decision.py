"""Whether two samples differ: the one place where that is decided, for tables, pages, README.md,
the comparison of files and the mean of the gate, which so cannot contradict each other.

A Decision is the ratio of two samples, its interval with the true coverage, and what follows from
just these: a verdict never stands beside an interval that says something else. Samples of one run
are paired by round, for the runs of a round are neighbours in time (paired_samples); those of two
measurements are not (two_samples). A figure that is no time and hardly varies needs no test: its
interval is the whole range of ratios. How sure many decisions together are is another question
(stats.holm); for that each has its p-value.
"""

import math
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import repeat

from frontend.figures import paired_samples, stats, two_samples
from frontend.figures.stats import Estimate
from frontend.lazily import Lazy

numpy = Lazy("numpy")
scipy_stats = Lazy("scipy.stats")

BETTER, WORSE, SAME, UNKNOWN = "better", "worse", "no difference", "cannot tell"
MARGIN = 0.02  # a difference that is certainly less is none that matters; an option says otherwise
LEAST = 0.005  # a ratio that is nearer to 1 is written as 1.00, and nothing is said of that
STEADY_PART = 0.25  # of the margin: what varies less hardly varies
STEADY_RUNS = 3  # of each side, to know that; what is counted needs one
LARGEST_LOG = math.log(sys.float_info.max)
BATCH = 1 << 22  # numbers that are worked on at once; arbitrary, some 32 MB


@dataclass(frozen=True)
class Rule:
    """What it takes to say that samples differ."""

    level: float = stats.WANTED_COVERAGE  # an interval that covers less says nothing
    margin: float = MARGIN
    least: float = LEAST  # a median that is nearer to 1 is no difference, be it ever so sure


RULE = Rule()


@dataclass(slots=True)
class Decision(Estimate):
    """The Estimate of a ratio, and what it says."""

    verdict: str = UNKNOWN
    p_value: float = None  # None where no test was needed
    is_paired: bool = True


@dataclass(slots=True)
class Question:
    """Two samples, {round: figure}; the ratio is after / before."""

    before: dict
    after: dict
    metric: object  # metrics.Metric
    is_paired: bool = True
    medians: tuple = field(default=None, compare=False)  # to which the slack applies, if anywhere


def usable(row, key):
    """{round: figure} of a row's figures that a ratio can be made of."""
    return {r: float(v) for r, v in row.by_round(key).items() if v > 0}


def of_rows(before, after, metric, is_paired=True):
    """The Question on one figure of two rows."""
    samples = usable(before, metric.key), usable(after, metric.key)
    return Question(*samples, metric, is_paired, medians_of(samples))


def of_means(samples, metric, is_paired=True):
    """The Question on the geometric means of [(before, after)], round by round; only rounds that
    all have count."""
    sides = list(zip(*samples)) or [(), ()]
    return Question(*map(stats.geometric_means, sides), metric, is_paired)


def medians_of(samples):
    """The medians of both samples; None if one is empty."""
    before, after = samples
    return (stats.median(before.values()), stats.median(after.values())) if all(samples) else None


def decide(question, rule=RULE):
    """The Decision on one Question; None if a side has no figure."""
    return decide_all([question], rule)[0]


def decide_all(questions, rule=RULE):
    """The Decisions on many Questions, in their order; those of one shape are made together."""
    made = [None] * len(questions)
    shapes = defaultdict(list)
    for place, question in enumerate(questions):
        if not question.before or not question.after:
            continue
        if is_steady(question, rule):
            made[place] = judged(question, whole_range(question), rule)
            continue
        shape, logs = tested_logs(question)
        if shape:
            shapes[shape].append((place, logs))
    for shape, group in shapes.items():
        for (place, _), decision in zip(group, tested(shape, group, rule)):
            made[place] = judged(questions[place], decision, rule)
    return made


# What hardly varies


def is_steady(question, rule):
    """Whether both samples are known to vary by so little that no test is needed."""
    if not question.metric.is_steady:
        return False
    runs = 1 if question.metric.is_counted else STEADY_RUNS
    most = 1 + STEADY_PART * rule.margin
    sides = (question.before.values(), question.after.values())
    return all(len(side) >= runs and max(side) <= min(side) * most for side in sides)


def whole_range(question):
    """The Decision, still to be judged, on the ratio: its interval holds whichever figures of each
    side are taken."""
    a, b = list(question.before.values()), list(question.after.values())
    median = stats.median(b) / stats.median(a)
    return Decision(median, min(b) / max(a), max(b) / min(a), 1.0, min(len(a), len(b)))


# What is tested


def tested_logs(question):
    """(shape, logarithms): what the samples share their work with, and what it is done on; the
    shape is None if no pair is left."""
    before, after = question.before, question.after
    if not question.is_paired:
        return (len(before), len(after)), [
            math.log(x) for side in (before, after) for x in side.values()
        ]
    rounds = sorted(before.keys() & after.keys())
    shape = (len(rounds),) if rounds else None
    return shape, [math.log(after[r]) - math.log(before[r]) for r in rounds]


def tested(shape, group, rule):
    """The Decision, still to be judged, on each of a group, [(place, logarithms)], of one shape."""
    size = shape[0] * (shape[0] + 1) // 2 if len(shape) == 1 else shape[0] * shape[1]
    step = max(1, BATCH // size)
    for first in range(0, len(group), step):
        logs = numpy.array([logs for _, logs in group[first : first + step]])
        if len(shape) == 1:
            found = paired_samples.effects(logs, rule.level)
        else:
            found = two_samples.effects(logs[:, : shape[0]], logs[:, shape[0] :], rule.level)
        yield from decisions(found, min(shape))


def decisions(found, n):
    """The Decisions, still to be judged, on some Effects in logarithms, of n runs."""
    none = repeat(None)
    ends = (none if end is None else exponentials(end) for end in (found.lows, found.highs))
    return [
        Decision(median, low, high, found.coverage, n, UNKNOWN, p)
        for median, low, high, p in zip(exponentials(found.medians), *ends, found.p_values.tolist())
    ]


def exponentials(logs):
    """e to each of an array, as a list. One by one, as the logarithms were taken: numpy takes them
    several at once where the processor can, rounds some of them otherwise then, and a figure must
    not depend on what it was computed beside."""
    return [math.exp(x) if x < LARGEST_LOG else math.inf for x in logs.tolist()]


# What follows


def judged(question, decision, rule):
    """The Decision with what follows from it."""
    decision.is_paired = question.is_paired
    decision.verdict = verdict(decision, rule)
    if decision.verdict in (BETTER, WORSE) and is_slight(question):
        decision.verdict = SAME
    return decision


def verdict(estimate, rule=RULE):
    """What the interval of a ratio says."""
    if estimate is None or estimate.low is None or estimate.coverage < rule.level:
        return UNKNOWN
    if 1 / (1 + rule.margin) <= estimate.low and estimate.high <= 1 + rule.margin:
        return SAME
    nearest = 1 + rule.least
    if estimate.excludes(1.0) and not 1 / nearest <= estimate.median <= nearest:
        return WORSE if estimate.median > 1 else BETTER
    return UNKNOWN


def is_slight(question):
    """Whether the medians differ by so little that a large share of it means nothing."""
    if question.medians is None:
        return False
    before, after = question.medians
    return abs(after - before) <= question.metric.slack


# What would tell


def least_runs(is_paired, level=stats.WANTED_COVERAGE):
    """How many rounds, or runs of each side, it takes to say anything at all."""
    return (paired_samples if is_paired else two_samples).least_runs(1 - level)


def runs_needed(decision, rule=RULE):
    """About how many rounds, or runs of each side, would tell: for a difference the interval must
    exclude 1, for none it must fit the margin, about the effect that was seen; the nearer of both.
    """
    least = least_runs(decision.is_paired, rule.level)
    if decision.low is None:
        return least
    effect = abs(math.log(decision.median))
    room = max(effect, math.log1p(rule.margin) - effect)
    width = (math.log(decision.high) - math.log(decision.low)) / 2
    # As wide as if the interval covered what is wanted, by the normal distribution.
    wanted, covered = (scipy_stats.norm.ppf((1 + c) / 2) for c in (rule.level, decision.coverage))
    if covered < wanted:
        width *= wanted / covered
    return max(least, decision.n + 1, math.ceil(decision.n * (width / room) ** 2))
