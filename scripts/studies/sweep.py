"""Sweeps of tuning constants: the allocator built with other values of one, and the traces replayed
against these and the present one, interleaved.

The results of all sweeps are one result file. Its entries are named
sweep/TRACE/BUILD:CONSTANT=VALUE, and context["sweeps"] says of each constant which allocators are
its values; the present one is the first.

A time that a busy machine blurs leaves open what a constant does. Instructions and page faults of
its neighbours, which hardly vary, settle most of that: context["counts"] has them, {allocator:
{trace: {instructions, minor_faults}}}. context["made"] says of each build how and when that was,
and a sweep's own "made" says it of a constant that was swept by itself later.
"""

import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from frontend.allocators import registry
from frontend.allocators.preload import Links
from frontend.counted import counted
from frontend.failure import Failure, blamed_on
from frontend.figures import results
from frontend.gate import gate_subjects
from frontend.measuring import building, campaign, context, deterministic, replays
from frontend.measuring import traces
from frontend.measuring.budget import Rounds
from frontend.measuring.campaign import Figures, RunFailed
from frontend.paths import ROOT, temporary_folder
from frontend.progress import say
from studies import tuning

KIND = "sweep"
# Of the circumstances, what is told of each build.
MADE = (
    "command",
    "date",
    "commit",
    "dirty",
    "num_cpus",
    "cpu",
    "kernel",
    "libc",
    "touch",
    "rounds",
)
TIMEOUT_S = 60.0
TIMES = ("real_time_ns", "cpu_time_ns")
COUNTED = ("instructions", "minor_faults")
# Of each sample; the rest would make the file several times as large.
KEPT = (
    *("name", "repetition_index", "iterations", "real_time", "cpu_time", "time_unit", "ns_per_op"),
    *("peak_rss", "error_occurred", "error_message"),
)
VERSION_FILE = Path("scripts/frontend/version.py")


@dataclass(frozen=True)
class Sweep:
    """One constant of one build."""

    build: str
    constant: tuning.Constant
    file: str  # where it is defined
    now: int

    @property
    def values(self):
        """The present value and those to try."""
        return (self.now, *tuning.values_to_try(self.constant, self.now))

    @property
    def neighbours(self):
        """The present value and the next ones below and above it."""
        ascending = sorted(self.values)
        place = ascending.index(self.now)
        return [self.now, *ascending[max(0, place - 1) : place], *ascending[place + 1 : place + 2]]

    def name(self, value):
        """Of the allocator with this value."""
        return f"{self.build}:{self.constant.name}={value}"

    def describe(self):
        """What the context of the result file says."""
        tried = [
            {"allocator": self.name(v), "value": v, "label": tuning.label(self.constant, v)}
            for v in self.values
        ]
        place = {"build": self.build, "constant": self.constant.name, "file": self.file}
        return {**place, "values": tried}


def plan(names, builds, folder):
    """The Sweeps of the named constants (all without names) as the sources in a folder are."""
    sweeps = []
    for build in builds:
        for constant in tuning.chosen(names, build):
            place = tuning.find(constant.name, folder)
            now = tuning.number(place.expression, build)
            sweeps.append(Sweep(build, constant, place.path.name, now))
    if not sweeps:
        raise Failure(f"{names[0]}: decides nothing in {' and '.join(builds)}")
    return sweeps


def copy_tree(folder):
    """The Makefile, what it reads, and the allocator, to be changed and built there as here."""
    with blamed_on(folder):
        shutil.copy(ROOT / "Makefile", folder)
        (folder / VERSION_FILE).parent.mkdir(parents=True)
        shutil.copy(ROOT / VERSION_FILE, folder / VERSION_FILE)
        shutil.copytree(ROOT / "allocator", folder / "allocator")


@contextmanager
def changed(sources, values):
    """The sources with other values for constants, {name: value}, for as long as a `with` lasts."""
    old = []
    try:
        for name, value in values.items():
            old.append(tuning.replace(name, value, sources))
        yield
    finally:
        for path, text in reversed(old):
            path.write_text(text, encoding="utf-8")


def build(sweep, value, tree):
    """The Allocator with one value."""
    along = sweep.constant.along.get(value, {})
    values = {} if value == sweep.now else {sweep.constant.name: value, **along}
    with changed(tree / "allocator", values):
        building.make(tree, "build", [f"lib{sweep.build}.so"], sweep.name(value))
    kept = tree / f"{sweep.build}-{sweep.constant.name}-{value}.so"
    shutil.copy(tree / "build" / f"lib{sweep.build}.so", kept)
    return registry.from_file(sweep.name(value), str(kept))


def each(names, builds):
    """(Sweep, a tree to build its values in, Links) one after the other; says how far it is."""
    start = time.monotonic()
    with temporary_folder() as tree, Links() as links:
        copy_tree(tree)
        sweeps = plan(names, builds, tree / "allocator")
        for done, sweep in enumerate(sweeps):
            say(f"{sweep.build} {sweep.constant.name}, {news(done, len(sweeps), start)}")
            yield sweep, tree, links


def measure(names, builds, loaded, rounds, command):
    """The Results of all sweeps over the Traces."""
    facts = context.gather([], [])
    facts.update(executable="scripts/studies/sweep_constants", command=command)
    facts["traces"] = {trace.name: traces.describe(trace) for trace in loaded}
    facts.update(touch="page", rounds=rounds, sweeps=[])
    entries = []
    for sweep, tree, links in each(names, builds):
        manner = replays.Manner(timeout=TIMEOUT_S, links=links)
        allocators = [build(sweep, value, tree) for value in sweep.values]
        entries += map(slim, replay_all(loaded, allocators, manner, rounds))
        facts["sweeps"].append(sweep.describe())
    made = {key: facts[key] for key in MADE} | {"traces": len(loaded)}
    facts["made"] = {described["build"]: made for described in facts["sweeps"]}
    return results.Results(facts, entries)


