"""trace import: Android's memory_replay text and .zip, what such files really contain, and what
is said of those that are damaged."""

import gzip
import os
import random
import subprocess
import time
import zipfile

import pytest

from imports import calls, import_bytes, imported, info_of, run_trace
from places import BUILD

SAMPLE = b"""# made by hand
100: malloc 0x1000 32
100: calloc 0x2000 4 8

101: realloc 0x3000 0x1000 64
101: memalign 0x4000 48 100
100: free 0x2000
101: free 0x0
101: free 0x9999
102: malloc 0x0 123456
101: thread_done 0x0
100: realloc 0x0 0x3000 0
"""

MALFORMED = {
    b"nonsense\n": "want",
    b"1 malloc 0x10 5\n": "want a thread's number and a colon",
    b": malloc 0x10 5\n": "want a thread's number and a colon",
    b"-1: malloc 0x10 5\n": "want a thread's number and a colon",
    b"1: mallox 0x10 5\n": "unknown operation",
    b"1: malloc 0x10\n": "too few arguments",
    b"1: malloc 0x10 5 6\n": "too many arguments",
    b"1: malloc 0x10 5 6 7 8\n": "too many arguments",
    b"1: calloc 0x10 5 6 7 8 9\n": "too many arguments",
    b"1: free 0x100 6 7 8 9\n": "too many arguments",
    b"1: free 0x100 6\n": "too many arguments",
    b"1: free 0x100 6 7 x\n": "present bytes are no number",
    b"1: free 0x100 6 7 -2\n": "present bytes are no number",
    b"1: free 0x100 6 7 -12\n": "too many arguments",
    b"1: free 0x100 6 7 99999999999999999999\n": "present bytes are no number",
    b"1: thread_done 0x0 6 7 8\n": "too many arguments",
    b"1: malloc 0x10 5 1 2 3 4 5 6 7 8 9\n": "too many arguments",
    b"1: malloc 16 5\n": "pointer is no hexadecimal number",
    b"1: malloc 0x 5\n": "pointer is no hexadecimal number",
    b"1: malloc 0x10g 5\n": "pointer is no hexadecimal number",
    b"1: malloc 0x11112222333344445 5\n": "pointer is no hexadecimal number",
    b"1: malloc 0x10 -5\n": "argument is no number",
    b"1: malloc 0x10 0x5\n": "argument is no number",
    b"1: malloc 0x10 99999999999999999999\n": "argument is no number",
    b"1: malloc 0x10 9223372036854775808\n": "more bytes than there can be",
    b"1: calloc 0x10 4294967296 4294967296\n": "more bytes than can be counted",
    b"1: memalign 0x10 18446744073709551615 5\n": "an alignment that cannot be",
    b"1: realloc 0x10 20 5\n": "old pointer is no hexadecimal number",
    b"1: malloc 0x10 5 1 x\n": "time stamp is no number",
    b"1: malloc 0x10 5\0 6\n": "holds a zero byte",
}


@pytest.fixture(name="work")
def work_fixture(tmp_path):
    """A folder to import in; afterwards no half-written trace may be left there."""
    yield tmp_path
    assert not list(tmp_path.glob("*.tmp"))


def assert_sample(info):
    """The trace is that of SAMPLE."""
    kinds = {"malloc": 2, "calloc": 1, "realloc": 2, "memalign": 1, "free": 2}
    kinds |= {"thread_start": 3, "thread_end": 1}
    assert {name: n for name, n in info["by_kind"].items() if n} == kinds
    assert info["threads"] == 3
    assert info["failed"] == 1
    assert info["null_frees"] == 1
    assert info["handoffs"] == 2
    assert (info["final_live"], info["final_slots"]) == (100, 1)
    assert info["losses"]["unknown_frees"] == 1


def test_sample(work):
    done = import_bytes(work, SAMPLE)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    info = info_of(work)
    assert_sample(info)
    assert info["origin"]["source"] == "imported"
    assert info["origin"]["format"] == "memory_replay"
    assert info["origin"]["input"] == str(work / "in.txt")
    assert "lost_time" in info["losses"]


