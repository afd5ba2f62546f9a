"""The sentences of the page that say who is best, by how much and how sure. They follow from the
numbers; what the numbers do not settle is said to be open.
"""

from collections import Counter
from html import escape

from frontend.charts import palette
from frontend.figures import decision, digest
from frontend.figures.decision import BETTER, SAME

LEADING = ("replay", "exec", "run", "micro")  # the first of these that there is opens the page
MEANS = ("replay", "exec")  # the kinds whose geometric means say something
LEAST_MIB = 1.0  # what needs less is not compared: it is little more than rounding
SETTLED = (BETTER, SAME)
BEST = {"time": "fastest", "rss": "leanest"}
EQUAL = {"time": "fast", "rss": "lean"}


def lead(summaries):
    """The one whose verdict the page opens with."""
    return min(summaries, key=lambda summary: LEADING.index(summary.kind))


def verdict(summary):
    """Two sentences: who is fastest and who is leanest."""
    sentence = best_sentence if summary.kind in MEANS else most_rows_sentence
    return f"<p>{sentence(summary, summary.time)}</p><p>{sentence(summary, digest.RSS)}</p>"


def remarks(summary):
    """What else there is to say of geometric means: who is left out, and span beside its twins."""
    sentences = (left_out_sentence(summary), span_sentence(summary))
    return "".join(f"<p>{sentence}</p>" for sentence in sentences if sentence)


def best_of(measure, words=BEST):
    """ "fastest" or "leanest"."""
    return words["rss" if measure is digest.RSS else "time"]


def candidates(summary, measure):
    """[(median, name, Estimate)], best first, of those that failed nowhere and are no twins."""
    found = []
    for name in summary.allocators:
        estimate = digest.part(summary.overall[name], measure, "_ratio")
        is_whole = summary.counted[name] == len(summary.subjects)
        if estimate and is_whole and not palette.style(name).is_twin:
            found.append((estimate.median, name, estimate))
    return sorted(found, key=lambda item: item[:2])


def best_sentence(summary, measure):
    """Who is best and how far the next one is, or that this cannot be told."""
    ranked = candidates(summary, measure)
    best, over = best_of(measure), f"over {digest.subjects_text(summary)}"
    if len(ranked) < 2:
        return f"Who is {best} cannot be told: fewer than two allocators were measured {over}."
    name = ranked[0][1]
    duels = {r: digest.means_between(summary, name, r, measure) for _, r, _ in ranked[1:]}
    still_open = [r for r, duel in duels.items() if duel is None or duel.verdict not in SETTLED]
    equal = [r for r, duel in duels.items() if duel is not None and duel.verdict == SAME]
    if still_open:
        return open_sentence(summary, measure, ranked, [*equal, *still_open], duels)
    if equal:
        return equal_sentence(summary, measure, ranked, equal)
    (_, _, first), (_, rival, second) = ranked[:2]
    return (
        f"{leader(summary, measure, name, first)} is {best} {over}: next is "
        f"{named(rival, second)}{duel_text(summary, name, rival, duels[rival])}"
        f"{ahead_text(summary, measure, name, rival)}."
    )


def open_sentence(summary, measure, ranked, close, duels):
    """That several may be best, who they are, and what would tell."""
    best, over = best_of(measure), f"over {digest.subjects_text(summary)}"
    (_, name, first), (_, rival, second) = ranked[:2]
    needed = rounds_text([duels[other] for other in close if duels[other]])
    ahead = ahead_text(summary, measure, name, rival)
    if first.n < decision.least_runs(is_paired=True):
        rounds = f"{first.n} round{'s' if first.n != 1 else ''}"
        return (
            f"{leader(summary, measure, name, first)} looks {best} {over}, next is "
            f"{named(rival, second)}{ahead}, but {rounds} cannot settle it{needed}."
        )
    names = [named(n, e) for _, n, e in ranked if n == name or n in close]
    ahead = ahead if close == [rival] else ""
    return (
        f"Who is {best} {over} is not settled: {joined(names)} of {escape(summary.reference)}'s "
        f"{measure.name} cannot be told apart{ahead}{needed}."
    )


def rounds_text(duels):
    """ "; about 12 rounds would tell": as many as the closest of some duels takes."""
    needed = max((decision.runs_needed(duel) for duel in duels), default=0)
    return f"; about {needed:,} rounds would tell" if needed else ""


