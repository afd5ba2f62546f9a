"""trace cut: the beginning of a trace is a trace, and one that says so."""

import json
import subprocess

import pytest
from places import BUILD


def cut(*words):
    command = [BUILD / "trace", "cut", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def info_of(path):
    done = subprocess.run([BUILD / "trace", "info", path], capture_output=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("ops", [1, 2999, 5000])
def test_so_many_operations_are_left(short_trace, tmp_path, ops):
    out = tmp_path / "part.trace"
    assert cut("--ops", ops, short_trace, "-o", out).returncode == 0
    part, whole = info_of(out), info_of(short_trace)
    assert part["ops"] == ops
    assert part["origin"] == {
        **whole["origin"],
        "cut": f"the first {ops} of {whole['ops']} operations",
    }


def test_blocks_freed_later_are_live_at_the_end(short_trace, tmp_path):
    cut("--ops", 101, short_trace, "-o", tmp_path / "part.trace")
    part = info_of(tmp_path / "part.trace")
    assert part["final_slots"] == 100  # one operation is the start of the thread
    assert part["final_live"] == part["peak_live"] == sum(16 + i for i in range(100))


def test_more_than_there_are_is_the_whole(short_trace, tmp_path):
    out = tmp_path / "part.trace"
    assert cut("--ops", 10**12, short_trace, "-o", out).returncode == 0
    part, whole = info_of(out), info_of(short_trace)
    for facts in (part, whole):
        for key in ("origin", "file_bytes", "bytes_per_op"):
            del facts[key]
    assert part == whole


@pytest.mark.parametrize("words", [(), ("--ops", "0"), ("--ops", "-1"), ("--ops", "many")])
def test_wrong_usage_is_status_2(short_trace, tmp_path, words):
    done = cut(*words, short_trace, "-o", tmp_path / "part.trace")
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.startswith("usage: trace cut")
    assert not list(tmp_path.iterdir())


def test_damage_is_told_and_leaves_no_file(short_trace, tmp_path):
    damaged = tmp_path / "damaged.trace"
    content = bytearray(short_trace.read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.write_bytes(content)
    done = cut("--ops", 10**9, damaged, "-o", tmp_path / "part.trace")
    assert done.returncode == 2 and done.stderr.startswith(f"{damaged}: block 0: ")
    assert list(tmp_path.iterdir()) == [damaged]


def test_a_place_that_cannot_be_written_is_status_2(short_trace, tmp_path):
    done = cut("--ops", 5, short_trace, "-o", tmp_path / "none" / "part.trace")
    assert done.returncode == 2 and "No such file or directory" in done.stderr
