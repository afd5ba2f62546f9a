"""The verb micro: the micro-benchmarks against allocators. Also their part of bench.

One process runs all chosen benchmarks on one allocator; in each round every allocator has its turn.
What Google Benchmark prints becomes one result file, an entry for each benchmark, allocator and
repetition.
"""

import re
import subprocess
from dataclasses import dataclass

from frontend.allocators import registry
from frontend.allocators.preload import Links, measured_environment
from frontend.failure import WORK_FAILED, Failure
from frontend.figures import results, table
from frontend.figures.results import unique
from frontend.measuring import campaign, context, driver
from frontend.measuring.budget import Rounds
from frontend.measuring.campaign import Figures
from frontend.paths import built
from frontend.progress import say
from frontend.verbs.options import add_measuring

EXAMPLES = (
    "spanbench micro -a span-fast,glibc --benchmark_filter='^pair/'",
    "spanbench micro --benchmark_list_tests",
)
NOTES = "Words that begin with --benchmark_ go to Google Benchmark, except for those of its output."
FLAG = "--benchmark_"  # the words that begin so are Google Benchmark's
# Seconds of each benchmark; arbitrary: with the default allocators and rounds, all take two
# minutes. Before that comes a warm-up, in which an allocator may clear up what the benchmark before
# has left.
TIMES = ("--benchmark_min_time=0.01", "--benchmark_min_warmup_time=0.001")
JSON, CONSOLE = "--benchmark_format=json", "--benchmark_format=console"
LISTING = re.compile(r"--benchmark_list_tests(=(true|1|yes|on))?")
# What is read here must be whole and in one form.
FORM = (
    *(JSON, "--benchmark_report_aggregates_only=false"),
    "--benchmark_display_aggregates_only=false",
)
# The part of `bench`: enough to see each tier, in a third of a second for each allocator and
# round.
QUICK = (
    *(f"pair/{16 * 4**i}" for i in range(10)),
    *("calloc_pair/256", "aligned_pair/64/64", "batch_lifo/64", "batch_random_mixed", "replace"),
    *("realloc_grow", "tier_refill/manual_time", "tier_flush/manual_time", "tier_large"),
    *("free_elsewhere/64/real_time", "internal_split_merge/64", "internal_span_map/65536"),
)
QUICK_FLAGS = (
    f"--benchmark_filter=^({'|'.join(QUICK)})$",
    *("--benchmark_min_time=0.003", "--benchmark_min_warmup_time=0.001"),
)

# In a name, how it was measured; not part of what.
MANNER = re.compile(r"/(iterations:\d+|repeats:\d+|process_time|real_time|manual_time)(?=/|$)")
CLOCKS = ("/real_time", "/manual_time")
NS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
# Keys of Google Benchmark's entries that are set anew; all others are counters and facts to keep.
OWN_KEYS = {*results.entry_head("", (0, 1)), *results.TIMES, "time_unit"}


@dataclass(frozen=True)
class Selection:
    """The benchmarks that the flags choose: the one subject of the measurement."""

    flags: tuple
    name: str = "all"


def add_arguments(parser):
    add_measuring(parser)
    parser.usage = parser.format_usage().removeprefix("usage: ").rstrip() + f" [{FLAG}...]"


def run(options, argv):
    """Runs and shows, or lists; exit status 1 if a row failed."""
    flags = program_flags(options.passed)
    allocators = registry.resolve_real(options.allocators, "and Google Benchmark needs its own")
    driver.check_programs("micro", allocators)
    names = {a: list_names(a, flags) for a in allocators}
    if not any(names.values()):
        raise Failure(f"{' '.join(options.passed)}: chooses no benchmark")
    if any(LISTING.fullmatch(flag) for flag in flags):
        print("\n".join(unique(name for found in names.values() for name in found)))
        return 0
    results.check_writable(options.output)
    with Links() as links:
        attempt = runner(links, options.timeout)
        for allocator in (a for a, found in names.items() if not found):
            say(f"{allocator.name}: has none of these benchmarks")
        chosen = [allocator for allocator, found in names.items() if found]
        measured = measure(chosen, flags, attempt, Rounds(options.repeats), argv)
    results.keep(options.output, measured)
    if JSON in flags and options.output != results.STDOUT:
        print(results.to_text(measured))
        return say_failures(measured)
    return show(measured)


def show(measured):
    """Prints the table, unless the results themselves were printed, and the failures; the exit
    status."""
    if measured.path != results.STDOUT:
        table.show(measured)
    return say_failures(measured)


def program_flags(passed):
    """The flags that go to each program; those that send its results elsewhere are refused."""
    for flag in passed:
        if flag.startswith("--benchmark_out"):
            raise Failure(f"{flag}: use -o")
        if flag.startswith("--benchmark_format") and flag not in (JSON, CONSOLE):
            raise Failure(f"{flag}: only json and console are possible")
    return (*TIMES, *passed)


