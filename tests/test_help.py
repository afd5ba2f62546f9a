"""What help costs and holds: it starts nothing and loads nothing that only work needs, and each
verb shows an example of itself."""

import shutil
import subprocess
import sys

import pytest
from places import REPO

from frontend import command_line
from frontend.cli import VERBS

HEAVY = {
    *("numpy", "scipy", "matplotlib", "rich", "elftools", "jinja2", "markupsafe", "frontend.page"),
    *("statistics", "concurrent.futures", "multiprocessing", "asyncio", "socket", "logging"),
}
# What the overview need not load, though what is at work does.
LATER = {"dataclasses", "pathlib", "shutil", "subprocess", "tempfile", "threading", "urllib.parse"}
SCRIPT = """
import sys
STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn")
started = []
sys.addaudithook(lambda event, _: started.append(event) if event in STARTS else None)
sys.path.insert(0, sys.argv[1])
from frontend import cli
try:
    cli.main(sys.argv[2:])
except SystemExit:
    pass
print(*sorted(sys.modules), file=sys.stderr)
sys.exit(f"something was started: {started}" if started else 0)
"""


def modules_loaded_by(*words):
    command = [sys.executable, "-c", SCRIPT, str(REPO / "scripts"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return set(done.stderr.split())


@pytest.mark.parametrize("words", [("--help",), ("--version",)])
def test_overview_loads_no_verb_and_nothing_heavy(words):
    loaded = modules_loaded_by(*words)
    assert "frontend.cli" in loaded
    assert not loaded & (HEAVY | LATER)
    assert not [name for name in loaded if name.startswith("frontend.verbs")]


@pytest.mark.parametrize("verb", VERBS)
def test_help_for_a_verb_loads_nothing_heavy(verb):
    loaded = modules_loaded_by(verb, "-h")
    assert f"frontend.verbs.{VERBS[verb].module}" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("verb", ["record", "reduce", "cut", "import", "compare"])
def test_help_for_a_verb_that_measures_nothing_loads_nothing_that_does(verb):
    loaded = modules_loaded_by(verb, "-h")
    assert not loaded & {"frontend.measuring.campaign", "frontend.figures.prediction", "platform"}


@pytest.mark.parametrize("words", [(), ("replay",)])
def test_help_is_also_a_word(spanbench, words):
    assert spanbench("help", *words) == spanbench(*words, "-h")
    status, out, err = spanbench("help", "replai")
    assert (status, out) == (2, "") and "no such verb; did you mean replay?" in err


@pytest.mark.parametrize("width", ["60", "100", "0", "x", ""])
def test_help_is_as_wide_as_shutil_says(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", width)
    assert command_line.columns() == shutil.get_terminal_size().columns


@pytest.mark.parametrize("verb", VERBS)
def test_help_for_a_verb_has_an_example_of_it(spanbench, verb):
    status, out, _ = spanbench(verb, "-h")
    head, _, examples = out.partition("\nexample")
    assert status == 0 and "usage: " in head
    assert f"  spanbench {verb}" in examples
