"""The compact file of samples (results/readme.json) of which README.md's table and chart are made:
of each result file the replays and real programs with the two figures that the tables need, and
the part of the context that captions name. It is no result file: nothing else reads it.

{"sources": {STEM: {"context": {...}, "rows": {KIND/SUBJECT/ALLOCATOR: {FIGURE: [one a round],
"failed": {ROUND: message}}}}}}, a row on a line. STEM is the result file's name without .json; a
round that failed has null for its figures.
"""

import json

from frontend.allocators import registry
from frontend.failure import Failure
from frontend.figures import documents, results
from frontend.figures.metrics import RSS, TIME

KINDS = ("replay", "exec")
FACTS = ("date", "commit", "dirty", "cpu", "num_cpus", "kernel", "libc", "touch", "threads_mode")
FAILED = "failed"


def to_text(sources):
    """What a file of samples holds of some Results, each named by its path."""
    parts = [f"{json.dumps(source.path.stem)}: {source_text(source)}" for source in sources]
    return '{"sources": {\n%s\n}}\n' % ",\n".join(parts)


def source_text(source):
    """One result file: its context on a line, then each row on a line of its own."""
    rows = [row for row in source.rows if row.kind in KINDS and row.allocator != registry.FLOOR]
    lines = [f"{json.dumps(row.name)}: {json.dumps(figures_of(row))}" for row in rows]
    context = json.dumps(context_of(source.context, {row.allocator for row in rows}))
    return '{"context": %s,\n"rows": {\n%s\n}}' % (context, ",\n".join(lines))


def context_of(context, allocators):
    """The facts that captions and heads of tables name."""
    facts = {key: context[key] for key in FACTS if key in context}
    described = context.get("allocators", {})
    versions = {n: {"version": d.get("version", "")} for n, d in described.items()}
    return {**facts, "allocators": {n: v for n, v in versions.items() if n in allocators}}


def figures_of(row):
    """The figures of a row by round, and what failed."""
    entries = [*row.samples, *row.failures]
    rounds = 1 + max((entry.get("repetition_index", 0) for entry in entries), default=-1)
    found = {}
    for key in keys_of(row.kind):
        values = row.by_round(key)
        found[key] = [values.get(i) for i in range(rounds)]
    messages = {e.get("repetition_index", 0): e.get("error_message", "") for e in row.failures}
    return {**found, FAILED: messages} if messages else found


def keys_of(kind):
    """The figures that are kept of a kind of entries."""
    return TIME[kind].key, RSS.key


def read(path):
    """[Results] of a file of samples, with the figures and facts that it keeps."""
    document, _ = documents.read(path, "file of samples")
    try:
        found = [
            results.Results(part["context"], entries_in(part), path.with_name(f"{stem}.json"))
            for stem, part in document["sources"].items()
        ]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise Failure(f"{path}: no file of samples: {error!r}") from error
    for source in found:
        fault = results.first_fault({"context": source.context, "benchmarks": source.benchmarks})
        if fault:
            raise Failure(f"{path}: {source.path.stem}: {fault}")
    return found


def entries_in(part):
    """The entries of one source."""
    return [entry for name, row in part["rows"].items() for entry in entries_of(name, row)]


def entries_of(name, row):
    """The entries of a row, one a round."""
    keys = keys_of(name.partition("/")[0])
    rounds = len(row[keys[0]])
    messages = {int(i): message for i, message in row.get(FAILED, {}).items()}
    for i in range(rounds):
        if i in messages:
            yield results.failed(name, (i, rounds), messages[i])
            continue
        figures = {key: row[key][i] for key in keys if row[key][i] is not None}
        times = (figures.get("real_time", 0.0), 0.0)
        yield results.sample(name, (i, rounds), times, figures)
