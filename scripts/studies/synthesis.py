"""How like its original a synthesised trace is to allocators: instructions, memory and CPU time of
both, each allocator against the first one.

Instructions are callgrind's, in the allocator and what it calls, in recorded order on one thread,
as the gate counts them; they and memory hardly depend on what else the machine does. CPU time does.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from frontend.failure import WORK_FAILED, Failure, io_failure
from frontend.comparing.compare_table import markdown_line
from frontend.figures import stats
from frontend.gate import gate_subjects
from frontend.measuring import deterministic, driver, traces
from frontend.measuring.campaign import RunFailed
from frontend.measuring.trace_tool import run_trace
from frontend.progress import say

KEPT = ("instructions", "peak_rss", "waste")


@dataclass(frozen=True)
class Relation:
    """A figure by which both traces are compared."""

    key: str
    title: str
    against_first: bool  # as a ratio to the first allocator, or by itself

    def value(self, figures, allocator, first):
        """What of the figures of one trace is compared; None where it was not measured."""
        mine, other = figures[allocator].get(self.key), figures[first].get(self.key)
        if mine is None or other is None:
            return None
        if self.key == "waste":
            mine, other = 1 + mine, 1 + other
        return mine / other if self.against_first else mine


RELATIONS = (
    Relation("instructions", "instructions", True),
    Relation("cpu_time_ns", "CPU time", True),
    Relation("peak_rss", "peak RSS", True),
    Relation("waste", "RSS per live byte", True),
    Relation("peak_rss", "peak RSS itself", False),
    Relation("waste", "RSS per live byte itself", False),
)


def synthesise(trace, folder, words):
    """The Trace that `trace synth` makes of a Trace, with further options."""
    path = Path(folder) / f"{trace.name}.trace"
    if run_trace("synth", *words, "-o", path, "--", trace.path):
        raise Failure(f"{trace.path}: cannot be synthesised", WORK_FAILED)
    (made,) = traces.load([path])
    return made


def measure(trace, allocators, links, rounds):
    """{allocator: figures} of one Trace; `rounds` of CPU time, whose least counts."""
    subject = gate_subjects.from_trace(trace, True)
    jobs = [(subject, allocator) for allocator in allocators]
    keys = (*deterministic.KEYS, "waste")
    found = deterministic.measure_all(jobs, links, keys)
    for allocator, figures in zip(allocators, found):
        if isinstance(figures, RunFailed):
            raise Failure(f"{trace.name} on {allocator.name}: {figures}", WORK_FAILED)
    kept = {
        allocator.name: {key: figures[key] for key in KEPT}
        for allocator, figures in zip(allocators, found)
    }
    for _ in range(rounds):
        for allocator in allocators:
            words = ["--touch", "page", "--threads", "serial", str(trace.path)]
            done = driver.run_once("replay", allocator, words, links, deterministic.TIMEOUT_S)
            times = kept[allocator.name].setdefault("times", [])
            times.append(done["cpu_time_ns"])
    for figures in kept.values():
        if "times" in figures:
            figures["cpu_time_ns"] = stats.median(figures.pop("times"))
    return kept


class Record:
    """What was measured of originals, kept in a file: they need not be measured for each change of
    the model."""

    def __init__(self, path):
        self.path = path
        self.figures = {}
        if path and path.exists():
            try:
                self.figures = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise Failure(f"{path}: no record of originals") from error

    def original(self, trace, allocators, links, rounds):
        """The figures of an original, measured where they are not known."""
        known = self.figures.get(trace.name, {})
        if not all(allocator.name in known for allocator in allocators):
            known = self.figures[trace.name] = measure(trace, allocators, links, rounds)
            self.write()
        return known

    def write(self):
        """Keeps what there is."""
        if not self.path:
            return
        try:
            self.path.write_text(json.dumps(self.figures, indent=1), encoding="utf-8")
        except OSError as error:
            raise io_failure(error, self.path) from error


def compare(trace, allocators, links, options, record, folder):
    """{relation: {allocator: (original, synthesised)}} of a Trace."""
    say(f"{trace.name}")
    made = synthesise(trace, folder, options.synth)
    new = measure(made, allocators, links, options.rounds)
    made.path.unlink()
    old = record.original(trace, allocators, links, options.rounds)
    first = allocators[0].name
    pairs = {}
    for number, relation in enumerate(RELATIONS):
        names = [a.name for a in allocators if not (relation.against_first and a.name == first)]
        both = {n: (relation.value(old, n, first), relation.value(new, n, first)) for n in names}
        if None not in {value for pair in both.values() for value in pair}:
            pairs[number] = both
    return pairs


def distance(pairs):
    """The geometric mean of how far two values are apart: 0.1 is a tenth, either way."""
    logs = [abs(math.log(new / old)) for old, new in pairs]
    return math.exp(sum(logs) / len(logs)) - 1


def page(compared):
    """The lines of the report, Markdown: {trace: what `compare` gives}."""
    lines = []
    for number, relation in enumerate(RELATIONS):
        rows = {trace: pairs[number] for trace, pairs in compared.items() if number in pairs}
        if rows:
            lines += ["", *relation_table(relation, rows)]
    return lines


def relation_table(relation, rows):
    """One table: of each trace and allocator the original's value, the synthesised one's, and how
    far they are apart."""
    names = list(next(iter(rows.values())))
    scale = 1 if relation.against_first or relation.key == "waste" else 1 << 20
    head = [relation.title, *names, "apart"]
    body = [
        [trace]
        + [f"{both[n][0] / scale:.2f} / {both[n][1] / scale:.2f}" for n in names]
        + [f"{distance(both.values()):.0%}"]
        for trace, both in rows.items()
    ]
    columns = [distance([both[n] for both in rows.values()]) for n in names]
    whole = distance([pair for both in rows.values() for pair in both.values()])
    body.append(["apart", *(f"{column:.0%}" for column in columns), f"{whole:.0%}"])
    rule = [":--", *(["--:"] * (len(head) - 1))]
    return [markdown_line(cells) for cells in (head, rule, *body)]