def list_names(allocator, flags):
    """The names of the benchmarks that the flags choose in the allocator's program."""
    program, _ = driver.find("micro", allocator)
    command = [str(built(program)), *flags, "--benchmark_list_tests=true"]
    environment = measured_environment({})
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    complaint = done.stderr.strip()
    if done.returncode and not complaint.startswith("Failed to match"):
        raise Failure(complaint.partition("\n")[0] or f"{command[0]}: failed")
    return done.stdout.split()


def runner(links, timeout):
    """The function that makes one run for a campaign."""

    def attempt(selection, allocator, _):
        arguments = [*selection.flags, *FORM]
        document = driver.run_once("micro", allocator, arguments, links, timeout, malloc_of)
        return Figures(0, 0, {"document": document})

    return attempt


def malloc_of(document):
    """Whose malloc it was, which a program of micro-benchmarks tells in the context."""
    told = document["context"]
    numbers = {key: int(told[f"malloc_{key}"]) for key in ("device", "inode")}
    return {"path": told["malloc_path"], **numbers}


def measure(allocators, flags, attempt, budget, argv):
    """The Results of running the chosen benchmarks on all allocators."""
    facts = context.gather(allocators, argv)
    done = campaign.measure("micro", [Selection(flags)], allocators, attempt, budget)
    for entry in done.entries:
        told = entry.get("document", {}).get("context", {})
        kept = {key: value for key, value in told.items() if not key.startswith("malloc_")}
        facts = {**kept, **facts}
    names = [a.name for a in allocators]
    facts.update(warmups=spread(done.warm_ups, names), rounds=done.rounds, micro_flags=flags)
    return results.Results(facts, spread(done.entries, names))


def spread(runs, allocators):
    """The entries of single benchmarks from those of runs, in order of benchmark, allocator and
    repetition. A run that failed has failed in every benchmark."""
    subjects = unique(subject_of(b) for run in runs for b in benchmarks_of(run)) or ["all"]
    entries = [entry for run in runs for entry in entries_of(run, subjects)]

    def place(entry):
        _, subject, allocator = results.split_name(entry["name"])
        return subjects.index(subject), allocators.index(allocator), entry["repetition_index"]

    return sorted(entries, key=place)


def benchmarks_of(run):
    """Google Benchmark's entries of one run, without its means and medians."""
    found = run.get("document", {}).get("benchmarks", [])
    return [b for b in found if b.get("run_type", "iteration") == "iteration"]


def subject_of(benchmark):
    """The name of a benchmark with its arguments: "pair/64"."""
    return MANNER.sub("", benchmark["name"])


def entries_of(run, subjects):
    """The entries of one run."""
    allocator = run["name"].rpartition("/")[2]
    if "error_occurred" in run:
        repetition = (run["repetition_index"], run["repetitions"])
        names = [f"micro/{subject}/{allocator}" for subject in subjects]
        return [results.failed(name, repetition, run["error_message"]) for name in names]
    return [entry_of(b, run, allocator) for b in benchmarks_of(run)]


def entry_of(benchmark, run, allocator):
    """The entry of one repetition of one benchmark. Times are of one iteration."""
    name = f"micro/{subject_of(benchmark)}/{allocator}"
    each = benchmark.get("repetitions", 1)
    index = run["repetition_index"] * each + benchmark.get("repetition_index", 0)
    repetition = (index, run["repetitions"] * each)
    if benchmark.get("error_occurred"):
        return results.failed(name, repetition, benchmark["error_message"])
    scale = NS[benchmark["time_unit"]]
    times = {key: benchmark[key] * scale for key in results.TIMES}
    kept = {key: value for key, value in benchmark.items() if key not in OWN_KEYS}
    entry = {**results.entry_head(name, repetition), "threads": benchmark.get("threads", 1)}
    entry.update(times, time_unit="ns", ns_per_op=times[clock_of(benchmark["name"])])
    return {**entry, **kept}


def clock_of(name):
    """The time that counts: the CPU's, in which no waiting is, unless the benchmark is about the
    clock on the wall."""
    return "real_time" if any(clock in name for clock in CLOCKS) else "cpu_time"


def say_failures(measured):
    """Prints what failed, the same message of an allocator once; the exit status."""
    failed = {}
    for row in measured.rows:
        if row.failures:
            failed.setdefault((row.allocator, row.error), []).append(row.name)
    for (_, message), names in failed.items():
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        say(f"{names[0]}{others}: {message}")
    results.check_kept(measured)
    return WORK_FAILED if failed else 0


def measure_quick(allocators, links, timeout, budget, argv):
    """The Results of the quick selection."""
    chosen = [a for a in allocators if not a.is_floor]
    return measure(chosen, QUICK_FLAGS, runner(links, timeout), budget, argv)


def combined(replays, micros):
    """One Results of both, under the context of the replays."""
    facts = {**micros.context, **replays.context}
    facts["warmups"] = replays.context["warmups"] + micros.context["warmups"]
    return results.Results(facts, replays.benchmarks + micros.benchmarks)
