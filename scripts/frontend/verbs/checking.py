"""The verb check: does an allocator keep what malloc promises, on the calls of a trace?"""

from frontend.allocators import registry
from frontend.allocators.preload import Links
from frontend.failure import WORK_FAILED
from frontend.figures import results
from frontend.figures.table import console, new_table
from frontend.measuring import context, driver, replays, traces
from frontend.measuring.campaign import RunFailed
from frontend.progress import progress, say
from frontend.verbs.options import FOUND, add_allocators, add_output, add_thread_order, add_timeout

KIND = "check"
WORK = ("ops", "checksum")
EXAMPLES = (
    "spanbench check my.trace -a glibc,span-fast",
    "spanbench check workloads/traces/*.trace -a mine=./libmine.so",
)
NOTES = """\
Every block is filled with a pattern over all bytes that malloc_usable_size
grants. The pattern is verified when the block is freed or resized, now and then
in between, and at the end. Also verified: alignment, calloc's zeros, what
realloc keeps, and that free leaves errno alone.
"""


def add_arguments(parser):
    parser.add_argument("traces", nargs="+", metavar="FILE", help="traces to check with")
    add_allocators(parser, FOUND, "allocators to check")
    add_thread_order(parser)
    add_timeout(parser)
    add_output(parser)


def run(options, argv):
    """Checks and shows; exit status 1 if a fault was found."""
    allocators = registry.resolve(options.allocators)
    replays.check_programs(allocators)
    results.check_writable(options.output)
    loaded = traces.load(options.traces)
    with Links() as links, progress() as shown:
        order = options.threads
        measured = measure(loaded, allocators, order, options.timeout, links, argv, shown)
    results.keep(options.output, measured)
    if options.output != results.STDOUT:
        show(measured)
    faulty = [row for row in measured.rows if row.failures]
    for row in faulty:
        say(f"{row.subject}: {row.allocator}: {row.error}")
    results.check_kept(measured)
    return WORK_FAILED if faulty else 0


def measure(loaded, allocators, thread_order, timeout, links, argv, shown):
    """The Results of checking all allocators on all Traces: an entry each, one that failed with the
    fault."""
    facts = context.gather(allocators, argv)
    facts["traces"] = {trace.name: traces.describe(trace) for trace in loaded}
    facts.update(thread_order=thread_order)
    shown.begin_round(0, 1, len(loaded) * len(allocators))
    entries = []
    for trace in loaded:
        for allocator in allocators:
            shown.begin_step(trace.name, allocator.name)
            arguments = ["--pass", "check", *replays.thread_arguments(trace, thread_order)]
            entries.append(check(trace, allocator, [*arguments, str(trace.path)], links, timeout))
    return results.Results(facts, entries)


def check(trace, allocator, arguments, links, timeout):
    """The entry of one Trace on one allocator."""
    name = f"{KIND}/{trace.name}/{allocator.name}"
    try:
        done = driver.run_once("replay", allocator, arguments, links, timeout)
    except RunFailed as reason:
        return results.failed(name, (0, 1), str(reason).removeprefix(f"{trace.path}: "))
    times_ms = (done["real_time_ns"] / 1e6, done["cpu_time_ns"] / 1e6)
    return results.sample(name, (0, 1), times_ms, {key: done[key] for key in WORK})


def show(measured):
    """A line for each trace and allocator: how many operations were verified, or that a fault was
    found, which is told at the end."""
    out = console()
    table = new_table("trace", "allocator", numbers=("operations", "verdict"))
    for row in measured.rows:
        operations = f"{row.samples[0]['ops']:,}" if row.samples else ""
        table.add_row(row.subject, row.allocator, operations, "fault" if row.failures else "sound")
    out.print(table)
