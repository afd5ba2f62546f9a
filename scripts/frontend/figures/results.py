"""Result files: the only module that opens them. The schema is Google Benchmark's JSON.

One entry of benchmarks[] is one repetition: one iteration is one whole replay or one whole run of
a program, so `iterations` is 1 and `real_time` and `cpu_time` are its time, in milliseconds
(compare.py prints whole numbers, which nanoseconds an operation would be too coarse for);
`ns_per_op` stands beside them. `sys_time` has the same unit, sizes are bytes. Of micro-benchmarks
the times are those of one of many iterations, in nanoseconds; `ns_per_op` is the one that counts. A
failed entry has its times at zero, `error_occurred` and `error_message`, and no figures.

A name is KIND/SUBJECT/ALLOCATOR: replay/sqlite3/jemalloc, micro/pair/64/span. Curves are CSV files
named TRACE.ALLOCATOR.csv in the folder that context["curves"] names, relative to the result file.
"""

import csv
import json
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from frontend.failure import BAD_INPUT, WORK_FAILED, Failure, io_failure

LEAST_PLACE = 256 << 10  # bytes that a disk must have left before anything is measured; arbitrary
TIMES = ("real_time", "cpu_time")
REQUIRED = ("name", "iterations", "time_unit") + TIMES


@dataclass
class Row:
    """All repetitions of one subject under one allocator."""

    kind: str  # replay, exec
    subject: str  # the trace, the command
    allocator: str
    samples: list = field(default_factory=list)  # entries that succeeded, in order
    failures: list = field(default_factory=list)  # entries that failed

    @property
    def name(self):
        """As in the entries."""
        return f"{self.kind}/{self.subject}/{self.allocator}"

    def values(self, key):
        """The figure `key` of every sample that has it, in order of repetition."""
        return [entry[key] for entry in self.samples if key in entry]

    def by_round(self, key):
        """{repetition_index: figure} of the samples that have `key`."""
        return {
            entry.get("repetition_index", 0): entry[key] for entry in self.samples if key in entry
        }

    @property
    def error(self):
        """What went wrong first, or None."""
        return self.failures[0].get("error_message", "failed") if self.failures else None


@dataclass
class Results:
    """A result file in memory."""

    context: dict
    benchmarks: list
    path: Path = None  # where it was read from or written to
    unwritten: Failure = None  # why it could not be kept

    @property
    def rows(self):
        """Rows in the order of their first entry."""
        rows = {}
        for entry in self.benchmarks:
            if entry.get("run_type", "iteration") != "iteration":
                continue
            kind, subject, allocator = split_name(entry["name"])
            row = rows.setdefault(entry["name"], Row(kind, subject, allocator))
            (row.failures if entry.get("error_occurred") else row.samples).append(entry)
        return list(rows.values())

    def row(self, kind, subject, allocator):
        """One row, or None."""
        name = f"{kind}/{subject}/{allocator}"
        return next((row for row in self.rows if row.name == name), None)

    def kinds(self):
        """The kinds present, in order."""
        return unique(row.kind for row in self.rows)

    def subjects(self, kind):
        """Traces or commands of a kind, in order."""
        return unique(row.subject for row in self.rows if row.kind == kind)

    def allocators(self, kind=None):
        """Allocators (of a kind), in order."""
        return unique(row.allocator for row in self.rows if kind in (None, row.kind))

    def curve(self, trace, allocator):
        """Columns {name: [numbers]} of the curve of a replay, or None if there is none."""
        path = self.curve_path(trace, allocator)
        return read_columns(path) if path else None

    def curve_path(self, trace, allocator):
        """The file of the curve of a replay, or None if there is none."""
        folder = self.context.get("curves")
        if not folder or self.path is None:
            return None
        path = Path(self.path).parent / folder / f"{trace}.{allocator}.csv"
        return path if path.exists() else None


def unique(values):
    """The values without repetition, in order."""
    return list(dict.fromkeys(values))


def split_name(name):
    """(kind, subject, allocator) of an entry's name; what is missing is empty."""
    kind, _, rest = name.partition("/")
    subject, _, allocator = rest.rpartition("/")
    return kind, subject, allocator


def sample(name, repetition, times_ms, figures):
    """An entry that succeeded; repetition is (index, count), times_ms (real, cpu)."""
    entry = entry_head(name, repetition)
    entry.update(iterations=1, real_time=times_ms[0], cpu_time=times_ms[1], time_unit="ms")
    return {**entry, **figures}


def failed(name, repetition, message):
    """An entry that failed."""
    entry = entry_head(name, repetition)
    entry.update(iterations=0, real_time=0.0, cpu_time=0.0, time_unit="ms")
    return {**entry, "error_occurred": True, "error_message": message}


