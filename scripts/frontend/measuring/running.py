"""Runs one measured program through build/.../launch, which times it and waits for it."""

import json
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from frontend.failure import WORK_FAILED, blamed_on, error_text
from frontend.paths import built, temporary_folder

TIMED_OUT = "timed out"  # how the error of a run begins that took too long
LAST_LINES = 5  # of stderr that are shown; arbitrary, as the next
LONGEST_LINE = 400
REPORT_BYTES = 4096  # far more than a report has
GRACE_S = 30  # longer than launch needs to end a program that ignores its time-out


class RunFailed(Exception):
    """One run cannot count; the message says why."""


@dataclass(frozen=True)
class Run:
    """How a run ended and what launch says of it."""

    report: dict  # empty if launch itself did not come to its end
    status: int  # exit status as subprocess gives it
    stderr: str
    timeout: float

    @property
    def error(self):
        """Why the run cannot count, or None. An exit status is no error here."""
        if self.report.get("timed_out"):
            return f"{TIMED_OUT} after {self.timeout:g} s"
        number = self.report.get("signal") or max(0, -self.status)
        if number:
            return f"{killed_by(number)}{self.tail}"
        return None if self.report else f"did not start{self.tail}"

    @property
    def tail(self):
        """The last lines that the program wrote to stderr, to go behind what they explain."""
        lines = [line[:LONGEST_LINE] for line in self.stderr.strip().splitlines()[-LAST_LINES:]]
        if len(lines) < 2:
            return "".join(f": {line}" for line in lines)
        return "; stderr ends with" + "".join(f"\n    {line}" for line in lines)

    @property
    def reason(self):
        """ ": the last line that the program wrote to stderr", or nothing."""
        lines = self.stderr.strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def killed_by(number):
    """How a process ended that a signal ended, in words."""
    return f"killed by signal {number} ({signal_name(number)})"


def signal_name(number):
    """SIGSEGV for 11."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def launch(argv, environment, timeout, folder, stdout, place=None, options=(), stdin=os.devnull):
    """Runs argv in the folder `place` (ours if None) with its stdin from a file, by default an
    empty one, stdout to the file given and stderr to folder/stderr. The options are launch's own.
    """
    report = Path(folder) / "launch.json"
    keep_place(report)
    own = ["--timeout", f"{timeout:g}", "--report", str(report), *options]
    command = [str(built("launch")), *own, "--"]
    with open(Path(folder) / "stderr", "w+b") as stderr, open(stdin, "rb") as read:
        streams = {"stdin": read, "stdout": stdout, "stderr": stderr}
        status = wait_for(command + argv, environment, timeout, streams, place)
        stderr.seek(0)
        tail = stderr.read().decode("utf-8", "replace")
    return Run(read_report(report), status, tail, timeout)


def keep_place(report):
    """Takes the place on the disk that a report of launch needs, or what a program did would be
    unknown at its end. Without it, this run fails and no other one."""
    try:
        report.write_bytes(b" " * REPORT_BYTES)
    except OSError as error:
        raise RunFailed(f"{report.parent}: {error_text(error)}") from error


def wait_for(command, environment, timeout, streams, place):
    """The exit status of a command; launch keeps the time-out, this one is for launch itself."""
    with blamed_on(command[0], WORK_FAILED):
        process = subprocess.Popen(command, env=environment, cwd=place, **streams)
    with process:
        try:
            return process.wait(timeout + GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return -signal.SIGKILL
        except BaseException:
            process.terminate()  # launch passes it on, so that nothing runs on behind our back
            raise


def read_report(path):
    """What launch wrote, or {} if it could not."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def run_json(argv, environment, timeout, options=()):
    """Runs a program that prints one JSON object: (object, None) or (None, what went wrong). The
    options are launch's."""
    with temporary_folder() as folder:
        with open(folder / "stdout", "w+b") as stdout:
            run = launch(argv, environment, timeout, folder, stdout, options=options)
            stdout.seek(0)
            text = stdout.read().decode("utf-8", "replace")
    if run.error:
        return None, run.error
    if run.status:
        return None, run.reason.removeprefix(": ") or f"exit status {run.status}"
    try:
        return json.loads(text), None
    except ValueError:
        return None, "printed no figures"
