"""Latencies of real replays: an allocator some of whose calls sleep shows in the percentiles, among
the worst calls and in the table; counts of all rounds lie beside the results."""

import json
import os
import re
import subprocess

import made_up_results
import pytest
from android_trace import make_trace
from places import BUILD, REPO

from frontend.failure import Failure
from frontend.figures import latency_counts, replay_details, results
from frontend.figures.digest import duration_text
from frontend.figures.replay_details import WorstCall

SLOW = BUILD / "tests" / "subjects" / "slow_library.so"
MALLOC_NS, FREE_NS = 3e6, 2e6  # that the slow calls of slow_library.c sleep
MALLOCS, EVERY = 20000, 5000
ROUNDS = 2
LARGE = 7777  # bytes of a block whose free is slow
PERCENTILES = ("p50_ns", "p90_ns", "p99_ns", "p999_ns", "p9999_ns")


@pytest.fixture(scope="module", name="alone")
def fixture_alone(tmp_path_factory):
    """A trace of one thread, and which of its operations are slow: {number: kind}; the first one is
    the start of the thread."""
    lines, slow = [], {}
    for i in range(1, MALLOCS + 1):
        lines.append(f"1: malloc {0x1000:#x} 100")
        if i % EVERY == 0:
            slow[len(lines) + 1] = "malloc"
        lines.append(f"1: free {0x1000:#x}")
        if i % 6000 == 0:
            lines += [f"1: malloc 0x2000 {LARGE}", "1: free 0x2000"]
            slow[len(lines) + 1] = "free"
    return make_trace(tmp_path_factory.mktemp("latency"), "alone", lines), slow


@pytest.fixture(scope="module", name="crowd")
def fixture_crowd(tmp_path_factory):
    """A trace of three threads, of which the last frees what is slow to free."""
    lines = []
    for i in range(3000):
        for thread in (1, 2, 3):
            lines.append(f"{thread}: malloc {0x1000 * thread:#x} {16 + i % 50}")
            lines.append(f"{thread}: free {0x1000 * thread:#x}")
        if i % 1000 == 500:
            lines += [f"1: malloc 0x9000 {LARGE}", "3: free 0x9000"]
    return make_trace(tmp_path_factory.mktemp("latency"), "crowd", lines)


