#!/usr/bin/python3
"""Runs whole programs under allocators of this project and without one, and compares what they
did: exit status, standard output and error, the files they left. `make programs` runs it.

A library that was not preloaded would pass every comparison. So libprobe.so stands in front of
the allocator and tells, process by process, whose malloc is called; it must be the allocator's, in
all processes, and each of the programs that the table names must be among them.
"""

import argparse
import glob
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

sys.dont_write_bytecode = True
REPO = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPO / "scripts"), str(REPO / "workloads")]

from frontend.allocators import identity, registry  # noqa: E402
from frontend.allocators.preload import Links  # noqa: E402
from frontend.failure import Failure  # noqa: E402
from frontend.measuring.running import launch  # noqa: E402
from frontend.paths import built  # noqa: E402

import workshop  # noqa: E402
from programs import PROGRAMS, Whole  # noqa: E402

BUILDS = "span,span-fast"
PLAIN = "plain"  # the run without an allocator of ours
TIMEOUT_S = 300.0  # the longest takes 20 s; arbitrary
SHOWN_FILES = 3


@dataclass(frozen=True)
class Outcome:
    """What one run of a program came to."""

    error: str  # a signal or a time-out, or None
    status: int
    files: dict  # {name: hash or target} of the folder; stdout and stderr are two more
    seconds: float
    callers: list  # what the probe told of each process


@dataclass(frozen=True)
class Stage:
    """Where a program runs: always in one folder, since its name may reach the output."""

    program: Whole
    folder: Path
    links: Links

    @property
    def place(self):
        """The folder that the program runs in."""
        return self.folder / "work"

    def run(self, name, allocator=None):
        """The Outcome of a run; what it left is kept in the folder `name`."""
        kept = self.folder / name
        shutil.copytree(self.folder / "input", self.place, symlinks=True)
        kept.mkdir()
        environment = workshop.environment_of(self.program, self.place)
        probe = kept / "probe"
        if allocator:
            libraries = (built("libprobe.so"), allocator.path)
            environment["LD_PRELOAD"] = " ".join(map(self.links.link, libraries))
            environment["SPANBENCH_PROBE_FILE"] = str(probe)
            environment.update(allocator.settings)
        begin = time.monotonic()
        with open(kept / "stdout", "wb") as stdout:
            command = workshop.command_of(self.program)
            done = launch(command, environment, TIMEOUT_S, kept, stdout, self.place)
        seconds = time.monotonic() - begin
        self.place.rename(kept / "files")
        return Outcome(done.error, done.status, left_files(kept), seconds, read_probe(probe))

    def drop(self, name):
        """Removes what a run left."""
        shutil.rmtree(self.folder / name)


def left_files(kept):
    """{name: what it holds} of all that a run left."""
    paths = [kept / "stdout", kept / "stderr", *sorted((kept / "files").rglob("*"))]
    return {str(path.relative_to(kept)): content(path) for path in paths}


def content(path):
    """What a file holds: a hash, the target of a link, or nothing."""
    if path.is_symlink():
        return os.readlink(path)
    if not path.is_file():
        return ""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_probe(path):
    """What the probe told, a line a process."""
    return list(map(json.loads, path.read_text().splitlines())) if path.exists() else []


def difference(program, plain, other):
    """What two outcomes differ in, in words; None if in nothing that matters."""
    if other.error != plain.error or other.status != plain.status:
        return f"{ending(other)}, without it {ending(plain)}"
    names = sorted(plain.files.keys() | other.files.keys())
    differing = [
        name
        for name in names
        if plain.files.get(name) != other.files.get(name) and not is_volatile(program, name)
    ]
    if not differing:
        return None
    more = f" and {len(differing) - SHOWN_FILES} more" if len(differing) > SHOWN_FILES else ""
    return f"differs: {', '.join(differing[:SHOWN_FILES])}{more}"


def is_volatile(program, name):
    """Whether the table expects a file to differ."""
    return any(fnmatch(name, f"files/{pattern}") for pattern in program.volatile)


def ending(outcome):
    """How a run ended."""
    return outcome.error or f"exit status {outcome.status}"


def imposture(program, allocator, outcome):
    """Why it was not the allocator that served, in words; None if it was."""
    for caller in outcome.callers:
        name = Path(caller["program"]).name
        fault = identity.served_elsewhere(caller, allocator.path)
        if fault:
            return f"{name}: {fault}"
    seen = {Path(caller["program"]).name for caller in outcome.callers}
    unseen = [user for user in program.users() if executable_name(user) not in seen]
    return f"{unseen[0]} did not call it" if unseen else None


