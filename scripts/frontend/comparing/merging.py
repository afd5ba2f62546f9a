"""Result files of one comparison that was spread over machines, joined to one. Each subject was
measured on one machine under all allocators, so a ratio is never of two machines; absolute times of
different subjects may be.

What is not of one comparison is refused: other work, other builds, another manner of measuring, or
a subject that stands in two files. Which machines there were may differ, and is told.
"""

import shutil
from itertools import combinations

from frontend.comparing import comparability
from frontend.failure import WORK_FAILED, Failure, blamed_on
from frontend.figures import results
from frontend.figures.results import DESCRIBED, Results, unique

# Of the facts that a comparison of two files needs to be the same, those that may differ here.
MACHINE = ("cpu", "num_cpus", "caches", "kernel", "governor")
OF_ALLOCATORS = ("version", "build_id", "settings")
SHARDS = "shards"
# Of a context, what is joined for all; the rest is kept for each shard.
JOINED = (*DESCRIBED, "warmups", "left_out", "curves", "shard", SHARDS)
TEXTS = ("host_name", "cpu", "kernel", "governor", "commit", "date")  # joined where they differ


def merge(parts, command):
    """The Results of all parts (Results that were read), without curves. `command` is the line that
    asked for it."""
    for a, b in combinations(parts, 2):
        fault = first_fault(a, b, (str(a.path), str(b.path)))
        if fault:
            raise Failure(f"not of one comparison: {fault}")
    context = merged_context(parts)
    context["command"] = command
    return Results(context, in_order(parts))


# What is refused


def first_fault(a, b, sides):
    """What two Results have that they must not, or None; `sides` is what they are called."""
    common = {*a.kinds()} & {*b.kinds()}
    found = [
        comparability.difference(key, a.context.get(key), b.context.get(key), sides)
        for key, kinds in comparability.SAME
        if key not in MACHINE and (common & {*kinds} or kinds == comparability.ANY)
    ]
    found.append(comparability.difference("shards", count_of(a), count_of(b), sides))
    for name in unique([*a.allocators(), *b.allocators()]):
        found += allocator_differences(name, a.context, b.context, sides)
    both = {(row.kind, row.subject) for row in a.rows} & {(r.kind, r.subject) for r in b.rows}
    for kind, subject in sorted(both):
        found += subject_faults(kind, subject, (a, b), sides)
    return next(filter(None, found), None)


def count_of(part):
    """How many shards there are of what a file is one of; None if it does not say."""
    return (part.context.get("shard") or {}).get("count")


def allocator_differences(name, a, b, sides):
    """How an allocator that both have differs between two contexts."""
    a, b = (comparability.described(context, "allocators", name) for context in (a, b))
    if not a or not b:
        return []
    return [
        comparability.difference(f"{key} of {name}", a.get(key), b.get(key), sides)
        for key in OF_ALLOCATORS
    ]


def subject_faults(kind, subject, parts, sides):
    """What is wrong with a subject that stands in two files: its work, or that it does at all."""
    contexts = [part.context for part in parts]
    ours, theirs = ([r for r in p.rows if (r.kind, r.subject) == (kind, subject)] for p in parts)
    found = comparability.subject_differences(kind, subject, *contexts, sides)
    if not comparability.varies(ours[0], contexts[0]):
        found += work_differences(f"{kind}/{subject}", ours, theirs, sides)
    twice = {row.name for row in ours} & {row.name for row in theirs}
    found += [f"{name}: both in {sides[0]} and in {sides[1]}" for name in sorted(twice)]
    names = f"{ours[0].allocator} in {sides[0]}, {theirs[0].allocator} in {sides[1]}"
    return [*found, f"{kind}/{subject}: {names}, so that a ratio would be of two machines"]


