"""What the threads of a replay did, each on its own: `per_thread` of the entries has those with the
most calls, `other_threads` the sum of the others, if there are more.
"""

from dataclasses import dataclass

from frontend.counted import counted
from frontend.figures import stats
from frontend.figures.results import is_figure

KEY, OTHERS = "per_thread", "other_threads"
TIMES = ("in_calls_ns", "wait_ns", "cpu_ns")


@dataclass(frozen=True)
class ThreadFigures:
    """A thread of the trace under one allocator; times are medians over the rounds."""

    name: str  # its number, or how many others there are
    ops: int
    in_calls_ns: float  # None if it was not taken
    wait_ns: float  # for other threads of the replay
    cpu_ns: float


def of_row(row):
    """The ThreadFigures of a results.Row, those with the most calls first."""
    found = {}
    for entry in row.samples:
        for name, told in threads_of(entry):
            found.setdefault(name, []).append(told)
    return [joined(name, told) for name, told in found.items()]


def threads_of(entry):
    """(name, what is told) of the threads of an entry, and of the others; what makes no sense is
    left out, since files may hold anything."""
    threads = entry.get(KEY) if isinstance(entry.get(KEY), list) else []
    for told in threads:
        if isinstance(told, dict) and is_figure(told.get("thread")) and is_figure(told.get("ops")):
            yield f"{told['thread']}", told
    others = entry.get(OTHERS)
    if (
        isinstance(others, dict)
        and is_figure(others.get("threads"))
        and is_figure(others.get("ops"))
    ):
        yield counted(others["threads"], "other"), others


def joined(name, told):
    """The ThreadFigures of one thread in several rounds."""
    times = ([figures[key] for figures in told if is_figure(figures.get(key))] for key in TIMES)
    return ThreadFigures(name, told[0]["ops"], *map(stats.median, times))
