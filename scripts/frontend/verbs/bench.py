"""The verb bench: the standard comparison. The corpus against span, glibc, jemalloc, their
poisoning twins and whatever else is installed, in a given time; results, charts and page in
results/latest/.

The time is that of the whole, from the start of make to the finished page. What charts and page
will take is kept back, going by how quick this machine is now; the rest is shared by the three
parts of the measurement, each of which gives up subjects rather than rounds that statistics need.
"""

import functools
import importlib
import time

from frontend.allocators import registry
from frontend.allocators.preload import Links
from frontend.counted import counted
from frontend.failure import WORK_FAILED
from frontend.figures import results, together
from frontend.lazily import require
from frontend.measuring import driver, replays, shards, traces, workloads
from frontend.measuring.budget import Budget, loop_s, processors, replay_growth
from frontend.paths import latest, shown
from frontend.progress import say
from frontend.verbs import micro
from frontend.verbs.options import add_flag, add_folder, add_repeats, seconds
from frontend.verbs.outcome import PAGE_NEEDS, curves_folder, keep, show

EXAMPLES = (
    "spanbench bench",
    "spanbench bench --quick -o quick",
    "spanbench bench --full -n 6",
    "spanbench bench -n 12 --shard 2/3 -o second-machine",
)
EXPECTED = ("span", "span-fast", "glibc", "jemalloc", "glibc-perturb", "jemalloc-junk")
TIMEOUT_S = 60.0  # a run that takes this long would use up a quarter of the budget
BUDGET_S = 240.0
# How the time is shared; what a part does not need, the next ones have.
REPLAYS, WORKLOADS, CALLS = "replays", "workloads", "micro-benchmarks"
SHARES = {REPLAYS: 8, WORKLOADS: 3, CALLS: 1}
# Six are the least of which intervals cover 95 %; above ten, little is gained.
LEAST_ROUNDS, MOST_ROUNDS = 6, 10
FEWEST_TRACES = 4  # are kept at any rate, as --quick has them
UNASKED = (registry.FLOOR,)  # it is there for net times alone
QUICK_TRACES, QUICK_ROUNDS = 4, 2
FULL_ROUNDS = 15
# Charts and page take this many times the processor time of `loop_s` (42 s to 0.24 s, busy).
DRAWING_LOOPS = 180
SPARE = 0.04  # of the budget, for what takes longer than was thought; 6.4 s of 240 were lacking


class Part(Budget):
    """A part of the comparison: its Budget, how it is named, in which order its subjects are given
    up (in words), and what was measured of it."""

    def __init__(self, name, how, *budget):
        super().__init__(*budget)
        self.name, self.how, self.measured = name, how, None

    def leave_out(self, seconds):
        """What the Budget gives up; says it when it does, and when even that does not suffice."""
        before = len(self.left_out)
        given_up = super().leave_out(seconds)
        if len(given_up) > before:
            say(f"{self.name}{self.lack_text}")
        if self.lacking_s >= 1:
            say(f"{self.name}: takes some {self.lacking_s:.0f} s more than there are")
        return given_up

    @property
    def text(self):
        """What was measured: "replays: 7 rounds of 12; left out ...: cc1, redis"."""
        rounds = counted(self.measured.context["rounds"], "round")
        return f"{self.name}: {rounds} of {len(self.kept)}{self.lack_text if self.left_out else ''}"

    @property
    def lack_text(self):
        """What was left out, and in which order."""
        return f": left out for lack of time, {self.how}: {', '.join(self.left_out)}"

    def has_lost(self, warm_up):
        """Whether a warm-up has failed that no row tells of, since its subject was left out."""
        subject = results.split_name(warm_up["name"])[1]
        return "error_occurred" in warm_up and subject in self.left_out


def add_arguments(parser):
    extent = parser.add_mutually_exclusive_group()
    add_flag(
        extent,
        "--quick",
        f"the {QUICK_TRACES} shortest traces, {QUICK_ROUNDS} rounds: a look, no comparison",
    )
    add_flag(extent, "--full", f"the whole corpus, {FULL_ROUNDS} rounds unless -n says otherwise")
    extent.add_argument(
        "--budget",
        type=seconds,
        default=BUDGET_S,
        metavar="SECONDS",
        help="seconds for the whole, charts and page included; they decide how many rounds there "
        f"are, {LEAST_ROUNDS} to {MOST_ROUNDS}, and which traces and workloads are left out where "
        f"{LEAST_ROUNDS} rounds of all do not fit (default: %(default)g)",
    )
    add_repeats(parser, None, "this number of rounds, however long they take")
    parser.add_argument(
        "--since",
        type=seconds,
        metavar="TIME",
        help="when the budget began, in seconds since 1970, as `date +%%s` tells it "
        "(default: now)",
    )
    add_folder(parser, "results, charts and page", latest(), shown(latest()))
    shards.add_shard(parser, "traces and workloads")


def run(options, argv):
    """Measures, writes, shows, draws; exit status 1 if a row failed."""
    with together.no_empty_folder(options.output):
        return measure_and_draw(options, argv)


