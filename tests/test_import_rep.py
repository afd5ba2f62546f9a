"""trace import: .rep files of the CS:APP malloc lab, with what real ones contain."""

import pytest

from imports import assert_refused, calls, import_bytes, imported, info_of

BODY = b"a 0 512\na 1 128\nr 0 640\nf 1\na 2 8\nf 0\n"
CALLS = [
    "0: malloc #0 512",
    "0: malloc #1 128",
    "0: realloc #0 640",
    "0: free #1",
    "0: malloc #1 8",
    "0: free #0",
]
HEADER = b"1\n3\n100\n0\n"

MALFORMED = {
    b"a 5": "the size is missing",
    b"a 5 ": "the size is missing",
    b"a": "the id is missing",
    b"f": "the id is missing",
    b"r 1": "the size is missing",
    b"a x 5": "the id is no number",
    b"a 1x 5": "the id is no number",
    b"a -1 5": "the id is no number",
    b"r -1 5": "the id is no number",
    b"f -2": "the id is no number",
    b"f -1 2": "too many arguments",
    b"f 1 2": "too many arguments",
    b"a 1 2 3": "too many arguments",
    b"a 1 -5": "the size is no number",
    b"a 1 5\0": "line holds a zero byte",
    b"a 1 18446744073709551616": "the size is no number",
    b"a 1 18446744073709551615": "more bytes than there can be",
    b"a 1 9223372036854775808": "more bytes than there can be",
    b"r 1 9223372036854775808": "more bytes than there can be",
    b"a 18446744073709551615 1": "the id is too large",
    b"x 1 2": "unknown operation",
    b"aa 1 2": "unknown operation",
    b"# no": "unknown operation",
}


@pytest.fixture(name="work")
def work_fixture(tmp_path):
    """A folder to import in; afterwards no half-written trace may be left there."""
    yield tmp_path
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize(
    "head", [b"1\n3\n6\n0\n", b"20000\n3\n6\n1\n", b"1 3 6\n0\n", b"3 3 6 1\n"]
)
@pytest.mark.parametrize("options", [[], ["--from", "rep"]])
def test_both_headers(work, head, options):
    line = imported(work, head + BODY, *options)
    assert calls(work) == CALLS
    assert "0 unknown frees" in line and "one thread, no time" in line
    assert "header says" not in line
    info = info_of(work)
    assert (info["final_live"], info["final_slots"], info["peak_live"]) == (8, 1, 768)


def test_line_ends_and_blank_lines(work):
    data = (b"1\n3\n6\n0\n" + BODY).replace(b"\n", b"\r\n")
    imported(work, data + b"\r\n \r\n")
    assert calls(work) == CALLS
    imported(work, data.rstrip())
    assert calls(work) == CALLS


@pytest.mark.parametrize("ops", [5, 7, 0])
def test_number_of_operations_is_wrong(work, ops):
    line = imported(work, b"1\n3\n%d\n0\n" % ops + BODY)
    assert calls(work) == CALLS
    assert f"the header says {ops} operations, 6 came" in line


def test_id_beyond_the_header(work):
    line = imported(work, b"1\n2\n6\n0\n" + BODY)
    assert calls(work) == CALLS
    assert "the header says 2 ids, the largest is 2" in line


def test_a_billion_ids(work):
    imported(work, b"1\n1000000000\n2\n0\na 999999999 7\nf 999999999\n")
    assert calls(work) == ["0: malloc #0 7", "0: free #0"]
    imported(work, b"1\n18446744073709551615\n1\n0\na 576460752303423486 7\n")
    assert calls(work) == ["0: malloc #0 7"]


def test_null_and_realloc(work):
    body = b"f -1\nr 7 30\nr 7 0\nr 7 0\nr 7 9\nf 7\nf -1\nf 7\na 7 1\na 7 2\n"
    line = imported(work, b"0\n8\n10\n0\n" + body)
    assert calls(work) == [
        "0: free null",
        "0: realloc #0 30 null",
        "0: realloc #0 0",
        "0: realloc #0 0 null",
        "0: realloc #0 9",
        "0: free #0",
        "0: free null",
        "0: malloc #0 1",
        "0: free #0",
        "0: malloc #0 2",
    ]
    assert "1 unknown free," in line
    losses = info_of(work)["losses"]
    assert losses["unknown_frees"] == 1
    assert losses["repaired_inversions"] == 1


@pytest.mark.parametrize("line", MALFORMED)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_malformed(work, line, end):
    data = end.join([b"1", b"3", b"100", b"0", b"a 0 16", line, b"f 0", b""])
    assert_refused(work, data, "line 6", MALFORMED[line])


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"1\n2\n", "line 3"),
        (b"1\n2\nx\n4\na 0 1\n", "line 3"),
        (b"1\n-2\n3\n4\na 0 1\n", "line 2"),
        (b"1\n2\n3\n4 5\na 0 1\n", "line 4"),
        (b"1\n2\n3\n99999999999999999999\n", "line 4"),
        (b"a 0 1\n", "line 1"),
    ],
)
def test_malformed_header(work, data, place):
    assert_refused(work, data, place, "the header is four numbers", "--from", "rep")


def test_is_not_taken_for_others(work):
    assert import_bytes(work, b"1 2 3 4 of something\n").returncode == 2
    assert import_bytes(work, b"1\n2\n").returncode == 2
