"""The tuning constants of the allocator: which there are, where its sources define them, and how to
give them other values. Structural ones (sizes of headers, numbers of bins) are not among them."""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from frontend.failure import Failure, blamed_on

FAST, PLAIN = "span-fast", "span"
BUILDS = (FAST, PLAIN)
USUAL = (0.25, 0.5, 2, 4)  # what a present value is multiplied by
NEVER = 1 << 30  # as a share or a count: what is never reached


@dataclass(frozen=True)
class Constant:
    """One constant and the values to try."""

    name: str
    builds: tuple = (FAST,)  # where it decides anything
    is_bytes: bool = False
    values: tuple = ()  # instead of the usual multiples
    further: dict = field(default_factory=dict)  # beside them, {value: what it comes to}
    along: dict = field(default_factory=dict)  # {value: {what must change with it: its value}}


CONSTANTS = (
    Constant("CACHE_FREES_IN_A_ROW", further={NEVER: "no free is delayed"}),
    Constant("CACHE_DELAY"),
    Constant("CACHE_LIMIT_FIRST"),
    Constant("CACHE_LIMIT_MAX"),
    Constant("CACHE_CLASS_SHARE"),
    Constant("CACHE_BUDGET_SHARE"),
    Constant("CACHE_BUDGET_MIN", is_bytes=True),
    Constant("CACHE_FILL_BYTES", is_bytes=True),
    Constant("CACHE_FILL_MAX"),
    Constant(
        "CACHE_CLASSES_A_DOUBLING_LOG2", values=(1, 2, 4), along={4: {"CACHE_UNIT": 1024 >> 4}}
    ),
    Constant("CACHE_FLUSH_SHARE", values=(1, 4)),
    Constant("INNER_ALIGN_MAX"),
    Constant("RESIZE_WASTE_SHARE"),
    Constant("RESIZE_EXTRA_SHARE"),
    Constant("DEFERRED_WORTH", is_bytes=True),
    Constant("DEFERRED_SWEEP_SHARE"),
    Constant("DEFERRED_PREFETCH"),
    Constant("HEAP_SPAN_SHARE", BUILDS),
    # Without huge pages, growth by the usual share would make spans too large for 8-byte headers.
    Constant(
        "HEAP_HUGE_SHARE",
        BUILDS,
        further={NEVER: "no huge pages"},
        along={NEVER: {"HEAP_SPAN_SHARE": 64}},
    ),
    Constant("PREFAULT_BYTES", BUILDS, is_bytes=True),
    Constant("HEAP_WALK_MAX", BUILDS),
    Constant("BIN_WALK_MAX", BUILDS),
    Constant("SPAN_CACHE_FIRST", BUILDS, is_bytes=True),
    Constant("SPAN_CACHE_LAST", BUILDS, is_bytes=True),
    Constant("SPAN_CACHE_FEW"),
    Constant("SPAN_CACHE_MANY"),
    Constant("HEAP_SHARED_BYTES", (PLAIN,), is_bytes=True),
    Constant("HEAP_SHARED_MAX", (PLAIN,)),
    Constant("BUILD_SPANS_CACHED"),
)
# Why constants that the sweep found on an edge, or could not place, have their values all the same.
WHY = {
    (FAST, "CACHE_BUDGET_SHARE"): "with 16, replays execute 9 % more instructions (git-log "
    "26 %); with 4, 3 % fewer, and no time is saved.",
    (FAST, "CACHE_FILL_BYTES"): "instructions and peak RSS differ by 2 % at most from 2 to 8 KiB; "
    "what is taken beyond a page would be touched early.",
    (FAST, "CACHE_CLASSES_A_DOUBLING_LOG2"): "a trade of memory for instructions: with 2 there are "
    "3 % fewer of them and 2 % more memory, with 4 it is 5 % more and 1 % less.",
    (FAST, "HEAP_HUGE_SHARE"): "a trade of memory for time. With 2, heaps from 4 MiB on have huge "
    "pages, 7 % faster here, but cc1 is 45 % fatter; with 8 most of these traces have none. "
    "4 keeps peak RSS near that of allocators without huge pages.",
    (FAST, "HEAP_SPAN_SHARE"): "a trade of memory for time: with 8 there is 3 % more memory; with "
    "32 there are 9 % more page faults, and no memory is saved.",
    (FAST, "SPAN_CACHE_FIRST"): "with 512 KiB there are 12 % more page faults, with 2 MiB as many.",
    (FAST, "SPAN_CACHE_FEW"): "with 4 there are 16 % more page faults, all of them git-log's and "
    "doxygen's; 16 changes nothing.",
    (PLAIN, "HEAP_HUGE_SHARE"): "as for libspan-fast.",
    (
        PLAIN,
        "SPAN_CACHE_FIRST",
    ): "with 512 KiB and with 4 MiB the time is the same; with 2 MiB there "
    "are 4 % more page faults.",
    (PLAIN, "HEAP_SHARED_BYTES"): "a trade of memory for page faults: with 2 MiB there are a fifth "
    "more of them, most of them doxygen's; 8 MiB saves no time, and doxygen's peak RSS is by a "
    "quarter larger.",
}
# Why others are not swept.
LEFT_OUT = {
    "BUILD_ARENAS": "the most there can be; a bound on memory that is never freed",
    "ARENAS_A_PROCESSOR, CACHE_PATIENCE, CACHE_HEAVY_...": "decide something only where threads "
    "compete, and the sweep replays by one; docs/allocator.md has what other values cost",
    "CACHE_BUDGET_MIN_THREADED": "the same, and a trade of memory for time: larson, xmalloc and "
    "mstress with two threads take 1.29 times as long with 256 KiB, 1.08 with 512 KiB, 0.92 with "
    "2 MiB and 0.95 with 4 MiB (geometric means; medians of seven interleaved rounds), and their "
    "peak RSS is 0.78, 0.83, 1.15 and 1.19 of what it is",
    "CACHE_FEW_THREADS": "the same: 120 threads that each keep 300 small objects and handle bursts "
    "of 400 take 109 MiB where each has CACHE_BUDGET_MIN_THREADED (glibc 39), 64 MiB with 8, 60 "
    "with 4, 57 with 2, in 0.66, 0.55, 0.57 and 0.52 s of processor time",
    "SPAN_MIN": "given by the design",
    "ALIGNMENT, BLOCK_...": "what a block looks like",
    "BIN_EXACT_END, BIN_LARGE, BINS_A_DOUBLING_LOG2": "the bins just fit one word of bitmap",
    "CACHE_EXACT_MAX, CACHE_GROSS_MAX": "the number of classes and the tables go with them",
}


