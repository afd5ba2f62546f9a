"""How many calls of a replay took how long: the CSV files `kind,bucket,ns,count` that a latency
pass leaves (docs/method.md), one for each trace and allocator, of all rounds. What the worst calls
were stands in the results, not here.
"""

import csv
from collections import Counter

from frontend.failure import WORK_FAILED, Failure, blamed_on

HEAD = ["kind", "bucket", "ns", "count"]


def read(path):
    """{(kind, bucket): (ns, count)} of a file: the bucket's longest duration, and its calls."""
    try:
        with blamed_on(path), open(path, newline="", encoding="utf-8") as lines:
            head, *rows = csv.reader(lines)
        if head != HEAD:
            raise ValueError(f"the first line is not {','.join(HEAD)}")
        return {(kind, int(bucket)): (float(ns), int(n)) for kind, bucket, ns, n in rows}
    except ValueError as error:
        raise Failure(f"{path}: no counts of latencies: {error}") from error


def write(path, counts):
    """Writes a file that read reads."""
    rows = ([*key, f"{ns:.1f}", n] for key, (ns, n) in sorted(counts.items()))
    with blamed_on(path, WORK_FAILED), open(path, "w", newline="", encoding="utf-8") as out:
        csv.writer(out, lineterminator="\n").writerows([HEAD, *rows])


def merged(counts, others):
    """Both as one. A bucket's duration is the one of `counts`: between two runs it differs by what
    the calibrations of the clock do."""
    more = {
        key: (counts.get(key, (ns, 0))[0], counts.get(key, (ns, 0))[1] + n)
        for key, (ns, n) in others.items()
    }
    return {**counts, **more}


def add(path, into):
    """Adds what a file holds to another one, which need not be there yet."""
    counts = read(path)
    write(into, merged(read(into), counts) if into.exists() else counts)


def by_duration(counts):
    """[(ns, count)] of the calls of all kinds, the shortest first."""
    sums, durations = Counter(), {}
    for (_, bucket), (ns, n) in counts.items():
        sums[bucket] += n
        durations[bucket] = max(ns, durations.get(bucket, 0))
    return [(durations[bucket], sums[bucket]) for bucket in sorted(sums) if sums[bucket] > 0]
