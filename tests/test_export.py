"""trace export: each format is read again by its importer, and says what it lost."""

import csv
import random

import pytest

from imports import calls, import_bytes, imported, info_of, operations, run_trace

ALL_KINDS = b"""1: malloc 0x10 100
1: calloc 0x20 3 50
2: realloc 0x10 0x10 5000
1: memalign 0x30 64 65
1: realloc 0x40 0x0 10
1: realloc 0x0 0x40 0
1: realloc 0x0 0x30 9223372036854775807
1: malloc 0x0 123
1: free 0x0
2: free 0x20
2: thread_done 0x0
"""


@pytest.fixture(name="work")
def work_fixture(tmp_path):
    """A folder to work in; afterwards no half-written file may be left there."""
    yield tmp_path
    assert not list(tmp_path.glob("*.tmp"))


def exported(work, name, form):
    """The file that a trace becomes, and the closing line."""
    done = run_trace("export", "--to", form, work / name, "-o", work / "exported")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(b"\n") == 1
    return (work / "exported").read_bytes(), done.stderr.decode()


def there_and_back(work, name, form):
    """A trace goes out and comes in again as back.trace."""
    exported(work, name, form)
    done = run_trace("import", work / "exported", "-o", work / "back.trace")
    assert done.returncode == 0, done.stderr
    (work / "back.trace").rename(work / f"{form}.trace")
    return f"{form}.trace"


def plain(work, name):
    """What every format can say of each operation: kind, slot, bytes."""
    lines = []
    for _, kind, slot, size, count, flags in operations(work, name):
        if kind.startswith("thread_") or "failed" in flags:
            continue
        kind = kind if kind in ("free", "realloc") else "make"
        lines.append(
            (kind, slot, size * count if kind == "make" and count else size, "null" in flags)
        )
    return lines


def random_replay(seed, threads, steps=3000):
    """The text of a program that makes no aligned calls and no callocs but of one element."""
    dice = random.Random(seed)
    live, lines = [], []
    for i in range(steps):
        thread, fresh = dice.randrange(threads), hex(16 * i + 16)
        size = dice.choice([0, 1, 24, 100, 5000, 1 << 40])
        roll = dice.random()
        if roll < 0.4 or not live:
            live.append(fresh)
            kind = dice.choice(["malloc {} {}", "calloc {} 1 {}", "realloc {} 0x0 {}"])
            lines.append(f"{thread}: " + kind.format(fresh, size))
        elif roll < 0.6:
            old = live.pop(dice.randrange(len(live)))
            live += [fresh] if size else []
            lines.append(f"{thread}: realloc {fresh if size else '0x0'} {old} {size}")
        elif roll < 0.95:
            lines.append(f"{thread}: free {live.pop(dice.randrange(len(live)))}")
        else:
            lines.append(f"{thread}: free 0x0")
    return ("\n".join(lines) + "\n").encode()


@pytest.mark.parametrize("first", ["memory_replay", "rep", "wl"])
@pytest.mark.parametrize("second", ["memory_replay", "rep", "wl"])
def test_each_pair_gives_the_same_operations(work, first, second):
    imported(work, random_replay(5, 1))
    before = plain(work, "out.trace")
    assert len(before) == 3000 and {kind for kind, *_ in before} == {"make", "realloc", "free"}
    there = there_and_back(work, "out.trace", first)
    assert plain(work, there) == before
    assert plain(work, there_and_back(work, there, second)) == before
    assert info_of(work, there)["peak_live"] == info_of(work)["peak_live"]


def test_memory_replay_is_itself_again(work):
    imported(work, random_replay(6, 7))
    before = operations(work)
    assert operations(work, there_and_back(work, "out.trace", "memory_replay")) == before


def of_threads(work, name):
    """What each thread does, in its order."""
    threads = {}
    for thread, kind, _, size, count, flags in operations(work, name):
        if not kind.startswith("thread_"):
            threads.setdefault(thread, []).append((kind, size, count, "null" in flags))
    return sorted(threads.values())


