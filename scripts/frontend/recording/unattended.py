"""Records a command that nobody sits at: it reads a file, what it prints is put aside, no signal is
passed on to it, and it is ended when the time or the room for its recording is used up, with all
that it has started. `spanbench record`, at which somebody does sit, is launching and verbs/record.
"""

import os
import select
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass

from frontend.failure import blamed_on, io_failure
from frontend.measuring.running import Run
from frontend.paths import built, temporary_folder
from frontend.progress import say
from frontend.recording import control as controls
from frontend.recording.finishing import Recording, finish
from frontend.recording.following import running_in
from frontend.recording.images import images_in
from frontend.recording.launching import UNDER_WAY_S, become_root, ending_of, preloadable
from frontend.recording.launching import recording_environment

LOOK_S = 0.2  # between two looks at how much was recorded; arbitrary
NEWS_S = 5  # between two lines that say that it goes on; arbitrary
SPARE = 4  # times the room are the hard limit, for what is written between two looks
# What ends by itself so soon after the command is left alone, as launch does.
GRACE_S = 0.2


@dataclass(frozen=True)
class Room:
    """What a recording may take."""

    seconds: float  # the run of the command
    size: int  # bytes on the disk


@dataclass
class Taken:
    """What a recording came to."""

    recording: Recording  # after finish
    seconds: float  # from the start of the command to its end, or to ours
    recorded_s: float  # to the end of what is recorded
    cpu_s: float  # processor time of the command, and of what it has waited for
    run: Run  # how the command ended; its status is None if we ended it

    @property
    def has_ended(self):
        """Whether the command came to its own end."""
        return self.run.status is not None


class Unattended:
    """One command under the recorder."""

    def __init__(self, words, output, room, stdin=os.devnull):
        self.words, self.output, self.room, self.stdin = words, output, room, stdin
        self.raw = output.parent.absolute() / f"{output.name}.recording"
        self.control = None
        self.started = self.over_s = None

    def record(self):
        """The Taken. Whatever happens, nothing of the command runs on afterwards, and the raw
        recording is gone unless it could not be compiled."""
        try:
            self.raw.mkdir(mode=0o700)
            self.control = controls.create(self.raw, controls.STRETCH, SPARE * self.room.size)
        except OSError as error:
            self.remove_raw()
            raise io_failure(error, self.raw) from error
        with (
            temporary_folder() as folder,
            preloadable(built("librecord.so")) as library,
        ):
            environment = recording_environment(library, self.raw, has_children=True)
            try:
                return self.attend(environment, folder)
            except BaseException:
                self.remove_raw()
                raise

    def remove_raw(self):
        """Removes the raw recording, if it is ours."""
        if self.control or not any(self.raw.glob("*")):
            shutil.rmtree(self.raw, ignore_errors=True)

    def attend(self, environment, folder):
        """Starts the command, stays until its end or that of the room, ends it, compiles."""
        child = self.start(environment, folder)
        try:
            ending = self.wait(child)
            seconds = time.monotonic() - self.started
            self.leave_alone()
        finally:
            cpu_s = self.end_all(child)
        recording = Recording(self.raw, self.output, self.control, self.words, ending)
        finish(recording, is_told=False)
        stderr = (folder / "stderr").read_text(errors="replace")
        signalled = ending.status - 128 if ending and ending.was_killed else 0
        run = Run({"signal": signalled}, ending.status if ending else None, stderr, 0)
        return Taken(recording, seconds, self.over_s or seconds, cpu_s, run)

    def start(self, environment, folder):
        """The started command, in a session of its own."""
        with (
            open(self.stdin, "rb") as stdin,
            open(folder / "stdout", "wb") as stdout,
            open(folder / "stderr", "wb") as stderr,
            blamed_on(self.words[0]),
        ):
            self.started = time.monotonic()
            return subprocess.Popen(
                self.words,
                env=environment,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=lambda: become_root(self.raw, self.control),
            )

    def wait(self, child):
        """The Ending of the command; None: it has not ended, and the room is used up."""
        poll, told = select.poll(), self.started
        descriptor = os.pidfd_open(child.pid)
        try:
            poll.register(descriptor, select.POLLIN)
            while (ending := ending_of(child.pid)) is None:
                spent = time.monotonic() - self.started
                if self.over_s is None and self.control.claimed_bytes >= self.room.size:
                    self.stop_recording(spent)
                    say(f"enough is recorded after {spent:.0f} s; {self.words[0]} goes on")
                if spent >= self.room.seconds:
                    self.stop_recording(spent)
                    return None
                if time.monotonic() - told >= NEWS_S:
                    told = time.monotonic()
                    say(f"{self.words[0]} runs: {spent:.0f} s, {self.room.seconds:.0f} at most")
                poll.poll(1000 * min(LOOK_S, self.room.seconds - spent))
        finally:
            os.close(descriptor)
        return ending

    def stop_recording(self, spent):
        """From now on nothing is recorded any more."""
        if self.over_s is None:
            self.over_s = spent
            self.control.phase = controls.OVER
            time.sleep(UNDER_WAY_S)

    def leave_alone(self):
        """Waits for what ends by itself just after the command."""
        end = time.monotonic() + GRACE_S
        while self.running() and time.monotonic() < end:
            time.sleep(GRACE_S / 10)

    def running(self):
        """The recorded processes that have not ended, the command not among them if it has."""
        since = self.control.root_process.start
        return running_in(self.raw, images_in(self.raw), since) if since else []

    def end_all(self, child):
        """Ends the command and all that it has started: its session, and who else is recorded.
        The processor time that it took, in seconds."""
        self.control.phase = controls.OVER
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        for one in self.running():
            with suppress(OSError):
                os.kill(one.pid, signal.SIGKILL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)  # Popen need not look for it
        return usage.ru_utime + usage.ru_stime
