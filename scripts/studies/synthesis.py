"""How like its original a synthesised trace is to allocators: instructions, memory and CPU time of
both, each allocator against the first one.

Instructions are callgrind's, in the allocator and what it calls, in recorded order on one thread,
as the gate counts them; they and memory hardly depend on what else the machine does. CPU time does;
it is taken in recorded order on one thread as well, of both traces in the same rounds.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from frontend.failure import WORK_FAILED, Failure, blamed_on
from frontend.figures import markdown, stats
from frontend.gate import gate_subjects
from frontend.measuring import deterministic, driver, traces
from frontend.measuring.campaign import RunFailed, must_succeed
from frontend.progress import say
from studies import study

INSTRUCTIONS, TIME = "instructions", "cpu_time_ns"
MEMORY = ("peak_rss", "waste")
REPEATS = 3  # of a replay in one process, of which the quickest counts


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
    Relation(INSTRUCTIONS, "instructions", True),
    Relation(TIME, "CPU time", True),
    Relation("peak_rss", "peak RSS", True),
    Relation("waste", "RSS per live byte", True),
    Relation("peak_rss", "peak RSS itself", False),
    Relation("waste", "RSS per live byte itself", False),
)


def synthesise(trace, folder, words):
    """The Trace that `trace synth` makes of a Trace, with further options."""
    path = Path(folder) / f"{trace.name}.trace"
    if traces.run_tool("synth", *words, "-o", path, "--", trace.path):
        raise Failure(f"{trace.path}: cannot be synthesised", WORK_FAILED)
    (made,) = traces.load([path])
    return made


@dataclass(frozen=True)
class Bench:
    """What measures a trace: on whom, how, and how often."""

    allocators: list
    links: object
    rounds: int = 0  # of CPU time
    counts: bool = True  # whether instructions are counted

    @property
    def names(self):
        """Those of the allocators."""
        return [allocator.name for allocator in self.allocators]

    def measure(self, loaded):
        """[{allocator: figures}] of Traces."""
        found = [self.steady(trace) for trace in loaded]
        for of_trace, times in zip(found, self.times(loaded)):
            for name, values in times.items():
                of_trace[name][TIME] = stats.median(values)
        return found

    def steady(self, trace):
        """{allocator: figures} of what hardly varies of a Trace."""
        subject = gate_subjects.from_trace(trace, self.counts)
        jobs = [(subject, allocator) for allocator in self.allocators]
        kept = {}
        for (_, allocator), figures in zip(
            jobs, deterministic.measure_all(jobs, self.links, (INSTRUCTIONS, *MEMORY))
        ):
            if isinstance(figures, RunFailed):
                raise Failure(f"{trace.name} on {allocator.name}: {figures}", WORK_FAILED)
            told = (key for key in (INSTRUCTIONS, *MEMORY) if key in figures)
            kept[allocator.name] = {key: figures[key] for key in told}
        return kept

    def times(self, loaded):
        """[{allocator: CPU times}] of Traces, all of them in each round."""
        found = [{name: [] for name in self.names if self.rounds} for _ in loaded]
        for _ in range(self.rounds):
            for allocator in self.allocators:
                for trace, times in zip(loaded, found):
                    times[allocator.name].append(self.time(trace, allocator))
        return found

    def time(self, trace, allocator):
        """The CPU time of one replay, the quickest of some."""
        words = ["--pass", "speed", "--repeats", str(REPEATS), "--touch", "page"]
        words += ["--threads", "serial", str(trace.path)]
        timeout_s = deterministic.TIMEOUT_S
        with must_succeed(f"{trace.name} on {allocator.name}"):
            return driver.run_once("replay", allocator, words, self.links, timeout_s)[TIME]


class Record(study.Record):
    """What was measured, {trace: {allocator: figures}}, kept in a file, if there is a path:
    originals need not be measured for each change of the model, and what there is of a study that
    was interrupted can be read."""

    def known(self, trace, names):
        """The figures of a trace on allocators of these names, or None."""
        figures = self.data.get(trace.name, {})
        return figures if all(name in figures for name in names) else None

    def keep(self, trace, figures):
        """Adds the figures of a trace."""
        self.data[trace.name] = figures
        if self.path:
            with blamed_on(self.path):
                self.path.write_text(json.dumps(self.data, indent=1), encoding="utf-8")


def compare(trace, bench, words, records, folder):
    """What `relate` gives of a Trace and one made of it with these words, which is measured, and
    with it the original, if that is not known; records are those of originals and of what was
    made."""
    say(f"{trace.name}")
    made = synthesise(trace, folder, words)
    old = records[0].known(trace, bench.names)
    new, *measured = bench.measure([made] if old else [made, trace])
    made.path.unlink()
    records[1].keep(trace, new)
    if not old:
        (old,) = measured
        records[0].keep(trace, old)
    return relate(old, new, bench.names)


def relate(old, new, allocators):
    """{number of a relation: {allocator: (original, synthesised)}} of figures; the first allocator
    is what others are compared with."""
    first, *others = allocators
    pairs = {}
    for number, relation in enumerate(RELATIONS):
        names = others if relation.against_first else allocators
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
    return markdown.table([head, *body]).splitlines()
