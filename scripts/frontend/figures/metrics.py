"""The figures of result files as people read them: the one table from which tables, pages, the
comparison and the gate take names, units, limits and slacks. Nothing is measured or computed here.
"""

from dataclasses import dataclass, replace

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True)
class Metric:
    """A figure of the entries."""

    name: str
    key: str
    unit: str = ""
    scale: float = 1  # what the figure is divided by to get the unit
    better: str = "less"
    worse: str = "more"
    is_steady: bool = False  # no time: it may hardly vary, and then needs no test
    limit: float = None  # the share by which the gate lets it grow; None: no figure of the gate
    slack: float = 0  # what it differs by though nothing has changed; a smaller change is none
    is_counted: bool = False  # by callgrind: one run tells it

    @property
    def title(self):
        """The name at the beginning of a line."""
        return self.name[0].upper() + self.name[1:]

    def limited(self, limit):
        """The same with another limit, if one is given."""
        return self if limit is None else replace(self, limit=limit)


def time_metric(name, key, unit="ns"):
    """The Metric of a time."""
    return Metric(name, key, unit, 1, "faster", "slower")


def memory_metric(name, key, **more):
    """The Metric of a size of memory."""
    return Metric(name, key, "MiB", MIB, "leaner", "fatter", is_steady=True, **more)


def count_metric(name, key, unit="", scale=1, **more):
    """The Metric of what is counted."""
    return Metric(name, key, unit, scale, "fewer", "more", is_steady=True, **more)


# The time that counts, by the kind of entries.
TIME = {
    "replay": time_metric("time per op", "ns_per_op"),
    "run": time_metric("time per op", "ns_per_op"),
    "micro": time_metric("time", "ns_per_op"),
    "exec": time_metric("wall time", "real_time", "ms"),
}
CPU = time_metric("CPU time", "cpu_time", "ms")
LATENCY_NAMES = ("p50", "p90", "p99", "p99.9", "p99.99", "max")
LATENCIES = {
    metric.key: metric
    for metric in (time_metric(name, f"{name.replace('.', '')}_ns") for name in LATENCY_NAMES)
}
# Slacks: more than what differed between runs of one build on a busy machine (docs/method.md).
RSS = memory_metric("peak RSS", "peak_rss", limit=0.02, slack=256 * KIB)
STEADY = {
    metric.key: metric
    for metric in (
        count_metric("instructions", "instructions", "M", 1e6, limit=0.01, is_counted=True),
        count_metric("system calls", "system_calls", limit=0.01, slack=16, is_counted=True),
        count_metric("page faults", "minor_faults", limit=0.02, slack=64),
        RSS,
        memory_metric("peak mapped", "peak_mapped", limit=0.02, slack=256 * KIB),
        memory_metric("RSS left", "rss_after_drain"),
        Metric("waste", "waste", "", 1, "leaner", "fatter", is_steady=True),
    )
}
# By what options call them; the time that counts depends on the kind of entries.
NAMED = {"cpu": CPU, **STEADY, **LATENCIES}
NAMES = ("time", *NAMED)
# What the gate limits row by row.
LIMITED = tuple(metric for metric in STEADY.values() if metric.limit is not None)


def named(name, kind):
    """The Metric that an option means in entries of a kind, or None."""
    return TIME.get(kind) if name == "time" else NAMED[name]
