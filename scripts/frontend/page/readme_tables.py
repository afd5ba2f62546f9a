"""The tables of README.md and docs/method.md as Markdown: a short one of geometric means, and full
ones with every trace and program under every allocator. No file is read or written here.
"""

import re

from frontend.charts import palette
from frontend.figures import decision, digest, samples, table

CHART_TEXT = "Time against memory: geometric means over the traces, lower left is better"
# Result files of which the geometric means are shown only: what a reader must know of them.
APART = {
    "held-out": "span was not tuned on the traces that are held out, so trust these most.",
    "once-held-out": "The traces once held out have been learnt from since: they tell no more than "
    "the others.",
}
COLUMNS = ("glibc", "span-fast", "jemalloc", "mimalloc", "tcmalloc")  # of the short table
ABSENT = "–"  # not measured


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
    parts = [chart, short_table(summaries, apart), short_reading(apart), source(summaries[0])]
    return "\n\n".join(part for part in parts if part)


def short_table(summaries, apart):
    """Time and memory of what people know, over all traces and over all programs."""
    known = {name for summary in summaries for name in summary.allocators}
    names = [name for name in COLUMNS if name in known]
    versions = summaries[0].context.get("allocators", {})
    heads = ["", *(f"{name}{version_text(versions.get(name, {}))}" for name in names)]
    lines = [heads, ["---", *["---:"] * len(names)]]
    for name, summary in short_rows(summaries, apart):
        lines.append([f"{name}: {summary.time.name}", *short_cells(summary, names, "time_ratio")])
        lines.append([f"{name}: peak memory", *short_cells(summary, names, "rss_ratio")])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
            yield f"{mean}<br>worst {table.worst_text(summary, name, ratio)}"


def version_text(described):
    """The upstream version of an allocator that is no build of ours, behind a space."""
    version = described.get("version", "").partition(" ")[0].rpartition(":")[2]
    upstream = re.match(r"[0-9.]+", version)
    return f" {upstream[0]}" if upstream and "(" in described.get("version", "") else ""


def short_reading(apart):
    """How to read the short table."""
    return (
        "Ratios to glibc, geometric means with their intervals; less is better, **bold** is surely "
        f"worse than glibc, {ABSENT} is not measured. Memory is peak RSS. The versions are "
        "Debian's; a newer one (mimalloc 2.0.9 is of 2022) is measured with "
        "`-a mimalloc3=/path/libmimalloc.so`." + "".join(f" {APART[name]}" for name in apart)
    )


def full_numbers(summaries, apart):
    """The text in docs/method.md: every subject under every allocator."""
    parts = []
    for summary in summaries:
        parts += table_parts(summary, apart if summary.kind == "replay" else {})
    return "\n\n".join(part for part in parts if part)


def table_parts(summary, apart):
    """What is said of one kind of entry, and of the results apart, {file: Digest}."""
    parts = [reading(summary, apart), full_table(summary, apart)]
    parts += [failures(summary), source(summary)]
    for name, further in apart.items():
        parts += [failures(further), source(further, f"{head_of(name)}: ")]
    return parts


def head_of(name):
    """How results apart are called at the beginning of a line."""
    words = name.replace("-", " ")
    return words[0].upper() + words[1:]


def reading(summary, apart):
    """How to read the table."""
    what = "Replayed traces" if summary.kind == "replay" else "Real programs"
    twins = [name for name in summary.allocators if palette.style(name).is_twin]
    like = f" Like span, {' and '.join(twins)} poison what is freed." if twins else ""
    remarks = "".join(f" {APART[name]}" for name in apart)
    return (
        f"{what}, as ratios to {summary.reference}: {summary.time.name} with its interval, and "
        f"below it peak RSS. Less is better; **bold** is worse than {summary.reference}, the "
        f"interval (of 95 %) excluding 1 and reaching beyond {100 * decision.MARGIN:g} %."
        f"{like}{remarks}"
    )


def full_table(summary, apart):
    """Subjects down, allocators across, geometric means last."""
    subject = "trace" if summary.kind == "replay" else "program"
    heads = [subject, f"{summary.reference}, {summary.time.unit} and MiB", *summary.rivals]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    lines += [table_line(summary, subject) for subject in summary.subjects]
    lines.append(mean_line("geometric mean", summary, summary.rivals))
    for name, further in apart.items():
        head = f"{name.replace('-', ' ')}: {len(further.subjects)} more"
        lines.append(mean_line(head, further, summary.rivals))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
    """What failed, and why."""
    lines = [f"- {name} on {subject}: {message}" for subject, name, message in summary.failures()]
    return "\n".join(["Failed rows:", "", *lines]) if lines else ""


def source(summary, whose=""):
    """Number of rounds, machine, commit and date."""
    context = summary.context
    touch = f"touch {context['touch']}; " if context.get("touch") else ""
    return (
        f"{whose}n = {summary.rounds} interleaved rounds, {digest.interval_text(summary)}; {touch}"
        f"{digest.machine_text(context)}; commit {digest.commit_text(context)}, "
        f"{str(context.get('date', 'no date'))[:10]}."
    )
