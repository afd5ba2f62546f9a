"""Threaded traces of the corpus, replayed on their own threads over and over under several
allocators: does any run crash, hang, call NULL what it should not, or do other work? What counts is
how runs end; times are not looked at, so several run side by side, which also mixes threads more.
"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from frontend.allocators.preload import Links
from frontend.counted import counted
from frontend.failure import WORK_FAILED
from frontend.figures.table import console, new_table
from frontend.measuring import replays, traces
from frontend.measuring.campaign import RunFailed
from frontend.measuring.running import TIMED_OUT
from frontend.progress import progress, say

FINE, FAILED, HUNG = ENDS = ("fine", "failed", "hung")


@dataclass(frozen=True, eq=False)
class Subject:
    """A trace under an allocator."""

    trace: object  # traces.Trace
    allocator: object  # of the registry

    @property
    def name(self):
        """For people."""
        return f"{self.trace.name} on {self.allocator.name}"


def threaded(paths=()):
    """The Traces in the files, or those of the corpus, that have several threads."""
    loaded = traces.load(paths) if paths else traces.corpus()
    return [trace for trace in loaded if replays.thread_count(trace, replays.ORIGINAL) > 1]


def run(loaded, allocators, runs, timeout, workers):
    """{Subject: Counter of ENDS} of so many runs of each, fewer where it is interrupted; prints a
    line for what was not fine as soon as it is known. Subjects take turns."""
    subjects = [Subject(trace, allocator) for trace in loaded for allocator in allocators]
    counts = {subject: Counter() for subject in subjects}
    with Links() as links, progress() as shown, ThreadPoolExecutor(workers) as pool:
        manner = replays.Manner(timeout=timeout, links=links)
        try:
            for number in range(runs):
                shown.begin_round(number, runs, len(subjects))
                ends = pool.map(lambda subject: end_of(subject, manner), subjects)
                for subject, (end, why) in zip(subjects, ends):
                    shown.begin_step(subject.trace.name, subject.allocator.name)
                    counts[subject][end] += 1
                    if why:
                        say(f"{subject.name}, run {number + 1}: {why}")
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            say("interrupted: the runs so far")
    return counts


def end_of(subject, manner):
    """(how a run ended, why if it was not fine)."""
    trace = subject.trace
    try:
        done = replays.one_pass(replays.SPEED, trace, subject.allocator, manner)
    except RunFailed as reason:
        return (HUNG if TIMED_OUT in str(reason) else FAILED), str(reason)
    if done["ops"] != calls_of(trace):
        return FAILED, f"{counted(done['ops'], 'call')}, where the trace has {calls_of(trace)}"
    return FINE, ""


def calls_of(trace):
    """How many calls a replay of a Trace makes: all but those that failed when it was recorded."""
    kinds = trace.info["by_kind"]
    return trace.info["ops"] - trace.info["failed"] - kinds["thread_start"] - kinds["thread_end"]


def show(counts, allocators):
    """Prints how the runs ended, a row for each allocator; the exit status."""
    table = new_table("allocator", numbers=("runs", *ENDS))
    sums = {allocator.name: Counter() for allocator in allocators}
    for subject, ends in counts.items():
        sums[subject.allocator.name].update(ends)
    for name, ends in sums.items():
        table.add_row(name, *(f"{n:,}" for n in (ends.total(), *(ends[end] for end in ENDS))))
    console().print(table)
    return WORK_FAILED if any(ends[FAILED] or ends[HUNG] for ends in sums.values()) else 0
