"""trace import: logs of glibc's mtrace(), made up and real."""

import pytest

from imports import assert_refused, calls, imported, info_of

SAMPLE = b"""= Start
@ ./a.out:(main+0x1d)[0x401156] + 0x1000 0x64
@ ./a dir/a [1] + 0x9 0x9 + 0x2000 0x20
+ 0x3000 0
@ /lib/libc.so.6:[0x7f] < 0x1000
@ /lib/libc.so.6:[0x7f] > 0x4000 0x1388
@ ./a.out:[0x1] ! 0x4000 0x4000000000000000
@ ./a.out:[0x1] + (nil) 0xffffffffffffffff
@ ./a.out:[0x1] - 0x2000
- 0x7777
= End
= Start
@ ./a.out:[0x1] - 0x4000
= End
"""
CALLS = [
    "0: malloc #0 100",
    "0: malloc #1 32",
    "0: malloc #2 0",
    "0: realloc #0 5000",
    f"0: realloc #0 {1 << 62} failed",
    f"0: malloc {(1 << 64) - 1} failed",
    "0: free #1",
    "0: free #0",
]

MALFORMED = {
    b"nonsense": "want",
    b"+ 0x1000": "want",
    b"0x1000 0x20": "want",
    b"junk + 0x1000 0x20": "want",
    b"* 0x1000 0x20": "want",
    b"+ 1000 0x20": "address is no hexadecimal number",
    b"+ 0x10g 0x20": "address is no hexadecimal number",
    b"+ 0x1000 20": "size is no hexadecimal number",
    b"+ 0x1000 -0x20": "size is no hexadecimal number",
    b"+ 0x1000 0x11112222333344445": "size is no hexadecimal number",
    b"+ 0x1000 0x8000000000000000": "more bytes than there can be",
    b"> 0x1000 0x8": 'without a "<" before',
    b"< (nil)": "of no block",
    b"+ 0x10\x0000 0x8": "line holds a zero byte",
}


@pytest.fixture(name="work")
def work_fixture(tmp_path):
    """A folder to import in; afterwards no half-written trace may be left there."""
    yield tmp_path
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("options", [[], ["--from", "mtrace"]])
def test_sample(work, options):
    line = imported(work, SAMPLE, *options)
    assert calls(work) == CALLS
    assert "1 unknown free," in line and "appear as malloc" in line
    assert info_of(work)["origin"]["format"] == "mtrace"


def test_after_a_crash(work):
    """The buffer of the log is cut anywhere."""
    body = SAMPLE.replace(b"= End\n", b"")
    line = imported(work, body[: body.index(b" - 0x2000")])
    assert calls(work) == CALLS[:6]
    assert "the last line is cut" in line
    line = imported(work, body[: body.index(b"@ /lib/libc.so.6:[0x7f] >")])
    assert calls(work) == CALLS[:3]
    assert "a realloc has no end" in line
    imported(work, SAMPLE.replace(b"\n", b"\r\n").rstrip())
    assert calls(work) == CALLS


@pytest.mark.parametrize("line", MALFORMED)
def test_malformed(work, line):
    assert_refused(work, b"= Start\n+ 0x1 0x1\n" + line + b"\n= End\n", "line 3", MALFORMED[line])


def test_half_a_realloc(work):
    assert_refused(work, b"= Start\n+ 0x1 0x1\n< 0x1\n- 0x1\n", "line 4", 'without a ">" behind')
