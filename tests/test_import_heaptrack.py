"""trace import: heaptrack's files, raw and interpreted, as they are and packed."""

import gzip
import subprocess

import pytest

from imports import assert_refused, calls, import_bytes, imported, info_of

SAMPLE = b"""v 10400 3
x a /tmp/a program
X ./a program --with arguments
I 1000 5e2919
m 1 -
# a comment
t 7f7c8d5eeb9f 0
+ 11c00 4 56072f4ca530
+ 64 8 1000
c a
R 3c3
+ 96 9 2000
- 1000
+ 1388 a 3000
- 999
S something new
+ ffffffffffffffff b 0
c 3e8
- 3000
R 400
"""
INTERPRETED = b"""v 10400 3
X ./a
I 1000 5e2919
s 10 /usr/lib/libc.so.6
i 7efc158ceb9f 8 0 b 0
t 1 0
a 64 4
+ 0
a 96 5
+ 1
+ 1
- 0
c 10
R 3c0
- 1
- 0
+ 1
"""
CALLS = [
    "0: malloc #0 72704",
    "0: malloc #1 100",
    "0: malloc #2 150",
    "0: free #1",
    "0: malloc #1 5000",
    f"0: malloc {(1 << 64) - 1} failed",
    "0: free #1",
]

MALFORMED = {
    b"+ 10 1": "want a size, a trace and an address",
    b"+ 10 1 0x20": "want a size, a trace and an address",
    b"+ 10 1 20 30": "want a size, a trace and an address",
    b"+ -10 1 20": "want a size, a trace and an address",
    b"+ 11112222333344445 1 20": "want a size, a trace and an address",
    b"+ 8000000000000000 1 20": "more bytes than there can be",
    b"-": "want an address",
    b"- g": "want an address",
    b"- 1 2": "want an address",
    b"c": "want a time",
    b"c ffffffffffffffff": "a time that cannot be",
    b"R x": "want a number of pages",
    b"R ffffffffffffffff": "more memory than there can be",
    b"I 0 5": "want the size of a page",
    b"v 10400 4": "newer version",
    b"v": "want the version",
    b"a 5": "want a size and a trace",
    b"5 6": "unknown record",
    b"xyz 6": "unknown record",
    b"+ 10 1 2\0000": "line holds a zero byte",
}


@pytest.fixture(name="work")
def work_fixture(tmp_path):
    """A folder to import in; afterwards no half-written trace may be left there."""
    yield tmp_path
    assert not list(tmp_path.glob("*.tmp"))


def zst(data):
    """The data, packed by the tool."""
    return subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zst])
@pytest.mark.parametrize("options", [[], ["--from", "heaptrack"]])
def test_raw(work, pack, options):
    line = imported(work, pack(SAMPLE), *options)
    assert calls(work) == CALLS
    assert "1 unknown free," in line and "a realloc is a free and an allocation" in line
    assert "oldest" not in line and "recorded" not in line and "4096" not in line
    info = info_of(work)
    assert info["duration_ns"] == 1000000000
    assert info["losses"]["recorded_rss"] == f"10:{0x3c3 * 4096} 1000:{0x400 * 4096}"
    assert int(info["losses"]["recorded_peak_rss"]) == 0x400 * 4096


def test_interpreted(work):
    line = imported(work, INTERPRETED)
    assert calls(work) == [
        "0: malloc #0 100",
        "0: malloc #1 150",
        "0: malloc #2 150",
        "0: free #0",
        "0: free #1",
        "0: malloc #0 150",
    ]
    assert "1 unknown free," in line
    assert "the oldest block of its size and call stack" in line


def test_series_is_bounded(work):
    records = "".join(f"c {i:x}\nR {i:x}\n" for i in range(5000))
    imported(work, b"v 10400 3\n" + records.encode())
    losses = info_of(work)["losses"]
    points = [tuple(map(int, point.split(":"))) for point in losses["recorded_rss"].split()]
    assert 256 <= len(points) <= 512
    assert points == [(time, time * 4096) for time, _ in points]
    assert points[0][0] == 0 and points[-1][0] > 4900
    assert int(losses["recorded_peak_rss"]) == 4999 * 4096


def test_line_ends(work):
    imported(work, SAMPLE.replace(b"\n", b"\r\n").rstrip())
    assert calls(work) == CALLS


def test_lines_without_calls_may_be_long(work):
    """As the command line of a program with thousands of files."""
    long = SAMPLE.replace(b"X ./a program", b"X ./a " + b"file.c " * 100000)
    imported(work, long)
    assert calls(work) == CALLS


@pytest.mark.parametrize("record", [b"+ 64 8 1000", b"- 1000", b"c 20", b"a 64 4"])
def test_lines_of_calls_may_not(work, record):
    assert_refused(work, SAMPLE + record + b" " * 300000 + b"\n", "line 21", "line is too long")


def test_attached(work):
    assert "attached to a running program" in imported(work, SAMPLE + b"A\n")


@pytest.mark.parametrize("line", MALFORMED)
def test_malformed(work, line):
    assert_refused(work, SAMPLE + line + b"\n", "line 21", MALFORMED[line])


@pytest.mark.parametrize("line", [b"+ 2", b"- 2", b"+ ffffffff", b"+ 1 2 3"])
def test_no_such_class(work, line):
    assert_refused(work, INTERPRETED + line + b"\n", "line 18", "allocation class")


def test_cut(work):
    data = zst(SAMPLE * 2000)
    done = import_bytes(work, data[:-200])
    assert done.returncode == 2
    assert b": cut .zst" in done.stderr
