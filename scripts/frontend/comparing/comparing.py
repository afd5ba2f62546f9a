"""Compares rows of two measurements: ratios B / A with intervals, their geometric means, verdicts.

Rows of one run are paired by round, for its rounds are neighbours in time; those of two runs are
two samples. What a single ratio says is decided in frontend.figures.decision, as for every table;
here stands what a whole file comes to: rows and means belong to families, and a difference that
does not hold for its family's number of tests raises no alarm. Nothing is drawn or read here.
"""

from collections import defaultdict
from dataclasses import dataclass

from frontend.figures import decision, metrics, stats
from frontend.figures.decision import BETTER, MARGIN, SAME, UNKNOWN, WORSE, Question

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


@dataclass
class Comparison:
    """One figure of one row, or of many rows together, in A and in B."""

    name: str  # of the row, or what the mean is over
    asked: str = None  # what the option calls the figure; None where a run failed
    metric: metrics.Metric = None
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
        self.known = {}  # (name, key): what `figures` gave

    def rows(self, names):
        """The judged Comparisons of single rows, worst first, by figures that options name."""
        asked = [(pair, name) for name in names for pair in self.sound]
        questions = [self.row_question(*one) for one in asked]
        made = self.decided(
            [
                (Comparison(pair[0], name, question.metric, *question.medians), question)
                for (pair, name), question in zip(asked, questions)
                if question
            ]
        )
        correct(made)
        return worst_first(self.new_failures() + made)

    def decided(self, asked):
        """The Comparisons of [(Comparison, Question)], with their ratios."""
        ratios = decision.decide_all([question for _, question in asked], self.manner.rule)
        for (comparison, _), ratio in zip(asked, ratios):
            comparison.ratio = ratio
        return [comparison for comparison, _ in asked]

    def row_question(self, pair, asked):
        """The Question on one pair, or None if it has no such figure."""
        _, a, b = pair
        metric = metrics.named(asked, a.kind)
        if metric is None:
            return None
        ours, theirs = sides = self.figures(pair, metric.key)
        if not ours or not theirs:
            return None
        if self.references is not None:
            sides = [decision.usable(row, metric.key) for row in (a, b)]
        medians = decision.medians_of(sides)
        return Question(ours, theirs, metric, self.manner.is_paired, medians)

    def new_failures(self):
        """What fails in B alone is worse than any figure; what failed in A is no news."""
        names = [name for name, a, b in self.pairs if b.failures and not a.failures]
        return [Comparison(name) for name in names]

    def figures(self, pair, key):
        """Of A and of B {round: figure}, relative ones where that is asked for."""
        known = (pair[0], key)
        if known not in self.known:
            self.known[known] = self.read_figures(pair, key)
        return self.known[known]

    def read_figures(self, pair, key):
        """The same, from the rows."""
        name, *rows = pair
        if self.references is None:
            return tuple(decision.usable(row, key) for row in rows)
        if name not in self.references:
            return {}, {}
        both = zip(rows, self.references[name])
        return tuple(
            stats.ratios(decision.usable(row, key), decision.usable(to, key)) for row, to in both
        )

    def means(self, names):
        """The judged Comparisons of geometric means: of each kind, then of each allocator in it."""
        kinds = defaultdict(lambda: defaultdict(list))
        for pair in self.pairs:
            kinds[pair[1].kind][pair[2].allocator].append(pair)
        wholes, parts = [], []
        for kind, by_allocator in kinds.items():
            every = [pair for pairs in by_allocator.values() for pair in pairs]
            several = by_allocator if len(by_allocator) > 1 else {}
            for asked in names:
                wholes.append(self.mean(f"{kind}{WHOLE}", every, asked))
                parts += [self.mean(f"{kind}: {n}", p, asked) for n, p in several.items()]
        families = [self.decided(list(filter(None, family))) for family in (wholes, parts)]
        for family in families:
            correct(family)
        return families[0] + worst_first(families[1])

    def mean(self, name, pairs, asked):
        """(Comparison, Question) of the geometric mean over the pairs that have the figure, or
        None."""
        metric = metrics.named(asked, pairs[0][1].kind)
        if metric is None:
            return None
        both = [self.figures(pair, metric.key) for pair in pairs if not has_failed(pair)]
        both = [sides for sides in both if all(sides)]
        if not both:
            return None
        comparison = Comparison(name, asked, metric, rows=len(both))
        return comparison, decision.of_means(both, metric, self.manner.is_paired)