def test_threads_of_wl(work):
    imported(work, random_replay(7, 5))
    name = there_and_back(work, "out.trace", "wl")
    assert of_threads(work, name) == of_threads(work, "out.trace")
    before, after = info_of(work), info_of(work, name)
    assert before["handoffs"] > 1000
    for key in ("handoffs", "final_live", "final_slots", "bytes_requested", "null_frees"):
        assert after[key] == before[key], key
    assert not after["losses"].get("repaired_inversions")


def test_what_is_lost(work):
    imported(work, ALL_KINDS)
    text, line = exported(work, "out.trace", "rep")
    assert text.splitlines() == [
        *(b"1", b"4", b"8", b"0", b"a 0 100", b"a 1 150", b"r 0 5000", b"a 2 65", b"r 3 10"),
        *(b"r 3 0", b"f -1", b"f 1"),
    ]
    for words in (
        "2 threads became one",
        "1 calloc became",
        "1 aligned call became",
        "2 failed calls left out",
    ):
        assert words in line
    _, line = exported(work, "out.trace", "wl")
    for words in ("2 threads whose order", "1 calloc of one", "2 failed calls left out"):
        assert words in line
    text, line = exported(work, "out.trace", "memory_replay")
    assert line.endswith(": 13 ops as memory_replay\n")
    before = calls(work)
    imported(work, text)
    assert calls(work) == before


def test_csv(work):
    imported(work, ALL_KINDS)
    text, _ = exported(work, "out.trace", "csv")
    rows = list(csv.DictReader(text.decode().splitlines()))
    assert len(rows) == info_of(work)["ops"]
    assert list(rows[0]) == ["time_ns", "thread", "kind", "slot", "size", "count", "flags"]
    assert rows[2] | {"time_ns": "0"} == {
        **{"time_ns": "0", "thread": "0", "kind": "calloc", "slot": "1"},
        **{"size": "50", "count": "3", "flags": ""},
    }
    assert {row["flags"] for row in rows} == {"", "null", "failed", "handoff"}


def test_standard_output_and_errors(work):
    imported(work, ALL_KINDS)
    text, _ = exported(work, "out.trace", "csv")
    done = run_trace("export", "--to", "csv", work / "out.trace", "-o", "-")
    assert (done.returncode, done.stdout) == (0, text)
    done = run_trace("export", "--to", "none", work / "out.trace", "-o", work / "x")
    assert done.returncode == 2 and b"none: no such format; known: memory_replay" in done.stderr
    done = run_trace("export", "--to", "csv", work / "none.trace", "-o", work / "x")
    assert done.stderr.decode() == f"{work}/none.trace: No such file or directory\n"
    assert done.returncode == 2
    done = run_trace("export", "--to", "csv", work / "out.trace", "-o", work / "none" / "x")
    assert done.stderr.decode() == f"{work}/none/x: No such file or directory\n"
    assert done.returncode == 2
    done = run_trace("export", "--to", "csv", work / "out.trace", "-o", "/dev/full")
    assert done.stderr.decode() == "/dev/full: No space left on device\n"
    assert done.returncode == 1
    assert not (work / "x").exists()


def test_damaged_trace(work):
    imported(work, random_replay(8, 2))
    data = bytearray((work / "out.trace").read_bytes())
    data[len(data) // 3] ^= 1
    (work / "bad.trace").write_bytes(data)
    for form in ("csv", "memory_replay", "rep", "wl"):
        done = run_trace("export", "--to", form, work / "bad.trace", "-o", work / "x")
        assert done.returncode == 2
        assert done.stderr.decode().startswith(f"{work}/bad.trace: block 0: ")
        assert not (work / "x").exists()


@pytest.mark.parametrize("arguments", [[], ["x", "-o", "y"], ["--to", "csv", "x"], ["--bad"]])
def test_usage(arguments):
    done = run_trace("export", *arguments)
    assert done.returncode == 2
    assert b"usage: trace export" in done.stderr


def test_empty(work):
    assert import_bytes(work, b"", "--from", "memory_replay").returncode == 0
    for form in ("csv", "memory_replay", "rep", "wl"):
        text, _ = exported(work, "out.trace", form)
        if form != "csv":
            done = import_bytes(work, text, "--from", form)
            assert done.returncode == 0, done.stderr
            assert calls(work) == []
