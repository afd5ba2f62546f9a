"""Starts the command under the recorder and stays with it to its end: passes signals on, stops and
goes on with it, and begins and ends the recording of a stretch."""

import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from frontend.allocators.preload import SPLITS, plain_folder
from frontend.failure import blamed_on
from frontend.paths import temporary_folder
from frontend.recording import control as controls
from frontend.recording import signals as signalling

ROOT_NAME = "root"  # in the folder of the raw files, for people: the pid of the command
UNDER_WAY_S = 0.1  # after which calls that were being recorded have been; arbitrary
ONE_EVENT_S = 0.5  # within which two looks see the same SIGCONT; arbitrary


@dataclass(frozen=True)
class Ending:
    """How the command ended."""

    pid: int
    status: int  # as shells have it: 128 + N after signal N
    was_killed: bool
    name: str  # of its first thread at the end; empty if that could not be seen


class Stretch:
    """When the recording begins and ends, in seconds since the command was started."""

    def __init__(self, control, after=None, length=None):
        self.control = control
        begins = [(after, controls.ALWAYS if length is None else controls.STRETCH)] if after else []
        ends = [] if length is None else [((after or 0) + length, controls.OVER)]
        self.turns = begins + ends
        self.start = time.monotonic()

    def left(self):
        """Seconds to the next turn; None if there is none."""
        return self.turns[0][0] + self.start - time.monotonic() if self.turns else None

    def turn(self):
        """Takes the turns that are due. Returns whether the recording is over since now."""
        before = self.control.phase
        while self.turns and self.left() <= 0:
            self.control.phase = self.turns.pop(0)[1]
            time.sleep(UNDER_WAY_S)
        return self.is_over() and before != controls.OVER

    def is_over(self):
        """Whether nothing is recorded any more."""
        return self.control.phase == controls.OVER


def first_phase(after, length):
    """The phase in which a recording begins."""
    if after:
        return controls.BEFORE
    return controls.ALWAYS if length is None else controls.STRETCH


@contextmanager
def preloadable(library):
    """The library's path, or that of a link to it if LD_PRELOAD cannot hold the path."""
    if not SPLITS.search(str(library)):
        yield str(library)
        return
    with temporary_folder(plain_folder()) as folder:
        link = folder / library.name
        link.symlink_to(library)
        yield str(link)


def recording_environment(library, raw, has_children, sites=None):
    """The user's environment, with the recorder before what the user preloads."""
    theirs = os.environ.get("LD_PRELOAD")
    return {
        **({"SPANBENCH_RECORD_SITES": str(sites)} if sites else {}),
        **{k: v for k, v in os.environ.items() if k != signalling.IGNORED_BY_CALLER},
        "LD_PRELOAD": f"{library} {theirs}" if theirs else library,
        "SPANBENCH_RECORD_DIR": str(raw),
        "SPANBENCH_RECORD_CHILDREN": "1" if has_children else "0",
    }


def start(words, environment, raw, control, signals):
    with blamed_on(words[0]):
        return subprocess.Popen(
            words,
            env=environment,
            restore_signals=False,
            preexec_fn=lambda: become_root(raw, control, signals),
        )


def become_root(raw, control, signals=None):
    """In the new process, before it is the command: says who it is; signals as the caller had them.

    What fails here must not keep the command from being run.
    """
    control.root_process = controls.this_process()
    with suppress(OSError):
        (raw / ROOT_NAME).write_text(f"{os.getpid()}\n")
    if signals:
        signals.restore_in_child()


class Attendance:
    """Stays with the command until it has ended."""

    def __init__(self, child, signals, stretch, when_over):
        self.child = child
        self.signals = signals
        self.stretch = stretch
        self.when_over = when_over
        self.continued = -ONE_EVENT_S  # when the command was

    def stay(self):
        """Returns the Ending. The process stays to be waited for, so that its pid stays its own."""
        while (ending := ending_of(self.child.pid)) is None:
            arrived = self.signals.wait(self.stretch.left())
            if arrived is None:
                if self.stretch.turn():
                    self.when_over()
            elif arrived.number == signal.SIGCHLD and not arrived.is_from_process():
                self.look()
            elif arrived.number == signal.SIGCONT:
                self.go_on(arrived)
            elif arrived.is_from_process():
                arrived.pass_on(self.child.pid)
        return ending

    def look(self):
        """The command was stopped or continued, maybe: with it stops who has started it."""
        stopped = False
        while (change := self.change(os.WSTOPPED | os.WCONTINUED)) is not None:
            stopped = change.si_code == os.CLD_STOPPED
            if not stopped:
                self.continued = time.monotonic()
        if stopped and signalling.has_terminal():
            os.kill(os.getpid(), signal.SIGSTOP)

    def go_on(self, arrived):
        """SIGCONT. A shell sends it to the whole group, and then the command has got its own."""
        signalling.settle()
        if self.change(os.WCONTINUED) is not None:
            self.continued = time.monotonic()
        has_its_own = time.monotonic() - self.continued < ONE_EVENT_S
        if arrived.is_from_process() and not has_its_own:
            arrived.pass_on(self.child.pid)

    def change(self, kinds):
        """What has become of the command since the last look; None: nothing."""
        with suppress(ChildProcessError):
            return os.waitid(os.P_PID, self.child.pid, kinds | os.WNOHANG)
        return None


def ending_of(pid):
    """The Ending of a child, if it has ended; the process stays to be waited for."""
    end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if end is None:
        return None
    was_killed = end.si_code != os.CLD_EXITED
    status = 128 + end.si_status if was_killed else end.si_status
    return Ending(pid, status, was_killed, thread_name(pid))


def thread_name(pid):
    """The name of a process's first thread, also after its end."""
    try:
        return Path(f"/proc/{pid}/comm").read_bytes().rstrip(b"\n").decode(errors="surrogateescape")
    except OSError:
        return ""