def merged(old, new, is_whole):
    """The Results of both: what was swept anew, all constants of a build or some of them, replaces
    what there was."""
    made = new.context["made"]
    anew = [
        sweep if is_whole else {**sweep, "made": made[sweep["build"]]} for sweep in sweeps_of(new)
    ]
    replaced = {(sweep["build"], sweep["constant"]) for sweep in anew}
    kept = [
        sweep
        for sweep in sweeps_of(old)
        if (sweep["build"], sweep["constant"]) not in replaced
        and not (is_whole and sweep["build"] in made)
    ]
    names = {tried["allocator"] for sweep in kept for tried in sweep["values"]}
    entries = [e for e in old.benchmarks if results.split_name(e["name"])[2] in names]
    counts = {n: found for n, found in old.context.get("counts", {}).items() if n in names}
    first, second = (old.context["made"], made) if is_whole else (made, old.context["made"])
    facts = {**new.context, "sweeps": sorted(kept + anew, key=place), "made": {**first, **second}}
    facts["counts"] = {**counts, **new.context.get("counts", {})}
    return results.Results(facts, entries + new.benchmarks)


def place(described):
    """Where a sweep stands among others: by build, then as the constants do."""
    names = [constant.name for constant in tuning.CONSTANTS]
    name = described["constant"]
    within = names.index(name) if name in names else len(names)
    return tuning.BUILDS.index(described["build"]), within


def sweeps_of(measured):
    """What the result file says of its sweeps."""
    described = measured.context.get("sweeps")
    if not described or "made" not in measured.context:
        raise Failure(f"{measured.path}: holds no sweep of constants")
    return described


def replay_all(loaded, allocators, manner, rounds):
    """The entries of all traces and allocators. Peak RSS hardly varies: it is measured once, in the
    warm-up round."""

    def attempt(trace, allocator, number):
        if number == campaign.WARM_UP:
            return Figures(0, 0, {}, lambda: one_pass("memory", ("peak_rss",), trace, allocator))
        speed = one_pass("speed", (*TIMES, *replays.WORK), trace, allocator)
        real_ns, cpu_ns = (speed.pop(key) for key in TIMES)
        return Figures(real_ns, cpu_ns, {**speed, "ns_per_op": real_ns / max(1, speed["ops"])})

    def one_pass(name, keys, trace, allocator):
        figures = replays.one_pass(name, trace, allocator, manner)
        return {key: figures[key] for key in keys}

    done = campaign.measure("replay", loaded, allocators, attempt, Rounds(rounds))
    peaks = {e["name"]: {"peak_rss": e["peak_rss"]} for e in done.warm_ups if "peak_rss" in e}
    entries = campaign.reject_disagreements(done.entries, allocators[0].name, replays.WORK)
    return [e if "error_occurred" in e else {**e, **peaks[e["name"]]} for e in entries]


def count(names, builds, loaded):
    """{allocator: {trace: {instructions, minor_faults}}} of the present values and their
    neighbours. The present values of a build are one allocator, which is counted once."""
    counts, present = {}, {}
    subjects = [gate_subjects.from_trace(trace) for trace in loaded]
    for sweep, tree, links in each(names, builds):
        tried = [v for v in sweep.neighbours if v != sweep.now or sweep.build not in present]
        made = [build(sweep, value, tree) for value in tried]
        found = count_all(made, subjects, links)
        present.setdefault(sweep.build, found.get(sweep.name(sweep.now), {}))
        counts.update({sweep.name(sweep.now): present[sweep.build], **found})
    return counts


def count_all(allocators, subjects, links):
    """The same of some allocators; a run that fails is told and left out."""
    jobs = [(subject, allocator) for allocator in allocators for subject in subjects]
    counts = {}
    for (subject, allocator), done in zip(jobs, deterministic.measure_all(jobs, links, COUNTED)):
        if isinstance(done, RunFailed):
            say(f"{allocator.name} on {subject.name}: {done}")
        else:
            kept = {key: done[key] for key in COUNTED}
            counts.setdefault(allocator.name, {})[subject.name] = kept
    return counts


def news(done, count, start):
    """How far the sweeps are."""
    text = f"constant {done + 1} of {count}"
    if not done:
        return text
    minutes = (time.monotonic() - start) / done * (count - done) / 60
    return f"{text}, about {counted(round(minutes), 'minute')} left"


def slim(entry):
    """What is kept of the entry of a replay."""
    _, trace, allocator = results.split_name(entry["name"])
    name = f"{KIND}/{trace}/{allocator}"
    return {key: entry[key] for key in KEPT if key in entry} | {"name": name}


def replays_of(measured, described):
    """The entries of one constant as Results of replays, the present value's first."""
    order = [tried["allocator"] for tried in described["values"]]
    entries = []
    for entry in measured.benchmarks:
        _, trace, allocator = results.split_name(entry["name"])
        if allocator in order:
            entries.append({**entry, "name": f"replay/{trace}/{allocator}"})
    entries.sort(key=lambda entry: order.index(results.split_name(entry["name"])[2]))
    return results.Results(measured.context, entries)