@dataclass(frozen=True)
class Place:
    """Where a constant is defined."""

    path: Path
    expression: str  # its value in C


def definition(name):
    """Matches `NAME = expression` in an enum; the group `expression` is what to replace."""
    return re.compile(
        rf"^(?P<head>\s*(?:enum \{{ )?{name} = )(?P<expression>[^,}};/]*[^,}};/\s])(?=,| \}})",
        re.MULTILINE,
    )


def read(path):
    """The text of a source."""
    with blamed_on(path):
        return path.read_text(encoding="utf-8")


def find(name, folder):
    """The Place of a constant in the sources of a folder, of which there must be one."""
    places = [
        Place(path, match["expression"])
        for path in sorted(folder.glob("*.[ch]"))
        for match in definition(name).finditer(read(path))
    ]
    if len(places) != 1:
        raise Failure(f"{folder}: {name} is defined {len(places)} times in enums, not once")
    return places[0]


def replace(name, value, folder):
    """Gives a constant in the sources of a folder another value: the file and its old text."""
    place = find(name, folder)
    old = read(place.path)
    place.path.write_text(definition(name).sub(rf"\g<head>{value}", old), encoding="utf-8")
    return place.path, old


def number(expression, build):
    """The value of a constant's expression: a product, or one for each build."""
    choice = re.fullmatch(r"SPAN_FAST \? (.+) : (.+)", expression)
    if choice:
        expression = choice[1 if build == FAST else 2]
    try:
        return math.prod(int(factor) for factor in expression.split("*"))
    except ValueError:
        raise Failure(f"{expression}: is no product of numbers") from None


def values_to_try(constant, now):
    """In ascending order, without the present value."""
    usual = constant.values or [int(now * factor) for factor in USUAL]
    return sorted({value for value in (*usual, *constant.further) if value > 0} - {now})


def label(constant, value):
    """How people read a value, and what was changed with it."""
    along = constant.along.get(value, {})
    changed = ", ".join(f"{name} {other}" for name, other in along.items())
    return value_text(constant, value) + (f" (with {changed})" if changed else "")


def value_text(constant, value):
    """The value alone."""
    if value in constant.further:
        return constant.further[value]
    if not constant.is_bytes or value % 1024:
        return str(value)
    return f"{value // 1024} KiB" if value % (1 << 20) else f"{value >> 20} MiB"


def chosen(names, build):
    """The Constants of the names (all without names) that decide anything in a build."""
    known = {constant.name: constant for constant in CONSTANTS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Failure(f"{unknown[0]}: no such constant (known: {', '.join(known)})")
    wanted = [constant for constant in CONSTANTS if not names or constant.name in names]
    return [constant for constant in wanted if build in constant.builds]