def entry_head(name, repetition):
    """What all entries begin with. Replays and runs are timed as one thread's work."""
    index, count = repetition
    return {
        "name": name,
        "family_index": 0,
        "per_family_instance_index": 0,
        "run_name": name,
        "run_type": "iteration",
        "repetitions": count,
        "repetition_index": index,
        "threads": 1,
    }


def number_families(benchmarks):
    """Sets family_index (the subject) and per_family_instance_index (the allocator in it)."""
    families = {}
    for entry in benchmarks:
        family = families.setdefault(entry["name"].rpartition("/")[0], [])
        if entry["name"] not in family:
            family.append(entry["name"])
    order = list(families)
    for entry in benchmarks:
        family = entry["name"].rpartition("/")[0]
        entry["family_index"] = order.index(family)
        entry["per_family_instance_index"] = families[family].index(entry["name"])


def read(path):
    """The Results of a file, which must be there and be valid."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise io_failure(error, path) from error
    except ValueError as error:
        raise Failure(f"{path}: no JSON: {error}") from error
    fault = first_fault(document)
    if fault:
        raise Failure(f"{path}: {fault}")
    return Results(document["context"], document["benchmarks"], Path(path))


def first_fault(document):
    """What is wrong with a document, or None."""
    if not isinstance(document, dict):
        return "no result file: an object is expected"
    if not isinstance(document.get("context"), dict):
        return "no result file: context is missing"
    if not isinstance(document.get("benchmarks"), list):
        return "no result file: benchmarks is missing"
    faults = (entry_fault(entry) for entry in document["benchmarks"])
    return next((f"benchmarks[{i}]: {fault}" for i, fault in enumerate(faults) if fault), None)


def entry_fault(entry):
    """What is wrong with one entry, or None. Aggregates of Google Benchmark need no iterations."""
    if not isinstance(entry, dict):
        return "an object is expected"
    missing = [key for key in REQUIRED if key not in entry]
    if missing:
        return f"{missing[0]} is missing"
    bad = [key for key in TIMES if not is_time(entry[key])]
    return f"{bad[0]} is no time" if bad else None


def is_time(value):
    """Whether a JSON value is a number that a time can be."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and 0 <= value < float("inf")


def to_text(results):
    """What a file of the results holds."""
    number_families(results.benchmarks)
    document = {"context": results.context, "benchmarks": results.benchmarks}
    return json.dumps(document, indent=1, allow_nan=False)


def write(path, results):
    """Writes results to path, whole or not at all, and remembers the path in them."""
    text = to_text(results) + "\n"
    try:
        write_text(Path(path), text)
    except OSError as error:
        raise io_failure(error, path, WORK_FAILED) from error
    results.path = Path(path)


def keep(path, results):
    """As write, but what was measured must be seen even if it cannot be written: the failure waits
    until check_kept."""
    try:
        write(path, results)
    except Failure as failure:
        results.unwritten = failure


def check_kept(results):
    """Fails if the results could not be kept. To be called when they have been shown."""
    if results.unwritten:
        raise results.unwritten


def write_text(path, text):
    """Replaces the file; what is no regular file (/dev/stdout) is written to as it is."""
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        path.write_text(text, encoding="utf-8")
        return
    handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(beside, 0o666 & ~current_umask())
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def current_umask():
    """The umask; it can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def make_folder(path):
    """Makes the folder for the results."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from error


def check_writable(path):
    """Fails unless a file can be written to `path`; leaves nothing behind."""
    path = Path(path)
    if path.is_dir():
        raise Failure(f"{path}: is a directory", BAD_INPUT)
    try:
        check_place(path)
        if path.exists():
            with open(path, "ab"):
                return
    except OSError as error:
        raise io_failure(error, path) from error


def check_place(path):
    """Raises OSError if no new file of some size can lie where `path` is to be written."""
    if path.exists() and not path.is_file():
        return
    with tempfile.TemporaryFile(prefix=".spanbench.", dir=path.parent) as file:
        os.posix_fallocate(file.fileno(), 0, LEAST_PLACE)


def replace_folder(source, target):
    """Moves the folder of new curves into the place of the old ones."""
    try:
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(source, target)
    except OSError as error:
        shutil.rmtree(target, ignore_errors=True)
        raise io_failure(error, target, WORK_FAILED) from error


def read_columns(path):
    """{name: [numbers]} of a CSV file whose first line has the names."""
    try:
        with open(path, newline="", encoding="utf-8") as lines:
            head, *rows = csv.reader(lines)
        return {name: [float(row[i]) for row in rows] for i, name in enumerate(head)}
    except OSError as error:
        raise io_failure(error, path) from error
    except (ValueError, IndexError) as error:
        raise Failure(f"{path}: no table of numbers: {error}") from error
