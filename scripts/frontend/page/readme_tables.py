"""The tables of README.md and docs/method.md as Markdown: a short one of geometric means, and full
ones with every trace and program under every allocator. No file is read or written here.
"""

import re

from scipy.stats import gmean

from frontend.charts import palette
from frontend.counted import counted
from frontend.figures import decision, digest, markdown, samples, table

CHART_TEXT = "Time against memory: geometric means over the traces, lower left is better"
# Result files of which the geometric means are shown only: what a reader must know of them.
APART = {
    "held-out": "span was not tuned on the traces that are held out, so trust these most.",
    "once-held-out": "The traces once held out have been looked at since: trust them no more than "
    "the others.",
}
COLUMNS = ("glibc", "span-fast", "jemalloc", "mimalloc", "tcmalloc")  # of the short table
ABSENT = "–"  # not measured
NEAR = 0.08  # ratios of peak memory that agree; arbitrary
# Releases that are some years old: the year, and an item of -a that measures a newer one.
OLD = {("mimalloc", "2.0.9"): (2022, "mimalloc3=/path/libmimalloc.so")}


def read_summaries(sources):
    """([Digest of each kind], {file: Digest of results apart})."""
    apart = {s.path.stem: digest.digest(s, "replay") for s in sources if is_apart(s)}
    summaries = [
        digest.digest(source, kind)
        for source in sources
        for kind in samples.KINDS
        if kind in source.kinds() and not is_apart(source)
    ]
    return summaries, apart


def is_apart(source):
    """Whether of these results the means are shown only."""
    return source.path.stem in APART


def short_numbers(summaries, apart, chart):
    """The text in README.md; chart is its file as README.md names it."""
    chart = f"![{CHART_TEXT}]({chart})" if summaries[0].kind == "replay" else ""
    reading = short_reading(summaries[0], apart)
    both = side_by_side([*summaries, *apart.values()])
    older = other_commits(summaries, apart)
    parts = [chart, short_table(summaries, apart), reading, source(summaries[0]), older, both]
    return "\n\n".join(part for part in parts if part)


def short_table(summaries, apart):
    """Time and memory of what people know, over all traces and over all programs."""
    known = {name for summary in summaries for name in summary.allocators}
    names = [name for name in COLUMNS if name in known]
    versions = summaries[0].context.get("allocators", {})
    heads = ["", *(f"{name}{version_text(versions.get(name, {}))}" for name in names)]
    lines = [heads]
    for name, summary in short_rows(summaries, apart):
        lines.append([f"{name}: {summary.time.name}", *short_cells(summary, names, "time_ratio")])
        lines.append([f"{name}: peak memory", *short_cells(summary, names, "rss_ratio")])
    return markdown.table(lines)


def short_rows(summaries, apart):
    """(name, Digest) of what the short table sums up."""
    for summary in summaries:
        noun = digest.SUBJECT_WORDS[summary.kind] + "s"
        yield f"{len(summary.subjects)} {noun}", summary
        for name, further in apart.items() if summary.kind == "replay" else ():
            yield f"{len(further.subjects)} {name.replace('-', ' ')}", further


def short_cells(summary, names, ratio):
    """The mean of each allocator with its interval, and its worst subject."""
    for name in names:
        if name == summary.reference:
            yield "1"
        elif name not in summary.overall or not getattr(summary.overall[name], ratio):
            yield ABSENT
        else:
            mean = estimate_text(getattr(summary.overall[name], ratio), digest.figure_text)
            # Not to be broken at its spaces and dashes where the table is narrow.
            mean = mean.replace(" ", "\u00a0").replace("–", "\u2060–\u2060")
            yield f"{mean}<br>worst {table.worst_text(summary, name, ratio)}"


def version_text(described):
    """The upstream version of an allocator that is no build of ours, behind a space."""
    version = described.get("version", "").partition(" ")[0].rpartition(":")[2]
    upstream = re.match(r"[0-9.]+", version)
    return f" {upstream[0]}" if upstream and "(" in described.get("version", "") else ""


def short_reading(summary, apart):
    """How to read the short table."""
    remarks = "".join(f" {APART[name]}" for name in apart)
    return (
        "Ratios to glibc: geometric means with their intervals. Less is better. **Bold**: worse "
        f"than glibc, the interval excluding 1. {ABSENT}: not measured. Memory is peak RSS."
        f"{age_remark(summary)}{remarks}"
    )


def other_commits(summaries, apart):
    """Which rows of the short table are of another commit than the first, a sentence for each."""
    known = digest.commit_text(summaries[0].context)
    return " ".join(
        source(summary, f"Of another commit are the {name}: ")
        for name, summary in short_rows(summaries, apart)
        if digest.commit_text(summary.context) != known
    )


def age_remark(summary):
    """That versions some years old are Debian's, and how a newer one is measured."""
    versions = upstream_versions(summary)
    return "".join(
        f" {name} {version}, Debian's, is of {year}; measure a newer one with `-a {newer}`."
        for (name, version), (year, newer) in OLD.items()
        if versions.get(name) == version
    )


def upstream_versions(summary):
    """{allocator: version} of those that are no build of ours and no twin of another."""
    described = summary.context.get("allocators", {})
    versions = {name: version_text(facts).strip() for name, facts in described.items()}
    return {n: v for n, v in versions.items() if v and not palette.style(n).is_twin}


