"""The shortest trace for which a command still exits with 0: units go together, what is left is
minimal, and what was reached is kept at any time."""

import json
import os
import signal
import subprocess
import time

import pytest
from places import BUILD, REPO

from frontend.verbs import reducing

SPANBENCH = REPO / "scripts" / "spanbench"
LONG = REPO / "workloads" / "traces" / "lua.trace"
BROKEN = BUILD / "tests" / "subjects" / "broken_library.so"


def make_trace(path, lines):
    """A trace of lines in Android's form."""
    source = path.with_suffix(".txt")
    source.write_text("\n".join(lines) + "\n")
    subprocess.run([BUILD / "trace", "import", source, "-o", path], check=True, capture_output=True)
    return path


def info(path):
    """What `trace info` says."""
    done = subprocess.run([BUILD / "trace", "info", path], check=True, capture_output=True)
    return json.loads(done.stdout)


def reduce(trace, command, out, **more):
    """`spanbench reduce` as a finished process."""
    words = [SPANBENCH, "reduce", trace, "--while", command, "-o", out]
    return subprocess.run(words, capture_output=True, text=True, check=False, **more)


@pytest.mark.parametrize("needed", [{0}, {9}, {3, 4}, {0, 5, 9}, set(range(10)), {2, 7, 8}])
def test_what_is_left_is_what_is_needed(needed):
    tried = []

    def holds(units):
        tried.append(units)
        return needed <= set(units)

    assert set(reducing.reduce_units(list(range(10)), holds)) == needed
    assert all(units for units in tried)


def test_thousands_take_few_runs():
    runs = []

    def holds(units):
        runs.append(1)
        return {1234, 7777} <= set(units)

    assert reducing.reduce_units(list(range(10000)), holds) == [1234, 7777]
    assert len(runs) < 120


def test_ranges_join_neighbours():
    assert reducing.ranges([0, 1, 2, 5, 7, 8]) == [(0, 3), (5, 6), (7, 9)]
    assert reducing.ranges([]) == []


def many_calls(odd_size):
    """Lines of two threads; one block of an odd size among thousands, resized and freed."""
    lines = []
    for i in range(3000):
        thread, block = 1 + i % 2, f"{0x1000 * (i + 1):#x}"
        size = odd_size if i == 1700 else 100 + i % 50
        lines.append(f"{thread}: malloc {block} {size}")
        if i == 1700:
            lines.append(f"{thread}: realloc {block} {block} {odd_size + 1000}")
    lines += [f"1: free {0x1000 * (i + 1):#x}" for i in range(3000)]
    return lines


def test_a_fault_of_an_allocator_comes_down_to_a_handful(tmp_path):
    trace = make_trace(tmp_path / "big.trace", many_calls(784))
    out = tmp_path / "small.trace"
    # The replayer's own verdict: its check says what calloc, realloc and free did wrong.
    program = f"{BUILD}/replay-glibc --pass check --allocator {BROKEN}"
    command = f"! BROKEN=forgetful LD_PRELOAD={BROKEN} {program} {{}}"
    began = time.monotonic()
    done = reduce(trace, command, out)
    assert done.returncode == 0, done.stderr
    left = info(out)
    assert left["ops"] <= 6 and left["by_kind"]["realloc"] == 1
    assert "of 6,003 operations" in done.stdout
    assert time.monotonic() - began < 60


def test_a_block_goes_with_its_free_and_its_thread(tmp_path):
    trace = make_trace(tmp_path / "big.trace", many_calls(784))
    out = tmp_path / "out.trace"
    done = reduce(trace, f"{BUILD}/trace info {{}}", out)
    assert done.returncode == 0, done.stderr
    left = info(out)
    assert left["by_kind"]["malloc"] == left["by_kind"]["free"] == 1
    assert left["ops"] == 2 + left["threads"]


def test_a_command_that_fails_at_once_is_told(tmp_path):
    trace = make_trace(tmp_path / "a.trace", ["1: malloc 0x10 5"])
    done = reduce(trace, "false {}", tmp_path / "out.trace")
    assert done.returncode == 2 and "does not exit with 0" in done.stderr
    assert not (tmp_path / "out.trace").exists()


def test_a_condition_that_holds_only_for_want_of_a_command_is_told(tmp_path):
    trace = make_trace(tmp_path / "a.trace", ["1: malloc 0x10 5"])
    done = reduce(trace, "! no-such-program {}", tmp_path / "out.trace")
    assert done.returncode == 0
    assert done.stderr.count("spanbench: --while: no-such-program: command not found\n") == 1


def test_a_command_without_a_place_is_told(tmp_path):
    trace = make_trace(tmp_path / "a.trace", ["1: malloc 0x10 5"])
    done = reduce(trace, "true", tmp_path / "out.trace")
    assert done.returncode == 2 and "holds no {}" in done.stderr


def test_an_interrupt_keeps_what_was_reached(tmp_path):
    trace = make_trace(tmp_path / "big.trace", many_calls(784))
    out = tmp_path / "out.trace"
    words = [SPANBENCH, "reduce", trace, "--while", "sleep 0.3 # {}", "-o", out]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for _ in range(200):
            time.sleep(0.1)
            if out.exists() and info(out)["ops"] < 6000:
                break
        os.kill(process.pid, signal.SIGINT)
        stdout, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert 0 < info(out)["ops"] < 6000 and "operations" in stdout
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_result_that_finds_no_place_leaves_nothing(tmp_path):
    (tmp_path / "out.trace").write_text("mine")
    words = [SPANBENCH, "reduce", LONG, "--while", "test -s {}", "-o", "out.trace"]
    line = ["sh", "-c", 'ulimit -f 512; exec "$@"', "sh", *words]
    done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "spanbench: out.trace: File too large\n")
    assert [path.name for path in tmp_path.iterdir()] == ["out.trace"]
    assert (tmp_path / "out.trace").read_text() == "mine"


@pytest.mark.parametrize("text", ["5 3\n", "a b\n", "0 99999999\n", "3 4\n0 1\n", "1\n"])
def test_a_wrong_choice_is_refused(tmp_path, text):
    trace = make_trace(tmp_path / "a.trace", ["1: malloc 0x10 5"] * 1)
    (tmp_path / "keep").write_text(text)
    words = [BUILD / "trace", "subset", "--keep", tmp_path / "keep", trace, "-o", tmp_path / "o"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "ascend" in done.stderr
    assert not (tmp_path / "o").exists()
