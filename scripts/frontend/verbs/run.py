"""The verb run: synthetic workloads against allocators. Without a name it lists them."""

import sys
from pathlib import Path

from frontend.allocators import registry
from frontend.allocators.preload import Links
from frontend.failure import Failure, blamed_on
from frontend.figures import results
from frontend.figures.table import Text, console, new_table
from frontend.guess import meant
from frontend.measuring import driver, workloads
from frontend.measuring.budget import Rounds
from frontend.paths import PROFILE, check_apart, check_regular, shown
from frontend.verbs.options import add_measuring, add_whole, positive
from frontend.verbs.outcome import print_json, show

EXAMPLES = (
    "spanbench run",
    "spanbench run larson xmalloc -a span-fast,glibc -t 1,2,4",
    "spanbench run all --json > workloads.json",
)
EVERY = "all"


def add_arguments(parser):
    parser.add_argument(
        "workloads",
        nargs="*",
        metavar="WORKLOAD",
        help=f"workloads to run, `{EVERY}` for all of them (default: list them)",
    )
    add_measuring(parser)
    parser.add_argument(
        "-t",
        "--threads",
        type=thread_counts,
        default=[],
        metavar="N[,N...]",
        help="numbers of threads, a row each (default: see the list)",
    )
    add_whole(parser, "--ops", "approximate number of calls a thread (default: see the list)")
    add_whole(
        parser,
        "--size",
        "size of the workload; the list says what it counts, for example blocks, and the "
        "default",
    )
    add_whole(parser, "--seed", "seed of the random numbers, hence of the calls", 1)
    add_whole(
        parser,
        "--seconds",
        "run for this time instead of a number of calls; faster allocators do more work then, "
        "so the work is not compared",
        metavar="SECONDS",
    )
    add_whole(
        parser,
        "--address-space",
        "limit the address space to so many MiB beyond what is mapped at the start, so that "
        "calls fail; only the workload `stress` goes on then (default: no limit)",
        metavar="MIB",
    )
    parser.add_argument(
        "--profile",
        type=Path,
        metavar="FILE",
        help="sizes and lifetimes for the workload `profile`, as `spanbench info --profile` prints "
        f"them (default: {shown(PROFILE)})",
    )


def thread_counts(text):
    """[1, 2] of "1,2", for argparse."""
    counts = [positive(part) for part in text.split(",")]
    return results.unique(counts)


def run(options, argv):
    """Lists, or runs and shows; exit status 1 if a row failed."""
    known = workloads.read_list()
    if not options.workloads:
        return show_list(known, options.output)
    chosen = choose(known, options)
    allocators = registry.resolve_real(options.allocators, "and workloads check theirs")
    driver.check_programs("workload", allocators)
    arguments = arguments_of(options)
    if options.profile:
        check_profile(options.profile, chosen)
    results.check_writable(options.output)
    if options.output and options.profile:
        check_apart(options.output, options.profile)
    with Links() as links:
        manner = workloads.Manner(arguments, options.timeout, links)
        works = () if options.seconds else workloads.WORK
        rounds = Rounds(options.repeats)
        measured = workloads.measure(chosen, allocators, manner, rounds, argv, works)
    results.keep(options.output, measured)
    return show(measured)


def show_list(known, output):
    """The list: for people a table, for programs a line each, or JSON."""
    if output == results.STDOUT:
        print_json(list(known.values()))
        return 0
    if not sys.stdout.isatty():
        for name, facts in known.items():
            print(f"{name}  {facts['summary']}")
    else:
        show_table(known)
    return 0


def show_table(known):
    texts, numbers = ("workload", "what it does", "size is"), ("size", "calls", "threads")
    table = new_table(*texts, numbers=numbers, spare=("size", "size is", "calls"))
    for name, facts in known.items():
        size = f"{facts['size']:,}" if facts["size_is"] else ""
        numbers = (size, f"{facts['ops']:,}", str(facts["threads"]))
        table.add_row(name, facts["summary"], facts["size_is"] or "", *numbers)
    out = console()
    out.print(table)
    out.print(Text("Sizes, calls (of each thread) and threads are defaults.", style="dim"))


def choose(known, options):
    """The Workloads that the options name, each with each number of threads."""
    names = options.workloads
    if names == [EVERY]:
        names = [name for name, facts in known.items() if not facts["is_test"]]
    chosen = []
    for name in results.unique(names):
        if name not in known:
            near = meant(name, [*known, EVERY])
            raise Failure(f"{name}: no such workload (`spanbench run` lists them){near}")
        check_size(known[name], options.size)
        chosen += workloads.with_threads(known[name], options.threads)
    return chosen


def check_size(facts, size):
    """Fails if the workload cannot have this size."""
    if size and not facts["size_is"]:
        raise Failure(f"--size: {facts['name']} has none")
    if size and size < facts["size_least"]:
        raise Failure(f"--size {size}: {facts['name']} needs at least {facts['size_least']}")


def check_profile(path, chosen):
    """Fails unless the file is a profile and one of the Workloads uses it."""
    if not any(workload.facts["needs_profile"] for workload in chosen):
        names = results.unique(workload.facts["name"] for workload in chosen)
        raise Failure(f"--profile: not used by {', '.join(names)}")
    workloads.check_profile(path)


def arguments_of(options):
    """What the program is told, apart from the workload and its threads."""
    if options.ops and options.seconds:
        raise Failure("--seconds and --ops: only one of them can be given")
    if options.profile:
        check_regular(options.profile)
        with blamed_on(options.profile):
            options.profile.open().close()
    names = ("ops", "size", "seed", "seconds", "address-space")
    given = [(f"--{name}", getattr(options, name.replace("-", "_"))) for name in names]
    given.append(("--profile", options.profile or PROFILE))
    return tuple(str(word) for pair in given if pair[1] is not None for word in pair)
