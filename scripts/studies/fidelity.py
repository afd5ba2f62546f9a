"""How far what replays predict is what programs save: every timed program, its replay, and its
replay with the model of a program, under each allocator in the same rounds, on the same input. It
measures; what follows from it is fidelity_page's.

The split was written down before the model was fitted: in alphabetical order, the first, third,
fifth ... program are those that the model was fitted to, the others are those that it is judged on.

What was measured is kept in one file after each program's round, so that an interruption loses
little; the traces lie beside it. The real runs become a result file besides, as exec writes it, so
that no program has to be run a second time for README.md's rows of programs.
"""

import argparse
import json
import subprocess

from frontend.allocators import registry
from frontend.allocators.preload import Links
from frontend.failure import WORK_FAILED, Failure
from frontend.figures import prediction, results
from frontend.measuring import campaign, context, replays, traces
from frontend.measuring.campaign import RunFailed
from frontend.paths import HOME, built, temporary_folder
from frontend.progress import progress, say
from frontend.verbs import whole_programs
from frontend.verbs.execute import Runner
from studies import study

REFERENCE = "glibc"
RIVALS = ("span-fast", "jemalloc", "mimalloc", "tcmalloc")
REAL, PLAIN, MODELLED = WAYS = ("real", "plain", "modelled")
FITTED = ("cc1", "git-log", "gs", "lua", "python3", "xmllint")  # by the rule above
TIMEOUT_S = 600.0
LOAD_WORTH_TELLING = 0.5  # processors that others keep busy, before anything runs; arbitrary


class Record(study.Record):
    """The file of what was measured: {"context": {...}, "programs": {NAME: {ALLOCATOR: [[real,
    plain, modelled], one a round, in ns]}}, "runs": [entries of the real runs]}."""

    PARTS = (("context", dict), ("programs", dict), ("runs", list))

    def rounds(self, name):
        """How many rounds of a program there are."""
        return min(
            (len(times) for times in self.data["programs"].get(name, {}).values()), default=0
        )

    def add(self, name, round_):
        """Adds a round, {allocator: (ns in each of WAYS, Figures of the real run)}, and writes the
        file."""
        kept, number = self.data["programs"].setdefault(name, {}), self.rounds(name)
        for allocator, (ns, real) in round_.items():
            kept.setdefault(allocator, []).append(ns)
            row = f"exec/{name}/{allocator}"
            self.data.setdefault("runs", []).append(campaign.entry(row, (number, number + 1), real))
        results.write_text(self.path, json.dumps(self.data, indent=1) + "\n")

    def write_runs(self, path):
        """Writes the real runs as a result file of exec."""
        facts = {"warmups": [], **self.data["context"]}
        facts["rounds"] = max(map(self.rounds, self.data["programs"]), default=0)
        entries = [{**e, "repetitions": facts["rounds"]} for e in self.data.get("runs", [])]
        entries.sort(key=lambda e: (e["name"].rpartition("/")[0], e["name"], e["repetition_index"]))
        results.write(path, results.Results(facts, entries))


class Bench:
    """What the runs of a program need."""

    def __init__(self, links, folder):
        options = argparse.Namespace(timeout=TIMEOUT_S, ignore_status=False, ignore_output=True)
        self.runner = Runner(links, folder, options)
        self.manner = replays.Manner(passes=(), timeout=TIMEOUT_S, links=links)
        self.manner.model = prediction.PROGRAM

    def warm_up(self, command, allocator):
        """A run that is not counted, in which it is proved whose malloc the program calls."""
        self.runner.attempt(command, allocator, True)

    def round_of(self, command, trace, allocator):
        """([ns in each of WAYS], Figures of the real run), one run after the other: on the
        processor, or wall time if the program has several threads."""
        real = self.runner.attempt(command, allocator, False)
        plain = replays.one_pass(replays.SPEED, trace, allocator, self.manner)
        modelled = replays.modelled_time(trace, allocator, self.manner, plain)
        is_threaded = replays.thread_count(trace, self.manner.thread_order) > 1
        own = real.real_ns if is_threaded else real.cpu_ns
        return [own, replays.counted_ns(trace, self.manner, plain), modelled], real


def measure(record, names, rounds):
    """Adds rounds to the record until each program has so many."""
    allocators = registry.resolve([",".join((REFERENCE, *RIVALS))])
    replays.check_programs(allocators)
    built("launch")
    with temporary_folder() as folder, Links() as links:
        say("making the input of the programs")
        place = str(folder / "programs")
        commands = list(whole_programs.present(whole_programs.asked(["--into", place, *names])))
        missing = [c for c in commands if record.rounds(c.name) < rounds]
        if not missing:
            return
        note_context(record, allocators, commands)
        recorded = {c.name: trace_of(c, record.path.parent) for c in missing}
        try:
            run_rounds(record, missing, recorded, allocators, rounds, Bench(links, folder))
        except RunFailed as reason:
            raise Failure(str(reason), WORK_FAILED) from reason


def note_context(record, allocators, commands):
    """Under which circumstances; the busiest of them, where it was measured in several goes."""
    facts = context.gather(allocators, [])
    kept = ("date", "num_cpus", "commit", "dirty", "libc", "kernel", "cpu", "allocators")
    load = max(facts["load_before"], record.data["context"].get("load_before", 0))
    programs = {command.name: " ".join(command.words) for command in commands}
    record.data["context"] = {
        **{key: facts[key] for key in kept},
        "load_before": load,
        "programs": {**record.data["context"].get("programs", {}), **programs},
    }


def trace_of(command, folder):
    """The Trace of a program's calls on this input, recorded unless it has been."""
    path = folder / f"{command.name}.trace"
    if not path.exists():
        say(f"recording {command.name}")
        record = [str(HOME / "spanbench"), "record", "--no-children", "-o", str(path), "--"]
        with open("/dev/null", "rb+") as nothing:
            done = subprocess.run(
                record + command.words,
                cwd=command.place,
                env=command.environment,
                stdin=nothing,
                stdout=nothing,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        if done.returncode:
            raise Failure(f"{command.name}: not recorded: {done.stderr.strip()}", WORK_FAILED)
    return traces.load([path])[0]


def run_rounds(record, commands, recorded, allocators, rounds, bench):
    """The warm-up, and the rounds that are missing. An allocator comes after each other one equally
    often."""
    first = min(record.rounds(command.name) for command in commands)
    with progress() as shown:
        for number in range(first - 1, rounds):
            is_warm_up = number < first
            due = [c for c in commands if is_warm_up or record.rounds(c.name) <= number]
            place = campaign.WARM_UP if is_warm_up else number - first
            shown.begin_round(place, rounds - first, len(due) * len(allocators))
            for command, ordered in campaign.in_turn(due, allocators, number):
                done = {}
                for allocator in ordered:
                    shown.begin_step(command.name, allocator.name)
                    if is_warm_up:
                        bench.warm_up(command, allocator)
                    else:
                        trace = recorded[command.name]
                        done[allocator.name] = bench.round_of(command, trace, allocator)
                if done:
                    record.add(command.name, done)
