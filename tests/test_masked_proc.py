"""Files of /proc that are masked with /dev/null, as in containers: they can be read and written,
and tell nothing. A measurement that rests on them must fail, not show figures."""

import json
import os
import subprocess

import pytest

from places import BUILD

WORKLOAD = BUILD / "workload-glibc"
MASKED = 'for file in $1; do mount --bind /dev/null /proc/$$/$file; done; shift; exec "$@"'


def masked(files, *command):
    """Runs a command whose own files of /proc are masked."""
    script = ["unshare", "-m", "sh", "-ec", MASKED, "sh", files, *map(str, command)]
    return subprocess.run(script, capture_output=True, text=True, check=False)


@pytest.fixture(autouse=True)
def mounts():
    """Skips where nothing may be mounted."""
    if os.geteuid() != 0 or masked("status", "true").returncode:
        pytest.skip("may not mask a file")


def libc_path():
    """The C library that programs here run with."""
    lines = subprocess.run(["ldd", WORKLOAD], capture_output=True, text=True, check=True).stdout
    return next(line.split()[2] for line in lines.splitlines() if "libc.so" in line)


def measure(files, short_trace, program):
    """A short measurement by one of the programs, some of its files masked."""
    if program == "workload":
        command = [WORKLOAD, "--allocator", libc_path(), "--ops", "1000", "larson"]
    else:
        command = [BUILD / "replay-glibc", "--pass", "memory", "--allocator", libc_path()]
        command.append(short_trace)
    return masked(files, *command)


@pytest.mark.parametrize("program", ["workload", "replay"])
@pytest.mark.parametrize("file", ["clear_refs", "status", "smaps"])
def test_a_masked_file_is_no_measurement(short_trace, program, file):
    done = measure(file, short_trace, program)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"/proc/self/{file}: has no effect or makes no sense (masked, in a container?)\n"
    )


@pytest.mark.parametrize("program", ["workload", "replay"])
def test_rollups_can_be_done_without(short_trace, program):
    done = measure("smaps_rollup", short_trace, program)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["peak_rss"] > 10000
