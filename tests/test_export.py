"""trace export: each format is read again by its importer, and says what it lost."""

import csv
import os
import random
import subprocess

import pytest

from imports import calls, import_bytes, imported, info_of, operations, run_trace
from places import BUILD

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


def random_ltrace(seed, threads, steps=3000):
    """What ltrace says of threads that make calls of each kind; some fail."""
    dice = random.Random(seed)
    live, lines = [], []
    makes = ["malloc({size})", "calloc({n}, {size})", "memalign({align}, {size})"]
    makes += ["aligned_alloc({align}, {size})", "valloc({size})", "pvalloc({size})"]
    for i in range(steps):
        fresh, size = hex(64 * i + 64), dice.choice([0, 1, 24, 100, 5000, 1 << 40])
        n, align = dice.randrange(4), 16 << dice.randrange(8)
        old = live.pop(dice.randrange(len(live))) if live and dice.random() < 0.55 else None
        failed = dice.random() < 0.05
        if old is None:
            make = dice.choice([*makes, "realloc(0, {size})"])
            text, gives = make.format(size=size, n=n, align=align), "0" if failed else fresh
        elif dice.random() < 0.4:
            text, gives = f"realloc({old}, {size})", "0" if failed or not size else fresh
            live += [old] if failed and size else []
        else:
            text, gives = f"free({old if not failed else 0})", "<void>"
            live += [old] if failed else []
        live += [gives] if gives not in ("0", "<void>") else []
        lines.append(f"{1000 + dice.randrange(threads)} {text} = {gives}\n")
    return "".join(lines).encode()


PAGE = 4096
ALIGNED = ("aligned_alloc", "memalign", "posix_memalign", "valloc", "pvalloc")


def left(form, operation):
    """The operations that an operation is in a format: the docs say so."""
    thread, kind, size, count, flags = operation
    if form != "memory_replay" and "failed" in flags:
        return []
    if form == "heaptrack":
        of_old = kind in ("free", "realloc") and "null" not in flags
        makes = kind != "free" and not (of_old and size == 0)
        size *= count if kind == "calloc" else 1
        frees = [(0, "free", 0, 0, "")] if of_old else []
        return frees + ([(0, "malloc", size, 0, "")] if makes else [])
    if form == "memory_replay" and kind in ALIGNED:
        kind, count = "memalign", PAGE if kind in ("valloc", "pvalloc") else count
    if form == "wl" and kind == "aligned_alloc":
        kind = "memalign"
    if form in ("rep", "wl") and kind == "calloc":
        size, count = size * count, 1
    if form == "rep":
        thread, count = 0, 0
        kind = kind if kind in ("realloc", "free") else "malloc"
    return [(thread, kind, size, count, flags)]


def said(work, name):
    """The calls of a trace, without what follows from their order."""
    for thread, kind, _, size, count, flags in operations(work, name):
        if not kind.startswith("thread_"):
            kept = [flag for flag in flags.split("+") if flag != "handoff"]
            yield thread, kind, size, count, "+".join(kept)


def in_threads(found):
    """What each thread does by itself: wl keeps no other order, and numbers threads anew."""
    threads = {}
    for thread, *rest in found:
        threads.setdefault(thread, []).append(rest)
    return sorted(threads.values())


def assert_said(work, before, after, form):
    """What a trace became on its way through a format is what the format can say."""
    wanted = [kept for op in said(work, before) for kept in left(form, op)]
    found = list(said(work, after))
    assert len(wanted) > 2500
    if form == "wl":
        wanted, found = in_threads(wanted), in_threads(found)
    assert found == wanted


FORMATS = ("memory_replay", "rep", "wl", "heaptrack")


@pytest.mark.parametrize("threads", [1, 6])
@pytest.mark.parametrize("first", FORMATS)
@pytest.mark.parametrize("second", FORMATS)
def test_each_pair_keeps_what_both_can_say(work, first, second, threads):
    imported(work, random_ltrace(9, threads))
    one = there_and_back(work, "out.trace", first)
    (work / one).rename(work / "one.trace")
    assert_said(work, "out.trace", "one.trace", first)
    assert_said(work, "one.trace", there_and_back(work, "one.trace", second), second)


def test_memory_replay_is_itself_again(work):
    imported(work, random_replay(6, 7))
    before = operations(work)
    assert operations(work, there_and_back(work, "out.trace", "memory_replay")) == before


def test_threads_of_wl(work):
    imported(work, random_replay(7, 5))
    name = there_and_back(work, "out.trace", "wl")
    assert in_threads(said(work, name)) == in_threads(said(work, "out.trace"))
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
    assert done.returncode == 2
    assert not (work / "x").exists()


def test_thousands_are_grouped(work):
    imported(work, b"1: malloc 0x10 8\n2: free 0x10\n" * 617 + b"1: free 0x0\n" * 1200)
    _, line = exported(work, "out.trace", "csv")
    assert line == f"{work}/out.trace: 2,436 ops as csv\n"
    imported(work, b"1: calloc 0x10 3 8\n1: free 0x10\n" * 1100)
    assert "; 1,100 callocs became" in exported(work, "out.trace", "rep")[1]


@pytest.fixture(name="disk")
def disk_fixture(tmp_path):
    """A disk of 64 KiB, empty."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("may not mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("form", ["csv", *FORMATS])
@pytest.mark.parametrize("ops", [10, 20_000])
def test_a_disk_that_is_full_cannot_be_written_to(work, disk, form, ops):
    imported(work, random_replay(8, 2, ops))
    (disk / "old").write_text("older")
    (disk / "rest").write_bytes(bytes(60 << 10))
    for name in ("old", "new"):
        done = run_trace("export", "--to", form, work / "out.trace", "-o", disk / name)
        assert done.stderr.decode() == f"{disk}/{name}: No space left on device\n"
        assert done.returncode == 2
    assert sorted(os.listdir(disk)) == ["old", "rest"] and (disk / "old").read_text() == "older"


@pytest.mark.parametrize("form", ["csv", *FORMATS])
def test_a_disk_that_gets_full_is_work_that_failed(work, disk, form):
    imported(work, random_replay(8, 2, 20_000))
    (disk / "old").write_text("older")
    done = run_trace("export", "--to", form, work / "out.trace", "-o", disk / "old")
    assert done.stderr.decode() == f"{disk}/old: No space left on device\n"
    assert done.returncode == 1
    assert os.listdir(disk) == ["old"] and (disk / "old").read_text() == "older"


@pytest.mark.parametrize("ops", [10, 20_000])
def test_a_full_standard_output_is_told(work, ops):
    imported(work, random_replay(8, 2, ops))
    command = [BUILD / "trace", "export", "--to", "csv", work / "out.trace", "-o", "-"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.stderr.decode() == "standard output: No space left on device\n"
    assert done.returncode == 2


def test_damaged_trace(work):
    imported(work, random_replay(8, 2))
    data = bytearray((work / "out.trace").read_bytes())
    data[len(data) // 3] ^= 1
    (work / "bad.trace").write_bytes(data)
    for form in ("csv", *FORMATS):
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
    for form in ("csv", *FORMATS):
        text, _ = exported(work, "out.trace", form)
        if form != "csv":
            done = import_bytes(work, text, "--from", form)
            assert done.returncode == 0, done.stderr
            assert calls(work) == []
