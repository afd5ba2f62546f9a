"""trace import: glibc's malloc trace workloads (.wl), assembled here."""

import gzip
import re

import pytest

from imports import calls, import_bytes, imported, info_of, operations, run_trace

NOP, DONE, MALLOC, CALLOC, REALLOC, FREE, SYNC_W, SYNC_R = range(8)
PTRS, SYNCS, NTHREADS, START, MEMALIGN, VALLOC, PVALLOC, POSIX = range(8, 16)


def number(value):
    """The format's number: 7 bits a byte, the most significant first."""
    groups = [value & 127]
    while value := value >> 7:
        groups.append(value & 127 | 128)
    return bytes(reversed(groups))


def code(*words):
    """One instruction."""
    return bytes(words[:1]) + b"".join(map(number, words[1:]))


def workload(*threads, ptrs=100, syncs=10, count=None):
    """A file of these threads, each a list of instructions, with its main block."""
    bodies = [b"".join(code(*words) for words in thread) for thread in threads]
    size = 0
    while True:  # until the offsets have the length that was assumed
        starts = [size + sum(map(len, bodies[:i])) for i in range(len(bodies))]
        head = code(PTRS, ptrs) + code(SYNCS, syncs)
        head += code(NTHREADS, len(bodies) if count is None else count)
        head += b"".join(code(START, start) for start in starts) + code(DONE)
        if len(head) == size:
            return head + b"".join(bodies)
        size = len(head)


ONE = [
    (MALLOC, 1, 100),
    (CALLOC, 2, 300),
    (NOP,),
    (REALLOC, 1, 1, 5000),
    (REALLOC, 3, 2, 70),
    (REALLOC, 4, 0, 10),
    (REALLOC, 4, 4, 0),
    (FREE, 0),
    (MEMALIGN, 5, 64, 65),
    (VALLOC, 6, 7),
    (PVALLOC, 7, 8),
    (POSIX, 8, 32, 33),
    (MALLOC, 1, 11),
    (FREE, 2),
    (FREE, 3),
    (DONE,),
]
CALLS = [
    "0: malloc #0 100",
    "0: calloc #1 300 *1",
    "0: realloc #0 5000",
    "0: realloc #1 70",
    "0: realloc #2 10 null",
    "0: realloc #2 0",
    "0: free null",
    "0: memalign #2 65 *64",
    "0: valloc #3 7",
    "0: pvalloc #4 8",
    "0: posix_memalign #5 33 *32",
    "0: free #0",
    "0: malloc #0 11",
    "0: free null",
    "0: free #1",
]
SAMPLE = workload(ONE)
TWO = workload(
    [(MALLOC, 1, 10), (SYNC_W, 0), (SYNC_R, 1), (FREE, 2), (DONE,)],
    [(SYNC_R, 0), (FREE, 1), (MALLOC, 2, 20), (SYNC_W, 1), (DONE,)],
)

MALFORMED = [
    ([(MALLOC, 101, 5), (DONE,)], "a slot that was not counted"),
    ([(FREE, 101), (DONE,)], "a slot that was not counted"),
    ([(REALLOC, 1, 101, 5), (DONE,)], "a slot that was not counted"),
    ([(MALLOC, 0, 5), (DONE,)], "slot 0"),
    ([(REALLOC, 0, 1, 5), (DONE,)], "slot 0"),
    ([(MALLOC, 1, 1 << 63), (DONE,)], "more bytes than there can be"),
    ([(MALLOC, 1, 1 << 64), (DONE,)], "number is too large"),
    ([(MEMALIGN, 1, 1 << 63, 5), (DONE,)], "an alignment that cannot be"),
    ([(MALLOC, 1, 5)], "code has no end"),
    ([(MALLOC, 1)], "code has no end"),
    ([(16,), (DONE,)], "unknown code"),
    ([(SYNC_R, 1), (DONE,)], "waits for a sync that never comes"),
    ([(SYNC_W, 11), (DONE,)], "a sync that was not counted"),
    ([(SYNC_R, 1 << 60), (DONE,)], "a sync that was not counted"),
    ([(START, 1), (DONE,)], "only the main block"),
]


