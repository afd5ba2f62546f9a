"""Limits of memory where cgroups are of version 2: where in trees like systemd's a group is made,
for root and for others, and that the limit holds there. `make test-cgroup2` runs these as root in a
virtual machine; the groups of the trees stay behind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from frontend.measuring import memory_group
from places import REPO

TOP = Path("/sys/fs/cgroup")
USER = 1000
ENTER = 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"'
FIND = "from frontend.measuring import memory_group; print(memory_group.find_parent())"
TRACE = "workloads/traces/lld.trace"  # the smallest; its allocators need some 10 MiB
PLACES = (
    "root in a session",
    "root where memory is limited far above",
    "a user in a tree of its own",
    "a user in a session of root's",
    "a user in a folder of its own whose processes are root's",
)


def make_group(path):
    """A group below the top, memory being limited in all on the way; its folder."""
    folder = TOP
    for name in path.split("/"):
        (folder / "cgroup.subtree_control").write_text("+memory")
        folder /= name
        folder.mkdir(exist_ok=True)
    return folder


def give(folder):
    """Delegates a group to the user, as systemd does."""
    for path in (folder, folder / "cgroup.procs", folder / "cgroup.subtree_control"):
        subprocess.run(["chown", str(USER), str(path)], check=True)


@pytest.fixture(name="places", scope="module")
def fixture_places():
    """{name: (group, whether the user runs there, where groups can be made from it)}."""
    slices = "user.slice/user-1000.slice"
    application = make_group(f"{slices}/user@1000.service/app.slice/shell.scope")
    for folder in (application.parent.parent, application.parent, application):
        give(folder)
    plain = make_group("plain.slice")
    (plain / "leaf").mkdir(exist_ok=True)
    half = make_group(f"{slices}/half.slice/leaf")
    subprocess.run(["chown", str(USER), str(half.parent)], check=True)
    own_session = make_group("user.slice/user-0.slice/session-1.scope")
    found = (
        (own_session, False, own_session.parent),
        (plain / "leaf", False, TOP),
        (application, True, application.parent),
        (make_group(f"{slices}/session-2.scope"), True, None),
        (half, True, None),
    )
    return dict(zip(PLACES, found))


def run_in(place, *command):
    """Runs a command in one of the places: the finished process."""
    group, is_user, _ = place
    words = ["sh", "-c", ENTER, "sh", str(group)]
    words += ["setpriv", f"--reuid={USER}", "--clear-groups"] if is_user else []
    return subprocess.run([*words, *map(str, command)], capture_output=True, text=True, cwd=REPO)


def test_there_is_no_other_version():
    assert memory_group.mounts(Path("/proc/self/mountinfo").read_text()) == {2: TOP}


@pytest.mark.parametrize("name", PLACES)
def test_where_groups_are_made(places, name):
    done = run_in(places[name], "env", "PYTHONPATH=scripts", sys.executable, "-c", FIND)
    assert (done.stdout, done.stderr) == (f"{places[name][2]}\n", "")


@pytest.mark.parametrize("name", ["root in a session", "a user in a tree of its own"])
@pytest.mark.parametrize("size", ["2M", "64M", "auto"])
def test_the_limit_holds(places, name, size):
    words = ["scripts/spanbench", "replay", TRACE, "-a", "span-fast", "-n", "1", "--no-null"]
    done = run_in(places[name], *words, "--memory-limit", size, "--json")
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    (entry,) = measured["benchmarks"]
    assert measured["context"]["memory_limit_of"] == "memory cgroup"
    if size == "auto":
        assert entry["peak_live"] < entry["least_limit"] < 32 << 20
    else:
        assert entry["survived"] is (size == "64M")
        assert size == "64M" or entry["failed_by"] == "killed by signal 9 (SIGKILL)"
    assert not list(places[name][2].glob(f"{memory_group.PREFIX}*"))
