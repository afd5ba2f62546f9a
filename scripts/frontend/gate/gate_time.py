"""Times base and head: rounds in which each row runs four times, for there are two copies of either
side's file. A round gives two pairs of neighbouring runs, one of either side, and shows how far two
copies of one file are apart, which is what the machine does to figures that should be the same.
"""

import math
from dataclasses import dataclass, field

from frontend.figures import results
from frontend.gate.gate_verdict import Pairs
from frontend.measuring import driver
from frontend.measuring.campaign import RunFailed

COPIES = (0, 1)
PAIRS_A_ROUND = len(COPIES)
BASE, HEAD = "base", "head"
SIDES = (BASE, HEAD)
TIMEOUT_S = 120.0
# Of a replay, the quickest of a few counts. Measured on a shared machine: pairs of three vary half
# as much as pairs of one and take half as long again; more than three gain little.
REPEATS = 3
# Who runs after whom: a side leads as often as the other, and a drift within a round or from round
# to round favours none.
ORDERS = (
    ((BASE, 0), (HEAD, 0), (HEAD, 1), (BASE, 1)),
    ((HEAD, 0), (BASE, 0), (BASE, 1), (HEAD, 1)),
    ((HEAD, 1), (BASE, 1), (BASE, 0), (HEAD, 0)),
    ((BASE, 1), (HEAD, 1), (HEAD, 0), (BASE, 0)),
)


@dataclass
class Row:
    """A Subject under one build, and the times of its runs in milliseconds."""

    subject: object
    build: str
    copies: dict  # {(side, copy): Allocator}
    times: dict = field(default_factory=dict)  # {(side, copy): [ms]}, one a round
    entries: list = field(default_factory=list)  # for the result file
    error: str = None  # why there is no time, for good
    rounds: int = 0
    work: dict = None  # what every run must have done

    @property
    def key(self):
        """What tells rows apart."""
        return self.build, self.subject.name

    @property
    def name(self):
        """As in results, but for the side."""
        return f"{self.subject.kind}/{self.subject.name}/{self.build}".rstrip("/")

    @property
    def label(self):
        """For people."""
        return f"{self.build} {self.subject.name}".strip()

    @property
    def pairs(self):
        """The Pairs of all rounds."""
        logs = [
            math.log(self.times[HEAD, copy][i] / self.times[BASE, copy][i])
            for i in range(self.rounds)
            for copy in COPIES
        ]
        noise = [
            math.log(self.times[side, 1][i] / self.times[side, 0][i])
            for i in range(self.rounds)
            for side in SIDES
        ]
        return Pairs(logs, noise)


def allocator_name(build, side):
    """What a side of a build is called in results; a bare file has no build."""
    return f"{build}-{side}" if build else side


def measure(rows, pairs, links, progress):
    """Measures Rows until each has so many pairs; a Row that fails has an error then."""
    rounds = math.ceil(pairs / PAIRS_A_ROUND)
    progress.begin_round(-1, rounds, len(rows))
    for row in rows:
        if not row.rounds:
            progress.begin_step(row.label, "warm-up")
            run_round(row, links, is_warm_up=True)
    first = min((row.rounds for row in rows), default=0)
    for number in range(first, rounds):
        progress.begin_round(number, rounds, len(rows))
        for row in rows:
            progress.begin_step(row.label, "")
            if row.error is None and row.rounds < rounds:
                run_round(row, links)


def rows_by_build(rows):
    """{build: {subject: Pairs}} of the Rows that did not fail."""
    found = {}
    for row in rows:
        if row.error is None and row.rounds:
            found.setdefault(row.build, {})[row.subject.name] = row.pairs
    return found


def run_round(row, links, is_warm_up=False):
    """Runs a Row once with each copy."""
    done = {}
    try:
        for side, copy in ORDERS[row.rounds % len(ORDERS)]:
            done[side, copy] = run_once(row, row.copies[side, copy], links)
    except RunFailed as reason:
        row.error = f"{side}: {reason}"
        return
    if not is_warm_up:
        keep(row, done)


def run_once(row, allocator, links):
    """What the measuring program prints of one run, which must have done the work of the others."""
    subject = row.subject
    repeated = ["--pass", "speed", "--repeats", str(REPEATS)]
    arguments = repeated if subject.kind == "replay" else []
    arguments += [*subject.time_arguments, *subject.arguments]
    done = driver.run_once(subject.program, allocator, arguments, links, TIMEOUT_S)
    work = {key: done.get(key) for key in subject.work}
    if row.work is None:
        row.work = work
    check_work(done, row.work)
    return done


def check_work(done, work):
    """Fails unless a run has done the work of the others."""
    for key, value in work.items():
        if done.get(key) != value:
            raise RunFailed(f"{key} {done.get(key)}, where the other side has {value}")


def keep(row, done):
    """Takes the figures of a round into the Row."""
    key = f"{row.subject.time_key}_ns"
    for (side, copy), figures in done.items():
        row.times.setdefault((side, copy), []).append(max(1, figures[key]) / 1e6)
        name = f"{row.subject.kind}/{row.subject.name}/{allocator_name(row.build, side)}"
        times_ms = (figures["real_time_ns"] / 1e6, figures["cpu_time_ns"] / 1e6)
        counters = {k: figures[k] for k in ("ops", "checksum") if k in figures}
        counters["ns_per_op"] = figures["real_time_ns"] / max(1, figures["ops"])
        index = row.rounds * PAIRS_A_ROUND + copy
        row.entries.append(results.sample(name, (index, 0), times_ms, {**counters, "copy": copy}))
    row.rounds += 1