@pytest.fixture(name="work")
def work_fixture(tmp_path):
    """A folder to import in; afterwards no half-written trace may be left there."""
    yield tmp_path
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("options", [[], ["--from", "wl"]])
def test_one_thread(work, options):
    line = imported(work, SAMPLE, *options)
    assert calls(work) == CALLS
    assert "0 unknown frees" in line and "a calloc is one element" in line
    assert "take turns" not in line and "main block says" not in line
    assert info_of(work)["by_kind"]["thread_end"] == 1


def test_threads_wait(work):
    line = imported(work, TWO)
    kinds = [(thread, kind) for thread, kind, *_ in operations(work) if "thread" not in kind]
    assert kinds == [(0, "malloc"), (1, "free"), (1, "malloc"), (0, "free")]
    info = info_of(work)
    assert (info["threads"], info["handoffs"], info["final_slots"]) == (2, 2, 0)
    assert "take turns where none waits" in line


def test_many_threads(work):
    """Each waits for the one before; the last one is first in the file."""
    threads = [
        [(SYNC_R, i)] * (i > 0) + [(MALLOC, i + 1, i), (SYNC_W, i + 1), (DONE,)]
        for i in reversed(range(500))
    ]
    imported(work, workload(*threads, ptrs=500, syncs=501))
    sizes = [size for _, kind, _, size, *_ in operations(work) if kind == "malloc"]
    assert sizes == list(range(500))


def test_long_threads(work):
    """More than is read ahead."""
    body = [step for i in range(3000) for step in ((MALLOC, 1, i), (FREE, 1))]
    imported(work, workload(body + [(DONE,)], body + [(DONE,)], ptrs=1))
    assert info_of(work)["by_kind"]["malloc"] == 6000


def test_wrong_number_of_threads(work):
    line = imported(work, workload(ONE, count=5))
    assert "the main block says 5 threads, it starts 1" in line


def assert_refused(work, data, words, *options):
    """Importing `data` ends in one line of file, byte and words; the byte."""
    done = import_bytes(work, data, *options)
    assert done.returncode == 2, (done.returncode, done.stderr)
    line = re.fullmatch(rf"{work}/in.txt: byte (\d+): .*{words}.*\n", done.stderr.decode())
    assert line, done.stderr
    assert not (work / "out.trace").exists()
    return int(line[1])


def test_billions(work):
    data = workload([(SYNC_W, 1 << 50), (DONE,)], syncs=1 << 60)
    assert assert_refused(work, data, "a sync's number is too large") == len(data) - 1
    imported(work, workload([(MALLOC, 1 << 40, 7), (DONE,)], ptrs=1 << 50, syncs=1 << 60))
    assert calls(work) == ["0: malloc #0 7"]


@pytest.mark.parametrize(("thread", "words"), MALFORMED)
def test_malformed(work, thread, words):
    data = workload(thread)
    begin = len(data) - sum(len(code(*step)) for step in thread)
    assert begin < assert_refused(work, data, words) <= len(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "code has no end"),
        (code(DONE), "the number of slots is missing"),
        (code(PTRS, 5), "code has no end"),
        (code(PTRS, 5) + code(MALLOC, 1, 1) + code(DONE), "only counts and starts threads"),
        (code(PTRS, 5) + code(START, 99) + code(DONE), "behind the file's end"),
        (code(PTRS, 5) + code(START, 0) + code(DONE), "where other code stands"),
        (code(PTRS, 5) + code(START, 7) * 2 + code(DONE) * 2, "where other code stands"),
        (bytes([PTRS]) + b"\xff" * 20, "number is too large"),
    ],
)
def test_malformed_main_block(work, data, words):
    assert assert_refused(work, data, words, "--from", "wl") <= len(data)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input(work, pack):
    done = run_trace("import", "-", "-o", work / "out.trace", data=pack(SAMPLE))
    assert done.returncode == 0, done.stderr
    assert calls(work) == CALLS


def test_what_has_no_end_is_not_copied(work):
    done = run_trace("import", "--from", "wl", "/dev/zero", "-o", work / "out.trace", timeout=60)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert done.stderr.startswith(b"/dev/zero: byte "), done.stderr
