"""Made-up result files that look like real ones, for tests of what reads them; no test itself."""

import csv
import math
import random

from frontend.figures import latency_counts, results

MIB = 1 << 20
# Of glibc: nanoseconds an operation, peak live MiB, thousand operations.
TRACES = {
    "sqlite3": (27, 55, 1310),
    "python3": (48, 215, 1740),
    "perl": (52, 162, 490),
    "lua": (41, 81, 540),
    "jq": (39, 360, 750),
    "xmllint": (44, 578, 1590),
    "cc1": (63, 22, 470),
    "git": (131, 104, 200),
    "redis": (35, 30, 900),
    "pigz": (88, 12, 210),
    "gawk": (33, 18, 640),
    "sort": (74, 140, 220),
}
ANY_TRACE = (60, 30, 300)  # of other names
# Ratios to glibc of time and of RSS.
ALLOCATORS = {
    "span": (1.22, 1.12),
    "glibc": (1.0, 1.0),
    "jemalloc": (0.74, 1.10),
    "mimalloc": (0.70, 1.04),
    "tcmalloc": (0.71, 1.13),
    "glibc-perturb": (1.55, 0.99),
    "jemalloc-junk": (0.93, 1.09),
    "null": (0.2, 1.0),
}
COMMIT = "0123456789abcdef0123456789abcdef01234567"
# Blocks of every trace: half of the sizes are at most 31 bytes, half of the lifetimes 1.
BLOCKS = {
    "sizes": [
        {"from": 16, "to": 31, "count": 600},
        {"from": 32, "to": 63, "count": 300},
        {"from": 4096, "to": 8191, "count": 100},
    ],
    "lifetimes": [
        {"from": 0, "to": 0, "count": 400},
        {"from": 1, "to": 1, "count": 300},
        {"from": 2, "to": 3, "count": 200},
    ],
}


def facts_of(trace):
    """What TRACES has of a trace."""
    return TRACES.get(trace, ANY_TRACE)


def context(traces, allocators):
    """The context of a measurement on a machine that does not exist."""
    return {
        "date": "2026-01-02T03:04:05+00:00",
        "num_cpus": 2,
        "cpu": "Imaginary 9000",
        "kernel": "6.1.0-13-amd64",
        "libc": "glibc 2.36",
        "compiler": "gcc (Debian 12.2.0-14) 12.2.0",
        "governor": "none",
        "thp": "madvise",
        "commit": COMMIT,
        "dirty": True,
        "touch": "page",
        "load_before": 0.25,
        "curves": "curves",
        "command": "spanbench bench",
        "warmups": [],
        "allocators": {
            name: {"path": f"/usr/lib/lib{name}.so", "version": "1.0", "build_id": "ab" * 20}
            for name in allocators
        },
        "traces": {
            name: {
                "program": f"{name} 1.2.3",
                "command": f"{name} --input x",
                "ops": facts_of(name)[2] * 1000,
                "threads": 1,
                "peak_live": facts_of(name)[1] * MIB,
                **BLOCKS,
            }
            for name in traces
        },
    }


def make(traces=tuple(TRACES), allocators=tuple(ALLOCATORS), rounds=10, failing=(), kind="replay"):
    """Results with every (trace, allocator) but the failing ones; the same ones every time."""
    entries = []
    for trace in traces:
        for name in allocators:
            entries += make_row(f"{kind}/{trace}/{name}", rounds, (trace, name) in failing)
    facts = context(traces, allocators)
    if kind == "exec":
        del facts["touch"], facts["traces"]
    return results.Results(facts, entries)


def make_row(name, rounds, is_failing):
    """The entries of one trace and allocator."""
    if is_failing:
        message = "killed by signal 11 (SIGSEGV)"
        return [results.failed(name, (i, rounds), message) for i in range(rounds)]
    return [make_sample(name, i, rounds) for i in range(rounds)]


