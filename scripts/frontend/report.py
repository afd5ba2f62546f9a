"""Writes one self-contained page from result files: what comes of them, charts, tables, every row
that failed or lost, and what the numbers can and cannot tell. It draws and computes nothing.
"""

import re
from html import escape
from pathlib import Path
from string import Template

from frontend import charts, digest, palette, results
from frontend.failure import WORK_FAILED, Failure, io_failure

PAGE = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
PAGE_NAME = "report.html"
SURE_COVERAGE = 0.9  # arbitrary: four rounds' intervals, 87.5 %, do not carry a verdict
TITLES = {
    "replay": "Replayed traces",
    "run": "Synthetic workloads",
    "micro": "Micro-benchmarks",
    "exec": "Real programs",
}
LIMITS = """
<div class="box">
<h2>What a replay can and cannot tell</h2>
<p>A replay makes the calls that a program once made, in their order, and touches the blocks as the
touch policy says. It <b>ranks</b> allocators rightly in time, and with pages touched its ratios of
peak RSS are close to the real program's.</p>
<p>It does <b>not</b> say how much faster a program becomes: the program's own memory accesses, and
so most of its cache misses, are not in the trace. On ten programs, the saving in time that a replay
predicted was 0.34 to 1.4 times the real one. <code>spanbench exec</code> answers that question for
a program that can be run. Ratios carry over to other machines better than nanoseconds do, and
neither carries over to other programs.</p>
</div>
"""
WORKLOAD_READING = """
<p><b>How to read this.</b> Each workload is a small program that hurts allocators in a known way;
<code>spanbench run</code> lists them with a line each. Time per operation is the time of the run
over the calls of all threads together. The blocks are touched and checked, which is part of the
time. Adversaries (<code>robson</code>, <code>first-fit-bad</code> and the like) are about memory:
they report what theory says that is needed. No mean over workloads is given, since which of them
matter depends on the program; peak RSS below 1 MiB is not compared.</p>
"""
MICRO_READING = """
<p><b>How to read this.</b> Each benchmark makes one call, or one small pattern of calls, over and
over; shown is the time of one such iteration. Everything lies in the nearest cache, unless the name
says otherwise. <code>pair</code> is a malloc and its free, <code>batch</code> many blocks that are
allocated and then freed in an order, <code>replace</code> a free and a malloc in a working set,
<code>tier</code> one layer of an allocator on its own, <code>free_elsewhere</code> a block that
another thread frees. A curve that rises with the size writes to the blocks, or asks the system for
pages each time. Such times tell where an allocator is fast and where not. They do not tell what a
program gains, which spends more on cache misses and page faults: see the replays.</p>
"""


def main_report(results_paths, out_dir):
    """Draws the charts of result files and writes report.html into out_dir; the exit status."""
    path = Path(out_dir) / PAGE_NAME
    sources = [read_source(source) for source in results_paths]
    prepare_output(path)
    folders = chart_folders(sources, Path(out_dir))
    for source, folder in zip(sources, folders):
        charts.draw_all(source, folder)
    page = make_page(list(zip(sources, folders)))
    try:
        results.write_text(path, page)
    except OSError as error:
        raise io_failure(error, path, WORK_FAILED) from error
    print(path)
    return 0


def prepare_output(path):
    """Makes the folder of the page, which must be writable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise io_failure(error, path.parent) from error
    results.check_writable(path)


def read_source(path):
    """The Results of a file that holds something to report."""
    source = results.read(path)
    if not set(source.kinds()) & set(digest.TIME):
        raise Failure(f"{path}: holds no replays and no programs")
    return source


def chart_folders(sources, out_dir):
    """Where the charts of each result file go: beside the page, or in a folder for each file."""
    if len(sources) == 1:
        return [out_dir]
    return [out_dir / f"{i}-{source.path.stem}" for i, source in enumerate(sources, 1)]


def make_page(sources):
    """The page of [(Results, folder of its charts)]."""
    summaries = [
        (digest.digest(source, kind), source, folder)
        for source, folder in sources
        for kind in digest.TIME
        if kind in source.kinds()
    ]
    parts = [section(*summary) for summary in summaries]
    parts.append(side_by_side([summary for summary, _, _ in summaries]))
    parts.append(LIMITS)
    parts += [context_section(source) for source, _ in sources]
    return PAGE.substitute(
        title="spanbench: allocators compared",
        light=colour_variables(lambda colour: colour),
        dark=colour_variables(palette.dark_of),
        body="\n".join(parts),
    )


# Colours and charts


VARIABLES = {
    palette.INK: "ink",
    palette.MUTED: "muted",
    palette.LINES: "lines",
    palette.BAND: "band",
    palette.PAPER: "paper",
    palette.LIVE: "live",
}


def variable(colour):
    """The CSS variable that stands for a colour of the palette."""
    return f"--{VARIABLES.get(colour, 'c' + colour[1:])}"


def colour_variables(shade):
    """CSS definitions of the variables, each colour put through `shade`."""
    return "\n".join(f"  {variable(colour)}: {shade(colour)};" for colour in palette.colours())


def figure(path, label):
    """The SVG in a file as part of the page, in the page's colours; nothing if it was not drawn."""
    if not path.exists():
        return ""
    svg = path.read_text(encoding="utf-8")
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)
    return f"<figure>{recolour(own_ids(svg, path.stem))}</figure>"


