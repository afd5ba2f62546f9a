"""The verb bench: the standard comparison. The corpus against span, glibc, jemalloc, their
poisoning twins and whatever else is installed, in a given time; results, charts and page in
results/latest/."""

import importlib
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from frontend.allocators import registry
from frontend.allocators.preload import Links
from frontend.figures import results
from frontend.measuring import driver, replays, schedule, traces, workloads
from frontend.paths import LATEST, shown
from frontend.verbs import micro
from frontend.verbs.options import seconds
from frontend.verbs.outcome import keep, show

SUMMARY = "run the standard comparison and draw its charts"
EXPECTED = ("span", "span-fast", "glibc", "jemalloc", "glibc-perturb", "jemalloc-junk")
TIMEOUT_S = 60.0  # a run that takes this long would use up a third of the budget
BUDGET_S = 120.0  # of the replays; compiling, all parts and the charts take under four minutes
WORKLOAD_BUDGET_S = 45.0  # of the synthetic workloads, beside that
MICRO_BUDGET_S = 15.0  # of the micro-benchmarks, beside that
LEAST_ROUNDS, MOST_ROUNDS = 3, 10
QUICK_TRACES, QUICK_ROUNDS = 4, 2
FULL_ROUNDS = 15


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    rounds: int = None  # None: what fits the budget
    budget_s: float = BUDGET_S

    def choose(self, done, spent_s):
        """The number of rounds that count, None before the warm-up round if that decides."""
        if self.rounds or done == 0:
            return self.rounds
        return schedule.rounds_within(self.budget_s, done, spent_s, LEAST_ROUNDS, MOST_ROUNDS)


class Parts:
    """The parts of a comparison, one after the other. Each takes its least rounds at any rate; what
    that takes beyond its budget, the next parts do without."""

    def __init__(self, extent):
        self.extent = extent
        self.end_s = time.monotonic()

    def next(self, budget_s):
        """The Extent of the next part, with this budget at the most."""
        self.end_s += min(self.extent.budget_s, budget_s)
        left_s = max(0.0, self.end_s - time.monotonic())
        return Extent(self.extent.rounds, min(budget_s, left_s))


def add_arguments(parser):
    """The options of the verb."""
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument(
        "--quick", action="store_true", help=f"{QUICK_TRACES} traces, {QUICK_ROUNDS} rounds"
    )
    extent.add_argument("--full", action="store_true", help=f"{FULL_ROUNDS} rounds")
    extent.add_argument(
        "--budget",
        type=seconds,
        default=BUDGET_S,
        metavar="SECONDS",
        help=f"of the replays; decides the rounds, {LEAST_ROUNDS} to {MOST_ROUNDS}"
        " (default: %(default)g)",
    )
    parser.add_argument("-o", "--output", type=Path, default=LATEST, metavar="DIR")


def run(options, argv):
    """Measures, writes, shows, draws; exit status 1 if a row failed."""
    allocators = standard_allocators()
    replays.check_programs(allocators)
    driver.check_programs("micro", allocators)
    driver.check_programs("workload", allocators)
    output = options.output / "results.json"
    results.make_folder(options.output)
    results.check_writable(output)
    loaded = traces.corpus()
    if options.quick:
        loaded = traces.shortest(loaded, QUICK_TRACES)
    extent = extent_of(options)
    parts = Parts(extent)
    with Links() as links, tempfile.TemporaryDirectory(prefix="spanbench-") as folder:
        curves = Path(folder) / "curves"
        curves.mkdir()
        manner = replays.Manner(timeout=TIMEOUT_S, curves=curves, links=links)
        rounds = parts.next(extent.budget_s).choose
        measured = replays.measure(loaded, allocators, manner, rounds, argv)
        measured.context["budget_s"] = extent.budget_s
        rounds = parts.next(WORKLOAD_BUDGET_S).choose
        synthetic = workloads.measure_quick(allocators, links, TIMEOUT_S, rounds, argv)
        rounds = parts.next(MICRO_BUDGET_S).choose
        calls = micro.measure_quick(allocators, links, TIMEOUT_S, rounds, argv)
        whole = micro.combined(micro.combined(measured, synthetic), calls)
        keep(whole, output, curves, "curves")
    status = max(show(measured), show(synthetic), micro.show(calls))
    results.check_kept(whole)
    return status or draw(whole, options.output)


def extent_of(options):
    """The Extent that the options ask for."""
    rounds = QUICK_ROUNDS if options.quick else FULL_ROUNDS if options.full else None
    return Extent(rounds, options.budget)


def standard_allocators():
    """The allocators of the standard comparison, and the optional ones found."""
    optional = [a.name for a in registry.found() if a.name not in (*EXPECTED, registry.FLOOR)]
    return registry.with_floor(registry.resolve([",".join((*EXPECTED, *optional))]))


def draw(measured, folder):
    """Draws all charts, writes the page and says where everything is."""
    print(f"{measured.context['rounds']} rounds; {shown(measured.path)}, charts and the page:")
    report = importlib.import_module("frontend.page.report")
    return report.main_report([measured.path], folder)
