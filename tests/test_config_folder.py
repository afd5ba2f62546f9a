"""Reports where matplotlib cannot have its folder: nothing is said about it, and nothing stays."""

import os
import subprocess
import sys
from pathlib import Path

import made_up_results
import pytest

from frontend.charts import config_folder

SPANBENCH = Path(__file__).parents[1] / "scripts" / "spanbench"
NOWHERE = "/dev/null/home"  # nobody can make it, root neither


def report(folder, **environment):
    """Makes a page in an environment of these variables alone: (process, what is left over)."""
    source = made_up_results.write(folder / "made", traces=("git",), allocators=("span", "glibc"))
    left = folder / "left"
    left.mkdir()
    command = [sys.executable, SPANBENCH, "report", source, "-o", folder / "page"]
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(left), **environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done, list(left.iterdir())


@pytest.mark.parametrize("variables", [("HOME",), ("HOME", "MPLCONFIGDIR")])
def test_a_folder_that_cannot_be_written_to_is_no_ones_news(tmp_path, variables):
    done, left = report(tmp_path, **{"HOME": str(tmp_path), **dict.fromkeys(variables, NOWHERE)})
    assert (done.returncode, done.stderr, left) == (0, "", [])
    assert done.stdout == f"{tmp_path / 'page' / 'report.html'}\n"


def test_a_folder_that_can_be_written_to_is_used(tmp_path):
    done, left = report(tmp_path, MPLCONFIGDIR=str(tmp_path / "mine"))
    assert (done.returncode, done.stderr, left) == (0, "", [])
    assert any((tmp_path / "mine").iterdir())


def test_a_user_without_a_home_has_no_default_folder(monkeypatch):
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(Path, "home", staticmethod(raise_runtime_error))
    assert config_folder.default_folder("XDG_CONFIG_HOME", ".config") is None
    assert not config_folder.is_usable(None)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/some/where")
    assert config_folder.default_folder("XDG_CONFIG_HOME", "") == Path("/some/where/matplotlib")


def raise_runtime_error():
    """What Path.home does of a user who is not in the list of users."""
    raise RuntimeError("Could not determine home directory.")


def test_the_environment_stays_as_it_was(tmp_path):
    script = (
        "import os, sys; before = dict(os.environ); sys.path.insert(0, sys.argv[1])\n"
        "import frontend.charts.canvas\n"
        "import matplotlib; assert os.access(matplotlib.get_cachedir(), os.W_OK)\n"
        "assert dict(os.environ) == before"
    )
    command = [sys.executable, "-c", script, SPANBENCH.parent]
    environment = {"PATH": os.environ["PATH"], "HOME": NOWHERE, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, list(tmp_path.iterdir())) == (0, "", [])
