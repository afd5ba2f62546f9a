"""Compares rows of two measurements: ratios B / A with intervals, their geometric means, verdicts.

Rows of one run are paired by round, for its rounds are neighbours in time; those of two runs are
two samples. What a single ratio says is decided in frontend.figures.decision, as for every table;
here stands what a whole file comes to: rows and means belong to families, and a difference that
does not hold for its family's number of tests raises no alarm. Nothing is drawn or read here.
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

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
        """The Rule of the decisions; its margin may be a fine one."""
        return decision.Rule(margin=self.margin, least=min(decision.LEAST, self.margin))


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


class Column(dict):
    """{row: its usable figures} of one key, each read when it is first asked for: rows are in
    several means, references in many pairs."""

    def __init__(self, key):
        super().__init__()
        self.key = key

    def __missing__(self, row):
        figures = self[row] = decision.usable(row, self.key)
        return figures


class Comparer:
    """Compares pairs of rows (name, row of A, row of B); `references` are the rows to which a pair
    is relative, {name: (row of A, row of B)}, or None."""

    def __init__(self, pairs, manner, references=None):
        self.pairs, self.manner, self.references = pairs, manner, references
        self.columns = {}  # {key: Column}

    def of(self, pairs):
        """The Comparer of other pairs of rows of the same files, which shares what was read."""
        other = Comparer(pairs, self.manner, self.references)
        other.columns = self.columns
        return other

    @cached_property
    def groups(self):
        """{kind: {allocator of B: its sound pairs}}."""
        kinds = defaultdict(lambda: defaultdict(list))
        for pair in self.pairs:
            group = kinds[pair[1].kind][pair[2].allocator]
            if not (pair[1].failures or pair[2].failures):
                group.append(pair)
        return kinds

    def rows(self, names):
        """The judged Comparisons of single rows, worst first. What fails in B alone is worse than
        any figure; what failed in A is no news."""
        made = self.family([asked for name in names for asked in self.asked_of_rows(name)])
        failed = [Comparison(name) for name, a, b in self.pairs if b.failures and not a.failures]
        return worst_first(failed + made)

    def asked_of_rows(self, name):
        """(Comparison, Question) of one figure of each sound pair that has it, in order."""
        found = {}
        for kind, by_allocator in self.groups.items():
            metric, pairs = named(name, kind), list(chain.from_iterable(by_allocator.values()))
            if metric is not None:
                found.update(self.asked_of_pairs(name, metric, pairs))
        return [found[pair[0]] for pair in self.pairs if pair[0] in found]

    def asked_of_pairs(self, name, metric, pairs):
        """(name of the pair, (Comparison, Question)) of each pair that has the figure."""
        column, is_paired = self.column(metric.key), self.manner.is_paired
        for (label, a, b), (ours, theirs) in zip(pairs, self.figures(pairs, metric.key)):
            if ours and theirs:
                medians = decision.medians_of((column[a], column[b]))
                question = Question(ours, theirs, metric, is_paired, medians)
                yield label, (Comparison(label, name, metric, *medians), question)

    def decided(self, asked):
        """The Comparisons of [(Comparison, Question)], with their ratios."""
        ratios = decision.decide_all([question for _, question in asked], self.manner.rule)
        for (comparison, _), ratio in zip(asked, ratios):
            comparison.ratio = ratio
        return [comparison for comparison, _ in asked]

    def figures(self, pairs, key):
        """Of A and of B {round: figure} for each pair, relative ones where that is asked for."""
        column = self.column(key)
        if self.references is None:
            return [(column[a], column[b]) for _, a, b in pairs]
        return [self.relative(pair, column) for pair in pairs]

    def relative(self, pair, column):
        """Of A and of B {round: ratio to the reference}; nothing where there is none."""
        name, *rows = pair
        both = zip(rows, self.references.get(name, ()))
        return tuple(stats.ratios(column[row], column[to]) for row, to in both) or ({}, {})

    def column(self, key):
        """The Column of a key."""
        return self.columns.setdefault(key, Column(key))

    def means(self, names):
        """The judged Comparisons of geometric means: of each kind, then of each allocator in it."""
        parts = []
        for kind, by_allocator in self.groups.items():
            several = by_allocator if len(by_allocator) > 1 else {}
            for asked in names:
                parts += [self.mean(f"{kind}: {n}", kind, p, asked) for n, p in several.items()]
        return self.whole_means(names) + worst_first(self.family(parts))

    def whole_means(self, names):
        """The judged Comparisons of the geometric mean of each kind alone."""
        wholes = []
        for kind, by_allocator in self.groups.items():
            every = list(chain.from_iterable(by_allocator.values()))
            wholes += [self.mean(f"{kind}{WHOLE}", kind, every, asked) for asked in names]
        return self.family(wholes)

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
        both = [sides for sides in self.figures(pairs, metric.key) if all(sides)]
        if not both:
            return None
        comparison = Comparison(name, asked, metric, rows=len(both))
        return comparison, decision.of_means(both, metric, self.manner.is_paired)
