"""`trace compile` on made-up raw recordings: the order that it finds, and what it says of damaged
files."""

import json
import random
import subprocess

import pytest

from places import BUILD
from raw_recording import UNIT, make_file, make_record

END_FIELD = 56  # in the header
P, Q, R = 0x10000, 0x20000, 0x30000


def trace(*words):
    command = [str(word) for word in (BUILD / "trace", *words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def compile_bytes(folder, data, *options):
    raw = folder / "made up.raw"
    raw.write_bytes(data)
    return trace("compile", "--json", *options, raw, "-o", folder / "out.trace")


def compile_streams(folder, *streams, **header):
    done = compile_bytes(folder, make_file(streams, **header))
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def info(folder):
    return json.loads(trace("info", folder / "out.trace").stdout)


def with_end(data, end):
    """The header says that windows go up to `end`."""
    return data[:END_FIELD] + end.to_bytes(8, "little") + data[END_FIELD + 8 :]


def malloc(stamp, address, size=100):
    return make_record("malloc", stamp, address, size)


def free(stamp, address):
    return make_record("free", stamp, address)


def realloc(before, stamp, old, address, size=200):
    return make_record("realloc", stamp, address, size, (old, before))


def assert_in_order(counts):
    names = ("unknown_frees", "unknown_reallocs", "repaired_inversions")
    assert [counts[name] for name in names] == [0, 0, 0]


def test_streams_are_merged_by_stamp(tmp_path):
    one = [malloc(10, P), free(30, Q), malloc(50, P)]
    other = [malloc(20, Q), free(40, P), free(60, P)]
    assert_in_order(compile_streams(tmp_path, one, other))
    assert info(tmp_path)["handoffs"] == 3
    assert info(tmp_path)["slots"] == 2


def test_address_given_up_by_a_realloc_under_way(tmp_path):
    one = [malloc(10, P), realloc(20, 60, P, Q), free(70, Q)]
    other = [malloc(40, P), free(50, P)]
    assert_in_order(compile_streams(tmp_path, one, other))


def test_chain_of_reallocs_under_way(tmp_path):
    one = [malloc(10, P), realloc(20, 80, P, Q), free(90, Q)]
    two = [malloc(11, R), realloc(25, 70, R, P), free(91, P)]
    three = [malloc(40, R), free(92, R)]
    assert_in_order(compile_streams(tmp_path, one, two, three))


def test_realloc_takes_an_address_freed_while_it_was_under_way(tmp_path):
    one = [malloc(10, P), realloc(20, 60, P, Q), free(70, Q)]
    other = [malloc(15, Q), free(40, Q)]
    assert_in_order(compile_streams(tmp_path, one, other))


def test_realloc_to_nothing_frees_before(tmp_path):
    one = [malloc(10, P), realloc(20, 60, P, 0, size=0)]
    other = [malloc(40, P), free(50, P)]
    assert_in_order(compile_streams(tmp_path, one, other))


def test_realloc_that_failed_or_stayed_keeps_its_block(tmp_path):
    one = [malloc(10, P), realloc(20, 30, P, 0), realloc(40, 50, P, P), free(60, P)]
    assert_in_order(compile_streams(tmp_path, one))
    assert info(tmp_path)["failed"] == 1


def test_only_the_last_end_of_a_thread_counts(tmp_path):
    end = [make_record("thread_end", stamp) for stamp in (20, 40)]
    counts = compile_streams(tmp_path, [malloc(10, P), end[0], free(30, P), end[1]])
    assert counts["threads"] == 1
    assert info(tmp_path)["by_kind"]["thread_end"] == 1


def test_window_handed_on(tmp_path):
    start = make_record("thread_start", 30, address=1, more=(0,))
    data = bytearray(make_file([[malloc(10, P), start, free(40, P)]]))
    data[UNIT + 24] = 1
    done = compile_bytes(tmp_path, bytes(data))
    assert json.loads(done.stdout)["threads"] == 2
    assert info(tmp_path)["handoffs"] == 1


def test_time_follows_both_clock_pairs(tmp_path):
    compile_streams(tmp_path, [malloc(0, P), free(5 * 10**8, P)])
    assert info(tmp_path)["duration_ns"] == pytest.approx(5 * 10**8, rel=0.01)


def test_losses_are_kept(tmp_path):
    counts = compile_streams(tmp_path, [malloc(1, P)], lost=(7, 28))
    assert (counts["lost_ops"], counts["lost_why"]) == (7, "No space left on device")
    assert info(tmp_path)["losses"]["lost_why"] == "No space left on device"


def test_recording_without_calls_makes_no_trace(tmp_path):
    assert compile_streams(tmp_path, [])["ops"] == 0
    assert compile_streams(tmp_path, [free(10, P)])["ops"] == 0
    assert not (tmp_path / "out.trace").exists()


def test_half_written_record_ends_the_stream(tmp_path):
    half = b"\0" * 8 + malloc(20, Q)[8:]
    assert compile_streams(tmp_path, [malloc(10, P), half])["ops"] == 2


@pytest.mark.parametrize(
    "what, change",
    [
        ("not a raw recording", lambda data: b"text\n"),
        ("not a raw recording", lambda data: b""),
        ("not a raw recording", lambda data: data[:100]),
        ("another version", lambda data: data[:8] + b"\7" + data[9:]),
        ("window is cut", lambda data: data[: UNIT + 100]),
        ("damaged window", lambda data: data[:UNIT] + b"\1" + data[UNIT + 1 :]),
        ("damaged record", lambda data: data[: UNIT + 32] + b"\x1f" + data[UNIT + 33 :]),
        ("damaged window", lambda data: data[: UNIT + 10] + b"\2" + data[UNIT + 11 :]),
        ("there twice", lambda data: with_end(data + data[UNIT:], 3 * UNIT)),
    ],
)
def test_damage_is_told_in_one_line(tmp_path, what, change):
    data = bytearray(make_file([[malloc(10, P)]]))
    done = compile_bytes(tmp_path, change(bytes(data)))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{tmp_path}/made up.raw: ")
    assert what in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "out.trace").exists()


def test_no_damage_crashes_it(tmp_path):
    rng = random.Random(2)
    streams = [[malloc(i, P + 16 * i) for i in range(10)], [free(20 + i, P) for i in range(5)]]
    good = make_file(streams)
    for _ in range(150):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 6)):
            where = rng.choice((0, UNIT, 2 * UNIT)) + rng.randrange(220)
            data[where] = rng.randrange(256)
        done = compile_bytes(
            tmp_path, bytes(data[: rng.choice((len(data), rng.randrange(UNIT * 3)))])
        )
        assert done.returncode in (0, 2), done.stderr
        assert (done.returncode == 2) == done.stderr.startswith(f"{tmp_path}/made up.raw: ")


@pytest.mark.parametrize("name", ["missing", "."])
def test_unreadable_input(tmp_path, name):
    done = trace("compile", tmp_path / name, "-o", tmp_path / "out.trace")
    assert done.returncode == 2
    assert done.stderr.startswith(str(tmp_path / name)) and done.stderr.count("\n") == 1


def test_unwritable_output(tmp_path):
    raw = tmp_path / "good.raw"
    raw.write_bytes(make_file([[malloc(10, P)]]))
    done = trace("compile", raw, "-o", tmp_path / "no folder" / "x")
    assert done.returncode == 2 and "no folder" in done.stderr


@pytest.mark.parametrize(
    "words", [[], ["x"], ["-o", "x"], ["x", "y", "-o", "z"], ["--origin", "K", "x", "-o", "z"]]
)
def test_usage(words):
    done = trace("compile", *words)
    assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith("usage: trace compile")