def own_ids(svg, prefix):
    """The SVG with ids that are no other chart's on the page."""
    return re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)


def recolour(svg):
    """The SVG with CSS variables for colours."""
    for colour in palette.colours():
        svg = svg.replace(colour, f"var({variable(colour)})")
    return svg


# What comes of it


def section(summary, source, folder):
    """All about one kind of entry of a result file."""
    if summary.kind == "micro":
        return micro_section(summary, source, folder)
    if summary.kind == "run":
        return workload_section(summary, source, folder)
    prefix = "" if summary.kind == "replay" else f"{summary.kind}-"
    name = TITLES[summary.kind]
    parts = [
        f'<h2>{name}</h2><p class="small">{source_line(summary, source)}</p>',
        f'<div class="verdict">{verdict(summary)}</div>',
        figure(folder / f"{prefix}frontier.svg", f"{name}: time against memory"),
        failures_list(summary),
        ratio_table(summary, summary.time),
        figure(folder / f"{prefix}time.svg", f"{name}: time"),
        ratio_table(summary, digest.RSS),
        figure(folder / f"{prefix}memory.svg", f"{name}: peak RSS"),
    ]
    if summary.kind == "replay":
        parts.append("<h2>Trace by trace</h2>")
        parts += [subject_section(summary, subject, folder) for subject in summary.subjects]
    return "\n".join(parts)


def workload_section(summary, source, folder):
    """All about the synthetic workloads of a result file."""
    name = TITLES[summary.kind]
    parts = (
        f'<h2>{name}</h2><p class="small">{source_line(summary, source)}</p>{WORKLOAD_READING}',
        figure(folder / "run-heat.svg", f"{name}: time and peak RSS"),
        failures_list(summary),
        figure(folder / "run-threads.svg", f"{name}: throughput by threads"),
        figure(folder / "run-bounds.svg", f"{name}: memory needed and what theory asks for"),
        ratio_table(summary, summary.time, has_means=False),
        ratio_table(summary, digest.RSS, has_means=False),
    )
    return "\n".join(parts)


def micro_section(summary, source, folder):
    """All about the micro-benchmarks of a result file."""
    name = TITLES[summary.kind]
    first = {s: summary.cells[s, summary.reference] for s in summary.subjects}
    lone = [subject for subject, cell in first.items() if cell.gap == digest.NOT_RUN]
    shared = [s for s in summary.subjects if s not in lone]
    parts = (
        f'<h2>{name}</h2><p class="small">{source_line(summary, source)}</p>{MICRO_READING}',
        figure(folder / "micro-size.svg", f"{name}: time by size"),
        failures_list(summary),
        figure(folder / "micro-calls.svg", f"{name}: ratios of time"),
        ratio_table(summary, summary.time, has_means=False, subjects=shared),
        times_table(summary, lone),
    )
    return "\n".join(parts)


