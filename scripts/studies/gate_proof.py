"""What shows that the gate can be trusted, on this machine: pairs of runs of one and the same
library, and of libraries that are slower or fatter by a known amount, and whole gates on them. It
measures; what follows from it is gate_power's.

The libraries are the tree's, with a handicap (tests/handicap.c). What was measured is kept in one
file after each step, so that an interruption loses little.
"""

import json
import math
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from frontend.allocators.preload import Links
from frontend.counted import counted
from frontend.failure import WORK_FAILED, Failure
from frontend.figures import paired_samples, results
from frontend.gate import gate_sides, gate_subjects, gate_time
from frontend.gate.gate_sides import Side
from frontend.gate.gate_verdict import MEAN, TIME, mean_of
from frontend.measuring import building, context
from frontend.paths import ROOT, temporary_folder
from frontend.progress import Quiet, say
from studies import study

BUILD = "span-fast"
SLOWER = (1, 2, 3, 5, 10)  # percent of time
FAT_SHARE = 10  # one tenth more of each request
SAME = "same"
FAT = "fat"
SLICE = 5  # rounds after which the file is written
CALIBRATION_LOOPS = (1, 2, 3, 4, 5, 6, 8, 12)
CALIBRATION_PAIRS = 24
GATES = 20
# Whole gates: (name, library, options, whether another process burns a processor meanwhile).
PLANNED = (
    ("same, time", SAME, "--quick --metrics time", False),
    ("3 % slower, time", "3", "--quick --metrics time", False),
    ("5 % slower, time", "5", "--quick --metrics time", False),
    ("10 % slower, time", "10", "--quick --metrics time", False),
    ("a processor burnt: same, time", SAME, "--quick --metrics time", True),
    ("a processor burnt: 5 % slower, time", "5", "--quick --metrics time", True),
    (
        "same, what hardly varies",
        SAME,
        "--quick --metrics instructions,system_calls,minor_faults,peak_rss,peak_mapped",
        False,
    ),
    ("2 % slower, instructions", "2", "--quick --metrics instructions", False),
    ("10 % fatter, peak RSS", FAT, "--quick --metrics peak_rss", False),
)


class Record(study.Record):
    """The file of what was measured."""

    PARTS = tuple((name, dict) for name in ("context", "loops", "series", "gates"))

    def write(self):
        """Writes it, one line a list of numbers."""
        text = json.dumps(self.data, indent=1)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        results.write_text(self.path, compact(text) + "\n")


def compact(text):
    """Indented JSON with every list on one line."""
    lines, held, depth = [], "", 0
    for line in text.split("\n"):
        depth += line.endswith("[") - (line.strip() in ("]", "],"))
        held += line.strip() if held else line
        if depth:
            held += " " if line.endswith(",") else ""
        else:
            lines.append(held)
            held = ""
    return "\n".join(lines)


@contextmanager
def libraries(loops):
    """{name: path} of the library and those with a handicap, for as long as a `with` lasts; loops
    is {name: loops burnt in each call}."""
    library = f"lib{BUILD}.so"
    files = {SAME: library, FAT: f"share-{FAT_SHARE}/{library}"}
    files.update({name: f"loops-{n}/{library}" for name, n in loops.items()})
    with temporary_folder() as folder:
        building.make(ROOT, folder, dict.fromkeys(files.values()), "the working tree")
        yield {name: folder / file for name, file in files.items()}


@contextmanager
def rows(base, head, subjects):
    """The gate_time.Rows of two libraries, and the Links that runs need."""
    with temporary_folder() as folder, Links() as links:
        sides = [Side(name, {"": path}) for name, path in (("base", base), ("head", head))]
        copies = gate_sides.copies(*sides, folder)[""]
        yield [gate_time.Row(subject, "", copies) for subject in subjects], links


def calibrate(record):
    """Finds out how many loops cost how much of the time of the quick rows."""
    if record.data["loops"]:
        return
    subjects = gate_subjects.standard(True)
    effects = {}
    with libraries({str(n): n for n in CALIBRATION_LOOPS}) as made:
        for n in CALIBRATION_LOOPS:
            effects[n] = measure_effect(made[SAME], made[str(n)], subjects)
            say(f"{counted(n, 'loop')}: {100 * math.expm1(effects[n]):.2f} %")
    loops = {str(percent): loops_for(math.log1p(percent / 100), effects) for percent in SLOWER}
    record.data.update(loops=loops, calibration={str(n): round(e, 5) for n, e in effects.items()})
    record.data["context"] = described()
    record.write()


