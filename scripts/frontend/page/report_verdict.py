"""Who is best, by how much and how sure, as the facts of which the templates make sentences. They
follow from the numbers; what the numbers do not settle is said to be open.
"""

from collections import Counter
from dataclasses import dataclass, field

from frontend.charts import palette
from frontend.figures import decision, digest
from frontend.figures.decision import BETTER, SAME

LEADING = ("replay", "exec", "run", "micro")  # the first of these that there is opens the page
MEANS = ("replay", "exec")  # the kinds whose geometric means say something
LEAST_MIB = 1.0  # what needs less is not compared: it is little more than rounding
SETTLED = (BETTER, SAME)


@dataclass(frozen=True)
class Best:
    """Who is best by the geometric mean of a measure over all subjects."""

    state: str  # how settled that is: "lone", "few rounds", "open", "equal" or "ahead"
    names: list = field(default_factory=list)  # those who may be best, the likeliest first
    ratios: dict = field(default_factory=dict)  # {allocator: its ratio, with interval}
    next: str = None  # who comes next, if anybody does
    rounds: int = 0  # that were made
    needed: int = 0  # about as many would tell; 0 where that is not known
    ahead: tuple = None  # on how many subjects the first is ahead of the next, of how many
    duel: str = None  # the ratio of the first to the next


def lead(summaries):
    """The one whose verdict the page opens with."""
    return min(summaries, key=lambda summary: LEADING.index(summary.kind))


def candidates(summary, measure):
    """{allocator: Estimate}, best first, of those that failed nowhere and are no twins."""
    found = {}
    for name in summary.allocators:
        estimate = digest.part(summary.overall[name], measure, "_ratio")
        is_whole = summary.counted[name] == len(summary.subjects)
        if estimate and is_whole and not palette.style(name).is_twin:
            found[name] = estimate
    return dict(sorted(found.items(), key=lambda item: (item[1].median, item[0])))


def best(summary, measure):
    """The Best of a Digest."""
    ranked = candidates(summary, measure)
    if len(ranked) < 2:
        return Best("lone")
    first, second, *_ = ranked
    duels = {n: digest.means_between(summary, first, n, measure) for n in ranked if n != first}
    still_open = [n for n, duel in duels.items() if duel is None or duel.verdict not in SETTLED]
    equal = [n for n, duel in duels.items() if duel is not None and duel.verdict == SAME]
    close = [n for n in ranked if n == first or n in equal or n in still_open]
    ratios = {name: figure_text(estimate) for name, estimate in ranked.items()}
    ahead = subjects_ahead(summary, measure, first, second)
    if still_open:
        needed = (decision.runs_needed(duels[n]) for n in close[1:] if duels[n])
        rounds = ranked[first].n
        is_short = rounds < decision.least_runs(is_paired=True)
        told = {"rounds": rounds, "needed": max(needed, default=0)}
        if is_short or close == [first, second]:
            told["ahead"] = ahead
        return Best("few rounds" if is_short else "open", close, ratios, second, **told)
    if equal:
        return Best("equal", close, ratios, next((n for n in ranked if n not in close), None))
    duel = None if second == summary.reference else digest.told_text(duels[second])
    return Best("ahead", [first], ratios, second, ahead=ahead, duel=duel)


def subjects_ahead(summary, measure, name, next_name):
    """On how many subjects the first is ahead of the second, and of how many; None where there are
    not several."""
    parts = [
        [digest.part(summary.cells[subject, n], measure, "_ratio") for n in (name, next_name)]
        for subject in summary.subjects
        if (subject, name) in summary.cells and (subject, next_name) in summary.cells
    ]
    pairs = [pair for pair in parts if all(pair)]
    count = sum(first.median < second.median for first, second in pairs)
    return (count, len(pairs)) if len(pairs) > 1 else None


def figure_text(estimate):
    """A ratio with its interval; that of the reference to itself has none."""
    return "1" if estimate.low == estimate.high == 1 else digest.told_text(estimate)


@dataclass(frozen=True)
class Wins:
    """Who is best on most rows, where a mean over the rows would mean nothing."""

    rows: int  # that can be compared
    names: list  # those who are best most often
    most: int  # on so many rows each
    next: int  # on so many the next one
    apart: int  # rows on which the best is shown to be ahead of the next
    equal: int  # rows on which both are equal


def wins(summary, measure):
    """The Wins of a Digest."""
    rows = [row for row in map(lambda s: ranked_row(summary, measure, s), summary.subjects) if row]
    counts = Counter(names[0] for names, word in rows if word != SAME)
    most = max(counts.values(), default=0)
    return Wins(
        len(rows),
        [name for name in counts if counts[name] == most],
        most,
        max((counts[name] for name in counts if counts[name] < most), default=0),
        sum(word == BETTER for _, word in rows),
        len(rows) - counts.total(),
    )


def ranked_row(summary, measure, subject):
    """(allocators, best first; verdict on the best against the next) of a subject; None if there
    are not two to compare."""
    cells = {name: summary.cells[subject, name] for name in summary.allocators}
    found = {name: digest.part(cell, measure) for name, cell in cells.items()}
    least = LEAST_MIB if measure is digest.RSS else 0
    found = {n: e for n, e in found.items() if e and not palette.style(n).is_twin}
    ranked = sorted(found, key=lambda name: found[name].median)
    if len(ranked) < 2 or found[ranked[0]].median < least:
        return None
    duel = digest.rows_between(summary, subject, *ranked[:2], measure)
    return ranked, duel.verdict if duel else decision.UNKNOWN


def left_out(summary):
    """The allocators that the verdict leaves out."""
    return [n for n in summary.allocators if summary.counted[n] < len(summary.subjects)]


def like_with_like(summary):
    """{span and each of its poisoning twins: time and memory}, where there are any."""
    twins = [name for name in summary.allocators if palette.style(name).is_twin]
    cell = summary.overall.get("span")
    if not twins or cell is None or cell.time_ratio is None:
        return {}
    return {name: pair_text(summary, name) for name in ("span", *twins)}


def pair_text(summary, name):
    """ "1.19 and 1.11": time and memory."""
    cell = summary.overall[name]
    pair = [estimate for estimate in (cell.time_ratio, cell.rss_ratio) if estimate]
    text = " and ".join(digest.ratio_number(estimate.median) for estimate in pair) or "no figure"
    return text + digest.counted_text(summary, name)
