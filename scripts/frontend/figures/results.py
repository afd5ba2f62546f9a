"""Result files: the only module that opens them. The schema is Google Benchmark's JSON.

One entry of benchmarks[] is one repetition: one iteration is one whole replay or one whole run of
a program, so `iterations` is 1 and `real_time` and `cpu_time` are its time, in milliseconds
(compare.py prints whole numbers, which nanoseconds an operation would be too coarse for);
`ns_per_op` stands beside them. `sys_time` has the same unit, sizes are bytes. Of micro-benchmarks
the times are those of one of many iterations, in nanoseconds; `ns_per_op` is the one that counts. A
failed entry has its times at zero, `error_occurred` and `error_message`, and no figures.

A name is KIND/SUBJECT/ALLOCATOR: replay/sqlite3/jemalloc, micro/pair/64/span. Curves are CSV files
named TRACE.ALLOCATOR.csv in the folder that context["curves"] names, relative to the result file;
beside them lie counts of latencies, TRACE.ALLOCATOR.latency.csv (latency_counts.py).
"""

import csv
import errno
import json
import os
import stat
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from frontend.failure import WORK_FAILED, Failure, blamed_on, io_failure
from frontend.figures import documents
from frontend.visible import HANDLER, without_bytes

LEAST_PLACE = 256 << 10  # bytes that a disk must have left before anything is measured; arbitrary
TIMES = ("real_time", "cpu_time")
MOST_FIGURE = 1e100  # arbitrary; products of two of them are still numbers
WORDS = ("name", "run_type", "error_message")  # of an entry, where there is one
# Parts of the context in which subjects and allocators are looked up.
DESCRIBED = ("traces", "workloads", "programs", "allocators")
REQUIRED = ("name", "iterations", "time_unit") + TIMES
HALF = "\\udc"  # begins a byte in JSON that is no UTF-8; no reader takes that
SURROGATES = ("\\ud", "\\uD")  # begin the escape of one in JSON; UTF-8 itself has none
STDOUT = Path("-")  # in the place of a file to write to


@dataclass(eq=False, slots=True)
class Row:
    """All repetitions of one subject under one allocator. A row is equal to itself alone, so that
    what is made of it can be kept by it."""

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
        return [entry[key] for entry in self.samples if is_figure(entry.get(key))]

    def by_round(self, key):
        """{repetition_index: figure} of the samples that have `key`."""
        return {
            entry.get("repetition_index", 0): entry[key]
            for entry in self.samples
            if is_figure(entry.get(key))
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
    _made: tuple = field(default=(), repr=False, compare=False)  # entries, and the rows of them

    @property
    def rows(self):
        """Rows in the order of their first entry; made once, entries are not changed."""
        if not self._made or len(self._made[0]) != len(self.benchmarks):
            self._made = (list(self.benchmarks), self._make_rows())
        return self._made[1]

    def _make_rows(self):
        """The rows anew."""
        rows = {}
        for entry in self.benchmarks:
            if entry.get("run_type", "iteration") != "iteration":
                continue
            row = rows.get(entry["name"])
            if row is None:
                row = rows[entry["name"]] = Row(*split_name(entry["name"]))
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
        return self._curve_file(f"{trace}.{allocator}.csv")

    def latency_path(self, trace, allocator):
        """The file of how many calls of a replay took how long, or None if there is none."""
        return self._curve_file(latency_file(trace, allocator))

    def _curve_file(self, name):
        """A file beside the results, or None if there is none."""
        folder = self.context.get("curves")
        if not folder or self.path is None:
            return None
        path = Path(self.path).parent / folder / name
        return path if path.exists() else None


def latency_file(trace, allocator):
    """The name of the file of how many calls of a replay took how long."""
    return f"{trace}.{allocator}.latency.csv"


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
    """What all entries begin with. Where several threads work, the figures say so."""
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
        name = entry["name"]
        number, members = families.setdefault(name.rpartition("/")[0], (len(families), {}))
        entry["family_index"] = number
        entry["per_family_instance_index"] = members.setdefault(name, len(members))


def read(path):
    """The Results of a file, which must be there and be valid."""
    document, text = documents.read(path, "result file")
    is_unicode = not any(escape in text for escape in SURROGATES)
    fault = first_fault(document, is_unicode)
    if fault:
        raise Failure(f"{path}: {fault}")
    return Results(document["context"], document["benchmarks"], Path(path))


def first_fault(document, is_unicode=False):
    """What is wrong with a document, or None; `is_unicode` where all its texts are known to be."""
    if not isinstance(document, dict):
        return "no result file: an object is expected"
    if not isinstance(document.get("context"), dict):
        return "no result file: context is missing"
    fault = context_fault(document["context"], is_unicode)
    if fault:
        return fault
    if not isinstance(document.get("benchmarks"), list):
        return "no result file: benchmarks is missing"
    faults = map(entry_fault, document["benchmarks"])
    return next((f"benchmarks[{i}]: {fault}" for i, fault in enumerate(faults) if fault), None)


def context_fault(context, is_unicode=False):
    """What is wrong with a context, or None. Its facts are shown as they are; what is looked up in
    must be objects, and all must be text that can be written."""
    for key in DESCRIBED:
        part = context.get(key, {})
        if isinstance(part, dict) and not all(isinstance(v, (dict, str)) for v in part.values()):
            return f"context: {key}: objects are expected"
    if not is_unicode and not is_writable(json.dumps(context, ensure_ascii=False)):
        return "context: a text is no Unicode"
    return None


def entry_fault(entry):
    """What is wrong with one entry, or None. Aggregates of Google Benchmark need no iterations."""
    if not isinstance(entry, dict):
        return "an object is expected"
    missing = [key for key in REQUIRED if key not in entry]
    if missing:
        return f"{missing[0]} is missing"
    bad = [key for key in WORDS if not is_writable(entry.get(key, ""))]
    if bad:
        return f"{bad[0]} is no text"
    bad = [key for key in TIMES if not is_time(entry[key])]
    if bad:
        return f"{bad[0]} is no time"
    has_index = type(entry.get("repetition_index", 0)) is int
    return None if has_index else "repetition_index is no number"


def is_writable(text):
    """Whether a JSON value is a text that can be written; half a pair of surrogates cannot."""
    try:
        return isinstance(text, str) and text.isascii() or text.encode() is not None
    except (AttributeError, UnicodeError):
        return False


def is_figure(value):
    """Whether a JSON value is a number that can be reckoned with."""
    return type(value) in (int, float) and -MOST_FIGURE < value < MOST_FIGURE


def has_figures(value, keys):
    """Whether a JSON value is an object with a figure under each of the keys."""
    return isinstance(value, dict) and all(is_figure(value.get(key)) for key in keys)


def is_time(value):
    """Whether a JSON value is a number that a time can be."""
    return is_figure(value) and value >= 0


def to_text(results):
    """What a file of the results holds."""
    number_families(results.benchmarks)
    document = {"context": results.context, "benchmarks": results.benchmarks}
    text = json.dumps(document, indent=1, allow_nan=False)
    if HALF not in text:
        return text
    return json.dumps(without_bytes(document), indent=1, allow_nan=False)


def is_stdout(path):
    """Whether an -o means standard output."""
    return str(path) == "-"


def write(path, results):
    """Writes results to path, whole or not at all, and remembers the path in them; `-` is standard
    output."""
    text = to_text(results) + "\n"
    if is_stdout(path):
        sys.stdout.write(text)
        results.path = STDOUT
        return
    with blamed_on(path, WORK_FAILED):
        write_text(Path(path), text)
    results.path = Path(path)


def keep(path, results):
    """As write, if there is a path, but what was measured must be seen even if it is not written:
    the failure waits until check_kept."""
    try:
        if path is not None:
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
        path.write_text(text, encoding="utf-8", errors=HANDLER)
        return
    handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors=HANDLER) as out:
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