def times_table(summary, subjects):
    """Times of what only some allocators have."""
    names = [n for n in summary.allocators if any(summary.cells[s, n].time for s in subjects)]
    if not names:
        return ""
    head = "".join(f"<th>{escape(text)}</th>" for text in ("", *names))
    rows = []
    for subject in subjects:
        times = [summary.cells[subject, name].time for name in names]
        cells = [f"<td>{digest.number_text(time.median) if time else ''}</td>" for time in times]
        rows.append(f"<tr><td>{escape(subject)}</td>{''.join(cells)}</tr>")
    return (
        f"<h3>Pieces of single allocators, {summary.time.unit}</h3>"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def source_line(summary, source):
    """Where the numbers come from."""
    context = summary.context
    return (
        f"{escape(source.path.name)} · {digest.subjects_text(summary)}, "
        f"{summary.rounds} interleaved rounds, {digest.interval_text(summary)} · "
        f"{escape(digest.machine_text(context))} · commit {escape(digest.commit_text(context))} · "
        f"{escape(str(context.get('date', 'no date'))[:10])}"
    )


def verdict(summary):
    """Who is fastest, who is leanest, by how much and how sure; and span beside its twins."""
    sentences = [
        best_sentence(summary, summary.time, "fastest", "time"),
        best_sentence(summary, digest.RSS, "leanest", "peak RSS"),
        left_out_sentence(summary),
        span_sentence(summary),
    ]
    return "".join(f"<p>{sentence}</p>" for sentence in sentences if sentence)


def candidates(summary, measure):
    """[(median, name, Estimate)], best first, of those that failed nowhere and are no twins."""
    found = []
    for name in summary.allocators:
        estimate = digest.part(summary.overall[name], measure, "_ratio")
        is_whole = summary.counted[name] == len(summary.subjects)
        if estimate and is_whole and not palette.style(name).is_twin:
            found.append((estimate.median, name, estimate))
    return sorted(found, key=lambda item: item[:2])


def best_sentence(summary, measure, best, figure_name):
    """Who is best and how far the next one is, or that this cannot be told."""
    ranked = candidates(summary, measure)
    if len(ranked) < 2:
        return ""
    (_, name, first), (_, next_name, second) = ranked[:2]
    over = f"over {digest.subjects_text(summary)}"
    intervals = f"intervals ({100 * second.coverage:.3g} %)"
    pair = f"{named(name, first)} and {named(next_name, second)}"
    if min(first.coverage, second.coverage) < SURE_COVERAGE:
        return f"Too few rounds to say who is {best} in {figure_name} {over}: {pair}."
    if second.low <= first.high:
        return f"Who is {best} {over} is not settled: the {intervals} of {pair} overlap."
    head = f"<b>{escape(name)}</b>"
    if name != summary.reference:
        head = f"{named(name, first)} of {summary.reference}'s {figure_name}"
    return (
        f"{head} is {best} {over}, and the {intervals} are apart: next is "
        f"{named(next_name, second)}."
    )


def named(name, estimate):
    """ "mimalloc at 0.68 (0.67–0.69)"."""
    return f"<b>{escape(name)}</b> at {figure_text(estimate)}"


def figure_text(estimate):
    """A ratio with its interval; that of the reference to itself has none."""
    return "1" if estimate.low == estimate.high == 1 else digest.figure_text(estimate)


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


# Tables


def ratio_table(summary, measure, has_means=True, subjects=None):
    """Ratios of every subject (or those given) and rival with intervals; the geometric means at the
    foot, where they mean anything."""
    estimates = [digest.part(cell, measure) for cell in summary.cells.values()]
    if not any(estimates):
        return ""
    heads = ["", f"{summary.reference}, {measure.unit}", *summary.rivals]
    rows = [table_row(summary, subject, measure) for subject in subjects or summary.subjects]
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    foot = means_row(summary, measure) if has_means else ""
    return (
        f"<h3>{measure.title}, ratio to {escape(summary.reference)}</h3>"
        f'<p class="small">Below 1 is {measure.better}. In bold: {measure.worse}, and the interval '
        f'excludes 1.</p><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody><tfoot>{foot}</tfoot></table></div>"
    )


def means_row(summary, measure):
    """The geometric means."""
    means = (mean_cell(summary, name, measure) for name in summary.rivals)
    return f"<tr><td><b>geometric mean</b></td><td></td>{''.join(means)}</tr>"


def table_row(summary, subject, measure):
    """One subject: the reference's absolute figure and the rivals' ratios."""
    reference = summary.cells[subject, summary.reference]
    absolute = digest.part(reference, measure)
    first = digest.number_text(absolute.median) if absolute else reference.gap or ""
    cells = [ratio_cell(summary.cells[subject, name], measure) for name in summary.rivals]
    return f"<tr><td>{escape(subject)}</td><td>{first}</td>{''.join(cells)}</tr>"


def ratio_cell(cell, measure):
    """A ratio with its interval, or why there is none."""
    if cell.gap:
        return f'<td class="failed">{cell.gap}</td>'
    return estimate_cell(digest.part(cell, measure, "_ratio"))


def estimate_cell(estimate, remark=""):
    """A cell of the table for a ratio."""
    if estimate is None:
        return "<td>no ratio</td>"
    median, _, interval = digest.figure_text(estimate).partition(" ")
    mark = f'<span class="{digest.verdict(estimate)}">{median}</span>'
    return f"<td>{mark}<small>{interval}{remark}</small></td>"


def mean_cell(summary, name, measure):
    """The geometric mean of one rival."""
    estimate = digest.part(summary.overall[name], measure, "_ratio")
    return estimate_cell(estimate, digest.counted_text(summary, name))


def failures_list(summary):
    """Every row that failed, with its message."""
    items = [
        f"<li><b>{escape(name)}</b> on {escape(subject)}: {escape(message)}</li>"
        for subject, name, message in summary.failures()
    ]
    return f'<h3 class="failed">Rows that failed</h3><ul>{"".join(items)}</ul>' if items else ""


def side_by_side(summaries):
    """Replay and real program of one name, where the page has both."""
    pairs = [(a, b) for a in summaries for b in summaries if (a.kind, b.kind) == ("replay", "exec")]
    rows = "".join(row for pair in pairs for row in pair_rows(*pair))
    if not rows:
        return ""
    return (
        "<h2>Replay and real program, side by side</h2><p>Time as a ratio to the reference: what "
        "the replay of the trace says, and what the program itself does.</p>"
        '<div class="wide"><table>'
        "<thead><tr><th>program</th><th>allocator</th><th>replay</th><th>program</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def pair_rows(replay, real):
    """A row for each subject and rival that both have."""
    for subject in (subject for subject in replay.subjects if subject in real.subjects):
        for name in (name for name in replay.rivals if name in real.rivals):
            cells = [ratio_cell(s.cells[subject, name], s.time) for s in (replay, real)]
            yield f"<tr><td>{escape(subject)}</td><td>{escape(name)}</td>{''.join(cells)}</tr>"


# Traces and circumstances


def subject_section(summary, subject, folder):
    """One trace: what it is, and its memory over operations."""
    facts = summary.context.get("traces", {}).get(subject, {})
    lines = [escape(fact) for fact in trace_facts(facts)]
    chart = figure(folder / f"curve-{subject}.svg", f"{subject}: memory over operations")
    return f'<h3>{escape(subject)}</h3><p class="small">{" · ".join(lines)}</p>{chart}'


def trace_facts(facts):
    """What is known of a trace, in words."""
    origin = facts.get("origin") if isinstance(facts.get("origin"), dict) else {}
    known = {**origin, **facts}
    yield from (str(known[key]) for key in ("program", "version", "command") if known.get(key))
    if known.get("ops"):
        yield f"{known['ops']:,} operations"
    if known.get("threads"):
        yield f"{known['threads']} thread{'s' if known['threads'] != 1 else ''}"
    if known.get("peak_live"):
        yield f"peak live {digest.number_text(known['peak_live'] / digest.MIB)} MiB"


CONTEXT_KEYS = (
    *("date", "cpu", "num_cpus", "governor", "thp", "aslr", "kernel", "libc", "compiler"),
    *("flags", "commit", "dirty", "load_before", "touch", "threads_mode", "command"),
)


def context_section(source):
    """Under which circumstances a result file came to be."""
    known = [(key, source.context[key]) for key in CONTEXT_KEYS if key in source.context]
    allocators = source.context.get("allocators", {}).items()
    known += [(name, allocator_text(facts)) for name, facts in allocators]
    items = "".join(f"<dt>{escape(key)}</dt><dd>{escape(str(value))}</dd>" for key, value in known)
    return f"<h2>Context of {escape(source.path.name)}</h2><dl>{items}</dl>"


def allocator_text(facts):
    """Version, file, build-id and settings of an allocator."""
    settings = " ".join(f"{key}={value}" for key, value in facts.get("settings", {}).items())
    parts = [facts.get("version"), facts.get("path"), facts.get("build_id"), settings]
    return " · ".join(str(part) for part in parts if part)
