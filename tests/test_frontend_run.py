"""The verb run on a made-up build: what it lists and writes, what it refuses, what it calls
failed."""

import json
import subprocess
import sys

import pytest
from places import BUILD, REPO

from frontend import cli
from frontend.figures import results
from frontend.measuring import workloads

USUAL = ("-a", "span,glibc", "-n", "2")


@pytest.fixture
def run(made_up_build, spanbench, tmp_path):
    """A function that runs workloads and returns (status, Results or None, stdout, stderr)."""
    profile = tmp_path / "faults"
    profile.write_text("")

    def measure(*words, fault=""):
        profile.write_text(fault)
        path = tmp_path / "out.json"
        status, out, err = spanbench("run", *words, "--profile", profile, "-o", path)
        return status, results.read(path) if path.exists() else None, out, err

    return measure


def test_without_a_name_it_lists_a_line_a_workload(made_up_build, spanbench):
    lines = ["steady  does steady", "crowd  does crowd", "foe  does foe", "trial  does trial"]
    assert spanbench("run") == (0, "\n".join(lines) + "\n", "")


def test_people_get_a_table(made_up_build, spanbench, monkeypatch):
    monkeypatch.setattr(cli, "buffer_output", lambda: None)  # would put another stream in its place
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    status, out, _ = spanbench("run")
    assert status == 0 and "what it does" in out and "1,000" in out


def test_real_programs_list_what_others_call():
    command = [str(REPO / "scripts" / "spanbench"), "run"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={"SPANBENCH_BUILD": str(BUILD)}
    )
    names = [line.split("  ")[0] for line in done.stdout.splitlines()]
    assert done.returncode == 0 and {"larson", "xmalloc", "cache-thrash", "robson"} < set(names)
    assert {name for name, _, _ in workloads.QUICK} < set(names)


def test_every_sample_is_kept_with_its_figures(run):
    status, measured, out, _ = run("steady", *USUAL)
    assert status == 0
    counted = [(e["name"], e["repetition_index"]) for e in measured.benchmarks]
    assert counted == [(f"run/steady/{a}", i) for a in ("span", "glibc") for i in range(2)]
    assert len(measured.context["warmups"]) == 2
    entry = measured.row("run", "steady", "span").samples[0]
    assert (entry["ops"], entry["threads"], entry["ns_per_op"]) == (1000, 1, 30)
    assert (entry["peak_rss"], entry["peak_live"], entry["minor_faults"]) == (2 << 20, 1 << 20, 3)
    assert "bound" not in entry and entry["real_time"] == pytest.approx(0.03)
    assert measured.context["workloads"]["steady"]["summary"] == "does steady"
    assert "1.50 [1.50, 1.50]" in out and "calls of all threads together" in out


def test_several_numbers_of_threads_are_rows_of_their_own(run):
    status, measured, _, _ = run("steady", "crowd", "-t", "1,2,4", *USUAL)
    assert status == 0
    steady = [f"steady/threads:{n}" for n in (1, 2, 4)]
    assert measured.subjects("run") == [*steady, "crowd/threads:2", "crowd/threads:4"]
    assert measured.row("run", "steady/threads:4", "glibc").samples[0]["ops"] == 4000


def test_one_number_of_threads_is_not_in_the_name(run):
    _, measured, _, _ = run("steady", "-t", "3", *USUAL)
    assert measured.subjects("run") == ["steady"]
    assert measured.row("run", "steady", "span").samples[0]["threads"] == 3


def test_all_are_those_that_are_no_tests(run):
    status, measured, _, _ = run("all", *USUAL)
    assert (status, measured.subjects("run")) == (0, ["steady", "crowd", "foe"])


def test_an_adversary_may_do_other_work_and_has_its_bound(run):
    status, measured, out, _ = run("foe", *USUAL)
    ops = [measured.row("run", "foe", name).samples[0]["ops"] for name in ("span", "glibc")]
    assert (status, ops) == (0, [999, 1000])
    assert measured.row("run", "foe", "span").samples[0]["bound"] == 3 << 19
    assert "theory MiB" in out and out.count(" 1.5 ") >= 2 and "theory: the least" in out
    assert "theory" not in run("steady", *USUAL)[2]