def measure_and_draw(options, argv):
    """All of it; the exit status."""
    # A clock that is wrong has no time spent.
    spent_s = max(0.0, time.time() - options.since) if options.since else 0.0
    end_s = time.monotonic() + options.budget - spent_s
    require(*PAGE_NEEDS)
    allocators = standard_allocators()
    replays.check_programs(allocators)
    driver.check_programs("micro", allocators)
    driver.check_programs("workload", allocators)
    output = options.output / "results.json"
    results.make_folder(options.output)
    results.check_writable(output)
    results.check_replaceable(options.output / "curves")
    loaded = traces.corpus() if options.full else traces.standard()
    if options.quick:
        loaded = traces.shortest(loaded, QUICK_TRACES)
    count, loaded = len(loaded), options.shard.of(loaded)
    options.shard.check(loaded, count, "traces")
    parts = make_parts(options, loaded, end_s)
    with Links() as links, curves_folder() as curves:
        measure(parts, loaded, allocators, links, curves, argv)
        whole = combined(parts)
        whole.context.update(budget_s=options.budget, **options.shard.facts)
        keep(whole, output, curves, "curves")
    status = max(map(show_part, parts))
    results.check_kept(whole)
    return status or draw(whole, parts, options.output)


def standard_allocators():
    """The allocators of the standard comparison, and the optional ones found."""
    optional = [a.name for a in registry.found() if a.name not in (*EXPECTED, registry.FLOOR)]
    return registry.with_floor(registry.resolve([",".join((*EXPECTED, *optional))]))


# What fits


def make_parts(options, loaded, end_s):
    """The Parts of which the shard has a share, each with its Budget."""
    part_of = options.shard.of
    by_length = [trace.name for trace in sorted(loaded, key=lambda trace: trace.info["ops"])]
    orders = {
        REPLAYS: (by_length, "the longest traces first"),
        WORKLOADS: (part_of([w.name for w in workloads.quick()]), "from the end of their list"),
        CALLS: (part_of([micro.Selection.name]), "as a whole"),
    }
    usual = QUICK_ROUNDS if options.quick else FULL_ROUNDS if options.full else None
    rounds = options.repeats or usual
    ends = dict.fromkeys(orders, float("inf")) if rounds else share(end_s)
    least, most = (rounds, rounds) if rounds else (LEAST_ROUNDS, MOST_ROUNDS)
    fewest = {REPLAYS: FEWEST_TRACES}
    growth = {REPLAYS: replay_growth()}
    return [
        Part(name, how, ends[name], order, least, most, fewest.get(name, 0), growth.get(name, 1.0))
        for name, (order, how) in orders.items()
        if order
    ]


def share(end_s):
    """{part: the time at which it ends}; charts and page have what comes after."""
    now = time.monotonic()
    drawing_s = DRAWING_LOOPS * loop_s() / processors()
    left_s = max(0.0, (1 - SPARE) * (end_s - now) - drawing_s)
    say(f"{end_s - now:.0f} s are left: {left_s:.0f} to measure, {drawing_s:.0f} for the charts")
    ends, sum_ = {}, 0
    for name, part in SHARES.items():
        sum_ += part
        ends[name] = now + left_s * sum_ / sum(SHARES.values())
    return ends


# Measuring


def measure(parts, loaded, allocators, links, curves, argv):
    """Measures all parts, one after the other."""
    manner = replays.Manner(timeout=TIMEOUT_S, curves=curves, links=links)
    quick = (allocators, links, TIMEOUT_S)
    for part in parts:
        if part.name == REPLAYS:
            part.measured = replays.measure(loaded, allocators, manner, part, argv)
        elif part.name == WORKLOADS:
            chosen = [w for w in workloads.quick() if w.name in part.order]
            part.measured = workloads.measure_quick(chosen, *quick, part, argv)
        else:
            part.measured = micro.measure_quick(*quick, part, argv)


def combined(parts):
    """One Results of all parts; what was left out is told apart from what was measured."""
    whole = functools.reduce(micro.combined, [part.measured for part in parts])
    left_out = {part.name: part.left_out for part in parts if part.left_out}
    for names in left_out.values():
        for name in names:
            whole.context["traces"].pop(name, None)
            whole.context.get("workloads", {}).pop(name, None)
    whole.context["left_out"] = left_out
    return whole


def show_part(part):
    """Prints the table of a part and says what failed, also of what was left out afterwards; the
    exit status."""
    status = micro.show(part.measured) if part.name == CALLS else show(part.measured, UNASKED)
    lost = [e for e in part.measured.context["warmups"] if part.has_lost(e)]
    for entry in lost:
        say(f"{entry['name']}: {entry['error_message']}")
    return WORK_FAILED if lost else status


def draw(measured, parts, folder):
    """Draws all charts, writes the page and says where everything is."""
    for part in parts:
        print(part.text)
    print(f"{shown(measured.path)}, charts and the page:")
    report = importlib.import_module("frontend.page.report")
    return report.main_report([measured.path], folder)