def measure_effect(base, head, subjects):
    """The logarithm of the mean's ratio of time."""
    with rows(base, head, subjects) as (measured, links):
        gate_time.measure(measured, CALIBRATION_PAIRS, links, Quiet())
        check(measured)
        pairs = {row.subject.name: row.pairs for row in measured}
        return paired_samples.effect(mean_of(pairs, "logs")).median


def loops_for(effect, effects):
    """The number of loops with this effect, by the line through nothing that fits {loops: effect}
    best: single ones are too noisy to be trusted."""
    slope = sum(n * e for n, e in effects.items()) / sum(n * n for n in effects)
    if slope <= 0:
        raise Failure("loops that are burnt cost no time; is the machine busy?", WORK_FAILED)
    return max(1, round(effect / slope))


def check(measured):
    """Fails if a Row did."""
    for row in measured:
        if row.error:
            raise Failure(f"{row.name}: {row.error}", WORK_FAILED)


def described():
    """Under which circumstances."""
    whole = context.gather([], [])
    kept = ("date", "num_cpus", "commit", "dirty", "compiler", "libc", "kernel", "cpu", "thp")
    return {key: whole[key] for key in kept}


def collect(record, name, rounds, is_quick):
    """Adds rounds to the series of a library until it has so many."""
    subjects = gate_subjects.standard(is_quick)
    series = record.data["series"].setdefault(name, {"rows": {}, "seconds": 0.0})
    done = min((len(r["logs"]) for r in series["rows"].values()), default=0)
    left = rounds - done // gate_time.PAIRS_A_ROUND
    if left <= 0:
        return
    with libraries(record.data["loops"]) as made:
        with rows(made[SAME], made[name], subjects) as (measured, links):
            for start in range(0, left, SLICE):
                began = time.monotonic()
                target = min(left, start + SLICE)
                gate_time.measure(measured, target * gate_time.PAIRS_A_ROUND, links, Quiet())
                check(measured)
                add(series, measured, start, time.monotonic() - began)
                record.write()
                say(f"{name}: {target} of {counted(left, 'round')}")


def add(series, measured, start, seconds):
    """Takes the rounds after `start` into a series."""
    series["seconds"] = round(series["seconds"] + seconds, 1)
    for row in measured:
        kept = series["rows"].setdefault(row.subject.name, {"logs": [], "noise": []})
        first = start * gate_time.PAIRS_A_ROUND
        kept["logs"] += [round(x, 5) for x in row.pairs.logs[first:]]
        kept["noise"] += [round(x, 5) for x in row.pairs.noise[first:]]


def run_gates(record, count, only):
    """Runs whole gates until there are `count` of each kind whose name begins with `only`."""
    with libraries(record.data["loops"]) as made, tempfile.TemporaryDirectory() as folder:
        for name, library, options, is_burning in PLANNED:
            if not name.startswith(only):
                continue
            done = record.data["gates"].setdefault(name, [])
            while len(done) < count:
                done.append(run_gate(made[SAME], made[library], options, is_burning, folder))
                record.write()
                say(f"{name}: gate {len(done)} of {count}: status {done[-1][0]}")


def run_gate(base, head, options, is_burning, folder):
    """[exit status, seconds, pairs, the mean's ratio of time or null] of one gate."""
    command = [str(ROOT / "scripts" / "spanbench"), "gate", "--base", str(base)]
    command += ["--head", str(head), *options.split(), "-o", folder]
    output = Path(folder) / "gate.json"
    output.unlink(missing_ok=True)
    burner = burn() if is_burning else None
    start = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        if burner:
            burner.kill()
            burner.wait()
    if not output.exists():
        raise Failure(done.stderr.strip().rpartition("\n")[2], WORK_FAILED)
    found = results.read(output).context["gate"]["findings"]
    times = [f for f in found if f["metric"] == TIME]
    pairs = max((f["pairs"] for f in times), default=0)
    ratio = next((round(f["ratio"], 4) for f in times if f["row"] == MEAN and "ratio" in f), None)
    return [done.returncode, round(time.monotonic() - start, 1), pairs, ratio]


def burn():
    """A process that uses a processor until it is killed."""
    return subprocess.Popen([sys.executable, "-c", "while True: pass"])