@pytest.mark.parametrize(
    "fault, message",
    [
        ("refuse", "steady: malloc of 8 bytes returned NULL"),
        ("imposter", "malloc comes from"),
        ("lazy", "ops 999, where glibc has 1000"),
    ],
)
def test_what_fails_is_a_failed_row_and_never_a_time(run, fault, message):
    status, measured, out, err = run("steady", *USUAL, fault=f"span={fault}")
    row = measured.row("run", "steady", "span")
    assert status == 1 and row.samples == [] and message in row.error
    assert "failed" in out and "spanbench: run/steady/span: " in err
    assert len(measured.row("run", "steady", "glibc").samples) == 2


def test_a_time_instead_of_calls_compares_no_work(run):
    status, _, _, _ = run("steady", "--seconds", "1", *USUAL, fault="span=lazy")
    assert status == 0


@pytest.mark.parametrize(
    "words, complaint",
    [
        (("nonsense",), "nonsense: no such workload"),
        (("crowd", "-t", "1"), "-t 1: crowd needs at least 2 threads"),
        (("crowd", "--size", "5"), "--size: crowd has none"),
        (("steady", "--size", "1"), "--size 1: steady needs at least 2"),
        (("steady", "--ops", "5", "--seconds", "5"), "only one of them can be given"),
        (("steady", "-a", "null"), "-a: null: its blocks overlap"),
        (("steady", "-t", "0"), "--threads: 0: not a whole number above zero"),
        (("steady", "--ops", "0"), "not a whole number above zero"),
        (("profile", "--profile", "/none/x"), "no such workload"),
        (("steady", "--profile", "/none/x"), "/none/x: No such file or directory"),
        (("steady", "-o", "/none/x.json"), "/none/x.json: No such file"),
    ],
)
def test_usage_is_checked_before_any_work(made_up_build, spanbench, words, complaint):
    status, out, err = spanbench("run", *words)
    assert (status, out) == (2, "") and complaint in err


def test_missing_build_is_told(made_up_build, spanbench):
    (made_up_build / "workload-glibc").unlink()
    status, _, err = spanbench("run")
    assert status == 2 and "workload-glibc: not built; run make" in err


@pytest.mark.parametrize(
    "text, told",
    [("", "has no sizes"), ("hello\n", "line 1: want size or lifetime, and FROM TO COUNT")],
)
def test_a_profile_is_checked_before_any_work(tmp_path, text, told):
    path = tmp_path / "my.profile"
    path.write_text(text)
    command = [REPO / "scripts" / "spanbench", "run", "profile", "-a", "glibc", "--profile", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    said = f"spanbench: {path}: {told}\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


def test_a_profile_that_no_workload_uses_is_refused(tmp_path):
    path = tmp_path / "my.profile"
    path.write_text("size 1 2 3\nlifetime 1 2 3\n")
    command = [REPO / "scripts" / "spanbench", "run", "larson", "xmalloc", "--profile", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    said = "spanbench: --profile: not used by larson, xmalloc\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


def test_a_profile_is_made_from_a_trace(made_up_build, spanbench, made_up_trace):
    sizes = [{"from": 16, "to": 31, "count": 10}, {"from": 32, "to": 63, "count": 4}]
    top = [{"size": 24, "count": 7}, {"size": 48, "count": 4}]
    lifetimes = [{"from": 0, "to": 0, "count": 14}]
    info = {"ops": 28, "sizes": sizes, "top_sizes": top, "lifetimes": lifetimes}
    (made_up_build / "trace").write_text(f"#!/bin/sh\necho '{json.dumps(info)}'\n")
    status, out, _ = spanbench("info", made_up_trace(), "--profile")
    assert status == 0 and out.startswith("# made: 28 operations")
    lines = ["size 24 24 7", "size 48 48 4", "size 16 31 3", "lifetime 0 0 14"]
    assert out.splitlines()[1:] == lines
