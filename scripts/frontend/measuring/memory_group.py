"""Memory cgroups for single processes: where this machine lets us make them, and that they are
removed again. What a process does in one is not here."""

import itertools
import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path

LIMITS = ("memory.max", "memory.limit_in_bytes")  # a memory cgroup of version 2, of version 1
KILLS = ("memory.events", "memory.oom_control")  # likewise: where kills are counted
PREFIX = "spanbench-"  # of a group's name; then the number of the process that made it
REMOVING_S = 2.0  # how long a group may stay busy after its process has ended; arbitrary
_numbers = itertools.count()


def unescaped(path):
    """A path as mountinfo writes it, with blanks again."""
    return path.replace("\\040", " ")


def mounts(text):
    """{version: folder} of the hierarchies that a mountinfo names and that can limit memory."""
    found = {}
    for line in text.splitlines():
        words, _, more = (part.split() for part in line.partition(" - "))
        if more[:1] == ["cgroup2"]:
            found[2] = Path(unescaped(words[4]))
        elif more[:1] == ["cgroup"] and "memory" in more[-1].split(","):
            found[1] = Path(unescaped(words[4]))
    return found


def own_paths(text):
    """{version: path below the mount} of the groups that a process's file `cgroup` names."""
    found = {}
    for line in text.splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            found[2] = path.strip("/")
        elif "memory" in controllers.split(","):
            found[1] = path.strip("/")
    return found


def parents():
    """Folders below which a group may be made: our own group's and those above it. A group with
    processes may have none below it in version 2, so the nearest need not do."""
    try:
        mounted = mounts(Path("/proc/self/mountinfo").read_text())
        own = own_paths(Path("/proc/self/cgroup").read_text())
    except OSError:
        return
    for version in sorted(mounted):
        top = mounted[version]
        folder = top / own.get(version, "")
        while folder != top:
            yield folder
            folder = folder.parent
        yield top


def find_parent():
    """The first folder below which a memory cgroup can be made, or None."""
    for folder in parents():
        group = make(folder)
        if group:
            remove(group)
            remove_left_over(folder)
            return folder
    return None


def may_enter(group):
    """Whether a process from below the group's parent may go into the group, whose limit is ours to
    write: in version 2 we must be allowed to move processes within the parent too."""
    return not (group / LIMITS[0]).exists() or os.access(group.parent / "cgroup.procs", os.W_OK)


def make(parent):
    """A new memory cgroup, or None where there may be none."""
    group = parent / f"{PREFIX}{os.getpid()}-{next(_numbers)}"
    try:
        group.mkdir()
    except OSError:
        return None
    if any(os.access(group / name, os.W_OK) for name in LIMITS) and may_enter(group):
        return group
    remove(group)
    return None


def remove(group):
    """Removes a group, once its last process is gone."""
    end = time.monotonic() + REMOVING_S
    while group.exists():
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > end:
                return
            time.sleep(0.01)


def remove_left_over(parent):
    """Removes the groups of processes that were killed before they could."""
    for group in parent.glob(f"{PREFIX}*-*"):
        number = group.name.removeprefix(PREFIX).partition("-")[0]
        if number.isdecimal() and not Path(f"/proc/{number}").exists():
            with suppress(OSError):  # somebody is in it after all
                group.rmdir()


def kills(group):
    """How many processes the system has killed in a group because of its limit."""
    for name in KILLS:
        try:
            fields = dict(line.split() for line in (group / name).read_text().splitlines())
        except OSError:
            continue
        if "oom_kill" in fields:
            return int(fields["oom_kill"])
    return 0


@contextmanager
def made(parent):
    """A group for the time of the block; None without a parent."""
    group = make(parent) if parent else None
    try:
        yield group
    finally:
        if group:
            remove(group)
