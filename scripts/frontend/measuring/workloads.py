"""Running synthetic workloads against allocators."""

import json
import subprocess
from dataclasses import dataclass

from frontend.allocators import registry
from frontend.allocators.preload import Links
from frontend.counted import counted
from frontend.failure import Failure
from frontend.figures import results
from frontend.measuring import campaign, context, driver
from frontend.measuring.campaign import Figures
from frontend.paths import built

FIGURES = (
    *("ops", "threads", "checksum", "refused", "minor_faults", "major_faults", "peak_rss"),
    *("peak_mapped", "peak_live", "rss_after_drain", "baseline_rss", "bound"),
    *("initial_rss", "initial_mapped"),
)
WORK = ("ops", "checksum")
# The part of `bench`: (workload, numbers of threads, arguments), each some 0.03 seconds.
QUICK = (
    ("larson", (1, 2), "--ops 1000000"),
    ("xmalloc", (2,), "--ops 500000"),
    ("mstress", (2,), "--ops 600000"),
    ("threadtest", (1, 2), "--ops 1500000"),
    ("replace-10k", (1, 2), "--ops 800000"),
    ("heap-shuffle", (1,), "--ops 300000 --size 100000"),
    ("large-blocks", (1,), "--ops 20"),
    ("string-builder", (1,), "--ops 150000"),
    ("tree", (1,), "--ops 100000"),
    ("sawtooth", (1,), "--ops 100000 --size 8"),
    ("espresso-like", (1,), "--ops 1000000"),
    ("robson", (1,), "--size 2"),
    ("best-fit-bad", (1,), "--ops 1 --size 16"),
    ("page-pins", (1,), "--size 8"),
)


@dataclass(frozen=True)
class Workload:
    """A workload as it will be run."""

    name: str  # with the number of threads where several are asked for
    facts: dict  # as the program lists it
    threads: int
    arguments: tuple = ()  # of this workload alone


@dataclass(frozen=True)
class Manner:
    """How workloads are run: what they are told, and for how long they may take."""

    arguments: tuple
    timeout: float
    links: Links


def read_list():
    """{name: facts} of the workloads there are, in order."""
    command = [str(built("workload-glibc")), "--list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"{command[0]}: {done.stderr.strip() or 'failed'}")
    return {facts["name"]: facts for facts in json.loads(done.stdout)}


def check_profile(path):
    """Fails unless the file is a profile, for the workloads that need one."""
    command = [str(built("workload-glibc")), "--check-profile", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    if done.returncode:
        raise Failure(done.stderr.strip() or f"{path}: no profile")


def with_threads(facts, counts, arguments=()):
    """The Workload with each of the numbers of threads that it can have."""
    name, least = facts["name"], facts["threads_least"]
    possible = [count for count in counts or [facts["threads"]] if count >= least]
    if not possible:
        raise Failure(f"-t {counts[0]}: {name} needs at least {counted(least, 'thread')}")
    if len(counts) < 2:
        return [Workload(name, facts, possible[0], arguments)]
    return [Workload(f"{name}/threads:{count}", facts, count, arguments) for count in possible]


def quick():
    """The Workloads of the quick selection."""
    known = read_list()
    return [
        workload
        for name, counts, arguments in QUICK
        for workload in with_threads(known[name], counts, tuple(arguments.split()))
    ]


def measure_quick(chosen, allocators, links, timeout, budget, argv):
    """The Results of Workloads of the quick selection, without the floor."""
    real = [a for a in allocators if not a.is_floor]
    manner = Manner((), timeout, links)
    return measure(chosen, real, manner, budget, argv)


def measure(chosen, allocators, manner, budget, argv, works=WORK):
    """The Results of running all Workloads on all allocators; `works` must agree in a row."""
    facts = context.gather(allocators, argv)
    facts["workloads"] = {w.name: describe(w) for w in chosen}

    def attempt(workload, allocator, _):
        return run_once(workload, allocator, manner)

    done = campaign.measure("run", chosen, allocators, attempt, budget)
    varying = {w.name for w in chosen if w.facts["varies"]}
    entries = reject_disagreements(done.entries, varying, registry.reference(allocators), works)
    facts.update(warmups=done.warm_ups, rounds=done.rounds)
    return results.Results(facts, entries)


def reject_disagreements(entries, varying, reference, works):
    """As campaign does, but for the workloads whose calls may vary."""
    names = [entry["name"] for entry in entries]
    free = [e for e in entries if results.split_name(e["name"])[1] in varying]
    bound = [e for e in entries if results.split_name(e["name"])[1] not in varying]
    checked = campaign.reject_disagreements(bound, reference, works)
    return campaign.in_order(free + checked, results.unique(names))


def describe(workload):
    """What the context of a result file says of a workload."""
    facts = workload.facts
    told = {key: facts[key] for key in ("summary", "size_is", "varies")}
    return {**told, "threads": workload.threads}


def run_once(workload, allocator, manner):
    """The Figures of one run."""
    arguments = [*manner.arguments, *workload.arguments, "--threads", str(workload.threads)]
    arguments.append(workload.facts["name"])
    done = driver.run_once("workload", allocator, arguments, manner.links, manner.timeout)
    counters = {key: done[key] for key in FIGURES if key in done}
    counters["ns_per_op"] = done["real_time_ns"] / max(1, done["ops"])
    counters["sys_time"] = done["sys_ns"] / 1e6
    return Figures(done["real_time_ns"], done["cpu_time_ns"], counters)
