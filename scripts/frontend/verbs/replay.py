"""The verb replay: traces against allocators."""

from frontend.allocators import registry
from frontend.allocators.preload import Links
from frontend.failure import Failure
from frontend.figures import prediction, replay_tables, results
from frontend.figures.metrics import LATENCIES
from frontend.inspecting import info_page, sites
from frontend.measuring import limits, replays, shards, traces
from frontend.measuring.budget import Rounds
from frontend.progress import say
from frontend.verbs.options import add_choice, add_flag, add_measuring, add_thread_order
from frontend.verbs.options import limit_size, names_of
from frontend.verbs.outcome import curves_folder, keep, show

EXAMPLES = (
    "spanbench replay my.trace -a span-fast,glibc,jemalloc -n 10",
    "spanbench replay my.trace -a glibc -a 'je1=jemalloc;MALLOC_CONF=narenas:1' -o my.json",
    "spanbench replay my.trace -a glibc,jemalloc --model program    # what would my program save",
    "spanbench replay *.trace --shard 2/3 -o shard-2.json    # on the second of three machines",
)


def add_arguments(parser):
    parser.add_argument("traces", nargs="+", metavar="FILE", help="traces to replay")
    add_measuring(parser)
    add_thread_order(parser)
    add_choice(
        parser,
        "--touch",
        replays.TOUCHES,
        "what is written to a new block: nothing, its first byte, a byte in each page, every "
        "byte, or a byte in as many pages as the program touched, where the trace tells",
        "page",
    )
    parser.add_argument(
        "--pass",
        dest="passes",
        type=names_of(replays.PASSES),
        metavar="LIST",
        help="what is measured besides speed, each in runs of its own: calls (how long all calls "
        "take together, by thread), latency (how long single calls take: percentiles, and the "
        "worst ten), memory (default: speed,memory, and calls for traces of several threads)",
    )
    parser.add_argument(
        "--metric",
        choices=tuple(LATENCIES),
        help="compare this figure of single calls in the table of latencies; takes the latency "
        "pass along (default: p99_ns)",
    )
    add_choice(
        parser,
        "--thp",
        replays.THP_MODES,
        "never: no transparent huge pages for the measured processes; default: as the system "
        "gives them",
    )
    add_choice(
        parser,
        "--pauses",
        replays.PAUSES,
        "recorded: where the program made no call for 1 ms or more, nor does the replay, for "
        "allocators that purge by time; that time is not counted",
    )
    add_choice(
        parser,
        "--model",
        prediction.MODELS,
        "program: replay once more in each round, and between the calls do what a program "
        "does with its blocks; predicts what the program would save against the first allocator",
    )
    parser.add_argument(
        "--memory-limit",
        type=limit_size,
        metavar="SIZE|auto",
        help="replay once more in a memory cgroup of this size and tell where the allocator fails; "
        "auto finds the least limit that each survives",
    )
    add_flag(
        parser,
        "--decay",
        "after every block is freed, watch for 5 s what the allocator gives back; takes the "
        "memory pass along",
    )
    add_flag(parser, "--no-null", "leave out the null allocator, the floor of net times")
    shards.add_shard(parser, "the traces")


def run(options, argv):
    """Replays and shows; exit status 1 if a row failed."""
    asked = registry.resolve(options.allocators)
    check_model(options, asked)
    allocators = asked if options.no_null else registry.with_floor(asked)
    replays.check_programs(allocators)
    results.check_writable(options.output)
    if options.output:
        results.check_replaceable(options.output.with_suffix(".curves"))
    loaded = traces.load(chosen(options))
    is_kept = options.output not in (None, results.STDOUT)
    with Links() as links, curves_folder() as curves:
        kept = curves if is_kept else None
        manner = manner_of(options, kept, links)
        measured = replays.measure(loaded, allocators, manner, Rounds(options.repeats), argv)
        measured.context.update(options.shard.facts)
        nameless = sites.add_to_replays(measured, loaded)
        if options.output:
            keep(measured, options.output, curves, f"{options.output.stem}.curves")
    unasked = [a.name for a in allocators if a not in asked]
    latency = LATENCIES[options.metric or "p99_ns"]
    more = (
        lambda results_: replay_tables.show_latencies(results_, latency),
        replay_tables.show_wastes,
        replay_tables.show_predictions,
        replay_tables.show_decay,
        replay_tables.show_limits,
    )
    info_page.tell_nameless(nameless)
    for name in untold(measured):
        say(f"{name}: the trace does not tell what was touched: a byte in each page was written")
    return show(measured, unasked, more)


def check_model(options, allocators):
    """Fails if the model was asked for with what contradicts it."""
    if options.model == prediction.NONE:
        return
    if options.touch not in replays.MODEL_TOUCHES:
        raise Failure(
            f"--touch {options.touch}: a program writes to its blocks, so --model needs"
            f" {' or '.join(replays.MODEL_TOUCHES)}"
        )
    if all(allocator.is_floor for allocator in allocators):
        raise Failure(f"-a {allocators[0].name}: runs no program, so --model predicts nothing")


def untold(measured):
    """The traces that do not tell what was touched, where that was asked for."""
    told = (
        (row.subject, entry.get("knows_present")) for row in measured.rows for entry in row.samples
    )
    return results.unique(subject for subject, knows in told if knows is False)


def manner_of(options, curves, links):
    """How the traces are to be replayed."""
    return replays.Manner(
        touch=options.touch,
        thread_order=options.threads,
        passes=passes_of(options),
        has_threads_calls=options.passes is None,
        timeout=options.timeout,
        curves=curves,
        links=links,
        thp=options.thp,
        pauses=options.pauses,
        model=options.model,
        limit=limits.made(options.memory_limit) if options.memory_limit else None,
        decay=options.decay,
    )


def passes_of(options):
    """The passes that were asked for, and those that other options need."""
    wanted = {
        *(options.passes or replays.USUAL_PASSES),
        *([replays.LATENCY] if options.metric else []),
    }
    wanted.update([replays.MEMORY] if options.decay else [])
    return tuple(name for name in replays.PASSES if name in wanted)


def chosen(options):
    """The trace files of the shard."""
    traces.check_names(options.traces)
    share = options.shard.of_paths(options.traces)
    options.shard.check(share, len(options.traces), "traces")
    return share
