"""The command line as a whole: verbs, help, how commands end; and bench, on a made-up build."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from places import REPO

from frontend import cli, progress

PROGRAM = REPO / "scripts" / "spanbench"
VERBS = (
    "advise record info import export reduce cut filter merge synth diff strip replay check exec"
    " whole-programs run micro bench report compare merge-results bisect gate allocators"
).split()


def test_overview_lists_every_verb(spanbench):
    status, out, _ = spanbench("-h")
    listed = [line.split()[0] for line in out.split("verbs:\n")[1].splitlines() if line[:2] == "  "]
    assert (status, listed) == (0, VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(spanbench, verb):
    status, out, err = spanbench(verb, "-h")
    assert (status, err) == (0, "") and f"spanbench {verb}" in out


@pytest.mark.parametrize(
    "words", [("nonsense",), ("replay",), ("info", "--wrong", "x"), ("record",)]
)
def test_wrong_usage_is_status_2(spanbench, words):
    status, out, err = spanbench(*words)
    verb = f" {words[0]}" if words[0] in VERBS else ""
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"spanbench{verb}: ") and err.endswith(f" (see spanbench{verb} -h)\n")


def test_it_runs_from_a_folder_with_a_space_by_a_link(tmp_path):
    folder = tmp_path / "a clone" / "scripts"
    shutil.copytree(REPO / "scripts", folder, ignore=shutil.ignore_patterns("__pycache__"))
    link = tmp_path / "spanbench"
    link.symlink_to(folder / "spanbench")
    environment = {**os.environ, "SPANBENCH_BUILD": str(tmp_path / "none")}
    command = [str(link), "info", "x.trace"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (2, "spanbench: x.trace: No such file or directory\n")


def test_a_reader_that_goes_away_is_no_error(made_up_build):
    command = f"'{PROGRAM}' allocators | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_an_interrupt_is_told(monkeypatch, spanbench):
    def interrupt(_argv):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "dispatch", interrupt)
    assert spanbench("bench") == (130, "", "spanbench: interrupted\n")


def test_time_left_is_of_all_rounds(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    counter = progress.Counter()
    counter.begin_round(-1, 2, 2)  # a warm-up and two rounds of two runs
    for now[0] in (0.0, 10.0, 20.0):
        counter.begin_step("t", "a")
    assert counter.left() == "about 0:40 left"  # two of six are done


def test_time_left_where_later_rounds_have_fewer_runs(monkeypatch):
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    counter = progress.Counter()
    counter.begin_round(-1, 2, 10)
    for _ in range(10):
        counter.begin_step("a", "b")
    for number in range(2):
        counter.begin_round(number, 2, 1)
        counter.begin_step("a", "b")
    now = 11.0
    assert counter.left() == "about 0:01 left"  # the last of twelve has begun


def test_report_needs_its_input(spanbench, tmp_path):
    status, _, err = spanbench("report", tmp_path / "none.json")
    assert status == 2 and "none.json: no such file" in err


def test_info_is_json_for_programs(made_up_build, made_up_trace, spanbench):
    status, out, _ = spanbench("info", made_up_trace(), "--json")
    assert status == 0 and json.loads(out)["ops"] == 1000


@pytest.mark.parametrize("words", [("replay", "t", "--timeout", "0"), ("bench", "--budget", "-5")])
@pytest.mark.parametrize("number", ["0", "-1", "nan", "inf", "soon"])
def test_times_must_be_times(spanbench, words, number):
    status, _, err = spanbench(*words[:-1], number)
    assert status == 2 and f"{words[-2]}: {number}: not a number of seconds above zero" in err


def test_closed_standard_output_is_no_crash():
    command = f"'{PROGRAM}' allocators >&-"
    run = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("words", ["allocators", "--help", "--version", "replay -h"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_full_standard_output_is_told(words, unbuffered):
    command = f"PYTHONUNBUFFERED={unbuffered} '{PROGRAM}' {words} >/dev/full"
    run = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert run.returncode == 1
    assert run.stderr == "spanbench: standard output: No space left on device\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_standard_output_that_gets_full_is_told(tmp_path, unbuffered):
    command = f"PYTHONUNBUFFERED={unbuffered}; export PYTHONUNBUFFERED; ulimit -f 2"
    command += f"; '{PROGRAM}' replay -h >'{tmp_path}/out'"
    run = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert run.returncode == 1
    assert run.stderr == "spanbench: standard output: File too large\n"


def test_nobody_listening_to_progress_ends_nothing(monkeypatch):
    class Gone:
        def write(self, _):
            raise BrokenPipeError

        flush = write

    monkeypatch.setattr("sys.stderr", Gone())
    progress.say("hello")


ENDED_TWICE = """
import os, signal, sys, time
sys.path.insert(0, sys.argv[1])
from frontend import cli

def work():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    finally:
        time.sleep(float(sys.argv[2]))
        os.kill(os.getpid(), signal.SIGTERM)
        print("cleaned up", flush=True)

sys.exit(cli.guarded("spanbench", work))
"""


@pytest.mark.parametrize("pause_s, out", [(0, "cleaned up\n"), (0.2 + cli.ONE_SENDER_S, "")])
def test_a_signal_that_timeout_sends_twice_cleans_up_and_a_later_one_ends(pause_s, out):
    command = [sys.executable, "-c", ENDED_TWICE, REPO / "scripts", str(pause_s)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stdout, done.stderr) == (143, out, "")
