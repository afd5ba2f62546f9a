"""What follows from the figures for one program: which allocator it should use, and what that
brings. The verdicts are those of figures/decision; here it is only said what to do about them. It
measures nothing and prints nothing.
"""

from dataclasses import dataclass, field

from frontend.figures import decision, stats
from frontend.figures.decision import BETTER, SAME, WORSE
from frontend.figures.digest import digest
from frontend.figures.metrics import CPU, RSS, TIME

REAL, REPLAY = "exec", "replay"  # where figures are from, as the entries are named
# What the real saving was, of the one that a replay predicts: the least and the most of four
# measurements of a dozen programs under four allocators (docs/method.md has the last one), but for
# z3's under span-fast: huge pages serve its own accesses, which no replay makes.
REAL_SAVING = (0.34, 4.2)
LEAST_S = 1e-3  # of processor time; shorter ones are not told apart


@dataclass(frozen=True)
class Asked:
    """What the program asks of malloc: the one of its processes that is looked at."""

    program: str
    calls: int  # of malloc, free and their like, as far as they are recorded
    seconds: float  # in which they were made
    mean_size: float  # bytes; of the requests, not of the frees
    peak_live: int  # bytes
    threads: int
    processes: int  # that made calls, this one among them
    share: float  # of the calls of all of them

    @property
    def calls_per_second(self):
        """While it was recorded."""
        return self.calls / self.seconds


def asked_of(info, program, seconds, all_calls):
    """The Asked of a trace: its info, in how many seconds it was recorded, and the number of calls
    of each process."""
    kinds = info["by_kind"]
    calls = info["ops"] - kinds["thread_start"] - kinds["thread_end"]
    requests = max(1, calls - kinds["free"])
    return Asked(
        program=program,
        calls=calls,
        seconds=seconds,
        mean_size=info["bytes_requested"] / requests,
        peak_live=info["peak_live"],
        threads=info["threads"],
        processes=len(all_calls),
        share=info["ops"] / max(1, sum(all_calls)),
    )


@dataclass(frozen=True)
class Offer:
    """What one allocator would bring."""

    allocator: object  # registry.Allocator
    time: object = None  # Decision against the base's
    memory: object = None
    error: str = None  # why there is neither
    share: float = None  # of a replay: what the base's time in malloc is of the program's time

    @property
    def name(self):
        """The allocator's."""
        return self.allocator.name

    @property
    def saving(self):
        """What a replay predicts that the program saves of its time, 0.1 is a tenth; else None."""
        has_both = self.share is not None and self.time is not None
        return self.share * (1 - self.time.median) if has_both else None

    def verdicts(self):
        """Those on time and memory. Of a time in malloc that cannot matter to the program, wherever
        in its interval it is, that it makes no difference."""
        time = self.time and self.time.verdict
        if self.saving is not None and self.time.low is not None:
            farthest = max(abs(1 - self.time.low), abs(1 - self.time.high))
            if self.share * farthest * REAL_SAVING[1] < decision.MARGIN:
                time = SAME
        return time, self.memory and self.memory.verdict


@dataclass
class Advice:
    """All that is told."""

    words: list  # the command
    base: object  # the Allocator that the others are compared with
    asked: Asked
    kind: str = REPLAY
    base_time: float = None  # of a run, in seconds; of a replay, the processor time of its calls
    base_memory: float = None  # bytes
    malloc_share: float = None  # what the calls take of the program's time, by the replays
    rounds: int = 0
    offers: list = field(default_factory=list)  # the best first
    chosen: Offer = None  # None: keep the base
    is_trade: bool = False  # what is chosen costs memory for time, or time for memory
    linked_with: str = None  # the soname of the allocator that the command is linked with
    why_no_runs: str = None  # why the program itself was not run
    cut: tuple = None  # (operations of which the figures are, all), if these are not all
    page: object = None  # its path
    notes: list = field(default_factory=list)  # what else bears on how sure this is


