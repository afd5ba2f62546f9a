"""The sentences of the page that say who is best, by how much and how sure. They follow from the
numbers; what the numbers do not settle is said to be open.
"""

from collections import Counter
from html import escape

from frontend.charts import palette
from frontend.figures import digest

SURE_COVERAGE = 0.9  # arbitrary: four rounds' intervals, 87.5 %, do not carry a verdict
LEADING = ("replay", "exec", "run", "micro")  # the first of these that there is opens the page
MEANS = ("replay", "exec")  # the kinds whose geometric means say something
LEAST_MIB = 1.0  # what needs less is not compared: it is little more than rounding
BEST = {"time": "fastest", "rss": "leanest"}


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


def best_of(measure):
    """ "fastest" or "leanest"."""
    return BEST["rss" if measure is digest.RSS else "time"]


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
    (_, name, first), (_, next_name, second) = ranked[:2]
    intervals = f"intervals ({100 * second.coverage:.3g} %)"
    ahead = ahead_text(summary, measure, name, next_name)
    if min(first.coverage, second.coverage) < SURE_COVERAGE:
        rounds = f"{first.n} round{'s' if first.n != 1 else ''}"
        return (
            f"{leader(summary, measure, name, first)} looks {best} {over}, next is "
            f"{named(next_name, second)}{ahead}, but {rounds} cannot settle it."
        )
    close = [named(rival, e) for _, rival, e in ranked[1:] if overlaps(first, e)]
    if close:
        *some, last = [named(name, first), *close]
        ahead = "" if len(some) > 1 else ahead
        return (
            f"Who is {best} {over} is not settled: the {intervals} of {', '.join(some)} and {last} "
            f"overlap{ahead}."
        )
    return (
        f"{leader(summary, measure, name, first)} is {best} {over}, and the {intervals} are apart: "
        f"next is {named(next_name, second)}{ahead}."
    )


def overlaps(first, rival):
    """Whether the interval of a rival begins before the first one's ends."""
    return rival.low is not None and rival.low <= first.high


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
    counts = Counter(row[0][0] for row in rows)
    most = max(counts.values())
    names = [f"<b>{escape(name)}</b>" for name in counts if counts[name] == most]
    next_ = max((counts[name] for name in counts if counts[name] < most), default=0)
    apart = sum(is_apart(*row[:2]) for row in rows)
    of = f"{len(rows)} {digest.SUBJECT_WORDS[summary.kind]}s"
    return (
        f"{' and '.join(names)} {'is' if len(names) == 1 else 'are each'} {best} most often, on "
        f"{most} of {of}, and the next one on {next_}; on {apart} of them the intervals of the "
        f"best two are apart ({digest.interval_text(summary)})."
    )


def ranked_row(summary, measure, subject):
    """[(allocator, Estimate)] of a subject, best first; None if there are not two to compare."""
    cells = {name: summary.cells[subject, name] for name in summary.allocators}
    found = {name: digest.part(cell, measure) for name, cell in cells.items()}
    least = LEAST_MIB if measure is digest.RSS else 0
    found = {n: e for n, e in found.items() if e and not palette.style(n).is_twin}
    ranked = sorted(found.items(), key=lambda item: item[1].median)
    return ranked if len(ranked) > 1 and ranked[0][1].median >= least else None


def is_apart(first, second):
    """Whether the interval of the best ends below the next one's."""
    return first[1].low is not None and first[1].high < second[1].low


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
    text = " and ".join(f"{estimate.median:.2f}" for estimate in pair) or "no figure"
    return text + digest.counted_text(summary, name)