def work_differences(what, ours, theirs, sides):
    """How the work of two lists of rows differs, going by all runs of each."""
    found = []
    for key in comparability.WORK:
        done = [
            sorted({str(entry[key]) for row in rows for entry in row.samples if key in entry})
            for rows in (ours, theirs)
        ]
        if all(done) and done[0] != done[1]:
            told = map(", ".join, done)
            found.append(comparability.difference(f"{key} of {what}", *told, sides))
    return found


# What is joined


def merged_context(parts):
    """The context of the whole: what all agree on, what the files describe, and in `shards` the
    context of each, without that."""
    contexts = [part.context for part in parts]
    merged = {}
    for key in unique(key for context in contexts for key in context if key not in JOINED):
        values = [context[key] for context in contexts if key in context]
        if all(value == values[0] for value in values):
            merged[key] = values[0]
        elif key in TEXTS:
            told = sorted(str(value) for value in unique(values) if value)
            merged[key] = told[0] if key == "date" else " + ".join(told)
        elif key == "dirty":
            merged[key] = None if None in values else any(values)
    for part in DESCRIBED:
        if any(part in context for context in contexts):
            merged[part] = {k: v for c in contexts for k, v in (c.get(part) or {}).items()}
    merged["warmups"] = [entry for context in contexts for entry in context.get("warmups", [])]
    merged["left_out"] = joined_lists(context.get("left_out") or {} for context in contexts)
    merged[SHARDS] = [facts for part in parts for facts in shards_of(part)]
    return merged


def joined_lists(dictionaries):
    """{key: all lists of this key as one}."""
    joined = {}
    for lists in dictionaries:
        for key, names in lists.items():
            joined.setdefault(key, []).extend(names)
    return joined


def shards_of(part):
    """The contexts of the shards in a file: its own, or those that it was merged from."""
    if part.context.get(SHARDS):
        return part.context[SHARDS]
    kept = {key: value for key, value in part.context.items() if key not in JOINED}
    return [{"file": str(part.path), **(part.context.get("shard") or {}), **kept}]


def in_order(parts):
    """All entries, in the order that they would have without shards: each of these has every N-th
    subject. Files that are no shards come one after the other."""
    is_sharded = all(count_of(part) for part in parts)
    if is_sharded:
        parts = sorted(parts, key=lambda part: part.context["shard"].get("index", 0))
    kinds = unique(kind for part in parts for kind in part.kinds())
    placed = []
    for number, part in enumerate(parts):
        places = {(k, s): i for k in kinds for i, s in enumerate(part.subjects(k))}
        for entry in part.benchmarks:
            kind, subject, _ = results.split_name(entry["name"])
            place = places.get((kind, subject), len(places))  # aggregates have none
            rank = kinds.index(kind) if kind in kinds else len(kinds)
            order = (place, number) if is_sharded else (number, place)
            placed.append(((rank, *order), entry))
    return [entry for _, entry in sorted(placed, key=lambda pair: pair[0])]


def missing_shards(parts):
    """The numbers of the shards that nobody has brought, and their count: ([2], 3)."""
    count = count_of(parts[0])
    there = {(part.context.get("shard") or {}).get("index") for part in parts}
    return ([i for i in range(1, count + 1) if i not in there], count) if count else ([], 0)


def machine_differences(parts):
    """What of the machines differs: names of keys."""
    contexts = [part.context for part in parts]
    return [key for key in MACHINE if any(c.get(key) != contexts[0].get(key) for c in contexts)]


def partial_allocators(parts):
    """{allocator: files that have no row of it}."""
    names = unique(name for part in parts for name in part.allocators())
    lacking = {n: [str(p.path) for p in parts if n not in p.allocators()] for n in names}
    return {name: files for name, files in lacking.items() if files}


def copy_curves(parts, folder):
    """Copies the memory curves and the counts of latencies of all rows into a folder."""
    for part in parts:
        for row in part.rows:
            for path_of in (part.curve_path, part.latency_path):
                path = path_of(row.subject, row.allocator)
                if path:
                    with blamed_on(path, WORK_FAILED):
                        shutil.copy(path, folder)