def ranked(measured, allocators):
    """The Offers of the replays of one trace, the quickest first; what failed, last."""
    summary = digest(measured, REPLAY)
    return quickest_first(offer(summary, allocator) for allocator in allocators)


def quickest_first(offers):
    """The Offers in order; those without a time last."""
    return sorted(offers, key=lambda o: o.time.median if o.time else float("inf"))


def offer(summary, allocator, share=None):
    """The Offer of an allocator, by the Digest of one subject."""
    cell = summary.cells[summary.subjects[0], allocator.name]
    error = cell.error
    if not error and not cell.time_ratio:
        error = f"{summary.reference} failed"
    return Offer(allocator, cell.time_ratio, cell.rss_ratio, error, share)


def add_real(advice, measured, rivals):
    """Puts in what real runs of the program gave."""
    summary = digest(measured, REAL)
    advice.kind = REAL
    add_base(advice, summary)
    advice.offers = quickest_first(offer(summary, allocator) for allocator in rivals)


def add_replays(advice, measured, rivals, cpu_s):
    """Puts in what the replays gave. What is recorded took the program cpu_s seconds of processor
    time; this is compared, for other work on the machine makes all else longer."""
    summary = digest(measured, REPLAY)
    advice.kind = REPLAY
    add_base(advice, summary)
    advice.base_time = median_of(summary, advice.base.name, CPU.key) / 1e3
    add_share(advice, measured, cpu_s, advice.cut)
    advice.offers = [offer(summary, allocator, advice.malloc_share) for allocator in rivals]


def add_share(advice, measured, cpu_s, cut):
    """Puts in what the calls take of the program's time, by the replays; of a program too short to
    be told, nothing. The calls of a cut (some operations, all of them) are taken to be as frequent
    as all of them are."""
    calls_s = median_of(digest(measured, REPLAY), advice.base.name, CPU.key) / 1e3
    whole_s = cpu_s * (cut[0] / cut[1] if cut else 1)
    advice.malloc_share = min(1.0, calls_s / max(whole_s, LEAST_S))


def is_too_little(advice):
    """Whether the calls of all processes take so little that faster ones alone cannot change the
    program's time."""
    if advice.malloc_share is None:
        return False
    return advice.malloc_share / advice.asked.share * REAL_SAVING[1] < decision.MARGIN


def add_base(advice, summary):
    """What the base needs."""
    advice.rounds = summary.rounds
    time = median_of(summary, advice.base.name, TIME[REAL].key)
    advice.base_time = time and time / 1e3
    advice.base_memory = median_of(summary, advice.base.name, RSS.key)


def median_of(summary, name, key):
    """The median of a figure of the one subject under an allocator, or None."""
    row = summary.rows.get((summary.subjects[0], name))
    return stats.median(row.values(key)) if row else None


def choose(advice):
    """Sets which allocator the program should use. One that is better in time or memory and surely
    costs nothing of the other goes first; then one that gains more of one than it loses of the
    other; else the base stays."""
    free = [o for o in advice.offers if is_free_gain(*o.verdicts())]
    trades = sorted(filter(is_worthy_trade, advice.offers), key=cost)
    advice.chosen = next(iter(free or trades), None)
    advice.is_trade = not free and bool(trades)


def is_free_gain(time, memory):
    """Whether verdicts promise a gain for nothing; of memory, only where time is settled."""
    return time == BETTER and memory != WORSE or memory == BETTER and time in (BETTER, SAME)


def is_worthy_trade(one):
    """Whether an Offer is better in one, worse in the other, and better by more."""
    if {BETTER, WORSE} != set(one.verdicts()):
        return False
    return cost(one) < 1


def cost(one):
    """Time of the program times memory under an Offer, of the base's."""
    time = 1 - one.saving if one.saving is not None else one.time.median
    return time * one.memory.median