def listed(names):
    """ "a", "a and b", "a, b and c"."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def side_by_side(summaries):
    """How far replays of programs and the real programs agree, in a sentence; "" if no program was
    measured both ways."""
    pairs = list(measured_both_ways(summaries))
    if not pairs:
        return ""
    replayed, real = zip(*((r.time_ratio.median, p.time_ratio.median) for _, _, r, p in pairs))
    near = sum(abs(r.rss_ratio.median - p.rss_ratio.median) <= NEAR for _, _, r, p in pairs)
    programs, names = (list(dict.fromkeys(of)) for of in list(zip(*pairs))[:2])
    return (
        f"{counted(len(programs), 'program')} measured both ways (on different input), under "
        f"{listed(names)}: in the mean the replay takes {gmean(replayed):.2f} of glibc's "
        f"time, the real program {gmean(real):.2f}. The ratios of peak memory differ by "
        f"{NEAR} or less in {near} of {counted(len(pairs), 'case')}."
    )


def measured_both_ways(summaries):
    """(program, allocator, Cell of the replay, Cell of the program) with all four ratios."""
    for real in (summary for summary in summaries if summary.kind == "exec"):
        for replayed in (summary for summary in summaries if summary.kind == "replay"):
            for subject, name in sorted(real.cells.keys() & replayed.cells.keys()):
                pair = replayed.cells[subject, name], real.cells[subject, name]
                if name != real.reference and all(c.time_ratio and c.rss_ratio for c in pair):
                    yield subject, name, *pair


def full_numbers(summaries, apart):
    """The text in docs/method.md: every subject under every allocator."""
    parts = []
    for summary in summaries:
        parts += table_parts(summary, apart if summary.kind == "replay" else {})
    return "\n\n".join(part for part in parts if part)


def table_parts(summary, apart):
    """What is said of one kind of entry, and of the results apart, {file: Digest}."""
    parts = [reading(summary, apart), full_table(summary, apart)]
    parts += [failures(summary), source(summary), versions_line(summary)]
    for name, further in apart.items():
        parts += [failures(further), source(further, f"{name.replace('-', ' ').capitalize()}: ")]
    return parts


def reading(summary, apart):
    """How to read the table."""
    what = "Replayed traces" if summary.kind == "replay" else "Real programs"
    twins = [name for name in summary.allocators if palette.style(name).is_twin]
    like = f" Like span, {' and '.join(twins)} poison what is freed." if twins else ""
    remarks = "".join(f" {APART[name]}" for name in apart)
    return (
        f"{what}, as ratios to {summary.reference}: {summary.time.name} with its interval, and "
        f"below it peak RSS. Less is better. **Bold**: worse than {summary.reference}, the 95 % "
        f"interval excluding 1 and reaching beyond {100 * decision.MARGIN:g} %."
        f"{like}{age_remark(summary)}{remarks}"
    )


def full_table(summary, apart):
    """Subjects down, allocators across, geometric means last."""
    subject = "trace" if summary.kind == "replay" else "program"
    heads = [subject, f"{summary.reference}, {summary.time.unit} and MiB", *summary.rivals]
    lines = [heads, *(table_line(summary, subject) for subject in summary.subjects)]
    lines.append(mean_line("geometric mean", summary, summary.rivals))
    for name, further in apart.items():
        head = f"{name.replace('-', ' ')}: {len(further.subjects)} more"
        lines.append(mean_line(head, further, summary.rivals))
    return markdown.table(lines)


def table_line(summary, subject):
    """The cells of one subject."""
    reference = summary.cells[subject, summary.reference]
    shown = [digest.number_text(e.median) for e in (reference.time, reference.rss) if e]
    rivals = (cell_text(summary.cells[subject, name]) for name in summary.rivals)
    return [subject, "<br>".join(shown) or f"**{reference.gap}**", *rivals]


def cell_text(cell, remark=""):
    """Ratio of time with its interval, below it the ratio of peak RSS; or why there is none."""
    if cell.gap:
        return f"**{cell.gap}**"
    time = estimate_text(cell.time_ratio, digest.figure_text)
    rss = estimate_text(cell.rss_ratio, lambda estimate: f"{estimate.median:.2f}")
    return "<br>".join(filter(None, [time, rss])) + remark or "no ratio"


def estimate_text(estimate, text_of):
    """A ratio, its median in bold if it is worse than 1 for sure; nothing without one."""
    if estimate is None:
        return ""
    median, space, rest = text_of(estimate).partition(" ")
    return (f"**{median}**" if digest.verdict(estimate) == "worse" else median) + space + rest


def mean_line(head, summary, names):
    """The cells of the geometric means."""
    return [head, "", *(mean_text(summary, name) for name in names)]


def mean_text(summary, name):
    """The geometric means of one allocator, and how many subjects they hold if not all."""
    if name not in summary.overall:
        return ""
    remark = digest.counted_text(summary, name).replace(", ", "<br>")
    return cell_text(summary.overall[name], remark)


def failures(summary):
    lines = [f"- {name} on {subject}: {message}" for subject, name, message in summary.failures()]
    return "\n".join(["Failed rows:", "", *lines]) if lines else ""


def versions_line(summary):
    """The versions of the allocators that are no build of ours."""
    versions = [f"{name} {version}" for name, version in upstream_versions(summary).items()]
    return f"Versions: {', '.join(versions)}." if versions else ""


def source(summary, whose=""):
    """Number of rounds, machine, commit and date."""
    context = summary.context
    touch = f"touch {context['touch']}; " if context.get("touch") else ""
    return (
        f"{whose}n = {summary.rounds} interleaved rounds, {digest.interval_text(summary)}; {touch}"
        f"{digest.origin_text(context)}."
    )
