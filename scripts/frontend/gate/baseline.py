"""A stored baseline: the deterministic figures of the allocator at one time, by which a change can
be judged without building what was there before it. They hold for the tools and the machine that
they were taken with, no others.

It is a result file like any: an entry replay/TRACE/BUILD for each row, without times.
"""

import re

from frontend.allocators import registry
from frontend.figures import results
from frontend.gate.gate_time import BASE, HEAD
from frontend.lazily import Lazy
from frontend.measuring import callgrind, context
from frontend.measuring.deterministic import KEYS

platform = Lazy("platform")

KIND = "baseline"
VERSION = re.compile(r" -DSPANBENCH_VERSION=\S+")  # of us, and of no weight
# What the figures depend on: where one differs, nothing can be told.
KEY = ("compiler", "flags", "libc", "kernel", "cpu", "valgrind")


def key():
    """{what: value} of this machine and build."""
    found = {**context.build(), **context.machine(), "valgrind": "none"}
    if callgrind.is_installed():
        found["valgrind"] = registry.output_of(["valgrind", "--version"])
    found["flags"] = VERSION.sub("", found["flags"])
    return {name: found[name] for name in KEY}


def differences(baseline):
    """What differs between a baseline's key and ours, in words."""
    theirs = baseline.context
    return [
        f"{name}: {theirs.get(name, 'unknown')} there, {value} here"
        for name, value in key().items()
        if theirs.get(name) != value
    ]


def make(figures):
    """The Results of {(kind, subject, build): {key: figure}}."""
    entries = [
        results.sample("/".join(row), (0, 1), (0.0, 0.0), values) for row, values in figures.items()
    ]
    facts = {"kind": KIND, "executable": "scripts/spanbench", "host_name": platform.node(), **key()}
    return results.Results(facts, entries)


def figures(baseline):
    """{(kind, subject, build): {key: figure}} of a baseline; of a gate's results, those of its
    head."""
    found = {}
    for row in baseline.rows:
        values = {k: v[0] for k in KEYS if (v := row.values(k))}
        if values and row.allocator.rpartition("-")[2] != BASE:
            build = row.allocator.removesuffix(HEAD).removesuffix("-")
            found[row.kind, row.subject, build] = values
    return found
