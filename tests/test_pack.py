"""`trace pack`: the same trace in a smaller file."""

import json
import random
import shutil
import subprocess

import pytest
from places import BUILD

TRACE = BUILD / "trace"
SIZED = ("file_bytes", "bytes_per_op")


def run(*words):
    """Runs the program: (status, stdout, stderr)."""
    done = subprocess.run([TRACE, *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def facts_of(path):
    """All that info tells but the size of the file, and that size."""
    facts = json.loads(run("info", path)[1])
    assert all(key in facts for key in SIZED)
    return {k: v for k, v in facts.items() if k not in SIZED}, facts["file_bytes"]


@pytest.fixture
def trace(tmp_path):
    """A trace as it comes from an importer, of sizes that compress somewhat."""
    draw = random.Random(5)
    lines = [f"7: malloc 0x{i:x}000 {draw.choice([16, 24, 40, i % 512])}" for i in range(1, 40000)]
    lines += [f"7: free 0x{i:x}000" for i in draw.sample(range(1, 40000), 30000)]
    (tmp_path / "calls.txt").write_text("\n".join(lines) + "\n")
    path = tmp_path / "made.trace"
    status, _, err = run("import", "--from", "memory_replay", tmp_path / "calls.txt", "-o", path)
    assert status == 0, err
    return path


def test_a_packed_trace_is_smaller_and_tells_the_same(trace, tmp_path):
    packed = tmp_path / "packed.trace"
    assert run("pack", trace, "-o", packed) == (0, "", "")
    (before, size), (after, packed_size) = facts_of(trace), facts_of(packed)
    assert before == after and packed_size < size


def test_a_trace_can_be_packed_in_its_place(trace, tmp_path):
    other = tmp_path / "other.trace"
    run("pack", trace, "-o", other)
    assert run("pack", trace, "-o", trace) == (0, "", "")
    assert trace.read_bytes() == other.read_bytes()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["calls.txt", "made.trace", "other.trace"]


def test_a_damaged_trace_is_told_and_leaves_nothing(trace, tmp_path):
    damaged = tmp_path / "damaged.trace"
    shutil.copy(trace, damaged)
    with open(damaged, "r+b") as file:
        file.seek(400)
        file.write(b"xxxx")
    status, out, err = run("pack", damaged, "-o", tmp_path / "new.trace")
    assert (status, out) == (2, "") and err.startswith(f"{damaged}: block 0: ")
    assert not list(tmp_path.glob("new*"))


@pytest.mark.parametrize("words", [(), ("x",), ("x", "y", "z"), ("x", "-o", "y", "z")])
def test_usage_is_told(words):
    assert run("pack", *words) == (2, "", "usage: trace pack IN [--no-gaps] -o FILE\n")


def test_what_cannot_be_read_or_written_is_told(trace, tmp_path):
    missing = tmp_path / "missing.trace"
    assert run("pack", missing, "-o", "x")[0] == 2
    status, _, err = run("pack", trace, "-o", tmp_path / "no" / "x.trace")
    assert status == 1 and "no/x.trace: No such file" in err and err.count("\n") == 1
