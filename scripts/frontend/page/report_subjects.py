"""The parts of the page that are about single traces, workloads and programs, about the
circumstances of a result file, and where its raw data lie.
"""

import os
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from frontend.figures import digest, results
from frontend.page import report_latency, report_tables, report_threads, report_waste
from frontend.page.report_figures import figure

# The charts of a trace: the beginning of the file's name and what the chart shows.
TRACE_CHARTS = (
    ("blocks", "sizes and lifetimes of blocks"),
    ("curve", "memory over operations"),
    ("held", "what memory is held for at its peak"),
)
CONTEXT_KEYS = (
    *("date", "cpu", "num_cpus", "governor", "thp", "aslr", "kernel", "libc", "compiler"),
    *("flags", "commit", "dirty", "load_before", "touch", "thread_order", "command"),
)


@dataclass(frozen=True)
class Part:
    """One kind of entry of one result file, as a part of the page."""

    summary: digest.Digest
    source: results.Results
    folder: Path  # where its charts lie
    title: str  # its heading
    anchor: str  # the id of its heading; those within begin with it
    out_dir: Path  # where the page will lie


def traces_part(part):
    """A section for each trace, and links to them."""
    if part.summary.kind != "replay":
        return ""
    anchors = {s: f"{part.anchor}-{i}" for i, s in enumerate(part.summary.subjects, 1)}
    links = (f'<li><a href="#{anchors[s]}">{escape(s)}</a></li>' for s in anchors)
    sections = (trace_section(part, subject, anchor) for subject, anchor in anchors.items())
    return (
        f'<h2>Trace by trace</h2><nav aria-label="Traces"><ul>{"".join(links)}</ul></nav>'
        + "".join(sections)
    )


def trace_section(part, subject, anchor):
    """One trace: what the program does, what it asks for, and what comes of it."""
    facts = part.summary.context.get("traces", {}).get(subject, {})
    command = known_of(facts).get("command")
    parts = [
        f'<section class="trace"><h3 id="{anchor}">{escape(subject)}</h3>',
        f"<p><code>{escape(command)}</code></p>" if command else "",
        f'<p class="small">{" · ".join(map(escape, trace_facts(facts)))}</p>',
        report_tables.figures_table(part.summary, subject),
        report_latency.trace_part(part.summary, subject),
        report_waste.trace_part(part.summary, subject),
        report_threads.trace_part(part.summary, subject),
        *(
            figure(part.folder / f"{name}-{subject}.svg", f"{subject}: {text}")
            for name, text in TRACE_CHARTS
        ),
        curves_line(part, subject),
        "</section>",
    ]
    return "".join(parts)


def known_of(facts):
    """The facts of a trace with those of its origin among them."""
    origin = facts.get("origin") if isinstance(facts.get("origin"), dict) else {}
    return {**origin, **facts}


def trace_facts(facts):
    """What is known of a trace, in words."""
    known = known_of(facts)
    yield from (str(known[key]) for key in ("program", "version") if known.get(key))
    if known.get("ops"):
        yield f"{known['ops']:,} operations"
    kinds = {k: n for k, n in known.get("by_kind", {}).items() if n and "thread" not in k}
    yield from (f"{count:,} {kind}" for kind, count in kinds.items())
    if known.get("threads"):
        yield f"{known['threads']} thread{'s' if known['threads'] != 1 else ''}"
    if known.get("handoffs"):
        yield f"{known['handoffs']:,} blocks handed from thread to thread"
    if known.get("peak_live"):
        yield f"peak live {digest.number_text(known['peak_live'] / digest.MIB)} MiB"
    if known.get("bytes_requested"):
        yield f"requested {digest.number_text(known['bytes_requested'] / digest.MIB)} MiB in all"


def workloads_list(summary):
    """What each workload does, where the result file tells."""
    told = summary.context.get("workloads", {})
    found = {}
    for subject in summary.subjects:
        text = told.get(subject, {}).get("summary")
        found[subject.partition("/threads:")[0]] = text and escape(text)
    return definitions("What the workloads do", found)


def programs_list(summary):
    """What each program was told to do, where the result file tells."""
    told = summary.context.get("programs", {}) if summary.kind == "exec" else {}
    found = {s: f"<code>{escape(str(told[s]))}</code>" for s in summary.subjects if told.get(s)}
    return definitions("What the programs are told to do", found)


def definitions(title, texts):
    """A list of {name: HTML} under a heading; nothing without any text."""
    items = [f"<dt>{escape(name)}</dt><dd>{text}</dd>" for name, text in texts.items() if text]
    return f"<h3>{title}</h3><dl>{''.join(items)}</dl>" if items else ""


def context_sections(sources):
    """Under which circumstances each result file came to be."""
    parts = (f"<h3>{escape(s.path.name)}</h3>{context_list(s.context)}" for s in sources)
    return f'<h2 id="context">Context</h2>{"".join(parts)}'


def context_list(context):
    """What is known of the machine, the build and each allocator."""
    known = [(key, context[key]) for key in CONTEXT_KEYS if key in context]
    allocators = context.get("allocators", {}).items()
    known += [(name, allocator_text(facts)) for name, facts in allocators]
    items = "".join(f"<dt>{escape(key)}</dt><dd>{escape(str(value))}</dd>" for key, value in known)
    return f"<dl>{items}</dl>"


def allocator_text(facts):
    """Version, file, build-id and settings of an allocator."""
    settings = " ".join(f"{key}={value}" for key, value in facts.get("settings", {}).items())
    parts = [facts.get("version"), facts.get("path"), facts.get("build_id"), settings]
    return " · ".join(str(part) for part in parts if part)


def link(path, out_dir, text):
    """A link from the page to a file, relative, so that both can be moved together."""
    target = quote(os.path.relpath(path, out_dir))
    return f'<a href="{target}">{escape(text)}</a>'


def curves_line(part, subject):
    """Links to the curves of a trace and to its counts of latencies, where there are any."""
    kinds = (("Curves", part.source.curve_path), ("Counts of latencies", part.source.latency_path))
    return "".join(links_line(part, subject, title, path_of) for title, path_of in kinds)


def links_line(part, subject, title, path_of):
    """Links to one kind of file of a trace, path_of(subject, allocator), where there are any."""
    paths = {name: path_of(subject, name) for name in part.summary.allocators}
    links = [link(path, part.out_dir, name) for name, path in paths.items() if path]
    return f'<p class="small">{title} as CSV: {" · ".join(links)}</p>' if links else ""


def data_section(sources, out_dir):
    """Where the numbers of this page are to be had."""
    items = "".join(
        f"<li>{link(source.path, out_dir, source.path.name)}: every sample, in the schema of "
        f"Google Benchmark's JSON{folder_text(source, out_dir)}</li>"
        for source in sources
    )
    return f'<h2 id="data">Raw data</h2><ul>{items}</ul>'


def folder_text(source, out_dir):
    """Where the curves of a result file lie."""
    folder = source.context.get("curves")
    if not folder or not (Path(source.path).parent / folder).is_dir():
        return ""
    there = link(Path(source.path).parent / folder, out_dir, folder)
    return f"; {there}: memory over operations, counts of latencies"