def executable_name(user):
    """The name of the file that runs when a table says `user`."""
    path = next(iter(glob.glob(user)), None) or shutil.which(user, path="/usr/bin:/bin") or user
    return Path(os.path.realpath(path)).name


def check(stage, allocators, report):
    """Runs a program without and with each allocator; report(name of the run, seconds, fault)."""
    plain = stage.run(PLAIN)
    if plain.error or plain.status != stage.program.status:
        report(PLAIN, plain.seconds, ending(plain))
        return
    for allocator in allocators:
        outcome = stage.run(allocator.name, allocator)
        fault = difference(stage.program, plain, outcome)
        if fault and is_unsteady(stage, plain):
            fault = f"does something else each time, without us too: {fault}"
        fault = fault or imposture(stage.program, allocator, outcome)
        if not fault:
            stage.drop(allocator.name)
        report(allocator.name, outcome.seconds, fault)


def is_unsteady(stage, plain):
    """Whether another run without an allocator of ours differs from the first."""
    again = stage.run("again")
    stage.drop("again")
    return difference(stage.program, plain, again) is not None


@contextmanager
def stage_of(program, folder, links):
    """A Stage with the program's input, in folder/NAME."""
    stage = Stage(program, folder / program.name, links)
    (stage.folder / "input").mkdir(parents=True)
    try:
        workshop.fill(program, stage.folder / "input")
        yield stage
    finally:
        stage.drop("input")


class Battery:
    """All that is run, and what came of it."""

    def __init__(self, allocators, folder, links):
        self.allocators, self.folder, self.links = allocators, folder, links
        self.failed = self.passed = self.skipped = 0

    def run(self, program):
        """Runs one program and prints a line for each allocator."""
        missing = " ".join(workshop.missing_packages([program]))
        if missing:
            self.skipped += 1
            print(f"{program.name:16}  skipped: {missing} (apt-get install {missing})", flush=True)
            return
        failed_before = self.failed
        try:
            with stage_of(program, self.folder, self.links) as stage:
                check(stage, self.allocators, partial(self.report, program))
        except workshop.Failure as failure:
            self.report(program, PLAIN, 0.0, f"its input could not be made: {failure}")
        if self.failed == failed_before:
            shutil.rmtree(stage.folder)

    def report(self, program, run, seconds, fault):
        """One line for a program and how it was run."""
        verdict = "FAILED" if fault else "ok"
        print(f"{program.name:16}  {run:10}  {verdict:6}  {seconds:6.2f} s", flush=True)
        if fault:
            self.failed += 1
            place = self.folder / program.name
            print(f"    {fault}\n    compare {place}/{PLAIN} and {place}/{run}", flush=True)
        else:
            self.passed += 1


def parse(argv):
    """The options of the command line."""
    parser = argparse.ArgumentParser(description="Real programs do the same on our allocators.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="programs; all if none is named")
    parser.add_argument("-a", "--allocators", action="append", default=[], metavar="LIST")
    parser.add_argument("--short", action="store_true", help="the quick ones only")
    return parser.parse_args(argv)


def chosen(options):
    """The programs that the options ask for."""
    known = {program.name: program for program in PROGRAMS}
    for name in options.names:
        if name not in known:
            raise Failure(f"{name}: no such program ({' '.join(known)})")
    some = [known[name] for name in options.names] or list(PROGRAMS)
    return [program for program in some if program.is_short or not options.short]


def main(argv=None):
    """Runs the command and returns its exit status."""
    options = parse(argv)
    try:
        return run_all(chosen(options), registry.resolve(options.allocators or [BUILDS]))
    except Failure as failure:
        print(f"programs: {failure}", file=sys.stderr)
        return failure.status


def run_all(programs, allocators):
    """Runs the programs; 1 if one failed. What failed is kept."""
    folder = Path(tempfile.mkdtemp(prefix="spanbench-programs-"))
    with Links() as links:
        battery = Battery(allocators, folder, links)
        try:
            for program in programs:
                battery.run(program)
        finally:
            if not battery.failed:
                shutil.rmtree(folder)
    print(f"{battery.passed} ok, {battery.failed} failed, {battery.skipped} programs skipped")
    return 1 if battery.failed else 0


if __name__ == "__main__":
    sys.exit(main())