def make_sample(name, i, rounds):
    """One entry that succeeded."""
    _, trace, allocator = results.split_name(name)
    ns, live_mib, kilo_ops = facts_of(trace)
    time, memory = ratios_of(trace, allocator)
    noise = math.exp(random.Random(f"{name}{i}").gauss(0, 0.04))
    ns *= time * noise * math.exp(random.Random(f"{trace}{i}").gauss(0, 0.05))
    ms = ns * kilo_ops / 1000
    figures = {
        "ops": kilo_ops * 1000,
        "ns_per_op": ns,
        "net_ns_per_op": ns * 0.8,
        "peak_rss": int(live_mib * 1.15 * MIB * memory * noise**0.1),
        "peak_live": live_mib * MIB,
        "waste": 0.15 * memory,
    }
    return results.sample(name, (i, rounds), (ms, ms * 0.99), figures)


def ratios_of(trace, allocator):
    """The true ratios to glibc of one trace."""
    time, memory = ALLOCATORS.get(allocator, (1.1, 1.05))
    if allocator in ("glibc", "null"):
        return time, memory
    draw = random.Random(f"{trace}/{allocator}")
    return time * math.exp(draw.gauss(0, 0.16)), memory * math.exp(draw.gauss(0, 0.07))


def write(folder, has_latencies=False, **options):
    """Writes results.json and its curves into folder; the path of the file."""
    made = make(**options)
    (folder / "curves").mkdir(parents=True, exist_ok=True)
    for row in made.rows:
        if row.samples and row.kind == "replay" and row.allocator != "null":
            write_curve(folder / "curves" / f"{row.subject}.{row.allocator}.csv", row)
        if row.samples and row.kind == "replay" and has_latencies:
            add_latencies(folder / "curves", row)
    path = folder / "results.json"
    results.write(path, made)
    return path


def add_latencies(folder, row):
    """Puts latencies into the samples of a row, and the counts of all of them into a file."""
    draw = random.Random(row.name)
    scale = ratios_of(row.subject, row.allocator)[0]
    counts, total = {}, 20000
    for kind, usual in (("malloc", 20), ("free", 12)):
        for _ in range(total // 2):
            ns = usual * scale * math.exp(draw.gauss(0, 0.4)) * draw.paretovariate(1.1) ** 0.9
            bucket = int(32 * math.log2(1 + ns / 10))
            ns = 10 * (2 ** ((bucket + 1) / 32) - 1)
            before = counts.get((kind, bucket), (ns, 0))[1]
            counts[kind, bucket] = ns, before + 1
    latency_counts.write(folder / results.latency_file(row.subject, row.allocator), counts)
    for i, entry in enumerate(row.samples):
        calls = [(draw.choice((3, 77, 1000 + i)) + 5 * place, place) for place in range(10)]
        entry["worst"] = [
            {"ns": 1e6 * scale * 0.7**place, "op": op, "thread": 0, "kind": "malloc"}
            | {"size": 64 << place, "faults": place % 3}
            for op, place in calls
        ]
        tail = {"p50_ns": 20, "p90_ns": 60, "p99_ns": 400, "p999_ns": 4e3, "p9999_ns": 4e4}
        entry.update({key: ns * scale for key, ns in tail.items()})
        entry.update(samples=total // len(row.samples), counter_step_ns=10.0, preempted=2)
        entry["max_ns"] = entry["worst"][0]["ns"]


def write_curve(path, row, points=1200):
    """A curve that grows, saws and falls."""
    ops, live, rss = row.samples[0]["ops"], row.samples[0]["peak_live"], row.samples[0]["peak_rss"]
    draw = random.Random(row.subject)
    shape, top = draw.choice((0.5, 1.0, 2.5)), 0
    with open(path, "w", newline="", encoding="utf-8") as out:
        table = csv.writer(out)
        table.writerow(("op", "rss", "live"))
        for i in range(points + 1):
            x = i / points
            now = live * min(1, (x / 0.8) ** shape) * (1 - 0.15 * math.sin(40 * x) ** 2)
            now *= 1 if x < 0.92 else max(0.05, 1 - (x - 0.92) * 12)
            top = max(top, now)
            kept = max(now, top * (0.6 if "jemalloc" in row.allocator else 0.93))
            table.writerow((int(x * ops), int(kept * rss / live), int(now)))
