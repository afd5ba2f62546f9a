"""Writes one self-contained page from result files. The templates say what stands on it in which
order; what their tables, charts and sentences hold comes from the modules beside this one.
"""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2

from frontend.allocators.registry import FLOOR
from frontend.charts import charts, palette
from frontend.counted import counted
from frontend.failure import Failure
from frontend.figures import decision, digest, results, together
from frontend.page import report_figures, report_tables, report_verdict

PAGE_NAME = "report.html"
TITLE = "spanbench: allocators compared"
TITLES = {
    "replay": "Replayed traces",
    "run": "Synthetic workloads",
    "micro": "Micro-benchmarks",
    "exec": "Real programs",
}
CONTEXT_KEYS = (
    *("date", "cpu", "num_cpus", "governor", "thp", "aslr", "kernel", "libc", "compiler"),
    *("flags", "commit", "dirty", "load_before", "touch", "thread_order", "command"),
)


def main_report(results_paths, out_dir):
    """Makes the page and prints where it is; the exit status."""
    print(write_report(results_paths, out_dir))
    return 0


@dataclass(frozen=True)
class Advice:
    """What a page opens with that tells which allocator one program should use."""

    program: str
    facts: dict  # {label: parts} of the lines that are printed, too
    notes: list  # what else bears on how sure they are


def write_report(results_paths, out_dir, advice=None):
    """Draws the charts of result files and writes report.html into out_dir; the path of that. It
    opens with the Advice, if there is one, else with who is best by the figures."""
    path = Path(out_dir) / PAGE_NAME
    sources = [read_source(source) for source in results_paths]
    if path.parent.is_dir():
        results.check_writable(path)
    with together.files_in(path.parent) as place:
        results.check_writable(path)
        folders = chart_folders(sources, place)
        for source, folder in zip(sources, folders):
            charts.draw_all(source, folder)
        page = make_page(list(zip(sources, folders)), Path(out_dir), advice)
        results.write_text(place / PAGE_NAME, page)
    return path


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


@cache
def templates():
    """The templates of the page, which take nothing for markup that is not said to be safe."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["share_definitions"] = report_figures.share_definitions
    made.globals.update(
        counted=counted,
        digest=digest,
        figures=report_figures,
        floor=FLOOR,
        margin=f"{100 * decision.MARGIN:g} %",
        relpath=os.path.relpath,
        tables=report_tables,
        verdicts=report_verdict,
    )
    return made


def make_page(sources, out_dir, advice=None):
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
    return (
        templates()
        .get_template("page.html.j2")
        .render(
            title=f"spanbench: which allocator for {advice.program}?" if advice else TITLE,
            advice=advice,
            colours={
                "light": report_figures.colour_variables(lambda colour: colour),
                "dark": report_figures.colour_variables(palette.dark_of),
            },
            script=(Path(__file__).parent / "templates" / "page.js").read_text(encoding="utf-8"),
            parts=parts,
            summaries=summaries,
            lead=report_verdict.lead(summaries),
            files=[source for source, _ in sources],
            facts_of=context_facts,
            curves_folder=curves_folder,
            out_dir=out_dir,
        )
    )


def title_of(part, kinds):
    """The heading of a part (summary, source, ...), with the file if there are more of its kind."""
    kind, path = part[0].kind, part[1].path.absolute()
    return TITLES[kind] + (f", {path.parent.name}/{path.name}" if kinds.count(kind) > 1 else "")


@dataclass(frozen=True)
class Part:
    """One kind of entry of one result file, as a part of the page."""

    summary: digest.Digest
    source: results.Results
    folder: Path  # where its charts lie
    title: str  # its heading
    anchor: str  # the id of its heading; those within begin with it
    out_dir: Path  # where the page will lie

    @property
    def name(self):
        """What its charts are of."""
        return TITLES[self.summary.kind]

    @property
    def source_text(self):
        """Where the numbers come from."""
        summary, context = self.summary, self.summary.context
        return (
            f"{self.source.path.name} · {digest.subjects_text(summary)}, "
            f"{counted(summary.rounds, 'interleaved round')}, {digest.interval_text(summary)} · "
            f"{digest.machine_text(context)} · commit {digest.commit_text(context)} · "
            f"{digest.date_text(context)}"
        )

    @property
    def workloads(self):
        """[(workload, what it does)], where the result file tells."""
        told, subjects = self.summary.context.get("workloads", {}), self.summary.subjects
        found = {s.partition("/threads:")[0]: told.get(s, {}).get("summary") for s in subjects}
        return [(name, text) for name, text in found.items() if text]

    @property
    def programs(self):
        """[(program, what it was told to do)], where the result file tells."""
        told = self.summary.context.get("programs", {})
        return [(s, str(told[s])) for s in self.summary.subjects if told.get(s)]

    def trace(self, subject):
        """{"command": of the recorded program, "texts": what is known of a trace, in words}."""
        facts = self.summary.context.get("traces", {}).get(subject, {})
        origin = facts.get("origin") if isinstance(facts.get("origin"), dict) else {}
        known = {**origin, **facts}
        return {"command": known.get("command"), "texts": list(trace_facts(known))}

    def files(self, subject):
        """{what they hold: {allocator: path}} of the files of a trace beside the results."""
        kinds = {
            "Curves": self.source.curve_path,
            "Counts of latencies": self.source.latency_path,
        }
        names = self.summary.allocators
        return {
            title: {name: path for name in names if (path := path_of(subject, name))}
            for title, path_of in kinds.items()
        }


def trace_facts(known):
    """What is known of a trace and its origin, in words."""
    yield from (str(known[key]) for key in ("program", "version") if known.get(key))
    if known.get("ops"):
        yield counted(known["ops"], "operation")
    kinds = {k: n for k, n in known.get("by_kind", {}).items() if n and "thread" not in k}
    yield from (f"{count:,} {kind}" for kind, count in kinds.items())
    if known.get("threads"):
        yield counted(known["threads"], "thread")
    if known.get("handoffs"):
        yield f"{counted(known['handoffs'], 'block')} handed from thread to thread"
    if known.get("peak_live"):
        yield f"peak live {digest.number_text(known['peak_live'] / digest.MIB)} MiB"
    if known.get("bytes_requested"):
        yield f"requested {digest.number_text(known['bytes_requested'] / digest.MIB)} MiB in all"


def context_facts(context):
    """[(name, text)] of what is known of the machine, the build and each allocator."""
    known = [(key, context[key]) for key in CONTEXT_KEYS if key in context]
    allocators = context.get("allocators", {}).items()
    return known + [(name, allocator_text(facts)) for name, facts in allocators]


def allocator_text(facts):
    """Version, file, build-id and settings of an allocator."""
    settings = " ".join(f"{key}={value}" for key, value in facts.get("settings", {}).items())
    parts = [facts.get("version"), facts.get("path"), facts.get("build_id"), settings]
    return " · ".join(str(part) for part in parts if part)


def curves_folder(source):
    """Where the curves of a result file lie, or None."""
    folder = source.context.get("curves")
    path = Path(source.path).parent / folder if folder else None
    return path if path and path.is_dir() else None
