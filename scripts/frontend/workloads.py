"""The verb run: synthetic workloads against allocators. Without a name it lists them."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from frontend import campaign, context, driver, registry, results
from frontend.campaign import Figures
from frontend.failure import Failure, io_failure
from frontend.paths import PROFILE, built, shown
from frontend.preload import Links
from frontend.progress import progress
from frontend.replay import REPEATS, add_allocators, positive, seconds, show
from frontend.running import TIMEOUT_S
from frontend.table import add_number_columns, console, new_table

SUMMARY = "run synthetic workloads against allocators; without a name, list them"
EVERY = "all"
FIGURES = (
    *("ops", "threads", "checksum", "refused", "minor_faults", "major_faults", "peak_rss"),
    *("peak_mapped", "peak_live", "rss_after_drain", "baseline_rss", "bound"),
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


def add_arguments(parser):
    """The options of the verb."""
    parser.add_argument(
        "workloads", nargs="*", metavar="WORKLOAD", help=f"names, or `{EVERY}`; none: list them"
    )
    add_allocators(parser, registry.DEFAULT)
    parser.add_argument(
        "-t",
        "--threads",
        type=thread_counts,
        default=[],
        metavar="N[,N...]",
        help="several make a row each (default: as the workload has it)",
    )
    parser.add_argument("--ops", type=positive, metavar="N", help="calls of each thread, about")
    parser.add_argument("--size", type=positive, metavar="N", help="what it is tells the list")
    parser.add_argument("--seed", type=positive, default=1, metavar="N")
    parser.add_argument(
        "--seconds",
        type=positive,
        metavar="S",
        help="run for a time instead of a number of calls; a faster allocator then does more work",
    )
    parser.add_argument(
        "--address-space",
        type=positive,
        metavar="MIB",
        help="beyond what is mapped at the start, so that calls fail; only `stress` goes on then",
    )
    parser.add_argument(
        "--profile",
        type=Path,
        metavar="FILE",
        help="for the workload `profile`, as `spanbench info --profile` prints it"
        f" (default: {shown(PROFILE)})",
    )
    parser.add_argument("-n", "--repeats", type=positive, default=REPEATS, metavar="REPEATS")
    parser.add_argument(
        "--timeout", type=seconds, default=TIMEOUT_S, metavar="S", help="of one run"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.json", help="keep the results")


def thread_counts(text):
    """[1, 2] of "1,2", for argparse."""
    counts = [positive(part) for part in text.split(",")]
    return results.unique(counts)


def run(options, argv):
    """Lists, or runs and shows; exit status 1 if a row failed."""
    known = read_list()
    if not options.workloads:
        return show_list(known)
    chosen = choose(known, options)
    allocators = registry.resolve(options.allocators)
    if any(allocator.is_floor for allocator in allocators):
        raise Failure("-a: null: its blocks overlap, and workloads check theirs")
    driver.check_programs("workload", allocators)
    if options.output:
        results.check_writable(options.output)
    with Links() as links:
        manner = Manner(arguments_of(options), options.timeout, links)
        works = () if options.seconds else WORK
        measured = measure(chosen, allocators, manner, lambda *_: options.repeats, argv, works)
    if options.output:
        results.write(options.output, measured)
    return show(measured)


def read_list():
    """{name: facts} of the workloads there are, in order."""
    command = [str(built("workload-glibc")), "--list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"{command[0]}: {done.stderr.strip() or 'failed'}")
    return {facts["name"]: facts for facts in json.loads(done.stdout)}


def show_list(known):
    """The list: for people a table, for programs a line each."""
    if not sys.stdout.isatty():
        for name, facts in known.items():
            print(f"{name}  {facts['summary']}")
        return 0
    table = new_table("workload", "what it does", "size is")
    add_number_columns(table, ("size", "calls", "threads"))
    for name, facts in known.items():
        size = f"{facts['size']:,}" if facts["size_is"] else ""
        numbers = (size, f"{facts['ops']:,}", str(facts["threads"]))
        table.add_row(name, facts["summary"], facts["size_is"] or "", *numbers)
    out = console()
    out.print(table)
    out.print(Text("Sizes, calls (of each thread) and threads are defaults.", style="dim"))
    return 0


def choose(known, options):
    """The Workloads that the options name, each with each number of threads."""
    names = options.workloads
    if names == [EVERY]:
        names = [name for name, facts in known.items() if not facts["is_test"]]
    chosen = []
    for name in results.unique(names):
        if name not in known:
            raise Failure(f"{name}: no such workload; `spanbench run` lists them")
        check_size(known[name], options.size)
        chosen += with_threads(known[name], options.threads)
    return chosen


def check_size(facts, size):
    """Fails if the workload cannot have this size."""
    if size and not facts["size_is"]:
        raise Failure(f"--size: {facts['name']} has none")
    if size and size < facts["size_least"]:
        raise Failure(f"--size {size}: {facts['name']} needs at least {facts['size_least']}")


def with_threads(facts, counts, arguments=()):
    """The Workload with each of the numbers of threads that it can have."""
    name, least = facts["name"], facts["threads_least"]
    possible = [count for count in counts or [facts["threads"]] if count >= least]
    if not possible:
        raise Failure(f"-t {counts[0]}: {name} needs at least {least} threads")
    if len(counts) < 2:
        return [Workload(name, facts, possible[0], arguments)]
    return [Workload(f"{name}/threads:{count}", facts, count, arguments) for count in possible]


def arguments_of(options):
    """What the program is told, apart from the workload and its threads."""
    if options.ops and options.seconds:
        raise Failure("--seconds and --ops: only one of them can be given")
    if options.profile:
        try:
            options.profile.open().close()
        except OSError as error:
            raise io_failure(error, options.profile) from error
    names = ("ops", "size", "seed", "seconds", "address-space")
    given = [(f"--{name}", getattr(options, name.replace("-", "_"))) for name in names]
    given.append(("--profile", options.profile or PROFILE))
    return tuple(str(word) for pair in given if pair[1] is not None for word in pair)


def measure_quick(allocators, links, timeout, choose_rounds, argv):
    """The Results of the quick selection, without the floor."""
    known = read_list()
    chosen = [
        workload
        for name, counts, arguments in QUICK
        for workload in with_threads(known[name], counts, tuple(arguments.split()))
    ]
    real = [a for a in allocators if not a.is_floor]
    return measure(chosen, real, Manner((), timeout, links), choose_rounds, argv)


def measure(chosen, allocators, manner, choose_rounds, argv, works=WORK):
    """The Results of running all Workloads on all allocators; `works` must agree in a row."""
    facts = context.gather(allocators, argv)
    facts["workloads"] = {w.name: describe(w) for w in chosen}

    def attempt(workload, allocator, _):
        return run_once(workload, allocator, manner)

    with progress() as shown:
        done = campaign.measure("run", chosen, allocators, attempt, choose_rounds, shown)
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
