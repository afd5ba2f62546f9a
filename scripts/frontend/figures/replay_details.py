"""What entries of replays tell beside single figures. What makes no sense is left out, since files
may hold anything.

`worst`: the calls that took longest, ten of each round. One that is among them in many rounds is
slow by what it does; one that is there once may have been disturbed. `per_thread`: what the threads
with the most calls did, each on its own; `other_threads` is the sum of the others, if there are
more. `peak_waste`: the moment at which most memory is resident beyond what lives, and whose blocks
live then where the trace tells its call sites; only then it is shown.
"""

from dataclasses import dataclass

from frontend.counted import counted
from frontend.figures import stats
from frontend.figures.digest import number_text
from frontend.figures.metrics import MIB
from frontend.figures.results import has_figures, is_figure

MOST_CALLS = 10  # of an allocator on a trace
CALL_NUMBERS = ("ns", "op", "thread", "size", "faults")
THREAD_TIMES = ("in_calls_ns", "wait_ns", "cpu_ns")
MOMENT_NUMBERS = ("bytes", "op", "rss", "live")


@dataclass(frozen=True)
class WorstCall:
    """An operation of a trace under an allocator."""

    ns: float  # the longest that it took
    op: int  # its number in the trace, from 1
    thread: int
    kind: str
    size: int  # bytes asked for; of a free, of the block
    faults: int  # page faults while it took that long
    rounds: int  # in which it was among the worst
    site: str = ""  # who made it; "" if the trace does not tell


def worst_calls(row):
    """The WorstCalls of a results.Row, of all rounds, the longest first."""
    found = {}
    for entry in row.samples:
        for call in calls_of(entry):
            found.setdefault((call["op"], call["thread"]), []).append(call)
    worst = [worst_call(calls) for calls in found.values()]
    return sorted(worst, key=lambda call: -call.ns)[:MOST_CALLS]


def calls_of(entry):
    """The worst calls that an entry tells, as it tells them."""
    told = entry.get("worst") if isinstance(entry.get("worst"), list) else []
    return [c for c in told if has_figures(c, CALL_NUMBERS) and isinstance(c.get("kind"), str)]


def worst_call(calls):
    """The WorstCall of one operation in several rounds."""
    longest = max(calls, key=lambda call: call["ns"])
    return WorstCall(
        **{key: longest[key] for key in CALL_NUMBERS},
        kind=longest["kind"],
        rounds=len(calls),
        site=str(longest.get("site", "")),
    )


@dataclass(frozen=True)
class ThreadFigures:
    """A thread of the trace under one allocator; times are medians over the rounds."""

    name: str  # its number, or how many others there are
    ops: int
    in_calls_ns: float  # None if it was not taken
    wait_ns: float  # for other threads of the replay
    cpu_ns: float


def thread_figures(row):
    """The ThreadFigures of a results.Row, those with the most calls first."""
    found = {}
    for entry in row.samples:
        for name, told in threads_of(entry):
            found.setdefault(name, []).append(told)
    return [
        ThreadFigures(name, told[0]["ops"], *(median_of(told, key) for key in THREAD_TIMES))
        for name, told in found.items()
    ]


def threads_of(entry):
    """(name, what is told) of the threads of an entry, and of the others."""
    told, others = entry.get("per_thread"), entry.get("other_threads")
    for thread in told if isinstance(told, list) else []:
        if has_figures(thread, ("thread", "ops")):
            yield f"{thread['thread']}", thread
    if has_figures(others, ("threads", "ops")):
        yield counted(others["threads"], "other"), others


def median_of(told, key):
    """The median of a figure over rounds, of those that tell it."""
    return stats.median(figures[key] for figures in told if is_figure(figures.get(key)))


@dataclass(frozen=True)
class Moment:
    """Of all rounds of an allocator on a trace, the one with most waste."""

    waste: int  # bytes resident beyond the live ones
    op: int  # number of the operation in the trace after which it was seen, from 1
    live: int
    owners: tuple  # (site, live bytes) of those with most, the first of them first

    @property
    def text(self):
        """ "2.5 MiB (operation 4,711, 12 MiB live: 8 MiB of make (x.c:3), 3.9 MiB of main)"."""
        owners = ", ".join(f"{mib_text(live)} of {site}" for site, live in self.owners)
        live = f"{mib_text(self.live)} live: {owners}"
        return f"{mib_text(self.waste)} (operation {self.op:,}, {live})"


def wasteful_moment(row):
    """The Moment of a results.Row, or None if it has none with sites."""
    told = [moment for entry in row.samples if (moment := moment_of(entry)) and owners_of(moment)]
    if not told:
        return None
    most = max(told, key=lambda moment: moment["bytes"])
    return Moment(most["bytes"], most["op"], most["live"], owners_of(most))


def moment_of(entry):
    """What an entry tells of its moment, or None."""
    told = entry.get("peak_waste")
    return told if has_figures(told, MOMENT_NUMBERS) else None


def owners_of(moment):
    """Whose blocks live at a moment: ((site, bytes), ...)."""
    owners = moment.get("sites") if isinstance(moment.get("sites"), list) else []
    return tuple((str(o.get("site")), o["live"]) for o in owners if has_figures(o, ("live",)))


def mib_text(count):
    return f"{number_text(count / MIB)} MiB"
