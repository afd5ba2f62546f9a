"""Result files that are none, pipes where files are meant, standard output, signals: one line and a
status, and nothing that hangs."""

import json
import os
import signal
import subprocess
import threading
import time
import warnings

import made_up_results
import pytest
from places import REPO

from frontend.charts import charts
from frontend.figures import results

SPANBENCH = REPO / "scripts" / "spanbench"
FEW = {"traces": ("git", "lua"), "allocators": ("span", "glibc"), "rounds": 7}
PATIENCE_S = 120  # arbitrary: what hangs hangs for ever


def spoilt(tmp_path, change):
    """A file of made-up results, changed by a function of its document."""
    path = made_up_results.write(tmp_path / "made", **FEW)
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path


def set_figure(key, value):
    """A change of one figure of the first entry."""
    return lambda document: document["benchmarks"][0].update({key: value})


@pytest.mark.parametrize(
    "change",
    [
        set_figure("ns_per_op", float("nan")),
        set_figure("peak_rss", float("inf")),
        set_figure("real_time", float("nan")),
        set_figure("real_time", 10**400),
        set_figure("repetition_index", [1]),
        set_figure("name", 7),
        set_figure("name", "replay/\ud800/span"),
        set_figure("error_message", ["x"]),
        lambda document: document["context"].update(traces={"git": 7}),
        lambda document: document["context"].update(cpu="\udcff"),
    ],
)
def test_what_is_no_result_file_is_one_line(spanbench, tmp_path, change):
    path = spoilt(tmp_path, change)
    for words in (("compare", path, path), ("report", path, "-o", tmp_path / "out")):
        status, out, err = spanbench(*words)
        assert (status, out) == (2, "") and err.count("\n") == 1
        assert err.startswith(f"spanbench: {path}: ")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_deep_nesting_is_one_line(spanbench, tmp_path, text):
    path = tmp_path / "deep.json"
    path.write_text(text)
    status, _, err = spanbench("compare", path, path)
    assert status == 2 and err == f"spanbench: {path}: no result file: it is nested too deep\n"


@pytest.mark.parametrize("value", ["fast", None, [1], 10**400, True])
def test_a_figure_that_is_no_number_is_none(tmp_path, value):
    read = results.read(spoilt(tmp_path, set_figure("ns_per_op", value)))
    row = read.row("replay", "git", "span")
    assert len(row.values("ns_per_op")) == 6 and 0 not in row.by_round("ns_per_op")


def test_a_pipe_that_somebody_writes_to_is_read(spanbench, tmp_path):
    path, pipe = made_up_results.write(tmp_path / "made", **FEW), tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(path.read_bytes()))
    writer.start()
    held = os.open(pipe, os.O_RDONLY)  # so that the writer has a reader at once
    status = spanbench("compare", path, pipe, "--metric", "time")[0]
    os.close(held)
    writer.join()
    assert status == 0


def test_a_pipe_that_nobody_writes_to_hangs_nothing(tmp_path):
    pipe = tmp_path / "pipe.so"
    os.mkfifo(pipe)
    for words, told in (
        (("compare", pipe, pipe), "no JSON"),
        (("replay", pipe), "no regular file"),
        (("info", pipe), "no regular file"),
        (("run", "replace-10k", "-a", f"x={pipe}"), "no regular file"),
        (("gate", "--base", pipe, "--head", pipe), "no regular file"),
    ):
        command = [SPANBENCH, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 2 and told in done.stderr, words


def test_a_dash_is_standard_output(made_up_build, spanbench, made_up_trace, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(os.listdir(tmp_path))
    words = ("replay", made_up_trace("x"), "-a", "glibc,span", "-n", "1", "-o", "-")
    status, out, _ = spanbench(*words)
    assert status == 0 and "curves" not in json.loads(out)["context"]
    assert json.loads(out)["benchmarks"][0]["name"].startswith("replay/x/")
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "x.trace"])
    for words in (("run", "steady"), ("micro",)):
        status, out, _ = spanbench(*words, "-a", "glibc,span", "-n", "1", "-o", "-")
        assert status == 0 and json.loads(out)["benchmarks"]
    path = made_up_results.write(tmp_path / "made", **FEW)
    status, out, err = spanbench("report", path, "-o", "-")
    assert status == 2 and "a folder is needed" in err and not (tmp_path / "-").exists()


def test_what_the_allocator_had_taken_at_the_start_is_kept(made_up_build, spanbench, tmp_path):
    path = tmp_path / "r.json"
    spanbench("run", "steady", "-a", "glibc", "-n", "1", "-o", path)
    assert results.read(path).row("run", "steady", "glibc").values("initial_rss") == [0]


def children_of(pid):
    """The processes that a process has started."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True)
    return found.stdout.split()


@pytest.mark.parametrize("pause_s", [0, 0.01, 0.1])
def test_two_signals_end_what_draws_charts(tmp_path, pause_s):
    path = made_up_results.write(tmp_path / "made", rounds=7)
    command = [SPANBENCH, "report", path, "-o", tmp_path / "out"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        limit = time.monotonic() + PATIENCE_S
        while not (drawing := children_of(process.pid)) and time.monotonic() < limit:
            time.sleep(0.02)
        for _ in range(2):
            process.send_signal(signal.SIGTERM)
            time.sleep(pause_s)
        # A shell calls both 143: in its last moments Python has given up its own handlers.
        assert process.wait(PATIENCE_S) in (143, -signal.SIGTERM)
        assert drawing and "Traceback" not in process.stderr.read()
    while any(os.path.exists(f"/proc/{pid}") for pid in drawing):
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_a_trace_without_a_call_is_drawn_without_a_warning(tmp_path):
    path = made_up_results.write(tmp_path / "made", **FEW)
    for curve in (tmp_path / "made" / "curves").glob("git.*"):
        curve.write_text("op,rss,live\n0,0,0\n0,0,0\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = charts.draw_all(results.read(path), tmp_path / "out", formats=("svg",))
    names = {chart.stem for chart in drawn}
    assert "curve-lua" in names and "time" in names and "curve-git" not in names
