"""The verb whole-programs: the real programs of workloads/programs.py that are timed, each on
input made for it, under each allocator, in one interleaved measurement."""

import json
import subprocess
import sys
from pathlib import Path

from frontend.failure import WORK_FAILED, Failure
from frontend.guess import meant
from frontend.paths import ROOT, temporary_folder
from frontend.progress import say
from frontend.verbs.execute import Command, add_running, measure_and_show, prepare
from frontend.verbs.options import add_flag

EXAMPLES = (
    "spanbench whole-programs -a span-fast,glibc -n 9",
    "spanbench whole-programs sqlite3 jq --json > programs.json",
)
PREPARE = ROOT / "workloads" / "prepare_programs"


def add_arguments(parser):
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="programs to run (default: all that are installed)"
    )
    add_flag(parser, "--list", "list the names of the programs, run nothing")
    add_running(parser)


def run(options, argv):
    """Makes the input, runs and shows; exit statuses as those of exec."""
    check_names(options.names)
    if options.list:
        print("\n".join(asked(options.names)))
        return 0
    allocators = prepare(options)
    with temporary_folder() as folder:
        say("making the input of the programs")
        commands = list(present(asked(["--into", str(folder), *options.names])))
        if not commands:
            raise Failure("none of the programs is installed")
        return measure_and_show(commands, allocators, options, argv)


def check_names(names):
    """Fails unless there are programs of these names."""
    known = [line.split()[0] for line in asked([])] if names else []
    for name in names:
        if name not in known:
            raise Failure(f"{name}: no such program ({', '.join(known)}){meant(name, known)}")


def asked(words):
    """The lines that the command that knows the timed programs prints."""
    command = [sys.executable, str(PREPARE), "--timed", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        told = lines[-1].removeprefix("prepare_programs: ") if lines else f"{PREPARE}: failed"
        raise Failure(told, done.returncode if done.returncode > 0 else WORK_FAILED)
    return done.stdout.splitlines()


def present(lines):
    """The Commands of the programs that are installed; the others are named."""
    for fact in map(json.loads, lines):
        if "missing" in fact:
            say(f"skipped {fact['name']}: apt-get install {' '.join(fact['missing'])}")
        else:
            yield Command(fact["name"], fact["command"], Path(fact["folder"]), fact["environment"])
