"""trace import: what valgrind --trace-malloc=yes says."""

import pytest

from imports import assert_refused, calls, import_bytes, imported, info_of

SAMPLE = b"""==7== Memcheck, a memory error detector
==7== Command: ./a
words of the program --7-- malloc(1) = 0x1
--7-- warning: no call
--7-- malloc(100) = 0x4A44040
--7-- calloc(3,50) = 0x4A440F0
--7-- realloc(0x4A44040,5000) = 0x4A441D0
--7-- memalign(al 64, size 300) = 0x4A45600
--7-- realloc(0x0,10)malloc(10) = 0x4A45790
--7-- free(0x0)
--7-- malloc(18446744073709551615) = 0x0
--7-- free(0x4A440F0)
--9-- malloc(5) = 0x4A45600
--7-- realloc(0x4A45790,0)free(0x4A45790)
--7--  = 0
--7-- _Znwm(4) = 0x4D71C80
--7-- _ZnamRKSt9nothrow_t(400) = 0x4D71CD0
--7-- _ZnwmSt11align_val_t(size 65, al 64) = 0x4D71F00
--7-- _ZdlPvmSt11align_val_t(0x4D71F00)
--7-- _ZdlPvm(0x4D71C80)
--7-- _ZdaPv(0x4D71CD0)
--7-- _ZdlPv(0x123)
--7-- malloc(8)
==7== HEAP SUMMARY:
"""
CALLS = [
    "0: malloc #0 100",
    "0: calloc #1 50 *3",
    "0: realloc #0 5000",
    "0: memalign #2 300 *64",
    "0: realloc #3 10 null",
    "0: free null",
    f"0: malloc {(1 << 64) - 1} failed",
    "0: free #1",
    "0: realloc #3 0",
    "0: malloc #1 4",
    "0: malloc #3 400",
    "0: aligned_alloc #4 65 *64",
    "0: free #4",
    "0: free #1",
    "0: free #3",
]

MALFORMED = {
    b"malloc(-5) = 0x10": "argument is no number",
    b"malloc(18446744073709551616) = 0x10": "argument is no number",
    b"malloc() = 0x10": "argument is no number",
    b"calloc(5) = 0x10": "argument is no number",
    b"memalign(5, 6) = 0x10": "argument is no number",
    b"realloc(10,5) = 0x10": "argument is no number",
    b"free(0x11112222333344445)": "argument is no number",
    b"memalign(al 9223372036854775808, size 5) = 0x10": "an alignment that cannot be",
    b"malloc(9223372036854775808) = 0x10": "more bytes than there can be",
    b"calloc(4294967296,4294967296) = 0x10": "more bytes than can be counted",
}


@pytest.fixture(name="work")
def work_fixture(tmp_path):
    """A folder to import in; afterwards no half-written trace may be left there."""
    yield tmp_path
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("options", [[], ["--from", "valgrind"]])
def test_sample(work, options):
    line = imported(work, SAMPLE, *options)
    assert calls(work) == CALLS
    assert "1 unknown free," in line
    assert "1 call of other processes left out" in line
    assert "1 call without a request or a result left out" in line
    assert info_of(work)["origin"]["format"] == "valgrind"


# Of valgrind 3.24, which names the aligned calls, tells results of posix_memalign and of a realloc
# to nothing on lines of their own, that of reallocarray twice, and of valloc nothing else.
NAMED = b"""==7== Memcheck, a memory error detector
--7-- malloc(100) = 0x4A44040
--7-- aligned_alloc(al 64, size 640) = 0x4A44F00
--7-- aligned_alloc(al 3, size 9) = 0
--7-- posix_memalign(al 256, size 700)
--7--  = 0x4A45800
==7== Invalid alignment value: 3 (should be non-zero)
--7-- posix_memalign(al 3, size 10)
--7--  = 0
--7-- free(0x0)
--7--  = 0x4A77000
--7-- reallocarray(0x4A44040,5,20) = 0x4A44D80
--7--  = 0x4A44D80
--7-- reallocarray(0x4A44D80,18446744073709551615,2) = 0
--7-- realloc(0x4A44D80,0)realloc() with size 0
==7==    at 0x484BDD0: realloc (vg_replace_malloc.c:1801)
==7==  Address 0x4a44d80 is 0 bytes inside a block of size 100 alloc'd
--7--  = 0x0
--7-- free(0x4A44F00)
--7-- reallocarray(0x4A45800,0,3)realloc() with size 0
--7--  = 0x0
--7--  = 0x0
"""


def test_results_on_lines_of_their_own(work):
    line = imported(work, NAMED)
    assert calls(work) == [
        "0: malloc #0 100",
        "0: aligned_alloc #1 640 *64",
        "0: aligned_alloc 9 *3 failed",
        "0: posix_memalign #2 700 *256",
        "0: posix_memalign 10 *3 failed",
        "0: free null",
        "0: realloc #0 100",
        f"0: realloc #0 {(1 << 64) - 1} failed",
        "0: realloc #0 0",
        "0: free #1",
        "0: realloc #2 0",
    ]
    assert "1 call without a request or a result left out" in line
    assert "appear as memalign" not in line


def test_time_stamps_and_line_ends(work):
    imported(work, SAMPLE.replace(b"--7--", b"--00:00:00:01.087 7--").replace(b"\n", b"\r\n"))
    assert calls(work) == CALLS


TEXTS = {
    "long": b"x" * 300000,
    "as long as can be read": b"x" * (1 << 18),
    "binary": b"\0\1\xff\0",
    "zeros": b"\0" * 300000,
}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_whatever_the_program_says(work, text, end):
    """Between its calls, and before the first."""
    imported(work, SAMPLE.replace(b"words of", TEXTS[text]).replace(b"\n", end))
    assert calls(work) == CALLS
    imported(work, b"\0\n" + SAMPLE[SAMPLE.index(b"--7-- malloc(100)") :] + TEXTS[text])
    assert calls(work) == CALLS


@pytest.mark.parametrize(
    "call",
    [b"malloc(100) = 0x" + b"0" * 300000, b"malloc(1)" + b" " * 300000],
    ids=["result", "blanks"],
)
def test_lines_of_calls_may_not_be_long(work, call):
    assert_refused(work, b"--7-- " + call + b"10\n", "line 1", "line is too long")


@pytest.mark.parametrize("line", MALFORMED)
def test_malformed(work, line):
    assert_refused(work, SAMPLE + b"--7-- " + line + b"\n", "line 25", MALFORMED[line])


def test_without_the_option(work):
    done = import_bytes(work, b"==7== Memcheck, a memory error detector\n==7== HEAP SUMMARY:\n")
    assert done.returncode == 2
    assert b"was it valgrind --trace-malloc=yes?" in done.stderr
    assert not (work / "out.trace").exists()
