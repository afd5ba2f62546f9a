"""Writes one self-contained page from result files: which parts there are and in which order. What
the parts say comes from the modules beside it; it draws and computes nothing.
"""

from html import escape
from pathlib import Path
from string import Template

from frontend.charts import charts, palette
from frontend.failure import WORK_FAILED, Failure, io_failure
from frontend.figures import digest, results
from frontend.page import report_figures, report_latency, report_prediction, report_reading
from frontend.page import report_subjects, report_tables, report_verdict
from frontend.page.report_figures import figure
from frontend.page.report_subjects import Part

PAGE_NAME = "report.html"
TITLE = "spanbench: allocators compared"
TITLES = {
    "replay": "Replayed traces",
    "run": "Synthetic workloads",
    "micro": "Micro-benchmarks",
    "exec": "Real programs",
}


def main_report(results_paths, out_dir):
    """Makes the page and prints where it is; the exit status."""
    print(write_report(results_paths, out_dir))
    return 0


def write_report(results_paths, out_dir):
    """Draws the charts of result files and writes report.html into out_dir; the path of that."""
    path = Path(out_dir) / PAGE_NAME
    sources = [read_source(source) for source in results_paths]
    prepare_output(path)
    folders = chart_folders(sources, Path(out_dir))
    for source, folder in zip(sources, folders):
        charts.draw_all(source, folder)
    page = make_page(list(zip(sources, folders)), Path(out_dir))
    try:
        results.write_text(path, page)
    except OSError as error:
        raise io_failure(error, path, WORK_FAILED) from error
    return path


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


def make_page(sources, out_dir):
    """The page of [(Results, folder of its charts)], which will lie in out_dir."""
    found = [
        (digest.digest(source, kind), source, folder)
        for kind in digest.TIME
        for source, folder in sources
        if kind in source.kinds()
    ]
    kinds = [summary.kind for summary, _, _ in found]
    parts = [
        Part(*part, title_of(part, kinds), f"part-{i}", out_dir) for i, part in enumerate(found, 1)
    ]
    summaries = [part.summary for part in parts]
    lead = report_verdict.lead(summaries)
    files = [source for source, _ in sources]
    sections = [
        opening(lead, parts),
        *(section(part, summaries, part.summary is lead) for part in parts),
        report_tables.side_by_side(summaries),
        report_reading.LIMITS,
        report_subjects.context_sections(files),
        report_subjects.data_section(files, out_dir),
    ]
    return fill("\n".join(sections))


def title_of(part, kinds):
    """The heading of a part (summary, source, ...), with the file if there are more of its kind."""
    kind, path = part[0].kind, part[1].path.absolute()
    return TITLES[kind] + (f", {path.parent.name}/{path.name}" if kinds.count(kind) > 1 else "")


def fill(body):
    """The whole page around a body."""
    here = Path(__file__).parent
    page, style, script = (
        (here / f"page.{suffix}").read_text(encoding="utf-8") for suffix in ("html", "css", "js")
    )
    style = Template(style).substitute(
        light=report_figures.colour_variables(lambda colour: colour),
        dark=report_figures.colour_variables(palette.dark_of),
    )
    body = report_figures.share_definitions(body)
    return Template(page).substitute(title=TITLE, style=style, script=script, body=body)


def opening(lead, parts):
    """What the page opens with: the verdict in two sentences, and what the page holds."""
    links = [(part.anchor, escape(part.title)) for part in parts]
    links += [("limits", "What a replay can tell"), ("context", "Context"), ("data", "Raw data")]
    items = "".join(f'<li><a href="#{anchor}">{text}</a></li>' for anchor, text in links)
    return (
        f'<header><h1>{TITLE}</h1><div class="verdict">{report_verdict.verdict(lead)}</div>'
        f'<nav aria-label="Contents"><ul>{items}</ul></nav></header>'
    )


def section(part, summaries, is_lead):
    """All about one kind of entry of a result file, of which the page has these Digests. The page
    opens with the lead's verdict."""
    kind = part.summary.kind
    verdict = "" if is_lead else report_verdict.verdict(part.summary)
    remarks = report_verdict.remarks(part.summary) if kind in report_verdict.MEANS else ""
    if kind == "run":
        body = workload_parts(part)
    elif kind == "micro":
        body = micro_parts(part)
    else:
        body = compared_parts(part, [s for s in summaries if s.kind == "exec"])
    head = [
        f'<section><h2 id="{part.anchor}">{escape(part.title)}</h2>',
        f'<p class="small">{source_line(part.summary, part.source)}</p>',
        f'<div class="verdict">{verdict}{remarks}</div>',
        report_reading.KINDS.get(kind, ""),
    ]
    return "\n".join([*head, *body, "</section>"])


def compared_parts(part, real):
    """What there is of replays and of real programs; `real` are all Digests of these."""
    summary, folder = part.summary, part.folder
    prefix = "" if summary.kind == "replay" else f"{summary.kind}-"
    name = TITLES[summary.kind]
    yield figure(folder / f"{prefix}frontier.svg", f"{name}: time against memory")
    yield report_tables.failures_list(summary)
    yield report_tables.ratio_table(summary, summary.time)
    yield report_tables.ratio_table(summary, digest.RSS)
    yield figure(folder / f"{prefix}time.svg", f"{name}: time")
    yield figure(folder / f"{prefix}memory.svg", f"{name}: peak RSS")
    yield report_prediction.part(summary, real) if summary.kind == "replay" else ""
    yield figure(folder / f"{prefix}limits.svg", f"{name}: the least memory limit survived")
    yield report_latency.curves_part(part) if summary.kind == "replay" else ""
    yield report_subjects.programs_list(summary)
    yield report_subjects.traces_part(part)


def workload_parts(part):
    """What there is of synthetic workloads."""
    summary, folder, name = part.summary, part.folder, TITLES["run"]
    yield report_tables.failures_list(summary)
    yield figure(folder / "run-heat.svg", f"{name}: time and peak RSS")
    yield report_subjects.workloads_list(summary)
    yield figure(folder / "run-threads.svg", f"{name}: throughput by threads")
    yield figure(folder / "run-bounds.svg", f"{name}: memory needed and what theory asks for")
    yield report_tables.ratio_table(summary, summary.time, has_means=False)
    yield report_tables.ratio_table(summary, digest.RSS, has_means=False)


def micro_parts(part):
    """What there is of micro-benchmarks."""
    summary, folder, name = part.summary, part.folder, TITLES["micro"]
    first = {s: summary.cells[s, summary.reference] for s in summary.subjects}
    lone = [subject for subject, cell in first.items() if cell.gap == digest.NOT_RUN]
    shared = [s for s in summary.subjects if s not in lone]
    yield report_tables.failures_list(summary)
    yield figure(folder / "micro-size.svg", f"{name}: time by size")
    yield figure(folder / "micro-calls.svg", f"{name}: ratios of time")
    yield report_tables.ratio_table(summary, summary.time, has_means=False, subjects=shared)
    yield report_tables.times_table(summary, lone)


def source_line(summary, source):
    """Where the numbers come from."""
    context = summary.context
    return (
        f"{escape(source.path.name)} · {digest.subjects_text(summary)}, "
        f"{summary.rounds} interleaved rounds, {digest.interval_text(summary)} · "
        f"{escape(digest.machine_text(context))} · commit {escape(digest.commit_text(context))} · "
        f"{escape(str(context.get('date', 'no date'))[:10])}"
    )
