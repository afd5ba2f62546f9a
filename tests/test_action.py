"""The GitHub Action (action.yml): its steps, run as GitHub runs them, on made-up allocators."""

import os
import re
import subprocess

import pytest
from places import BUILD, REPO
from test_ci_snippet import SOURCE

yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")
TEXT = (REPO / "action.yml").read_text()
ACTION = yaml.safe_load(TEXT)
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
INPUT = re.compile(r"\$\{\{ inputs\.(\w+) \}\}")


def example():
    """The lines that action.yml offers for a workflow."""
    lines = re.findall(r"^# {5}(.*)$", TEXT, re.MULTILINE)
    (step,) = yaml.safe_load("\n".join(lines))
    return step


def run_step(name, folder, inputs, **variables):
    """Runs the shell lines of a step, as GitHub does on Linux, with these inputs."""
    given = {key: facts.get("default", "") for key, facts in ACTION["inputs"].items()}
    given.update(inputs)
    step = STEPS[name]
    environment = {**os.environ, "SPANBENCH_BUILD": str(BUILD), **variables}
    for key, text in step.get("env", {}).items():
        environment[key] = INPUT.sub(lambda match: given[match[1]], text)
    for key in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        environment[key] = str(folder / key)
    environment.setdefault("GITHUB_ACTION_PATH", str(REPO))
    assert step["shell"] == "bash"
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def allocators(tmp_path):
    """A folder with base/libmine.so, and head/libmine.so that works for nothing at each call."""
    for name, loops in (("base", 0), ("head", 5000)):
        (tmp_path / name).mkdir()
        source = tmp_path / name / "mine.c"
        source.write_text(SOURCE)
        command = ["cc", "-shared", "-fPIC", "-nostdlib", "-fno-builtin", "-Wl,--build-id"]
        command += [f"-DLOOPS={loops}", source, "-o", source.with_name("libmine.so")]
        subprocess.run(command, check=True)
    return tmp_path


def test_the_example_gives_what_is_required_and_nothing_unknown():
    given = example()["with"]
    required = {key for key, facts in ACTION["inputs"].items() if facts.get("required")}
    assert required <= set(given) <= set(ACTION["inputs"])
    assert example()["uses"].partition("@")[0].endswith("/spanbench")


def test_no_input_is_put_into_a_script_where_it_could_be_code():
    for step in STEPS.values():
        assert "${{" not in step["run"]
    used = {name for step in STEPS.values() for name in INPUT.findall(str(step.get("env")))}
    assert used == set(ACTION["inputs"])


def test_the_build_step_calls_targets_that_there_are(tmp_path):
    done = run_step("Build spanbench", tmp_path, {}, MAKEFLAGS="n")
    assert done.returncode == 0, done.stderr
    assert "scripts/deps bench gate" in done.stdout


def test_a_slower_head_fails_the_job(allocators, short_trace):
    (allocators / "one.trace").symlink_to(short_trace)
    inputs = {**example()["with"], "traces": "*.trace"}
    done = run_step("Gate", allocators, inputs)
    assert done.returncode == 1, done.stderr
    assert (allocators / "GITHUB_OUTPUT").read_text() == "verdict=regression\n"
    summary = (allocators / "GITHUB_STEP_SUMMARY").read_text()
    assert "regression" in summary and "one" in summary
    assert (allocators / "spanbench-gate" / "gate.json").exists()


@pytest.mark.parametrize(
    "status, fails, verdict",
    [(0, 0, "pass"), (1, 1, "regression"), (2, 1, "failed"), (77, 0, "cannot tell")],
)
def test_what_becomes_of_a_verdict(tmp_path, status, fails, verdict):
    command = tmp_path / "path/scripts/spanbench"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nprintf "%s|" "$@"\nexit {status}\n')
    command.chmod(0o755)
    inputs = {"base": "a b.so", "head": "c.so", "quick": "false", "traces": ""}
    done = run_step("Gate", tmp_path, inputs, GITHUB_ACTION_PATH=str(tmp_path / "path"))
    assert bool(done.returncode) == bool(fails)
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == f"verdict={verdict}\n"
    assert done.stdout.startswith("gate|--base|a b.so|--head|c.so|-o|spanbench-gate|")
    assert ("::warning::" in done.stdout) == (status == 77)


def test_traces_that_are_not_there_are_named(allocators):
    done = run_step("Gate", allocators, {**example()["with"], "traces": "none/*.trace"})
    assert done.returncode == 2 and "none/*.trace: No such file" in done.stderr
    assert (allocators / "GITHUB_OUTPUT").read_text() == "verdict=failed\n"
    assert not (allocators / "GITHUB_STEP_SUMMARY").exists()
