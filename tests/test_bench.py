"""The verb bench on a made-up build: what it measures, and what it makes of a budget."""

import os
import re
import subprocess
import sys
import time
import types

import pytest
from places import REPO

from frontend.figures import paired_samples, results, stats
from frontend.measuring import campaign
from frontend.measuring.budget import Budget
from frontend.verbs import bench

LONGEST_FIRST = ["t0", "t1", "t2", "t3", "t4", "t5"]


@pytest.fixture
def corpus(made_up_build, made_up_trace, tmp_path, monkeypatch):
    """A made-up corpus and charts; bench without jemalloc, which a machine may lack."""
    for i in range(6):
        made_up_trace(f"t{i}", ops=1000 * (6 - i))
    reported = types.SimpleNamespace(main_report=lambda paths, folder: print("the page") or 0)
    monkeypatch.setitem(sys.modules, "frontend.page.report", reported)
    monkeypatch.setattr(bench.traces, "CORPUS", tmp_path)
    monkeypatch.setattr(bench.traces, "STANDARD", LONGEST_FIRST)
    monkeypatch.setattr(bench, "EXPECTED", ("span", "glibc"))
    monkeypatch.setattr(bench.registry, "found", lambda: [])
    monkeypatch.setattr(bench.workloads, "QUICK", (("steady", (1, 2), "--ops 500"),))
    monkeypatch.setattr("frontend.measuring.budget.LOOP", 1)
    monkeypatch.setattr(bench, "processors", lambda: 2)
    return tmp_path


