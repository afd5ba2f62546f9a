"""The verb exec: a real program under each allocator. Nothing but the time and the memory may
differ, so output and status are compared, and a probe proves in the warm-up run whose malloc it
calls."""

import argparse
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from frontend.allocators import identity, own_malloc, registry
from frontend.allocators.preload import Links, measured_environment
from frontend.failure import CANNOT_TELL
from frontend.figures import results
from frontend.lazily import Lazy
from frontend.measuring import campaign, context
from frontend.measuring.budget import Rounds
from frontend.measuring.campaign import Figures, RunFailed
from frontend.measuring.running import launch
from frontend.paths import built, check_command, temporary_folder
from frontend.progress import say
from frontend.verbs.options import add_command, add_flag, add_measuring, rest_of_line
from frontend.verbs.outcome import show

hashlib = Lazy("hashlib")

EXAMPLES = ("spanbench exec -a span-fast,glibc,jemalloc -n 10 -- sqlite3 my.db 'select 1'",)
NOTES = (
    "LD_PRELOAD and the settings of allocators (MALLOC_CONF, GLIBC_TUNABLES, ...) in your\n"
    "environment are dropped: only what -a asks for applies."
)
# Tells its process id, then becomes the command, preloaded with what $1 names.
PROBED = 'echo $$ >"$0"; LD_PRELOAD=$1; export LD_PRELOAD; shift; exec "$@"'

STATUS_FAILED = "exit status"
# Figures of commands of more than one process; the last two, of processes left behind.
WHERE_SEVERAL = ("tree_pss", "processes", "left_running", "left_running_name")


@dataclass(frozen=True)
class Command:
    """What is run."""

    name: str
    words: list
    place: Path = None  # the folder in which it runs, ours if None
    environment: dict = field(default_factory=dict)  # variables beside ours
    stdin: str = os.devnull  # the file that it reads as its standard input


def add_arguments(parser):
    add_running(parser)
    add_command(parser, "the program and its arguments; its standard input is empty")


def add_running(parser):
    """The options for running programs, whichever they are."""
    add_measuring(parser)
    add_flag(
        parser,
        "--ignore-output",
        "do not compare what the runs print; for programs that print times and the like",
    )
    add_flag(
        parser,
        "--ignore-status",
        "also measure a command that exits with a status other than 0; report the statuses",
    )


def run(options, argv):
    """Runs and shows; 1 if a row failed, 77 if the outputs cannot be compared."""
    command = find_command(rest_of_line(options.command))
    allocators = prepare(options)
    library = own_malloc.library_of(shutil.which(command.words[0]))
    if library:
        say(own_malloc.library_text(command.name, library))
    return measure_and_show([command], allocators, options, argv)


def prepare(options):
    """The allocators that the options name; fails if they, or what measures, cannot be had."""
    allocators = registry.resolve_real(options.allocators, "no program can run on it")
    built("launch")
    built("libprobe.so")
    results.check_writable(options.output)
    return allocators


def measure_and_show(commands, allocators, options, argv):
    """Runs, writes and shows; the exit status."""
    measured, unsteady = measure(commands, allocators, options, argv)
    results.keep(options.output, measured)
    status = show(measured)
    for line in remarks(measured, options):
        say(line)
    for name in unsteady:
        say(f"{name}: its output differs each time; --ignore-output compares no output")
    return status or (CANNOT_TELL if unsteady else 0)


def remarks(measured, options):
    """What is to be said of the commands beside their figures, each thing once."""
    notes = measured.context.get("notes", [])
    entries = measured.context["warmups"] + measured.benchmarks
    failed = [e for e in entries if STATUS_FAILED in e.get("error_message", "")]
    lines = [line for row in measured.rows for line in row_remarks(row)]
    if failed and not options.ignore_status:
        lines.append("a command that fails is not measured, unless --ignore-status is given")
    return results.unique([*notes, *lines])


def row_remarks(row):
    """What is to be said of a command under one allocator."""
    statuses = sorted(set(row.values("exit_status")))
    if statuses not in ([], [0]):
        yield f"{row.name}: exit status {' or '.join(map(str, statuses))}"
    left = max(row.samples, key=lambda e: e.get("left_running", 0), default={})
    if left.get("left_running"):
        which = f"{left['left_running']} of its processes ({left['left_running_name']})"
        yield f"exec/{row.subject}: {which} ran on when it had ended; they were ended with the run"


def find_command(words):
    """The Command; its program must exist."""
    check_command(words[0])
    return Command(Path(words[0]).name, words)


def measure(commands, allocators, options, argv):
    """(Results, names of the commands that did not print the same in all of the reference
    allocator's runs)."""
    measured = run_rounds(commands, allocators, options, argv, Rounds(options.repeats))
    return judged(measured, commands, registry.reference(allocators))


def run_rounds(commands, allocators, options, argv, budget):
    """The Results of as many rounds as the budget has; what the runs printed is not compared
    yet."""
    facts = context.gather(allocators, argv)
    with Links() as links, temporary_folder() as folder:
        runner = Runner(links, folder, options)

        def attempt(command, allocator, number):
            return runner.attempt(command, allocator, is_warm_up=number == campaign.WARM_UP)

        done = campaign.measure("exec", commands, allocators, attempt, budget)
    programs = {command.name: " ".join(command.words) for command in commands}
    facts.update(warmups=done.warm_ups, rounds=done.rounds, programs=programs)
    if runner.notes:
        facts["notes"] = results.unique(runner.notes)
    return results.Results(facts, done.entries)