def test_closing_line(work):
    line = import_bytes(work, SAMPLE).stderr.decode()
    assert line.count("\n") == 1
    assert line.startswith(f"{work}/in.txt: 12 ops, 3 threads, 1 unknown free,")
    assert "appears as memalign" in line and "has no times" in line


def test_thousands_are_grouped(work):
    one = b"1: malloc 0x10 8\n1: free 0x10\n"
    line = imported(work, one * 617 + b"1: free 0x20\n" * 1000)
    assert line.startswith(f"{work}/in.txt: 1,235 ops, 1 thread, 1,000 unknown frees,")
    line = imported(work, one * 499)
    assert line.startswith(f"{work}/in.txt: 999 ops, ")
    line = imported(work, one * 617_000)
    assert line.startswith(f"{work}/in.txt: 1,234,001 ops, ")


def test_one_of_each_is_no_plural(work):
    line = imported(work, b"1: free 0x10\n1: realloc 0x20 0x30 5\n")
    counts = "2 ops, 1 thread, 1 unknown free, 1 unknown realloc; "
    assert line.startswith(f"{work}/in.txt: {counts}")


def test_crlf_and_no_last_newline(work):
    done = import_bytes(work, SAMPLE.replace(b"\n", b"\r\n").rstrip())
    assert done.returncode == 0, done.stderr
    assert_sample(info_of(work))


def test_standard_input(work):
    done = run_trace("import", "-", "-o", work / "out.trace", data=SAMPLE)
    assert done.returncode == 0, done.stderr
    assert_sample(info_of(work))


def test_standard_output(work):
    done = run_trace("import", "-", "-o", "-", data=SAMPLE)
    assert done.returncode == 0, done.stderr
    (work / "out.trace").write_bytes(done.stdout)
    assert_sample(info_of(work))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("piped", [False, True])
def test_zip(work, method, piped):
    with zipfile.ZipFile(work / "in.zip", "w", method) as archive:
        archive.writestr("sample.txt", SAMPLE)
    data = (work / "in.zip").read_bytes() if piped else None
    path = "-" if piped else work / "in.zip"
    done = run_trace("import", path, "-o", work / "out.trace", data=data)
    assert done.returncode == 0, done.stderr
    assert_sample(info_of(work))


def test_zip_of_two(work):
    with zipfile.ZipFile(work / "in.zip", "w") as archive:
        archive.writestr("a.txt", SAMPLE)
        archive.writestr("b.txt", SAMPLE)
    done = run_trace("import", work / "in.zip", "-o", work / "out.trace")
    assert done.returncode == 2
    assert b"exactly one member" in done.stderr
    assert not (work / "out.trace").exists()


def zip_of_many_lines(work):
    """The bytes of a .zip that has more in it than is read ahead."""
    text = "".join(f"1: malloc {hex(16 + 16 * i)} {i}\n" for i in range(20000))
    with zipfile.ZipFile(work / "in.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", text)
    return bytearray((work / "in.zip").read_bytes())


