"""The verb whole-programs: the real programs of workloads/programs.py that are timed, each on
input made for it, under each allocator, in one interleaved measurement."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from frontend.failure import Failure
from frontend.paths import ROOT
from frontend.progress import say
from frontend.verbs.execute import Command, add_running, measure_and_show, prepare

SUMMARY = "run a dozen real programs under each allocator, on input made for them"
PREPARE = ROOT / "workloads" / "prepare_programs"


def add_arguments(parser):
    """The options of the verb."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="all if none is named")
    parser.add_argument("--list", action="store_true", help="list the programs, run nothing")
    add_running(parser)


def run(options, argv):
    """Makes the input, runs and shows; exit statuses as those of exec."""
    if options.list:
        print("\n".join(asked(options.names)))
        return 0
    allocators = prepare(options)
    with tempfile.TemporaryDirectory(prefix="spanbench-") as folder:
        say("making the input of the programs")
        commands = list(present(asked(["--into", folder, *options.names])))
        if not commands:
            raise Failure("none of the programs is installed")
        return measure_and_show(commands, allocators, options, argv)


def asked(words):
    """The lines that the command that knows the timed programs prints."""
    command = [sys.executable, str(PREPARE), "--timed", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(done.stderr.strip(), done.returncode)
    return done.stdout.splitlines()


def present(lines):
    """The Commands of the programs that are installed; the others are named."""
    for fact in map(json.loads, lines):
        if "missing" in fact:
            say(f"skipped {fact['name']}: apt-get install {' '.join(fact['missing'])}")
        else:
            yield Command(fact["name"], fact["command"], Path(fact["folder"]), fact["environment"])
