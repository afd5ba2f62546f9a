"""How far a measurement is, on stderr: a bar with the time left on a terminal, else plain lines."""

import sys
import time
from contextlib import suppress

from frontend.lazily import Lazy
from frontend.visible import visible

Console = Lazy("rich.console", "Console")
BarColumn, Progress, TextColumn = (
    Lazy("rich.progress", name) for name in ("BarColumn", "Progress", "TextColumn")
)


class Quiet:
    """Tells nothing."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def begin_round(self, number, rounds, steps):
        """Round `number` (-1: the warm-up) of `rounds` (None: not known yet) has `steps` runs."""

    def begin_step(self, subject, allocator):
        """A run begins."""


class Counter(Quiet):
    """Counts runs and estimates the time left from those done."""

    def __init__(self):
        self.done = -1
        self.total = None
        self.number = None
        self.rounds = None
        self.start = time.monotonic()

    def begin_round(self, number, rounds, steps):
        self.number, self.rounds = number, rounds
        # Earlier rounds may have had more runs, where the time did not suffice for all of them.
        self.total = self.done + 1 + (rounds - number) * steps if rounds else None

    def begin_step(self, subject, allocator):
        self.done += 1

    def left(self):
        """ "about 1:05 left", or nothing while nobody knows."""
        if not self.total or self.done < 1:
            return ""
        seconds = (time.monotonic() - self.start) / self.done * (self.total - self.done)
        return f"about {int(seconds) // 60}:{int(seconds) % 60:02} left"

    def round_name(self):
        """ "warm-up" or "round 2 of 5"."""
        return "warm-up" if self.number < 0 else f"round {self.number + 1} of {self.rounds}"


class Lines(Counter):
    """For logs: a line for each subject of the warm-up, then one a round."""

    def __init__(self):
        super().__init__()
        self.subject = None

    def begin_round(self, number, rounds, steps):
        super().begin_round(number, rounds, steps)
        self.subject = None
        if number >= 0:
            say(f"{self.round_name()} {self.left()}".rstrip())

    def begin_step(self, subject, allocator):
        super().begin_step(subject, allocator)
        if self.number < 0 and subject != self.subject:
            say(f"warm-up {subject}")
        self.subject = subject


class Bar(Counter):
    """For people."""

    def __init__(self):
        super().__init__()
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
        # Drawn between the runs only: a thread that draws would disturb what is measured.
        self.bar = Progress(
            *columns, console=Console(stderr=True), transient=True, auto_refresh=False
        )
        self.task = self.bar.add_task("", total=None, left="")

    def __enter__(self):
        self.bar.start()
        return self

    def __exit__(self, *_):
        self.bar.stop()

    def begin_step(self, subject, allocator):
        super().begin_step(subject, allocator)
        text = f"{self.round_name()}: {subject} {allocator}"
        self.bar.update(
            self.task, completed=self.done, total=self.total, description=text, left=self.left()
        )
        self.bar.refresh()


def progress():
    """What suits stderr."""
    return Bar() if sys.stderr.isatty() else Lines()


def say(line):
    """One line of news for people, on stderr; that nobody listens any more ends no measurement."""
    with suppress(BrokenPipeError):
        print(f"spanbench: {visible(line)}", file=sys.stderr, flush=True)