def equal_sentence(summary, measure, ranked, equal):
    """That several are equally good, and who comes next."""
    name = ranked[0][1]
    names = [named(n, e) for _, n, e in ranked if n == name or n in equal]
    rest = next((named(n, e) for _, n, e in ranked if n != name and n not in equal), None)
    return (
        f"{joined(names)} of {escape(summary.reference)}'s {measure.name} are equally "
        f"{best_of(measure, EQUAL)} over "
        f"{digest.subjects_text(summary)}, within {100 * decision.MARGIN:g} %"
        f"{f': next is {rest}' if rest else ''}."
    )


def joined(names):
    """ "a, b and c"."""
    *some, last = names
    return f"{', '.join(some)} and {last}" if some else last


def duel_text(summary, name, rival, duel):
    """How far the first is ahead of the second, where the ratios do not say it already."""
    if rival == summary.reference:
        return ""
    return f", and {escape(name)} is at {digest.figure_text(duel)} of that"


def leader(summary, measure, name, estimate):
    """The best one with its ratio; the reference, which has none, by its name."""
    if name == summary.reference:
        return f"<b>{escape(name)}</b>"
    return f"{named(name, estimate)} of {escape(summary.reference)}'s {measure.name}"


def ahead_text(summary, measure, name, next_name):
    """On how many subjects the first is ahead of the second: ", and tbb is ahead on 3 of 4"."""
    parts = [
        [digest.part(summary.cells[subject, n], measure, "_ratio") for n in (name, next_name)]
        for subject in summary.subjects
        if (subject, name) in summary.cells and (subject, next_name) in summary.cells
    ]
    pairs = [pair for pair in parts if all(pair)]
    if not pairs:
        return ""
    count = sum(first.median < second.median for first, second in pairs)
    return f", and {escape(name)} is ahead on {count} of {len(pairs)}"


def named(name, estimate):
    """ "mimalloc at 0.68 (0.67–0.69)"."""
    return f"<b>{escape(name)}</b> at {figure_text(estimate)}"


def figure_text(estimate):
    """A ratio with its interval; that of the reference to itself has none."""
    return "1" if estimate.low == estimate.high == 1 else digest.figure_text(estimate)


def most_rows_sentence(summary, measure):
    """Who is best on most rows, where a mean over the rows would mean nothing."""
    rows = [row for row in map(lambda s: ranked_row(summary, measure, s), summary.subjects) if row]
    best = best_of(measure)
    if not rows:
        return f"Who is {best} is not told here: {measure.name} was not compared."
    of = f"{len(rows)} {digest.SUBJECT_WORDS[summary.kind]}s"
    counts = Counter(names[0] for names, word in rows if word != SAME)
    equal = len(rows) - counts.total()
    if not counts:
        return f"Nobody is {best}: on all of {of} the best two are equal, within a margin."
    most = max(counts.values())
    names = [f"<b>{escape(name)}</b>" for name in counts if counts[name] == most]
    next_ = max((counts[name] for name in counts if counts[name] < most), default=0)
    apart = sum(word == BETTER for _, word in rows)
    return (
        f"{' and '.join(names)} {'is' if len(names) == 1 else 'are each'} {best} most often, on "
        f"{most} of {of}, and the next one on {next_}; on {apart} of them the best is shown to be "
        f"ahead of the next{f', on {equal} both are equal' if equal else ''} "
        f"({digest.interval_text(summary)})."
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


def left_out_sentence(summary):
    """Which allocators the verdict leaves out."""
    all_ = len(summary.subjects)
    names = [escape(name) for name in summary.allocators if summary.counted[name] < all_]
    if not names:
        return ""
    return f"Left out of the verdict, since rows are missing: {', '.join(names)}."


def span_sentence(summary):
    """How span stands to its poisoning twins, which is the comparison like with like."""
    twins = [name for name in summary.allocators if palette.style(name).is_twin]
    cell = summary.overall.get("span")
    if not twins or cell is None or cell.time_ratio is None:
        return ""
    shown = ", ".join(f"{escape(name)} {pair_text(summary, name)}" for name in twins)
    return (
        f"span poisons what is freed. Like with like, time and peak RSS: span "
        f"{pair_text(summary, 'span')}; {shown}."
    )


def pair_text(summary, name):
    """ "1.19 and 1.11": time and memory."""
    cell = summary.overall[name]
    pair = [estimate for estimate in (cell.time_ratio, cell.rss_ratio) if estimate]
    text = " and ".join(digest.ratio_number(estimate.median) for estimate in pair) or "no figure"
    return text + digest.counted_text(summary, name)
