"""The score of allocators on a trace as the driver of the CS:APP malloc lab has it.

Utilisation is peak live bytes over the final size of the heap, which that lab's heap never gives
back: here the most memory that a replay took. Throughput is operations a second. The performance
index gives 60 % for utilisation and 40 % for throughput; the lab sets libc's throughput as the one
that earns all of the 40 %, here glibc's of the same run.
"""

from dataclasses import dataclass

from frontend.allocators import registry
from frontend.allocators.preload import Links
from frontend.figures import stats
from frontend.figures.table import console, new_table
from frontend.measuring import replays
from frontend.measuring.campaign import must_succeed

UTILISATION_WEIGHT = 0.6  # of mdriver, as is the next
TIMES = 5  # speed passes, whose median counts; arbitrary


@dataclass(frozen=True)
class Score:
    """One allocator's."""

    allocator: str
    utilisation: float  # of 1
    kops: float  # thousand operations a second
    index: float  # of 100


def scores(trace, words):
    """The Scores of the allocators that the words name, glibc among them."""
    asked = registry.resolve(words)
    if not any(allocator.name == registry.REFERENCE for allocator in asked):
        asked = [*registry.resolve([registry.REFERENCE]), *asked]
    replays.check_programs(asked)
    with Links() as links:
        manner = replays.Manner(links=links)
        raw = {a.name: measure(trace, a, manner) for a in asked}
    _, full = raw[registry.REFERENCE]
    return [
        Score(name, used, kops, index_of(used, kops, full)) for name, (used, kops) in raw.items()
    ]


def measure(trace, allocator, manner):
    """(utilisation, kops) of one allocator."""
    with must_succeed(f"{trace.path}: {allocator.name}"):
        memory = replays.one_pass("memory", trace, allocator, manner)
        speeds = [replays.one_pass("speed", trace, allocator, manner) for _ in range(TIMES)]
    ns = stats.median([speed["real_time_ns"] for speed in speeds])
    return memory["peak_live"] / max(memory["peak_rss"], 1), memory["ops"] / max(ns, 1) * 1e6


def index_of(utilisation, kops, full):
    """The performance index; `full` is the throughput that earns all points."""
    share = min(1.0, kops / full) if full else 0.0
    return 100 * (UTILISATION_WEIGHT * min(1.0, utilisation) + (1 - UTILISATION_WEIGHT) * share)


def show(found):
    table = new_table("allocator", numbers=("utilisation", "Kops/s", "index"))
    for score in found:
        cells = f"{100 * score.utilisation:.1f} %", f"{score.kops:,.0f}", f"{score.index:.0f}"
        table.add_row(score.allocator, *cells)
    out = console()
    out.print(table)
    out.print(
        "utilisation: peak live over most memory taken, which is whole pages: short traces score "
        f"low. index: 60 % utilisation, 40 % throughput, full at {registry.REFERENCE}'s.",
        soft_wrap=True,
    )
