"""The calls of a replay that took longest, of all rounds: `worst` of the entries holds ten of each.
One that is among them in many rounds is slow by what it does; one that is there once may have been
disturbed.
"""

from dataclasses import dataclass

from frontend.figures.results import is_figure

MOST = 10  # of an allocator on a trace
SITE = "site"  # who made it, where the trace tells
NUMBERS = ("ns", "op", "thread", "size", "faults")


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


def of_row(row):
    """The worst calls of a results.Row, the longest first."""
    found = {}
    for entry in row.samples:
        for call in calls_of(entry):
            found.setdefault((call["op"], call["thread"]), []).append(call)
    worst = [joined(calls) for calls in found.values()]
    return sorted(worst, key=lambda call: -call.ns)[:MOST]


def calls_of(entry):
    """The calls that an entry tells; what is none is left out, since files may hold anything."""
    told = entry.get("worst")
    return [call for call in told if is_call(call)] if isinstance(told, list) else []


def is_call(call):
    """Whether a JSON value tells of a call."""
    if not isinstance(call, dict) or not isinstance(call.get("kind"), str):
        return False
    return all(is_figure(call.get(key)) for key in NUMBERS)


def joined(calls):
    """The WorstCall of one operation in several rounds."""
    longest = max(calls, key=lambda call: call["ns"])
    return WorstCall(
        **{key: longest[key] for key in NUMBERS},
        kind=longest["kind"],
        rounds=len(calls),
        site=str(longest.get(SITE, "")),
    )
