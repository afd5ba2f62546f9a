"""Replays under a limit of memory: the pass of the replayer with and without a cgroup, what the
front end makes of its end, the search for the least limit, and that no group is left behind."""

import json
import os
import signal
import struct
import subprocess
from pathlib import Path

import pytest

from frontend.charts import limit_chart
from frontend.figures import digest, results
from frontend.measuring import limits, memory_group
from frontend.measuring.campaign import RunFailed
from places import BUILD, REPO

MIB = 1 << 20
SPAN = BUILD / "libspan.so"
USUAL = ("-a", "span,glibc", "-n", "2", "--no-null")
# Growing by 64 KiB a call up to 32 MiB, then all of it is freed.
GROWING_OPS, STEP = 512, 64 << 10


def make_trace(folder, name, lines):
    """A trace from lines in Android's format; its path."""
    source, path = folder / f"{name}.txt", folder / f"{name}.trace"
    source.write_text("\n".join(lines) + "\n")
    command = [str(BUILD / "trace"), "import", str(source), "-o", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


@pytest.fixture(scope="module", name="growing")
def fixture_growing(tmp_path_factory):
    """A trace whose live memory grows to 32 MiB."""
    lines = [f"1: malloc {0x1000 * (i + 1):#x} {STEP}" for i in range(GROWING_OPS)]
    lines += [f"1: free {0x1000 * (i + 1):#x}" for i in range(GROWING_OPS)]
    return make_trace(tmp_path_factory.mktemp("growing"), "growing", lines)


@pytest.fixture(name="group")
def fixture_group():
    """A memory cgroup."""
    parent = memory_group.find_parent()
    if parent is None:
        pytest.skip("no memory cgroup can be made here")
    with memory_group.made(parent) as group:
        yield group
    assert not group.exists()


def limited(trace, size, ledger, *options):
    """Runs the limit pass on span: the finished process."""
    command = [str(BUILD / "replay-span"), "--pass", "limit", "--limit", str(size)]
    command += ["--ledger", str(ledger), "--touch", "all", *options, "--allocator", str(SPAN)]
    return subprocess.run([*command, str(trace)], capture_output=True, text=True, check=False)


def figures(*arguments):
    """What such a run prints that must come to its end."""
    done = limited(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_a_refused_call_is_named_exactly(growing, tmp_path):
    done = figures(growing, 16 * MIB, tmp_path / "ledger")
    assert not done["survived"]
    assert done["failed_live"] == (done["failed_at_op"] - 1) * STEP
    assert 12 * MIB < done["failed_live"] <= 16 * MIB
    ledger = limits.read_ledger(tmp_path / "ledger")
    assert ledger.has_begun and 0 <= done["failed_at_op"] - 1 - ledger.ops < 64


def test_the_harness_needs_no_room(tmp_path):
    """300,000 steps are 2.3 MiB, and 40 blocks of 100 bytes need less than one."""
    lines = []
    for i in range(150000):
        block = f"{0x1000 * (1 + i % 40):#x}"
        lines += [f"1: free {block}"] if i >= 40 else []
        lines += [f"1: malloc {block} 100"]
    churn = make_trace(tmp_path, "churn", lines)
    done = figures(churn, 3 * MIB // 2, tmp_path / "ledger")
    assert done["survived"] and done["ops"] == 299960
    assert done["harness_bytes"] > 2 * MIB
    assert "failed_at_op" not in done


def test_a_kill_leaves_the_ledger(growing, group, tmp_path):
    done = limited(growing, 16 * MIB, tmp_path / "ledger", "--group", str(group))
    assert done.returncode == -signal.SIGKILL
    assert memory_group.kills(group) == 1
    ledger = limits.read_ledger(tmp_path / "ledger")
    assert ledger.has_begun and ledger.live == ledger.ops * STEP
    assert 10 * MIB < ledger.live <= 16 * MIB


def test_a_group_that_is_large_enough_kills_nobody(growing, group, tmp_path):
    done = figures(growing, 40 * MIB, tmp_path / "ledger", "--group", str(group))
    assert done["survived"] and done["ops"] == 2 * GROWING_OPS
    assert memory_group.kills(group) == 0
    reading = subprocess.run(["cat", group / "cgroup.procs"], capture_output=True, check=True)
    assert reading.stdout == b""


def test_a_folder_that_is_no_group_is_told(growing, tmp_path):
    done = limited(growing, 16 * MIB, tmp_path / "ledger", "--group", str(tmp_path))
    assert done.returncode == 1
    told = f"{tmp_path}/memory.limit_in_bytes: No such file or directory\n"
    assert done.stderr == told
    assert not limits.read_ledger(tmp_path / "ledger").has_begun


def test_threads_under_a_limit(tmp_path):
    lines = []
    for i in range(GROWING_OPS):
        thread = 1 + i % 2
        lines += [f"{thread}: malloc {0x1000 * (i + 1):#x} {STEP}"]
    trace = make_trace(tmp_path, "pair", lines)
    words = ("--threads", "original", "--epoch", "16")
    done = figures(trace, 20 * MIB, tmp_path / "ledger", *words)
    assert not done["survived"]
    # Threads are at most two epochs apart, so the call is not exactly the one in recorded order.
    assert abs(done["failed_live"] - (done["failed_at_op"] - 1) * STEP) <= 2 * 16 * STEP
    assert figures(trace, 64 * MIB, tmp_path / "ledger", *words)["survived"]


# The front end


@pytest.fixture(name="replay")
def fixture_replay(made_up_build, spanbench, tmp_path, monkeypatch):
    """A function that replays on the made-up build without cgroups: (status, Results, stdout)."""
    monkeypatch.setattr(memory_group, "find_parent", lambda: None)

    def run(*words):
        path = tmp_path / "out.json"
        status, out, _ = spanbench("replay", *words, *USUAL, "-o", path)
        return status, results.read(path), out

    return run


def test_who_survives_is_in_the_results_and_the_table(replay, made_up_trace):
    trace = made_up_trace(need={"span": 4 * MIB, "glibc": 2 * MIB})
    status, measured, out = replay(trace, "--memory-limit", "3M")
    assert status == 0
    assert measured.context["memory_limit"] == 3 * MIB
    assert measured.context["memory_limit_of"] == "address space"
    for entry in measured.row("replay", "made", "span").samples:
        assert entry["survived"] is False
        assert (entry["failed_at_op"], entry["failed_live"]) == (70, 7000)
        assert entry["failed_by"] == "a call returned NULL"
    for entry in measured.row("replay", "made", "glibc").samples:
        assert entry["survived"] is True and "failed_at_op" not in entry
    lines = [line.split() for line in out.splitlines()]
    assert ["made", "span", "no", "70", "of", "1,000", "0.01", "1.00"] in lines
    assert ["glibc", "yes", "1.00"] in lines
    assert "RLIMIT_AS" in out


def test_a_death_under_the_limit_is_told_by_the_ledger(replay, made_up_trace):
    trace = made_up_trace(need={"span": 4 * MIB}, faults={"span": "die"})
    status, measured, _ = replay(trace, "--memory-limit", "3M")
    entry = measured.row("replay", "made", "span").samples[0]
    assert status == 0 and entry["survived"] is False
    assert (entry["failed_at_op"], entry["failed_live"]) == (65, 6000)
    assert entry["failed_by"] == "killed by signal 6 (SIGABRT)"


def test_the_least_limit_is_searched_once_a_row_and_drawn(replay, made_up_trace):
    trace = made_up_trace(need={"span": 40 * MIB, "glibc": MIB // 2})
    status, measured, out = replay(trace, "--memory-limit", "auto")
    span, glibc = (measured.row("replay", "made", name) for name in ("span", "glibc"))
    assert status == 0 and "survived" not in span.samples[0]
    (least,) = span.values("least_limit")
    assert 40 * MIB <= least <= 40.5 * MIB
    assert MIB // 2 <= glibc.values("least_limit")[0] <= MIB // 2 + 64 * 1024
    assert "least limit MiB" in out
    summary = digest.digest(measured, "replay")
    found = limit_chart.limits_of(summary)
    assert found["made", "span"] == least
    texts = [text.get_text() for text in limit_chart.limit_figure(summary).axes[0].texts]
    far = f"span {digest.number_text(least / MIB)} →"  # eighty times the other: off the scale
    assert far in texts


def test_a_crash_without_a_limit_is_a_failed_row(replay, made_up_trace):
    trace = made_up_trace(faults={"span": "crash in limit"})
    status, measured, _ = replay(trace, "--memory-limit", "3M")
    row = measured.row("replay", "made", "span")
    assert status == 1 and not row.samples
    assert row.error == "limit pass: killed by signal 11 (SIGSEGV)"


@pytest.mark.parametrize("size", ["0", "3X", "-1", "often", "1K"])
def test_sizes_that_are_none_are_refused(spanbench, made_up_build, made_up_trace, size):
    status, _, err = spanbench("replay", made_up_trace(), f"--memory-limit={size}")
    assert status == 2 and size in err


def test_the_real_thing_leaves_no_group(growing, tmp_path):
    parent = memory_group.find_parent()
    path = tmp_path / "out.json"
    command = [REPO / "scripts" / "spanbench", "replay", growing, "-a", "span", "-n", "1"]
    command += ["--no-null", "--touch", "all", "-o", path, "--memory-limit"]
    environment = {**os.environ, "SPANBENCH_BUILD": str(BUILD)}
    for size in ("16M", "auto"):
        subprocess.run([*command, size], check=True, capture_output=True, env=environment)
        entry = results.read(path).benchmarks[0]
        if size == "auto":
            assert 32 * MIB <= entry["least_limit"] <= 36 * MIB
        else:
            assert entry["survived"] is False and 10 * MIB < entry["failed_live"] <= 16 * MIB
    assert not parent or not list(parent.glob(f"{memory_group.PREFIX}*"))


# The search, the ledger, and where groups are


@pytest.mark.parametrize("need", [1, 70_000, 5 * MIB, 100 * MIB])
def test_the_least_limit_is_close_to_the_need(need):
    found = limits.least(lambda size: size >= need, 5 * MIB)
    assert need <= found <= need + max(limits.LEAST_STEP, 0.01 * found)


def test_a_search_ends_where_nothing_helps():
    with pytest.raises(RunFailed, match="survives no limit up to"):
        limits.least(lambda size: False, MIB)


def test_a_ledger_that_was_not_written_has_not_begun(tmp_path):
    path = tmp_path / "ledger"
    assert limits.read_ledger(path) == limits.Ledger(False, 0, 0)
    path.write_bytes(b"cut")
    assert limits.read_ledger(path) == limits.Ledger(False, 0, 0)
    path.write_bytes(struct.pack("=QQq", 1, 64, 5))
    assert limits.read_ledger(path) == limits.Ledger(True, 64, 5)


def test_a_run_that_timed_out_has_not_failed_by_the_limit():
    with pytest.raises(RunFailed):
        limits.death(RunFailed("timed out after 5 s"), limits.Ledger(True, 64, 5), None)


MOUNTS_V1 = """\
30 23 0:26 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
31 23 0:27 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
"""
MOUNTS_V2 = "28 22 0:25 / /sys/fs/a\\040b rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


def test_hierarchies_are_read_from_the_tables_of_the_system():
    assert memory_group.mounts(MOUNTS_V1) == {1: Path("/sys/fs/cgroup/memory")}
    assert memory_group.mounts(MOUNTS_V2) == {2: Path("/sys/fs/a b")}
    text = "5:cpu,memory:/a/b\n3:cpu:/x\n0::/user.slice\n"
    assert memory_group.own_paths(text) == {1: "a/b", 2: "user.slice"}


def test_groups_of_dead_processes_are_removed(tmp_path):
    ended = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True)
    dead = tmp_path / f"{memory_group.PREFIX}{ended.stdout.strip()}-0"
    alive = tmp_path / f"{memory_group.PREFIX}{os.getpid()}-0"
    dead.mkdir()
    alive.mkdir()
    memory_group.remove_left_over(tmp_path)
    assert not dead.exists() and alive.exists()


def test_a_folder_without_the_controller_is_no_group(tmp_path):
    assert memory_group.make(tmp_path) is None
    assert not list(tmp_path.iterdir())