def check_folder(path):
    """Fails if an -o that names a folder means standard output."""
    if is_stdout(path):
        raise Failure("-o -: several files are written, so a folder is needed")


def make_folder(path):
    """Makes the folder for the results."""
    check_folder(path)
    with blamed_on(path):
        path.mkdir(parents=True, exist_ok=True)


def check_writable(path, is_trace=False):
    """Fails unless a file can be written to `path`, if there is one, which may replace a trace only
    if `is_trace`; leaves nothing behind."""
    if path is None or is_stdout(path):
        return
    path = Path(path)
    if path.is_dir():
        raise Failure(f"{path}: Is a directory")
    try:
        check_place(path)
        if not is_trace:
            check_no_trace(path)
        if path.exists():
            # A pipe that nobody reads would be waited for, at the end of all work.
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK)
            os.close(handle)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise Failure(f"{path}: nobody reads this pipe") from error
        raise io_failure(error, path) from error


def check_no_trace(path):
    """Fails if the file is a trace: what is no trace is not written over one."""
    if is_trace(path):
        raise Failure(f"{path}: is a trace; name another file to write to")


def is_trace(path):
    """Whether there is a file that begins as a trace does."""
    with suppress(OSError):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                return file.read(len(documents.TRACE)) == documents.TRACE
    return False


def check_replaceable(folder):
    """Fails if a folder of curves, which new ones take the place of, holds anything else."""
    found = sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []
    strange = [path for path in found if path.suffix != ".csv" or path.is_dir()]
    if strange:
        raise Failure(f"{strange[0]}: is no curve, and {folder} would be replaced by new curves")


def check_place(path):
    """Raises OSError if no new file of some size can lie where `path` is to be written."""
    if path.exists() and not path.is_file():
        return
    with tempfile.TemporaryFile(prefix=".spanbench.", dir=path.parent) as file:
        os.posix_fallocate(file.fileno(), 0, LEAST_PLACE)


def read_columns(path):
    """{name: [numbers]} of a CSV file whose first line has the names."""
    try:
        with blamed_on(path), open(path, newline="", encoding="utf-8") as lines:
            head, *rows = csv.reader(lines)
        return {name: [float(row[i]) for row in rows] for i, name in enumerate(head)}
    except (ValueError, IndexError) as error:
        raise Failure(f"{path}: no table of numbers: {error}") from error
