"""What a gate measures: traces that are replayed, and synthetic workloads that are run. A row of
the gate is one of them under one build of the allocator."""

from dataclasses import dataclass
from pathlib import Path

from frontend.failure import Failure
from frontend.guess import meant
from frontend.measuring import driver, replays, traces, workloads
from frontend.paths import CORPUS

# Traces of --quick: those that replay fastest, and of different kinds of programs.
QUICK = ("ffmpeg", "gawk", "git-log", "perl", "sqlite3")
# Those whose instructions are counted, each for some five seconds: they disagree in sizes,
# lifetimes and calls. A workload or a trace that the user names is always counted.
COUNTED = ("ffmpeg", "gawk", "git-log", "jq", "lua", "redis", "xmllint")
SUFFIX = ".trace"


@dataclass(frozen=True)
class Subject:
    """One trace or one workload."""

    kind: str  # replay, run: the first part of names in results
    name: str
    thing: object  # the Trace or the Workload
    is_counted: bool = True

    @property
    def program(self):
        """The first part of the measuring program's name."""
        return "replay" if self.kind == "replay" else "workload"

    @property
    def is_deterministic(self):
        """Whether the same calls come in the same order in every run."""
        return self.kind == "replay" or self.thing.threads == 1

    @property
    def time_key(self):
        """Which time decides: CPU time, in which no waiting for a processor is, but for threads
        that work together, whose waiting for each other is part of the matter."""
        is_alone = self.is_deterministic and not self.is_threaded
        return "cpu_time" if is_alone else "real_time"

    @property
    def is_threaded(self):
        """Whether it is a trace that is timed on several threads. What hardly varies of it is taken
        in recorded order on one: on threads it varies."""
        is_replay = self.kind == "replay"
        return is_replay and replays.thread_count(self.thing, replays.ORIGINAL) > 1

    @property
    def time_arguments(self):
        """What the measuring program is told besides where time is taken."""
        return replays.thread_arguments(self.thing) if self.kind == "replay" else []

    @property
    def arguments(self):
        """What the measuring program is told."""
        if self.kind == "replay":
            return ["--touch", replays.Manner().touch, str(self.thing.path)]
        threads = ["--threads", str(self.thing.threads)]
        return [*self.thing.arguments, *threads, self.thing.facts["name"]]

    @property
    def work(self):
        """The figures that must agree between the sides."""
        return () if self.kind == "run" and self.thing.facts["varies"] else replays.WORK


def standard(is_quick):
    """The Subjects of a gate to which nothing was named."""
    loaded = traces.standard()
    if is_quick:
        loaded = [trace for trace in loaded if trace.name in QUICK]
    return [from_trace(trace, trace.name in COUNTED) for trace in loaded]


def resolve(words):
    """The Subjects of names of the corpus, trace files and names of workloads, each but once."""
    known = workloads.read_list()
    found = [from_word(word, known) for word in words]
    names = [subject.name for subject in found]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise Failure(f"{twice[0]}: is named twice; rows are told apart by name")
    return found


def from_word(word, known):
    """The Subject of one word; `known` are the workloads."""
    if "/" in word or word.endswith(SUFFIX):
        return from_trace(traces.load([Path(word)])[0])
    path = CORPUS / f"{word}{SUFFIX}"
    if path.exists():
        return from_trace(traces.load([path])[0])
    if word in known:
        return from_workload(known[word])
    corpus = [path.stem for path in sorted(CORPUS.glob(f"*{SUFFIX}"))]
    raise Failure(
        f"{word}: neither a trace of the corpus nor a workload (`spanbench run` lists them);"
        f" a trace file's name has a / or ends in {SUFFIX}{meant(word, [*corpus, *known])}"
    )


def from_trace(trace, is_counted=True):
    """The Subject of a Trace."""
    return Subject("replay", trace.name, trace, is_counted)


def from_workload(facts):
    """The Subject of a workload, as the program lists it, as small as `bench` has it."""
    quick = {name: tuple(words.split()) for name, _, words in workloads.QUICK}
    (workload,) = workloads.with_threads(facts, [], quick.get(facts["name"], ()))
    return Subject("run", workload.name, workload)


def check_programs(subjects, allocators):
    """Fails if a program that the runs need is not built."""
    for program in {subject.program for subject in subjects}:
        driver.check_programs(program, allocators)


def describe(subjects):
    """What the context of a result file says of them."""
    return {
        "traces": {s.name: traces.describe(s.thing) for s in subjects if s.kind == "replay"},
        "workloads": {s.name: workloads.describe(s.thing) for s in subjects if s.kind == "run"},
    }
