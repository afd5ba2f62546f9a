"""Tells on which side of a change a build of the allocator is: is it more like a good one or more
like a bad one? Half-way between them, in logarithms, is where one ends and the other begins.

A figure that hardly varies is measured once, or is the median of a few runs. Time is measured
against the good build in pairs of neighbouring runs, until the interval of the effect lies on one
side of the middle; where the pairs do not suffice, the answer is to skip.
"""

import math
from pathlib import Path

from frontend.comparing.compare_table import ratio_text
from frontend.counted import counted
from frontend.failure import BAD_INPUT, CANNOT_TELL, WORK_FAILED, Failure
from frontend.figures import metrics, paired_samples, stats
from frontend.gate import gate_sides, gate_time
from frontend.gate.gate_sides import Side
from frontend.gate.gate_time import HEAD
from frontend.gate.gate_verdict import LEAST_EFFECT
from frontend.lazily import Lazy
from frontend.measuring import deterministic
from frontend.measuring.campaign import RunFailed, must_succeed
from frontend.progress import progress

statistics = Lazy("statistics")

GOOD, BAD, SKIP = "good", "bad", "skip"
PAIRS_FIRST = 12
RUNS = 3  # for a figure of memory or faults
LEAST_SHARE = 0.1  # of a metric's limit: a change of less is not looked for; arbitrary


class Bench:
    """Where builds are measured: each under a path of the same length."""

    def __init__(self, subject, folder, links, pairs_first, pairs_most):
        self.subject, self.folder, self.links = subject, Path(folder), links
        self.pairs_first, self.pairs_most = pairs_first, pairs_most
        self.count = 0

    def copies(self, good, library):
        """{(side, copy): Allocator} of two libraries."""
        place = self.folder / f"{self.count:04}"
        place.mkdir()
        self.count += 1
        return gate_sides.copies(Side(GOOD, {"": good}), Side("", {"": library}), place)[""]


def swapped(what):
    """The Failure of a search whose ends are in the wrong order."""
    return Failure(f"GOOD and BAD are the wrong way round: {what}", BAD_INPUT)


class Steady:
    """Judges by a figure that hardly varies."""

    def __init__(self, bench, key):
        self.bench, self.metric = bench, metrics.STEADY[key]
        self.middle = None

    def begin(self, good, bad):
        """What the two ends have, as texts; fails if they do not differ as they should."""
        before, after = self.end(good), self.end(bad)
        texts = self.text(before), self.text(after)
        what = f"{self.metric.name}: {texts[0]} in GOOD, {texts[1]} in BAD"
        if abs(after - before) <= max(self.metric.slack, LEAST_SHARE * self.metric.limit * before):
            raise Failure(f"cannot tell: {what}: no difference to be found", CANNOT_TELL)
        if after < before:
            raise swapped(what)
        self.middle = math.sqrt(max(1, before) * after)
        return texts

    def end(self, library):
        """The figure of GOOD or BAD, which must have one."""
        with must_succeed(library.parent.name):
            return self.figure(library)

    def figure(self, library):
        """The figure of a build. What is not counted is a median: of many peaks of memory one is
        off by some hundred KiB."""
        allocator = self.bench.copies(library, library)[HEAD, 0]
        bench, key = self.bench, self.metric.key
        runs = 1 if key in deterministic.COUNTED else RUNS
        return statistics.median_low(
            deterministic.measure(bench.subject, allocator, bench.links, (key,))[key]
            for _ in range(runs)
        )

    def text(self, figure):
        """ "12.345 M"."""
        digits = 3 if self.metric.scale > 1 else 0
        return f"{figure / self.metric.scale:,.{digits}f} {self.metric.unit}".strip()

    def judge(self, library):
        """(word, why) of a build."""
        try:
            figure = self.figure(library)
        except RunFailed as reason:
            return SKIP, str(reason)
        return (BAD if figure > self.middle else GOOD), self.text(figure)


def tells(effect, value):
    """Whether an effect is not `value`. The interval of a few pairs covers too little for that."""
    return effect.coverage >= paired_samples.LEVEL and effect.excludes(value)


def needed(effect, row):
    """How many pairs would tell the ends apart, in words: the interval of the effect must come to
    exclude nothing, and that of two copies of one file to exclude the effect."""
    size = abs(effect.median)
    if size < math.log1p(LEAST_EFFECT):
        return "no difference to be found"
    noise = paired_samples.effect(row.pairs.noise)
    pairs = max(paired_samples.pairs_needed(each, size) or 0 for each in (effect, noise))
    return f"needs about {max(pairs, 2 * effect.n, PAIRS_FIRST)} pairs (--most)"


class Timed:
    """Judges by time."""

    def __init__(self, bench):
        self.bench = bench
        self.good = self.middle = None

    def begin(self, good, bad):
        """What the two ends have, as texts; fails if they do not differ as they should."""
        self.good = good
        row = self.row(bad)
        effect = self.measure(row, lambda effect: self.is_clear(effect, row))
        if row.error:
            raise Failure(row.error.replace(HEAD, BAD), WORK_FAILED)
        what = f"time of BAD / GOOD is {self.text(effect)}"
        if not self.is_clear(effect, row):
            raise Failure(f"cannot tell: {what}: {needed(effect, row)}", CANNOT_TELL)
        if effect.median < 0:
            raise swapped(what)
        self.middle = effect.median / 2
        return "1.000", self.text(effect)

    def is_clear(self, effect, row):
        """Whether the ends differ, and by more than two copies of one file do."""
        noise = paired_samples.far_end(paired_samples.effect(row.pairs.noise))
        least = max(math.log1p(LEAST_EFFECT), noise)
        return tells(effect, 0) and abs(effect.median) > least

    def row(self, library):
        """What is measured of a build: it and the good one."""
        return gate_time.Row(self.bench.subject, "", self.bench.copies(self.good, library))

    def measure(self, row, is_enough):
        """The Estimate of the effect, in logarithms, from ever more pairs; None if runs failed."""
        pairs, effect = self.bench.pairs_first, None
        with progress() as shown:
            while effect is None or not (is_enough(effect) or effect.n >= self.bench.pairs_most):
                gate_time.measure([row], min(pairs, self.bench.pairs_most), self.bench.links, shown)
                if row.error:
                    return None
                effect = paired_samples.effect(row.pairs.logs)
                pairs *= 2
        return effect

    def text(self, effect):
        """ "1.052 [1.040, 1.066], 24 pairs"."""
        return f"{ratio_text(stats.exponential(effect))}, {counted(effect.n, 'pair')}"

    def judge(self, library):
        """(word, why) of a build."""
        row = self.row(library)
        effect = self.measure(row, lambda effect: tells(effect, self.middle))
        if row.error:
            return SKIP, row.error
        if not tells(effect, self.middle):
            return SKIP, f"{self.text(effect)}: cannot tell"
        return (BAD if effect.median > self.middle else GOOD), self.text(effect)
