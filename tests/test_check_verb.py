"""Checks of allocators with real traces: sound ones pass, and of broken ones the first fault is
named with operation, thread, slot and what is wrong."""

import json
import os
import subprocess

import pytest
from android_trace import make_trace

from places import BUILD, REPO

BROKEN = BUILD / "tests" / "subjects" / "broken_library.so"
FAULTS = {
    "overlap": "where the program wrote",
    "misaligned": "which is not aligned to 16",
    "dirty": "calloc left byte",
    "forgetful": "where the program wrote",
    "boastful": "where the program wrote",
    "scarce": "malloc_usable_size says",
    "noisy": "free set errno to 22",
    "scribbling": "where the program wrote",
}
WITH_THREADS = ("racing", "stealing")


@pytest.fixture(scope="module", name="folder")
def fixture_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("check")


@pytest.fixture(scope="module", name="alone")
def fixture_alone(folder):
    """A trace of one thread with calls of all kinds."""
    lines = []
    for i in range(3000):
        block = f"{0x1000 + 0x100 * (i % 300):#x}"
        if i >= 300:
            lines.append(f"1: free {block}")
        kind = i % 5
        if kind == 0:
            lines.append(f"1: calloc {block} 10 {8 + i % 30}")
        elif kind == 1:
            lines.append(f"1: memalign {block} 64 {100 + i % 50}")
        else:
            lines.append(f"1: malloc {block} {64 + i % 900}")
        if kind == 3:
            lines.append(f"1: realloc {block} {block} {200 + i % 1500}")
    return make_trace(folder, "alone", lines)


@pytest.fixture(scope="module", name="pair")
def fixture_pair(folder):
    """A trace of two threads: either frees what the other one made, and both go on making."""
    lines = []
    for i in range(1500):
        for thread, other in ((1, 2), (2, 1)):
            if i >= 10:
                lines.append(f"{thread}: free {0x100000 * other + 0x100 * ((i - 10) % 20):#x}")
        for thread in (1, 2):
            lines.append(
                f"{thread}: malloc {0x100000 * thread + 0x100 * (i % 20):#x} {80 + i % 64}"
            )
    return make_trace(folder, "pair", lines)


def check(*words, broken="none"):
    """`spanbench check` as a finished process."""
    command = [REPO / "scripts" / "spanbench", "check", *words]
    environment = {**os.environ, "BROKEN": broken}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_sound_allocators_pass(alone, pair):
    done = check(alone, pair, "-a", f"span,span-fast,glibc,mine={BROKEN}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("sound") == 8 and "fault" not in done.stdout


@pytest.mark.parametrize("broken", FAULTS)
def test_a_fault_is_named(alone, broken):
    done = check(alone, "-a", f"mine={BROKEN};BROKEN={broken}")
    assert done.returncode == 1
    assert "fault" in done.stdout
    (line,) = [line for line in done.stderr.splitlines() if "alone: mine: " in line]
    assert FAULTS[broken] in line and "operation" in line and "slot" in line


@pytest.mark.parametrize("broken", WITH_THREADS)
def test_a_fault_that_needs_threads_is_named(alone, pair, broken):
    settings = f"mine={BROKEN};BROKEN={broken}"
    assert check(alone, "-a", settings).returncode == 0
    assert check(pair, "-a", settings, "--threads", "serial").returncode == 0
    done = check(pair, "-a", settings)
    assert done.returncode == 1
    assert " of thread " in done.stderr and "where the program wrote" in done.stderr


def test_results_are_kept(alone, tmp_path):
    path = tmp_path / "out.json"
    settings = f"mine={BROKEN};BROKEN=dirty"
    assert check(alone, "-a", "glibc", "-a", settings, "-o", path).returncode == 1
    entries = json.loads(path.read_text())["benchmarks"]
    names = [entry["name"] for entry in entries]
    assert names == ["check/alone/glibc", "check/alone/mine"]
    assert entries[0]["ops"] > 3000 and "error_occurred" not in entries[0]
    assert "calloc left byte" in entries[1]["error_message"]


def test_a_missing_trace_is_told(folder):
    done = check(folder / "none.trace", "-a", "glibc")
    assert done.returncode == 2 and "No such file" in done.stderr
