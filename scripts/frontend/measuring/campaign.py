"""A measurement: every subject under every allocator, a warm-up round and rounds that count.

It knows the order of the runs and what becomes of those that fail; what a run is, its caller
knows. What is timed has the machine to itself; what is not may have company.

Runs are interleaved, so that a machine that drifts favours nobody, and each comes after each other
thing equally often, so that nobody always finds what the same one left behind: warm memory, or
scattered pages.
"""

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass

from frontend.failure import WORK_FAILED, Failure
from frontend.figures import results
from frontend.lazily import Lazy
from frontend.measuring.running import RunFailed
from frontend.progress import progress

ThreadPoolExecutor = Lazy("concurrent.futures", "ThreadPoolExecutor")

WARM_UP = -1  # the round before the first one that counts
MOST_AT_ONCE = 4  # untimed runs side by side; arbitrary, each may need much memory


@contextmanager
def must_succeed(what):
    """Ends the command where a run within fails; it is told what it was."""
    try:
        yield
    except RunFailed as reason:
        raise Failure(f"{what}: {reason}", WORK_FAILED) from reason


@dataclass(frozen=True)
class Figures:
    """What a run gave."""

    real_ns: int
    cpu_ns: int
    counters: dict
    untimed: object = None  # a function that gives further counters, and may have company


@dataclass
class Campaign:
    """All entries of a measurement."""

    warm_ups: list
    entries: list
    rounds: int


def measure(kind, subjects, allocators, attempt, budget):
    """Runs everything and returns the Campaign.

    Subjects and allocators have a `name`. attempt(subject, allocator, number of the round, WARM_UP
    or from 0) returns Figures or raises RunFailed. What fails in the warm-up is a failed row and is
    not run again. The budget is a Budget or like one: choose_rounds(rounds done, the warm-up
    included) is the number of rounds that shall count, None if not known before the warm-up; it is
    asked again after each round. Before that, leave_out({subject: [seconds that it took in each
    round, the warm-up first]}) names the subjects that are given up, which have warm-ups only.
    """
    names = [f"{kind}/{subject.name}/{a.name}" for subject in subjects for a in allocators]
    broken, given_up = set(), set()
    seconds = {subject.name: [] for subject in subjects}

    def one_round(number, rounds):
        kept = [subject for subject in subjects if subject.name not in given_up]
        shown.begin_round(number, rounds, len(kept) * len(allocators))
        repetition = (max(number, 0), rounds or 1)
        entries = []
        for subject, ordered in in_turn(kept, allocators, number):
            began, runs = time.monotonic(), {}
            for allocator in ordered:
                name = f"{kind}/{subject.name}/{allocator.name}"
                shown.begin_step(subject.name, allocator.name)
                if name not in broken:
                    runs[name] = timed(attempt, subject, allocator, number)
            entries += finished(runs, repetition)
            seconds[subject.name].append(time.monotonic() - began)
        return in_order(entries, names)

    def rounds_after(done):
        """How many rounds shall count, after what is given up has been."""
        given_up.update(budget.leave_out(seconds))
        return budget.choose_rounds(done + 1)

    with progress() as shown:
        warm_ups = one_round(WARM_UP, budget.choose_rounds(0))
        broken.update(e["name"] for e in warm_ups if "error_occurred" in e)
        entries, done = [], 0
        while done < (rounds := rounds_after(done)):
            entries += one_round(done, rounds)
            done += 1
    entries += [again(e) for e in warm_ups if e["name"] in broken]
    entries = [e for e in entries if results.split_name(e["name"])[1] not in given_up]
    for e in entries:
        e["repetitions"] = done
    return Campaign(warm_ups, in_order(entries, names), done)


def balanced(things, number):
    """The things in order `number` of a Williams design (E. J. Williams, Australian Journal of
    Scientific Research 2, 1949): in as many orders as there are things, or in twice as many if that
    is odd, each has each place, and each other one directly in front of it, equally often.
    """
    count = len(things)
    zigzag = [(i + 1) // 2 if i % 2 else -(i // 2) for i in range(count)]
    order = [things[(number + step) % count] for step in zigzag]
    mirrored = count % 2 and number // count % 2
    return order[::-1] if mirrored else order


def in_turn(subjects, allocators, number):
    """(subject, allocators) of a round; the order changes with round and subject."""
    return [(subject, balanced(allocators, number + i)) for i, subject in enumerate(subjects)]


def timed(attempt, subject, allocator, number):
    """The Figures of a run that has the machine to itself, or the RunFailed."""
    try:
        return attempt(subject, allocator, number)
    except RunFailed as reason:
        return reason


def finished(runs, repetition):
    """The entries of {name: Figures or RunFailed}, after the untimed parts, run side by side."""
    workers = min(MOST_AT_ONCE, len(os.sched_getaffinity(0)))
    with ThreadPoolExecutor(workers) as pool:
        complete = pool.map(with_untimed, runs.values())
        return [entry(name, repetition, run) for name, run in zip(runs, complete)]


def with_untimed(run):
    """The Figures with the counters of the untimed part, or the RunFailed."""
    if isinstance(run, RunFailed) or run.untimed is None:
        return run
    try:
        return Figures(run.real_ns, run.cpu_ns, {**run.counters, **run.untimed()})
    except RunFailed as reason:
        return reason


def entry(name, repetition, run):
    """The entry of one run."""
    if isinstance(run, RunFailed):
        return results.failed(name, repetition, str(run))
    return results.sample(name, repetition, (run.real_ns / 1e6, run.cpu_ns / 1e6), run.counters)


def again(failed):
    """The failed row for a failed warm-up."""
    return results.failed(failed["name"], (0, 1), failed["error_message"])


def in_order(entries, names):
    """Entries sorted by the place of their name in names, then by repetition."""
    return sorted(entries, key=lambda e: (names.index(e["name"]), e["repetition_index"]))


def reject_disagreements(entries, reference, keys):
    """Makes failed rows of the entries that did other work than the reference allocator.

    Work is what the figures `keys` say, compared with the first success of the reference of the
    same subject (without one, of any allocator).
    """
    expected = {}
    for e in sorted(entries, key=lambda e: e["name"].rpartition("/")[2] != reference):
        if "error_occurred" not in e:
            expected.setdefault(e["name"].rpartition("/")[0], e)
    return [checked(e, expected.get(e["name"].rpartition("/")[0]), keys) for e in entries]


def checked(e, expected, keys):
    """The entry, or the failed one that takes its place."""
    if "error_occurred" in e:
        return e
    differing = [key for key in keys if e.get(key) != expected.get(key)]
    if not differing:
        return e
    key, other = differing[0], expected["name"].rpartition("/")[2]
    message = f"{key} {e.get(key)}, where {other} has {expected.get(key)}"
    return results.failed(e["name"], (e["repetition_index"], e["repetitions"]), message)