def test_what_the_page_needs_is_asked_for_first(corpus, spanbench, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    status, _, err = spanbench("bench", "--quick", "-o", tmp_path / "latest")
    assert status == 2 and err.count("\n") == 1
    assert err.startswith("spanbench: the Python module jinja2 is not installed; ")
    assert not (tmp_path / "latest").exists()


def test_quick_bench_takes_the_shortest_traces(corpus, spanbench, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "QUICK_TRACES", 2)
    status, out, err = spanbench("bench", "--quick", "-o", tmp_path / "latest")
    assert status == 0, err
    measured = results.read(tmp_path / "latest" / "results.json")
    assert measured.subjects("replay") == ["t4", "t5"]
    assert "pair/64" in measured.subjects("micro")
    assert measured.subjects("run") == ["steady/threads:1", "steady/threads:2"]
    assert measured.allocators() == ["span", "glibc", "null"]
    assert measured.context["rounds"] == 2
    assert "replays: 2 rounds of 2\n" in out and "the page" in out
    assert len(os.listdir(tmp_path / "latest" / "curves")) == 4


def test_the_shards_of_a_bench_are_the_whole(corpus, spanbench, tmp_path, machine):
    machine(0.001)
    files = []
    for k in (1, 2, 3, 4):
        folder = tmp_path / f"shard-{k}"
        status, _, err = spanbench("bench", "-n", 2, "--shard", f"{k}/4", "-o", folder)
        assert status == 0, err
        files.append(folder / "results.json")
    shares = [results.read(path) for path in files]
    assert [share.kinds() for share in shares] == [
        *(["replay", "run", "micro"], ["replay", "run"], ["replay"], ["replay"]),
    ]
    assert shares[1].context["shard"] == {"index": 2, "count": 4}
    assert spanbench("bench", "-n", 2, "-o", tmp_path / "whole")[0] == 0
    assert spanbench("merge-results", *files, "-o", tmp_path / "all.json")[0] == 0
    whole, joined = results.read(tmp_path / "whole/results.json"), results.read(
        tmp_path / "all.json"
    )
    assert [row.name for row in joined.rows] == [row.name for row in whole.rows]


def test_a_bench_in_more_shards_than_traces_is_refused(corpus, spanbench, tmp_path):
    status, _, err = spanbench("bench", "--shard", "9/9", "-o", tmp_path / "latest")
    assert (status, err) == (2, "spanbench: --shard 9/9: more shards than traces (6)\n")


def test_bench_without_a_corpus_says_so(corpus, spanbench, tmp_path):
    for trace in tmp_path.glob("*.trace"):
        trace.unlink()
    status, _, err = spanbench("bench", "-o", tmp_path / "latest")
    assert status == 2 and "t0.trace: No such file or directory" in err


def test_an_unwritable_folder_is_refused(corpus, spanbench):
    status, _, err = spanbench("bench", "-o", "/proc/latest")
    assert status == 2 and "/proc/latest" in err


@pytest.fixture
def machine(monkeypatch):
    """A function that makes every run take a time, while the clock stands still between them; it
    returns a function that tells how much of it has passed."""

    def take(seconds, broken=()):
        now, run_once = [1e6], campaign.timed

        def timed(attempt, subject, allocator, number):
            has_memory_pass = attempt.__module__.endswith("replays") and number != campaign.WARM_UP
            now[0] += seconds * (1.65 if has_memory_pass else 1)
            if attempt.__module__.endswith("micro"):
                return run_once(attempt, subject, allocator, number)
            if (subject.name, allocator.name) in broken:
                return campaign.RunFailed("killed by signal 11")
            return campaign.Figures(10**6, 10**6, {"ops": 9, "checksum": "x", "ns_per_op": 5.0})

        monkeypatch.setattr(campaign, "timed", timed)
        monkeypatch.setattr("time.monotonic", lambda: now[0])
        return lambda: now[0] - 1e6

    return take


@pytest.mark.parametrize(
    "run_s, rounds, traces, workloads, calls",
    [
        (0.1, 10, 6, 2, 1),
        (0.6, 6, 6, 2, 1),
        (0.75, 6, 5, 2, 1),
        (0.95, 6, 4, 2, 1),
        (1.12, 6, 4, 1, None),
    ],
)
def test_a_slower_machine_gives_up_traces_before_rounds(
    corpus, spanbench, tmp_path, machine, run_s, rounds, traces, workloads, calls
):
    spent_s = machine(run_s)
    since = ("--since", f"{time.time() - 40:.0f}")  # it took 40 s to compile
    status, out, err = spanbench("bench", "-o", tmp_path / "latest", *since)
    measured = results.read(tmp_path / "latest" / "results.json")
    given_up = LONGEST_FIRST[: 6 - traces]
    assert status == 0, err
    assert measured.subjects("replay") == LONGEST_FIRST[6 - traces :]
    assert len(measured.subjects("run")) == workloads
    assert calls is None or bool(measured.subjects("micro")) == bool(calls)
    assert {len(row.samples) for row in measured.rows if row.kind == "replay"} == {rounds}
    assert f"replays: {rounds} rounds of {traces}" in out
    assert measured.context["left_out"].get("replays", []) == given_up
    if given_up:
        told = f"left out for lack of time, the longest traces first: {', '.join(given_up)}\n"
        assert told in out and f"replays: {told}" in err
    assert spent_s() <= 200 or "s more than there are" in err


def test_a_budget_that_nothing_fits_is_told(corpus, spanbench, tmp_path, machine):
    machine(1.0)
    status, out, err = spanbench("bench", "--budget", "0.01", "-o", tmp_path / "latest")
    assert status == 0 and "replays: 6 rounds of 4" in out and "micro-benchmarks: 0 rounds" in out
    assert re.search(r"replays: takes some \d+ s more than there are", err)
    assert results.read(tmp_path / "latest" / "results.json").context["budget_s"] == 0.01


def test_rounds_that_are_asked_for_are_made_of_everything(corpus, spanbench, tmp_path, machine):
    machine(100.0)
    assert spanbench("bench", "-n", "3", "-o", tmp_path / "latest")[0] == 0
    measured = results.read(tmp_path / "latest" / "results.json")
    assert len(measured.subjects("replay")) == 6 and measured.context["left_out"] == {}
    assert {len(row.samples) for row in measured.rows} == {3}


def test_what_failed_before_it_was_left_out_is_told(corpus, spanbench, tmp_path, machine):
    machine(0.95, broken=[("t0", "span")])
    status, _, err = spanbench("bench", "-o", tmp_path / "latest")
    assert status == 1 and "replay/t0/span: killed by signal 11" in err
    assert "t0" not in results.read(tmp_path / "latest" / "results.json").subjects("replay")


def test_six_rounds_are_the_least_of_which_statistics_can_tell():
    assert stats.order_interval(bench.LEAST_ROUNDS)[1] >= 0.95 > stats.order_interval(5)[1]
    pairs = [0.1 + i / 1000 for i in range(bench.LEAST_ROUNDS)]
    assert paired_samples.p_value(pairs) <= 0.05 < paired_samples.p_value(pairs[1:])


def test_rounds_that_are_dearer_than_the_warm_up_make_it_give_up_more(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    budget = Budget(100.0, ["a", "b", "c"], 6, 10)
    now[0] = 12.0
    assert budget.leave_out({"a": [4.0], "b": [4.0], "c": [4.0]}) == set()
    assert budget.choose_rounds(1) == 7
    now[0] = 42.0  # a round took 30 s instead of 12, so that five more of one subject fit
    seconds = {"a": [4.0, 10.0], "b": [4.0, 10.0], "c": [4.0, 10.0]}
    assert budget.leave_out(seconds) == {"b", "c"} and budget.left_out == ["c", "b"]
    assert budget.choose_rounds(2) == 6
    now[0] = 95.0  # once enough rounds are made, nothing is given up any more
    assert budget.leave_out({**seconds, "a": [4.0] + [10.0] * 6}) == {"b", "c"}
    assert budget.choose_rounds(7) == 6


def test_how_quick_the_machine_is_decides_what_is_kept_for_the_charts(monkeypatch):
    monkeypatch.setattr(bench, "loop_s", lambda: 0.25)
    monkeypatch.setattr("time.monotonic", lambda: 1000.0)
    for processors, drawing_s in ((1, 45.0), (3, 15.0)):
        monkeypatch.setattr(bench, "processors", lambda: processors)
        ends = bench.share(1240.0)
        assert ends[bench.CALLS] == pytest.approx(1000.0 + 0.96 * 240.0 - drawing_s)
        assert 1000 < ends[bench.REPLAYS] < ends[bench.WORKLOADS] < ends[bench.CALLS]


def test_make_tells_bench_when_it_began():
    command = ["make", "-C", REPO, "-n", "--no-print-directory", "bench", "BUDGET=99"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    since = int(re.search(r"spanbench bench --budget '99' --since (\d+)", shown)[1])
    assert abs(time.time() - since) < 600
