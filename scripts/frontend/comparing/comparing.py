"""Compares rows of two measurements: ratios B / A with intervals, their geometric means, verdicts.

Rows of one run are paired by round, for its rounds are neighbours in time; those of two runs are
two samples. What a single ratio says is decided in frontend.figures.decision, as for every table;
here stands what a whole file comes to: rows and means belong to families, and a difference that
does not hold for its family's number of tests raises no alarm. Nothing is drawn or read here.
"""

from collections import defaultdict
from dataclasses import dataclass

from frontend.figures import decision, stats
from frontend.figures.decision import BETTER, MARGIN, SAME, UNKNOWN, WORSE, Question
from frontend.figures.metrics import Metric, named

LEVEL = 0.05  # how often a family of tests may find something where nothing is
FAILED = "failed"
ORDER = (FAILED, WORSE, UNKNOWN, SAME, BETTER)
DEFAULT_METRICS = ("time", "peak_rss")
WHOLE = ": all"  # ends the names of means over a whole kind


@dataclass(frozen=True)
class Manner:
    """How rows are compared."""

    is_paired: bool
    margin: float = MARGIN

    @property
    def rule(self):
        """The Rule of the decisions."""
        return decision.rule_of(self.margin)


@dataclass(slots=True)
class Comparison:
    """One figure of one row, or of many rows together, in A and in B."""

    name: str  # of the row, or what the mean is over
    asked: str = None  # what an option calls the figure; None where a run failed
    metric: Metric = None
    before: float = None  # medians; None for a mean
    after: float = None
    ratio: object = None  # Decision on B / A, None if there is none
    rows: int = 1  # how many a mean is over
    is_sure: bool = True  # whether a difference holds for the number of tests in its family

    @property
    def verdict(self):
        """What the ratio says."""
        if self.asked is None:
            return FAILED
        return self.ratio.verdict if self.ratio else UNKNOWN

    @property
    def is_alarm(self):
        """Whether something got worse beyond what chance makes of so many tests."""
        return self.verdict == FAILED or self.verdict == WORSE and self.is_sure


def correct(family):
    """Sets whether the differences of Comparisons that belong together are sure: their p-values are
    corrected for their number. A hard limit is no test."""
    tested = [c for c in family if c.ratio and c.ratio.p_value is not None]
    for comparison, p in zip(tested, stats.holm([c.ratio.p_value for c in tested])):
        comparison.is_sure = p <= LEVEL


def worst_first(comparisons):
    """By verdict, sure ones first, then by ratio."""

    def key(comparison):
        ratio = comparison.ratio.median if comparison.ratio else 1
        return ORDER.index(comparison.verdict), not comparison.is_sure, -ratio

    return sorted(comparisons, key=key)


def has_failed(pair):
    """Whether a run of either side failed."""
    _, a, b = pair
    return bool(a.failures or b.failures)


class Comparer:
    """Compares pairs of rows (name, row of A, row of B); `references` are the rows to which a pair
    is relative, {name: (row of A, row of B)}, or None."""

    def __init__(self, pairs, manner, references=None):
        self.pairs, self.manner, self.references = pairs, manner, references
        self.sound = [pair for pair in pairs if not has_failed(pair)]
        self.known = defaultdict(dict)  # {key: {row: what `usable` gave}}

    def of(self, pairs):
        """The Comparer of other pairs of rows of the same files, which shares what was read."""
        other = Comparer(pairs, self.manner, self.references)
        other.known = self.known
        return other

    def rows(self, names):
        """The judged Comparisons of single rows, worst first."""
        asked = [(pair, name) for name in names for pair in self.sound]
        questions = [self.row_question(*one) for one in asked]
        made = self.family(
            [
                (Comparison(pair[0], name, question.metric, *question.medians), question)
                for (pair, name), question in zip(asked, questions)
                if question
            ]
        )
        return worst_first(self.new_failures() + made)

    def decided(self, asked):
        """The Comparisons of [(Comparison, Question)], with their ratios."""
        ratios = decision.decide_all([question for _, question in asked], self.manner.rule)
        for (comparison, _), ratio in zip(asked, ratios):
            comparison.ratio = ratio
        return [comparison for comparison, _ in asked]

    def row_question(self, pair, name):
        """The Question on one pair, or None if it has no such figure."""
        _, a, b = pair
        metric = named(name, a.kind)
        if metric is None:
            return None
        ours, theirs = sides = self.figures(pair, metric.key)
        if not ours or not theirs:
            return None
        if self.references is not None:
            sides = [self.usable(row, metric.key) for row in (a, b)]
        medians = decision.medians_of(sides)
        return Question(ours, theirs, metric, self.manner.is_paired, medians)

    def new_failures(self):
        """What fails in B alone is worse than any figure; what failed in A is no news."""
        names = [name for name, a, b in self.pairs if b.failures and not a.failures]
        return [Comparison(name) for name in names]

    def figures(self, pair, key):
        """Of A and of B {round: figure}, relative ones where that is asked for."""
        name, a, b = pair
        if self.references is None:
            return self.usable(a, key), self.usable(b, key)
        if name not in self.references:
            return {}, {}
        both = zip((a, b), self.references[name])
        return tuple(stats.ratios(self.usable(row, key), self.usable(to, key)) for row, to in both)

    def usable(self, row, key):
        """decision.usable, read once: rows are in several means, references in many pairs."""
        known = self.known[key]
        if row not in known:
            known[row] = decision.usable(row, key)
        return known[row]

    def means(self, names):
        """The judged Comparisons of geometric means: of each kind, then of each allocator in it."""
        parts = []
        for kind, by_allocator in self.by_allocator().items():
            several = by_allocator if len(by_allocator) > 1 else {}
            for asked in names:
                parts += [self.mean(f"{kind}: {n}", kind, p, asked) for n, p in several.items()]
        return self.whole_means(names) + worst_first(self.family(parts))

    def whole_means(self, names):
        """The judged Comparisons of the geometric mean of each kind alone."""
        wholes = []
        for kind, by_allocator in self.by_allocator().items():
            every = [pair for pairs in by_allocator.values() for pair in pairs]
            wholes += [self.mean(f"{kind}{WHOLE}", kind, every, asked) for asked in names]
        return self.family(wholes)

    def by_allocator(self):
        """{kind: {allocator of B: its sound pairs}}."""
        kinds = defaultdict(lambda: defaultdict(list))
        for pair in self.pairs:
            group = kinds[pair[1].kind][pair[2].allocator]
            if not has_failed(pair):
                group.append(pair)
        return kinds

    def family(self, asked):
        """The judged Comparisons of [(Comparison, Question) or None], which belong together."""
        made = self.decided(list(filter(None, asked)))
        correct(made)
        return made

    def mean(self, name, kind, pairs, asked):
        """(Comparison, Question) of the geometric mean over the pairs that have the figure, or
        None."""
        metric = named(asked, kind)
        if metric is None:
            return None
        both = [self.figures(pair, metric.key) for pair in pairs]
        both = [sides for sides in both if all(sides)]
        if not both:
            return None
        comparison = Comparison(name, asked, metric, rows=len(both))
        return comparison, decision.of_means(both, metric, self.manner.is_paired)
