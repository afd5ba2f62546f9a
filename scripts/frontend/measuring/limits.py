"""Replays under a limit of memory: whether an allocator survives it, at which operation it fails,
and the least limit that it survives. The replayer puts itself under the limit once its own memory
is in place; here is decided which limit, and what an end means."""

import struct
from dataclasses import dataclass, field
from pathlib import Path

from frontend.measuring import memory_group
from frontend.measuring.campaign import RunFailed
from frontend.measuring.choices import AUTO
from frontend.measuring.running import TIMED_OUT
from frontend.paths import temporary_folder

LEDGER = struct.Struct("=QQq")  # struct limit_ledger of bench/limit.h
PRECISION = 0.01  # of a least limit
LEAST_STEP = 64 << 10  # bytes; the system charges memory in batches of this order
MOST_DOUBLINGS = 12  # from an allocator's peak; arbitrary
ADDRESS_SPACE = "address space"


@dataclass(frozen=True)
class Ledger:
    """How far a replay under a limit had come when it was last written down."""

    has_begun: bool
    ops: int
    live: int


def read_ledger(path):
    """The Ledger in a file, which a replayer that failed early has not written."""
    try:
        begun, ops, live = LEDGER.unpack(path.read_bytes())
    except (OSError, struct.error):
        return Ledger(False, 0, 0)
    return Ledger(begun == 1, ops, live)


@dataclass
class Limit:
    """The limit that was asked for, bytes or AUTO, and where groups are made."""

    size: object
    parent: Path = None  # folder for memory cgroups; None: none can be made
    searched: set = field(default_factory=set)  # rows whose least limit is known

    @property
    def facts(self):
        """What a context says of it."""
        return {"memory_limit": self.size, "memory_limit_of": self.kind}

    @property
    def kind(self):
        """What is limited."""
        return "memory cgroup" if self.parent else ADDRESS_SPACE

    def figures(self, row, speed, attempt):
        """The figures of one row in one round; a least limit is searched once. speed are the
        figures of the speed pass, attempt(arguments) runs a limit pass."""
        if self.size != AUTO:
            return self.run(self.size, attempt)
        if row in self.searched:
            return {}
        self.searched.add(row)
        start = speed["peak_rss" if self.parent else "peak_mapped"]
        return {"least_limit": least(lambda size: self.run(size, attempt)["survived"], start)}

    def run(self, size, attempt):
        """{survived, failed_at_op, failed_live, failed_by} under a limit of `size` bytes."""
        with (
            memory_group.made(self.parent) as group,
            temporary_folder() as folder,
        ):
            if self.parent and not group:
                raise RunFailed(f"{self.parent}: no memory cgroup could be made")
            path = folder / "ledger"
            arguments = ["--limit", str(size), "--ledger", str(path)]
            arguments += ["--group", str(group)] if group else []
            try:
                done = attempt(arguments)
            except RunFailed as reason:
                return death(reason, read_ledger(path), group)
        if done["survived"]:
            return {"survived": True}
        told = {key: done[key] for key in ("failed_at_op", "failed_live")}
        return {"survived": False, **told, "failed_by": "a call returned NULL"}


def made(size):
    """The Limit of a size on this machine."""
    return Limit(size, memory_group.find_parent())


def death(reason, ledger, group):
    """The figures of a run that did not come to its end, if the limit was why; else raises."""
    is_killed = memory_group.kills(group) > 0 if group else TIMED_OUT not in str(reason)
    if not ledger.has_begun or not is_killed:
        raise reason
    told = {"failed_at_op": ledger.ops + 1, "failed_live": ledger.live}
    why = str(reason).splitlines()[0].removeprefix("limit pass: ")
    return {"survived": False, **told, "failed_by": why}


def least(survives, start):
    """The least limit for which survives(bytes) is true, to a hundredth, from a guess."""
    high, low = max(start, LEAST_STEP), 0
    for _ in range(MOST_DOUBLINGS):
        if survives(high):
            break
        low, high = high, 2 * high
    else:
        raise RunFailed(f"survives no limit up to {high >> 21} MiB")
    while high - low > max(LEAST_STEP, PRECISION * high):
        middle = (low + high) // 2
        low, high = (low, middle) if survives(middle) else (middle, high)
    return high
