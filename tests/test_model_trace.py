"""The evidence that a failing run of the model leaves: a trace that the replayers run."""

import json
import re
import subprocess

import pytest

from places import BUILD

BUILDS = {"tests": "span", "tests/fast": "span-fast"}
FAULTS = ["forgets", "boasts", "overflows", "crashes"]


def run_with_fault(folder, fault, tmp_path):
    """What test_model says about a run on functions with that fault, and the trace it left."""
    run = subprocess.run(
        [BUILD / folder / "test_model", fault],
        env={"TMPDIR": str(tmp_path), "MODEL_SEED": "5"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 1
    (trace,) = tmp_path.iterdir()
    return run.stderr, trace


@pytest.mark.parametrize("folder,allocator", BUILDS.items())
@pytest.mark.parametrize("fault", FAULTS)
def test_failing_prefix_is_a_trace_that_replays(folder, allocator, fault, tmp_path):
    told, trace = run_with_fault(folder, fault, tmp_path)
    found = re.fullmatch(rf"{fault}, MODEL_SEED=5, operation (\d+): .*; trace: (.*)\n", told)
    assert found and found[2] == str(trace)
    library = BUILD / f"lib{allocator}.so"
    run = subprocess.run(
        [BUILD / f"replay-{allocator}", "--allocator", library, trace],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    # The trace has neither what the replayer skips nor requests that nobody could serve.
    assert 0 < json.loads(run.stdout)["ops"] <= int(found[1]) + 1


def test_unknown_faults_are_refused(tmp_path):
    run = subprocess.run([BUILD / "tests" / "test_model", "no-such"], capture_output=True)
    assert run.returncode == 2
