"""trace import: what ltrace writes, with each kind of prefix and calls in two halves."""

import pytest

from imports import assert_refused, calls, imported, info_of

SAMPLE = b"""small->malloc(100)                          = 0x5000
small->calloc(3, 50)                        = 0x5310
puts("malloc(5) = 0x10")                    = 6
small->realloc(0x5000, 5000)                = 0x53b0
small->memalign(64, 300, 0x7fc81d00dc60, 5) = 0x6740
small->posix_memalign(0x7fffbc674700, 32, 77, 5) = 0
small->aligned_alloc(128, 256, 0x56, 1)     = 0x8a00
small->realloc(0, 10)                       = 0x8b60
small->free(0)                              = <void>
libc.so.6->malloc(4611686018427387904)      = nil
valloc(10, 0x4000000000100000, 0, 0)        = 0x9000
free(0x5310)                                = <void>
realloc(0x8b60, 0)                          = 0
--- SIGCHLD (Child exited) ---
free@libc.so.6(0x6740)                      = <void> <0.000042>
_Znwm(8, 1)                                 = 0xa000
_ZdlPvm(0xa000, 8)                          = <void>
free((nil))                                 = <void>
free(0x123)                                 = <void>
malloc(7 <no return ...>
+++ exited (status 0) +++
"""
CALLS = [
    "0: malloc #0 100",
    "0: calloc #1 50 *3",
    "0: realloc #0 5000",
    "0: memalign #2 300 *64",
    "0: posix_memalign #3 77 *32",
    "0: aligned_alloc #4 256 *128",
    "0: realloc #5 10 null",
    "0: free null",
    f"0: malloc {1 << 62} failed",
    "0: valloc #6 10",
    "0: free #1",
    "0: realloc #5 0",
    "0: free #2",
    "0: malloc #1 8",
    "0: free #1",
    "0: free null",
]

MALFORMED = {
    b"malloc(-5) = 0x10": "argument is no number",
    b"malloc(18446744073709551616) = 0x10": "argument is no number",
    b"malloc() = 0x10": "argument is no number",
    b"calloc(5) = 0x10": "argument is no number",
    b"realloc(0x10 5) = 0x10": "argument is no number",
    b"malloc(5) = ?": "result is no number",
    b"malloc(9223372036854775808) = 0x10": "more bytes than there can be",
    b"calloc(4294967296, 4294967296) = 0x10": "more bytes than can be counted",
    b"memalign(18446744073709551615, 5) = 0x10": "an alignment that cannot be",
    b"18446744073709551615:00:00 malloc(5) = 0x10": "no thread, time or address",
    b"99999999999.5 malloc(5) = 0x10": "no thread, time or address",
    b"[0x11112222333344445] prog->malloc(5) = 0x10": "no thread, time or address",
    b"[pid -5] malloc(5) = 0x10": "no thread, time or address",
}


@pytest.fixture(name="work")
def work_fixture(tmp_path):
    """A folder to import in; afterwards no half-written trace may be left there."""
    yield tmp_path
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("options", [[], ["--from", "ltrace"]])
def test_sample(work, options):
    line = imported(work, SAMPLE, *options)
    assert calls(work) == CALLS
    assert "1 unknown free," in line
    assert "1 block of posix_memalign without an address" in line
    assert "1 call of which one half is missing" in line
    assert info_of(work)["origin"]["format"] == "ltrace"


@pytest.mark.parametrize(
    ("prefixes", "duration"),
    [
        ([b"77 "], 0),
        ([b"[pid 77] "], 0),
        ([b"[0x401136] "], 0),
        ([b"14:25:36 ", b"14:25:38 "], 2000),
        ([b"[pid 77] 14:25:36.500000 [0x56] ", b"[pid 77] 14:25:38.750000 [0x56] "], 2250),
        ([b"77 23:59:59.5 ", b"77 00:00:01.0 "], 1500),
        ([b"1699999999.000000 ", b"1700000000.250000 "], 1250),
        ([b"  0.000000 ", b"  1.500000 "], 1500),
    ],
)
def test_prefixes(work, prefixes, duration):
    text = [b"malloc(100) = 0x10", b"free(0x10) = <void>"]
    data = b"".join(prefixes[i % len(prefixes)] + line + b"\r\n" for i, line in enumerate(text))
    line = imported(work, data)
    assert calls(work) == ["0: malloc #0 100", "0: free #0"]
    assert info_of(work)["duration_ns"] == duration * 1000000
    assert ("has no times" in line) == (duration == 0)


def test_halves_and_nested_calls(work):
    line = imported(
        work,
        b"1 malloc(100 <unfinished ...>\n"
        b"2 free(0x10 <unfinished ...>\n"
        b"1 malloc@libc.so.6(100) = 0x10\n"
        b"1 <... malloc resumed> ) = 0x10\n"
        b"2 <... free resumed> ) = <void>\n"
        b"1 realloc(0x10, 200 <unfinished ...>\n"
        b"1 malloc@libc.so.6(200 <unfinished ...>\n"
        b"2 calloc(1, 2 <unfinished ...>\n"
        b"1 <... malloc resumed> ) = 0x20\n"
        b"1 free@libc.so.6(0x10) = <void>\n"
        b"1 <... realloc resumed> ) = 0x20\n"
        b"2 <... calloc resumed> ) = 0x10\n"
        b"2 <... malloc resumed> ) = 0x40\n"
        b"2 malloc(3 <unfinished ...>\n"
        b"2 +++ exited (status 0) +++\n"
        b"1 malloc(4 <unfinished ...>\n",
    )
    assert calls(work) == ["0: malloc #0 100", "0: realloc #0 200", "1: calloc #1 2 *1"]
    assert "1 unknown free," in line
    assert "3 calls of which one half is missing" in line


def test_too_many_unfinished(work):
    data = b"".join(b"%d malloc(1 <unfinished ...>\n" % i for i in range(1025))
    assert_refused(work, data, "line 1025", "more than 1024 calls are unfinished")


@pytest.mark.parametrize("line", MALFORMED)
def test_malformed(work, line):
    assert_refused(work, b"malloc(1) = 0x1\n12 " + line + b"\n", "line 2", MALFORMED[line])


def test_lines_of_other_functions_may_be_long(work):
    text = b"x" * 300000
    imported(work, SAMPLE.replace(b'puts("malloc(5) = 0x10")', b'puts("' + text + b'")'))
    assert calls(work) == CALLS
    imported(work, SAMPLE + b'puts("' + text)
    assert calls(work) == CALLS


def test_lines_of_calls_may_not(work):
    text = b"malloc(1) = 0x1\nmalloc(7" + b" " * 300000 + b") = 0x10\n"
    assert_refused(work, text, "line 2", "line is too long")


def test_calls_from_inside_libc_are_misnamed_and_left_out(tmp_path):
    """As ltrace 0.7.3 writes them on a glibc 2.36: strlen and memcpy, in truth."""
    text = b"""7 perl->malloc(8) = 0x563a1564af60
7 libc.so.6->realloc(0x563a1564af60, 6) = 0x6
7 libc.so.6->calloc(94807467018592, 2048) = 0x563a1564c960
7 perl->realloc(0x563a1564af60, 60) = 0x563a1564af60
"""
    said = imported(tmp_path, text)
    assert calls(tmp_path) == ["0: malloc #0 8", "0: realloc #0 60"]
    assert "2 calls from inside libc, which ltrace misnames, left out" in said
    assert info_of(tmp_path)["losses"]["lost_misnamed"].startswith("2 calls")