def replay(*words, every=EVERY):
    """`spanbench replay` of latencies as a finished process; the slow allocator is `slow`."""
    command = [REPO / "scripts" / "spanbench", "replay", *words, "-a", "glibc"]
    command += ["-a", f"slow={SLOW};SLOW_EVERY={every}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def measured(path):
    """{allocator: [entries]} of a result file."""
    return {row.allocator: row.samples for row in results.read(path).rows}


@pytest.fixture(scope="module", name="ran")
def fixture_ran(alone, tmp_path_factory):
    """Two rounds of latencies of the trace of one thread: (finished process, result file)."""
    path = tmp_path_factory.mktemp("ran") / "out.json"
    done = replay(alone[0], "--pass", "latency", "-n", str(ROUNDS), "-o", path)
    assert done.returncode == 0, done.stderr
    return done, path


@pytest.mark.parametrize("number", range(ROUNDS))
def test_calls_that_sleep_are_the_worst(alone, ran, number):
    slow = alone[1]
    entry = measured(ran[1])["slow"][number]
    worst = entry["worst"]
    assert entry["max_ns"] == worst[0]["ns"] >= MALLOC_NS
    assert [call["ns"] for call in worst] == sorted((call["ns"] for call in worst), reverse=True)
    found = [call for call in worst if call["op"] in slow]
    assert len(found) > 2 and len(slow) - len(found) <= entry["preempted"]
    for call in found:
        assert call["kind"] == slow[call["op"]]
        is_malloc = call["kind"] == "malloc"
        assert call["size"] == (100 if is_malloc else LARGE)
        assert call["ns"] > 0.99 * (MALLOC_NS if is_malloc else FREE_NS)
        assert call["thread"] == 0 and call["faults"] >= 0
    assert len(worst) == 10 and "peak_rss" not in entry


def test_percentiles_show_how_often_calls_are_slow(alone, tmp_path):
    trace, _ = alone
    words = ("--pass", "latency", "-n", "1", "-o", tmp_path / "out.json", "--no-null")
    assert replay(trace, *words, every=100).returncode == 0
    (entry,) = measured(tmp_path / "out.json")["slow"]
    assert entry["p90_ns"] < 0.9 * MALLOC_NS < entry["p999_ns"]
    assert entry["by_kind"]["malloc"]["p999_ns"] > 0.9 * MALLOC_NS
    assert entry["by_kind"]["free"]["p50_ns"] < 0.9 * FREE_NS
    assert entry["by_size"]["256"]["p999_ns"] > 0.9 * MALLOC_NS
    assert [entry[key] for key in PERCENTILES] == sorted(entry[key] for key in PERCENTILES)
    for parts in (entry["by_kind"], entry["by_size"]):
        assert sum(part["samples"] for part in parts.values()) == entry["samples"]
    assert 0.9 < entry["samples"] / (entry["ops"] / 16) < 1.1
    assert entry["counter_step_ns"] > 0


def test_counts_are_those_of_all_rounds(ran):
    path = ran[1]
    names = [f"alone.{name}.latency.csv" for name in ("glibc", "null", "slow")]
    assert sorted(os.listdir(path.parent / "out.curves")) == names
    for name, entries in measured(path).items():
        assert len(entries) == ROUNDS
        counts = latency_counts.read(results.read(path).latency_path("alone", name))
        for kind in ("malloc", "free"):
            counted = sum(n for (of, _), (_, n) in counts.items() if of == kind)
            assert counted == sum(entry["by_kind"][kind]["samples"] for entry in entries)
        by_duration = latency_counts.by_duration(counts)
        assert sum(n for _, n in by_duration) == sum(entry["samples"] for entry in entries)
        assert by_duration == sorted(by_duration)
        assert by_duration[-1][0] >= 0.99 * max(entry["p9999_ns"] for entry in entries)


def test_each_round_samples_other_calls(ran):
    read = results.read(ran[1])
    assert read.context["sample_seeds"] == list(range(ROUNDS))
    for row in read.rows:
        assert [entry["sample_seed"] for entry in row.samples] == list(range(ROUNDS))
    # The same seed takes the same calls under all allocators, another one takes others.
    counts = [
        [{k: p["samples"] for k, p in entry["by_kind"].items()} for entry in entries]
        for entries in measured(ran[1]).values()
    ]
    assert counts[0] == counts[1] == counts[2] and counts[0][0] != counts[0][1]


def test_the_table_tells_percentiles_and_the_worst(alone, ran):
    told = ran[0].stdout
    heads = next(line for line in told.splitlines() if "p99.9 " in line)
    assert "p50" in heads and "max" in heads and "p99 / glibc" in heads
    worst = told.partition("worst call ")[2]
    slow = [number for number, kind in alone[1].items() if kind == "malloc"]
    rows = re.findall(r" slow +malloc of 100 bytes +\d[\d.]* ms +([\d,]+) +0 +\d+ +(.*)", worst)
    assert any(int(number.replace(",", "")) in slow for number, _ in rows)
    assert f"{ROUNDS} of {ROUNDS} rounds" in [seen.strip() for _, seen in rows]
    assert re.search(r" glibc +\w+ of ", worst) and not re.search(r" null +\w+ of ", worst)


def test_a_metric_brings_the_latency_pass(alone):
    done = replay(alone[0], "--metric", "max_ns", "-n", "1", "--no-null")
    assert done.returncode == 0
    assert "max / glibc" in done.stdout and "p99 / glibc" not in done.stdout
    assert "peak MiB" in done.stdout  # the usual passes were made as well


def test_the_floor_has_latencies_too(ran):
    for null in measured(ran[1])["null"]:
        assert 0 <= null["p50_ns"] <= null["p99_ns"] and len(null["worst"]) == 10
        assert "peak_rss" not in null


def test_threads_are_told_apart(crowd, tmp_path):
    words = (crowd, "--pass", "latency", "-n", "1", "--no-null")
    assert replay(*words, "-o", tmp_path / "out.json").returncode == 0
    (entry,) = measured(tmp_path / "out.json")["slow"]
    frees = [c for c in entry["worst"] if c["kind"] == "free" and c["size"] == LARGE]
    assert 3 - len(frees) <= entry["preempted"] and {call["thread"] for call in frees} == {2}
    assert all(call["ns"] > 0.99 * FREE_NS for call in frees)
    assert replay(*words, "--threads", "serial", "-o", tmp_path / "serial.json").returncode == 0
    (serial,) = measured(tmp_path / "serial.json")["slow"]
    again = [c for c in serial["worst"] if c["kind"] == "free" and c["size"] == LARGE]
    assert 3 - len(again) <= serial["preempted"]
    assert {(c["op"], c["thread"]) for c in again} & {(c["op"], c["thread"]) for c in frees}


@pytest.mark.parametrize(
    "words, complaint",
    [
        (("--pass", "slowness"), "slowness"),
        (("--metric", "p98_ns"), "p98_ns"),
        (("--pass", "worst"), "worst"),
    ],
)
def test_wrong_words_are_refused(alone, words, complaint):
    done = replay(alone[0], *words)
    assert done.returncode == 2 and complaint in done.stderr and done.stdout == ""


@pytest.mark.parametrize(
    "words, complaint",
    [
        (("--pass", "worst", "--curve", "x.csv"), "--curve needs --pass memory or latency"),
        (("--pass", "latency", "--repeats", "2"), "--repeats needs --pass speed"),
        (("--pass", "worst", "--seed", "2"), "--seed needs --pass latency"),
        (("--pass", "latency", "--curve", "/nowhere/x.csv"), "/nowhere/x.csv: No such file"),
    ],
)
def test_the_replayer_refuses_what_cannot_be(alone, words, complaint):
    command = [BUILD / "replay-span", *words, "--allocator", BUILD / "libspan.so", alone[0]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and complaint in done.stderr


def test_a_pass_that_fails_leaves_no_counts(made_up_build, spanbench, made_up_trace, tmp_path):
    trace = made_up_trace(faults={"span": "crash in latency"})
    path = tmp_path / "out.json"
    words = ("-a", "span", "-n", "1", "--no-null", "--pass", "latency", "-o", path)
    status, _, err = spanbench("replay", trace, *words)
    assert status == 1 and "latency pass: killed by signal 11" in err
    assert not (tmp_path / "out.curves").exists()


def test_counts_are_merged_by_kind_and_bucket(tmp_path):
    one, all_ = tmp_path / "one.csv", tmp_path / "all.csv"
    one.write_text("kind,bucket,ns,count\nfree,3,2.9,4\nmalloc,3,2.9,5\n")
    latency_counts.add(one, all_)
    one.write_text("kind,bucket,ns,count\nmalloc,3,3.0,10\nmalloc,70,80.1,1\n")
    latency_counts.add(one, all_)
    text = "kind,bucket,ns,count\nfree,3,2.9,4\nmalloc,3,2.9,15\nmalloc,70,80.1,1\n"
    assert all_.read_text() == text
    assert latency_counts.by_duration(latency_counts.read(all_)) == [(2.9, 19), (80.1, 1)]


@pytest.mark.parametrize(
    "text",
    ["", "kind,ns,count\n", "kind,bucket,ns,count\nmalloc,x,1,1\n", "kind,bucket,ns,count\n1\n"],
)
def test_bad_counts_are_one_line(tmp_path, text):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(Failure, match="bad.csv: no counts of latencies: "):
        latency_counts.read(tmp_path / "bad.csv")


def call(ns, op, **more):
    return {"ns": ns, "op": op, "thread": 0, "kind": "malloc", "size": 8, "faults": 1, **more}


def test_an_operation_is_told_once_for_all_rounds():
    junk = [None, {"ns": 9}, call(9e9, 1, kind=3), call("9", 1), call(float("1e200"), 2)]
    rounds = [[call(50.0, 7), call(20.0, 9), *junk], [call(80.0, 7, faults=2), call(30.0, 8)]]
    made = made_up_results.make(traces=("git",), allocators=("glibc",), rounds=4)
    (row,) = made.rows
    for entry, worst in zip(row.samples, [*rounds, "none", {}]):
        entry["worst"] = worst
    assert replay_details.worst_calls(row) == [
        WorstCall(80.0, 7, 0, "malloc", 8, 2, rounds=2),
        WorstCall(30.0, 8, 0, "malloc", 8, 1, rounds=1),
        WorstCall(20.0, 9, 0, "malloc", 8, 1, rounds=1),
    ]


@pytest.mark.parametrize(
    "ns, text",
    [(None, ""), (0, "0 ns"), (34.96, "35 ns"), (999.4, "999 ns"), (999.6, "1 us")]
    + [(1234, "1.23 us"), (2.5e6, "2.5 ms"), (4.2e9, "4,200 ms")],
)
def test_durations_have_three_digits(ns, text):
    assert duration_text(ns) == text


def test_shards_bring_their_counts(tmp_path):
    for number in (1, 2):
        folder = tmp_path / f"shard{number}"
        path = made_up_results.write(folder, traces=(f"t{number}",), allocators=("glibc",))
        (folder / "curves" / f"t{number}.glibc.latency.csv").write_text(
            f"kind,bucket,ns,count\nmalloc,3,3.0,{number}\n"
        )
        assert json.loads(path.read_text())["context"]["curves"] == "curves"
    words = ["merge-results", *(tmp_path / f"shard{n}" / "results.json" for n in (1, 2))]
    command = [REPO / "scripts" / "spanbench", *words, "-o", tmp_path / "all.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    whole = results.read(tmp_path / "all.json")
    for number in (1, 2):
        counts = latency_counts.read(whole.latency_path(f"t{number}", "glibc"))
        assert counts == {("malloc", 3): (3.0, number)}