def judged(measured, commands, reference):
    """As measure, of what run_rounds has measured: rows that printed something else than the
    reference allocator have failed, unless the command is unsteady."""
    old = measured.benchmarks
    unsteady = [c.name for c in commands if not is_steady(old, c.name, reference)]
    new = campaign.reject_disagreements(old, reference, ("checksum",))
    entries = [
        before if results.split_name(before["name"])[1] in unsteady else after
        for before, after in zip(old, new)
    ]
    return results.Results(measured.context, entries), unsteady


def is_steady(entries, name, allocator):
    """Whether all of an allocator's runs of a command that did not fail printed the same."""
    own = (e for e in entries if results.split_name(e["name"])[1:] == (name, allocator))
    return len({e.get("checksum") for e in own if "error_occurred" not in e}) <= 1


@dataclass(frozen=True)
class Runner:
    """Runs a command once under an allocator."""

    links: Links
    folder: Path
    options: argparse.Namespace  # of add_running
    notes: list = field(default_factory=list)  # lines about whose functions the commands call

    def attempt(self, command, allocator, is_warm_up):
        """The Figures of a run; the first one under an allocator is probed."""
        done = (self.probed if is_warm_up else self.plain)(command, allocator)
        if done.error:
            raise RunFailed(done.error)
        if done.status and not self.options.ignore_status:
            raise RunFailed(f"{STATUS_FAILED} {done.status}{done.tail}")
        cpu_ns = done.report["user_ns"] + done.report["sys_ns"]
        return Figures(done.report["wall_ns"], cpu_ns, self.counters(done))

    def counters(self, done):
        """The figures of a run that came to its end."""
        report = done.report
        counters = {
            "peak_rss": report["max_rss"],
            "minor_faults": report["minor_faults"],
            "major_faults": report["major_faults"],
            "sys_time": report["sys_ns"] / 1e6,
            "exit_status": done.status,
            "checksum": self.checksum(done.status),
        }
        told = {key: report[key] for key in WHERE_SEVERAL if report.get(key)}
        return {**counters, **told}

    def plain(self, command, allocator):
        """A run that counts."""
        preload = [self.links.link(allocator.path)]
        environment = measured_environment(allocator.settings, preload)
        return self.start(command, command.words, environment)

    def probed(self, command, allocator):
        """A run with the probe, which must have seen the allocator in the command's process."""
        probe, pid = self.folder / "probe", self.folder / "pid"
        probe.unlink(missing_ok=True)
        preload = f"{self.links.link(built('libprobe.so'))} {self.links.link(allocator.path)}"
        environment = measured_environment(allocator.settings)
        environment["SPANBENCH_PROBE_FILE"] = str(probe)
        words = ["/bin/sh", "-c", PROBED, str(pid), preload, *command.words]
        done = self.start(command, words, environment)
        if not done.error:
            told = check_probe(probe, read_pid(pid), allocator)
            name = f"exec/{command.name}/{allocator.name}"
            self.notes.extend(f"{name}: {line}" for line in told)
        return done

    def start(self, command, words, environment):
        """One run; its standard output goes to a file, since a pipe's reader would disturb it."""
        environment = {**environment, **command.environment}
        with open(self.folder / "stdout", "wb") as stdout:
            return launch(
                *(words, environment, self.options.timeout, self.folder, stdout, command.place),
                options=["--tree"],
                stdin=command.stdin,
            )

    def checksum(self, status):
        """Of what a program did as far as its user can tell."""
        is_compared = not self.options.ignore_status
        digest = hashlib.sha256(str(status).encode() if is_compared else b"")
        for name in () if self.options.ignore_output else ("stdout", "stderr"):
            digest.update(hashlib.sha256((self.folder / name).read_bytes()).digest())
        return digest.hexdigest()[:16]


def read_pid(path):
    """What the shell of a run with the probe says of the process."""
    try:
        return int(path.read_text())
    except (OSError, ValueError) as error:
        raise RunFailed(f"{path.parent}: the process id could not be written there") from error


def check_probe(path, pid, allocator):
    """Fails unless the probe's lines say that process `pid` calls the allocator's malloc; what else
    is to be known of it and of its children, as lines."""
    lines = path.read_text().splitlines() if path.exists() else []
    callers = list(map(json.loads, lines))
    own = [caller for caller in callers if caller["pid"] == pid]
    if not own:
        raise RunFailed("nothing can be preloaded into it: it is static, or has privileges")
    fault = identity.served_elsewhere(own[-1], allocator.path)
    if fault:
        raise RunFailed(fault)
    told = []
    for child in (caller for caller in callers if caller["pid"] != pid):
        fault = identity.served_elsewhere(child, allocator.path)
        told += [f"its child {Path(child['program']).name}: {fault}"] if fault else []
    source = own[-1].get("operator_new_of")
    if source:
        what = "only what it asks of malloc is the allocator's"
        told.append(f"operator new is that of {source}: {what}")
    return told
