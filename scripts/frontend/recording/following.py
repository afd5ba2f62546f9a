"""Recorded processes that go on when the command has ended: servers that went to the background.

They are found by what they have mapped, not by who started them: a daemon has left its parents, and
spanbench does not take their place, since daemons wait until their parent is process 1.
"""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from frontend.progress import say
from frontend.recording import control as controls
from frontend.recording.control import Process

LOOK_S = 0.5  # between two looks for further processes; arbitrary
ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
NAMES_MAX = 3  # in one line
STATE_FIELD, START_FIELD = 0, 19  # of /proc/PID/stat, behind the name


@dataclass(frozen=True)
class Running:
    """A process that may still write to the recording."""

    pid: int  # as we see it
    process: Process  # as it sees itself, without its namespace
    name: str


def running_in(raw, images, since=0):
    """The processes that still write to a folder, of those not older than `since` (in ticks)."""
    identities = {(image.process.pid, image.process.start) for image in images}
    inode = inode_of(raw / controls.NAME)
    found = (read_process(int(entry)) for entry in os.listdir("/proc") if entry.isdigit())
    candidates = (one for one in found if one and one.process.start >= since)
    return [one for one in candidates if is_writer(one, raw, inode, identities)]


def read_process(pid):
    """A process that has not ended, or None."""
    with suppress(OSError, ValueError, IndexError):
        name, _, rest = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")
        fields = rest.split()
        if fields[STATE_FIELD] in "ZX":
            return None
        process = Process(inner_pid(pid), 0, int(fields[START_FIELD]))
        return Running(pid, process, name.partition("(")[2])
    return None


def inner_pid(pid):
    """The pid that the process itself sees, in the innermost of its namespaces."""
    for line in Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines():
        if line.startswith("NSpid:"):
            return int(line.split()[-1])
    return pid


def is_writer(one, raw, inode, identities):
    """Whether a process has the recording mapped. Where we may not see that, it is one that has
    written to it."""
    if one.pid == os.getpid():
        return False
    try:
        with open(f"/proc/{one.pid}/maps", encoding="utf-8", errors="replace") as lines:
            return any(is_mapping_of(line, raw, inode) for line in lines)
    except OSError:
        return (one.process.pid, one.process.start) in identities


def is_mapping_of(line, raw, inode):
    """Whether a line of /proc/PID/maps is about the control file, whatever path leads there."""
    fields = line.split(None, 5)
    if len(fields) < 6 or f"/{controls.NAME}" not in fields[5]:
        return False
    return int(fields[4]) == inode and Path(fields[5].rstrip("\n")).parent.name == raw.name


def inode_of(path):
    """The number of a file's inode; -1 if it is not there."""
    try:
        return path.stat().st_ino
    except OSError:
        return -1


def wait_for_all(look, seconds, signals, stretch):
    """Waits until look() finds no Running any more, for so many seconds at most. Returns the last.

    A signal that asks for an end ends the wait. So does the end of the recording.
    """
    deadline = time.monotonic() + seconds
    running = look()
    if running and seconds > 0:
        say(f"{named(running)} still recorded: waiting for {seconds:g} s (--wait; Ctrl-C ends it)")
    while running and time.monotonic() < deadline:
        if is_asked_to_end(running, deadline, signals, stretch):
            break
        stretch.turn()
        if stretch.is_over():
            break
        running = look()
    return running


def is_asked_to_end(running, deadline, signals, stretch):
    """Waits for a moment, or until one of them has ended; whether a signal asks for an end."""
    times = (LOOK_S, deadline - time.monotonic(), stretch.left())
    opened = [descriptor for one in running if (descriptor := open_process(one.pid)) is not None]
    try:
        arrived = signals.wait(min(t for t in times if t is not None), opened)
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return arrived is not None and arrived.number in ENDING


def open_process(pid):
    """A descriptor that becomes readable when the process ends; None: it has, or there is none."""
    with suppress(OSError):
        return os.pidfd_open(pid)
    return None


def named(running):
    """ "nginx (pid 7) is" or "nginx (pid 7), nginx (pid 9) are"."""
    shown = [f"{one.name} (pid {one.pid})" for one in running[:NAMES_MAX]]
    if len(running) > NAMES_MAX:
        shown.append(f"{len(running) - NAMES_MAX} more")
    return f"{', '.join(shown)} {'is' if len(running) == 1 else 'are'}"