def test_damaged_zip(work):
    data = zip_of_many_lines(work)
    data[len(data) // 2] ^= 0x55
    (work / "in.zip").write_bytes(data)
    done = run_trace("import", work / "in.zip", "-o", work / "out.trace")
    assert done.returncode == 2
    assert done.stderr.startswith(f"{work}/in.zip: ".encode())
    assert not (work / "out.trace").exists()


def test_cut_zip(work):
    data = zip_of_many_lines(work)
    (work / "in.zip").write_bytes(data[: len(data) // 2])
    done = run_trace("import", work / "in.zip", "-o", work / "out.trace")
    assert done.returncode == 2
    assert done.stderr.startswith(f"{work}/in.zip: ".encode())


def test_stamps_give_time(work):
    done = import_bytes(
        work,
        b"1: malloc 0x10 5 7000000 7000100\n"
        b"2: free 0x10 12000000 12000100\n"
        b"2: thread_done 0x0 30000000\n",
    )
    assert done.returncode == 0, done.stderr
    info = info_of(work)
    assert info["duration_ns"] == 23000000
    assert "lost_time" not in info["losses"]


def test_stamps_that_begin_at_zero(work):
    imported(work, b"1: malloc 0x10 5 0 100\n2: free 0x10 12000000 12000100\n")
    assert info_of(work)["duration_ns"] == 12000000


def test_alignment_is_rounded_up(work):
    imported(work, b"1: memalign 0x10 48 5\n1: memalign 0x20 0 5\n1: memalign 0x40 33 0\n")
    assert calls(work) == [
        *("0: memalign #0 5 *64", "0: memalign #1 5 *1", "0: memalign #2 0 *64"),
    ]


def column_of(work, name):
    """A column of the trace as it is exported to csv."""
    done = run_trace("export", "--to", "csv", work / "out.trace", "-o", "-")
    lines = done.stdout.decode().splitlines()
    return [line.split(",")[lines[0].split(",").index(name)] for line in lines[1:]]


def test_presence(work):
    """Clamped to what was asked; unknown is -1; of blocks never seen it means nothing."""
    line = imported(
        work,
        b"1: malloc 0x10 5000 0 0\n"
        b"1: malloc 0x20 70 0 0\n"
        b"1: calloc 0x30 3 100 0 0\n"
        b"1: realloc 0x40 0x10 9000 0 0 4096\n"
        b"1: realloc 0x50 0x0 9 0 0 -1\n"
        b"1: free 0x20 0 0 4096\n"
        b"1: free 0x30 0 0 -1\n"
        b"1: free 0x99 0 0 4096\n"
        b"1: free 0x0 0 0 -1\n"
        b"1: thread_done 0x0 0\n",
    )
    kept = info_of(work)["losses"]["recorded_presence"]
    assert kept == "2 blocks given up: 5070 bytes, 4166 of them resident"
    assert "has no times" in line and "1 unknown free," in line
    assert info_of(work)["columns"] == ["present"]
    assert column_of(work, "present") == ["", "", "", "", "4096", "", "70", "", "", ""]


def test_presence_behind_times(work):
    imported(work, b"1: malloc 0x10 50 7000000 7000100\n1: free 0x10 12000000 12000100 7\n")
    info = info_of(work)
    assert info["duration_ns"] == 5000000
    assert info["losses"]["recorded_presence"] == "1 block given up: 50 bytes, 7 of them resident"
    assert (info["version"], info["columns"]) == (2, ["gaps", "present"])
    assert column_of(work, "present") == ["", "", "7"]
    assert column_of(work, "gap_ns") == ["0", "0", "5242880"]  # of 4999900, to the nearest step


def test_without_stamps_there_are_no_further_columns(work):
    imported(work, b"1: malloc 0x10 50\n1: free 0x10\n")
    assert (info_of(work)["version"], info_of(work)["columns"]) == (1, [])


def test_races_are_repaired(work):
    """An allocation stands before the free that made its address available."""
    line = imported(
        work,
        b"1: malloc 0x10 5\n2: malloc 0x10 6\n2: malloc 0x30 7\n1: free 0x10\n2: free 0x10\n",
    )
    assert calls(work) == [
        *("0: malloc #0 5", "1: malloc #1 7", "0: free #0", "1: malloc #0 6"),
        "1: free #0",
    ]
    assert "0 unknown frees" in line and "1 repaired inversion;" in line
    assert info_of(work)["losses"]["repaired_inversions"] == 1


def test_races_in_a_row(work):
    """What is held gives up an address that another one waits for."""
    line = imported(
        work,
        b"1: malloc 0x10 1\n"
        b"1: malloc 0x20 2\n"
        b"2: realloc 0x20 0x10 3\n"
        b"3: malloc 0x10 4\n"
        b"3: thread_done 0x0\n"
        b"1: free 0x20\n"
        b"1: realloc 0x0 0x10 0\n"
        b"1: free 0x20\n",
    )
    assert calls(work) == [
        *("0: malloc #0 1", "0: malloc #1 2", "0: free #1", "1: realloc #0 3 handoff"),
        *("0: malloc #1 4", "0: realloc #1 0", "0: free #0 handoff"),
    ]
    assert "2 repaired inversions" in line and ", 0 unknown frees, 0 unknown reallocs" in line
    assert info_of(work)["threads"] == 3


def test_address_given_thrice(work):
    line = imported(work, b"1: malloc 0x10 5\n" + b"1: malloc 0x10 6\n" * 3 + b"2: free 0x10\n")
    assert calls(work) == [
        *("0: malloc #0 5", "0: free #0", "0: malloc #0 6", "0: free #0", "0: malloc #0 6"),
        *("1: free #0 handoff", "0: malloc #0 6"),
    ]
    assert "3 repaired inversions" in line


def test_address_given_twice(work):
    assert import_bytes(work, b"1: malloc 0x10 5\n1: malloc 0x10 6\n").returncode == 0
    info = info_of(work)
    assert info["losses"]["repaired_inversions"] == 1
    assert info["final_live"] == 6


def test_hundreds_of_threads(work):
    dice = random.Random(1)
    lines = []
    for i in range(30000):
        lines.append(f"{dice.randrange(1000, 1300)}: malloc {hex(16 * i + 16)} {i % 500}\n")
        if i >= 50:
            old = hex(16 * (i - 50) + 16)
            lines.append(f"{dice.randrange(1000, 1300)}: free {old}\n")
    done = import_bytes(work, "".join(lines).encode())
    assert done.returncode == 0, done.stderr
    info = info_of(work)
    assert info["threads"] == 300
    assert info["final_slots"] == 50
    assert info["slots"] == 51
    assert info["by_kind"]["free"] == 29950
    assert info["handoffs"] > 29000


@pytest.mark.parametrize("line", MALFORMED)
def test_malformed_line(work, line):
    done = import_bytes(work, b"1: malloc 0x100 5\n# two\n" + line + b"1: free 0x100\n")
    assert done.returncode == 2
    assert done.stderr.startswith(f"{work}/in.txt: line 3: ".encode())
    assert MALFORMED[line].encode() in done.stderr
    assert done.stderr.count(b"\n") == 1
    assert not (work / "out.trace").exists()


def test_line_too_long(work):
    done = import_bytes(work, b"1: malloc 0x100 5\n1: malloc 0x10 " + b"5" * 300000 + b"\n")
    assert done.returncode == 2
    assert done.stderr.decode() == f"{work}/in.txt: line 2: line is too long\n"


def zst(data):
    """The data, packed by the tool."""
    return subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize("pack", [gzip.compress, zst])
@pytest.mark.parametrize("piped", [False, True])
def test_packed(work, pack, piped):
    half = len(SAMPLE) // 2  # two members or frames, one behind the other
    data = pack(SAMPLE[:half]) + pack(SAMPLE[half:])
    if piped:
        done = run_trace("import", "-", "-o", work / "out.trace", data=data)
    else:
        done = import_bytes(work, data)
    assert done.returncode == 0, done.stderr
    assert_sample(info_of(work))


@pytest.mark.parametrize("pack", [gzip.compress, zst])
def test_packed_and_damaged(work, pack):
    dice = random.Random(2)
    lines = (f"1: malloc {hex(dice.randrange(1, 1 << 60))} 5\n" for _ in range(20000))
    data = bytearray(pack("".join(lines).encode()))
    cut = import_bytes(work, data[: len(data) * 3 // 4])
    assert cut.returncode == 2 and b": cut ." in cut.stderr, cut.stderr
    data[len(data) * 3 // 4] ^= 0x55
    bad = import_bytes(work, data)
    assert bad.returncode == 2
    assert bad.stderr.startswith(f"{work}/in.txt: line ".encode()), bad.stderr
    assert not (work / "out.trace").exists()


def test_unknown_format(work):
    done = import_bytes(work, b"root:x:0:0:root:/root:/bin/bash\n")
    assert done.returncode == 2
    assert done.stderr.startswith(f"{work}/in.txt: of no known format".encode())
    assert done.stderr.endswith(
        b"; --from FMT may be memory_replay, rep, mtrace, valgrind, ltrace, heaptrack, wl\n"
    )
    assert done.stderr.count(b"\n") == 1


def test_input_that_is_empty_or_a_trace_already(work):
    done = import_bytes(work, b"")
    assert (done.returncode, done.stderr.decode()) == (2, f"{work}/in.txt: empty\n")
    imported(work, b"1: malloc 0x10 5\n")
    done = import_bytes(work, (work / "out.trace").read_bytes())
    assert (done.returncode, done.stderr.decode()) == (2, f"{work}/in.txt: a trace already\n")


def test_pipe_that_nobody_writes_to(work):
    os.mkfifo(work / "pipe")
    done = run_trace("import", work / "pipe", "-o", work / "out.trace", timeout=60)
    said = f"{work}/pipe: a pipe that nobody writes to\n"
    assert (done.returncode, done.stderr.decode()) == (2, said)


def test_pipe_whose_writer_comes_later(work):
    os.mkfifo(work / "pipe")
    line = [BUILD / "trace", "import", work / "pipe", "-o", work / "out.trace"]
    with subprocess.Popen(line) as importer:
        time.sleep(0.5)
        (work / "pipe").write_bytes(b"1: malloc 0x10 5\n")
        assert importer.wait(60) == 0
    assert calls(work) == ["0: malloc #0 5"]


def test_from_names_the_format(work):
    assert import_bytes(work, b"", "--from", "memory_replay").returncode == 0
    assert info_of(work)["ops"] == 0
    done = import_bytes(work, b"", "--from", "none")
    assert done.returncode == 2
    assert b"none: no such format" in done.stderr


def test_missing_input(work):
    done = run_trace("import", work / "none.txt", "-o", work / "out.trace")
    assert done.returncode == 2
    assert done.stderr.decode() == f"{work}/none.txt: No such file or directory\n"


def test_directory_as_input(work):
    done = run_trace("import", work, "-o", work / "out.trace")
    assert done.returncode == 2
    assert done.stderr.decode() == f"{work}: Is a directory\n"


def test_unwritable_output(work):
    (work / "in.txt").write_bytes(SAMPLE)
    done = run_trace("import", work / "in.txt", "-o", work / "none" / "out.trace")
    assert done.returncode == 2
    assert done.stderr.decode() == f"{work}/none/out.trace: No such file or directory\n"


def test_full_disk(work):
    (work / "in.txt").write_bytes(SAMPLE)
    done = run_trace("import", work / "in.txt", "-o", "/dev/full")
    assert done.returncode in (1, 2)
    assert done.stderr.decode() == "/dev/full: No space left on device\n"


@pytest.mark.parametrize("arguments", [[], ["x"], ["-o", "x"], ["a", "b", "-o", "x"], ["--bad"]])
def test_usage(arguments):
    done = run_trace("import", *arguments)
    assert done.returncode == 2
    assert b"usage: trace import" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["none"]])
def test_usage_of_trace(arguments):
    done = run_trace(*arguments)
    assert done.returncode == 2
    assert b"usage: trace" in done.stderr
    assert run_trace("--help").returncode == 0


def test_name_with_newline_and_bytes(work):
    name = os.fsencode(work) + b'/a\nb\xff"\\.txt'
    with open(name, "wb") as out:
        out.write(SAMPLE)
    done = run_trace("import", name, "-o", work / "out.trace")
    assert done.returncode == 0, done.stderr
    assert info_of(work)["origin"]["input"] == f'{work}/a b\ufffd"\\.txt'
