"""Shared by the tests of importers and exporters: runs build/.../trace, and reads what it made."""

import csv
import json
import subprocess

from places import BUILD


def run_trace(*arguments, data=None, timeout=None):
    """Runs build/.../trace, for so many seconds at most."""
    command = [BUILD / "trace", *arguments]
    return subprocess.run(command, input=data, capture_output=True, check=False, timeout=timeout)


def import_bytes(work, data, *options):
    """Imports `data` from a file; the finished process."""
    (work / "in.txt").write_bytes(data)
    return run_trace("import", *options, work / "in.txt", "-o", work / "out.trace")


def imported(work, data, *options):
    """Imports `data`, which must succeed; the closing line."""
    done = import_bytes(work, data, *options)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(b"\n") == 1
    return done.stderr.decode()


def info_of(work, name="out.trace"):
    """What a trace holds."""
    done = run_trace("info", work / name)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def operations(work, name="out.trace"):
    """Each operation of a trace: (thread, kind, slot or None, size, count, flags)."""
    done = run_trace("export", "--to", "csv", work / name, "-o", "-")
    assert done.returncode == 0, done.stderr
    rows = csv.DictReader(done.stdout.decode().splitlines())
    return [
        (
            int(row["thread"]),
            row["kind"],
            int(row["slot"]) if row["slot"] else None,
            int(row["size"]),
            int(row["count"]),
            row["flags"],
        )
        for row in rows
    ]


def calls(work, name="out.trace"):
    """The operations without thread starts and ends, each as one line of words."""
    lines = []
    for thread, kind, slot, size, count, flags in operations(work, name):
        if not kind.startswith("thread_"):
            words = [f"{thread}:", kind, *([] if slot is None else [f"#{slot}"])]
            words += [str(size)] if kind != "free" else []
            words += [f"*{count}"] if count else []
            lines.append(" ".join([*words, *([flags] if flags else [])]))
    return lines


def assert_refused(work, data, place, words, *options):
    """Importing `data` ends in one line of file, place ("line 3") and words; no trace is left."""
    done = import_bytes(work, data, *options)
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert done.stderr.startswith(f"{work}/in.txt: {place}: ".encode()), done.stderr
    assert words.encode() in done.stderr
    assert done.stderr.count(b"\n") == 1
    assert not (work / "out.trace").exists()
