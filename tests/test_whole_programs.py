"""The verb whole-programs, on the real launcher and a made-up table of programs."""

import json

import pytest
from places import BUILD

from frontend.figures import results
from frontend.verbs import whole_programs

PREPARE = """
import json, pathlib, sys
if "nope" in sys.argv:
    sys.exit(print("prepare: nope: no such program", file=sys.stderr) or 2)
if "--into" not in sys.argv:
    sys.exit(print("words  counts words"))
folder = pathlib.Path(sys.argv[sys.argv.index("--into") + 1], "words")
folder.mkdir()
(folder / "text").write_text("a line\\n")
environment = {"GREETING": "hello"}
command = ["sh", "-c", "cat text; echo $GREETING; echo $ODD"]
print(json.dumps({"name": "words", "command": command, "folder": str(folder),
                  "environment": environment}))
print(json.dumps({"name": "absent", "missing": ["no-such-package"]}))
"""


@pytest.fixture
def whole(spanbench, tmp_path, monkeypatch):
    """A function that runs the verb and returns (status, Results or None, stdout, stderr)."""
    monkeypatch.setenv("SPANBENCH_BUILD", str(BUILD))
    prepare = tmp_path / "prepare"
    prepare.write_text(PREPARE)
    monkeypatch.setattr(whole_programs, "PREPARE", prepare)
    path = tmp_path / "out.json"

    def run(*words):
        status, out, err = spanbench("whole-programs", "-o", path, *words)
        return status, results.read(path) if path.exists() else None, out, err

    return run


def test_programs_run_where_their_input_is(whole):
    status, measured, out, err = whole("-a", "glibc,span", "-n", "2")
    assert status == 0, err
    assert [row.name for row in measured.rows] == ["exec/words/glibc", "exec/words/span"]
    assert all(len(row.samples) == 2 for row in measured.rows)
    assert measured.context["programs"].keys() == {"words"}
    assert "skipped absent: apt-get install no-such-package" in err
    assert "time / glibc" in out


def test_another_output_is_a_failed_row(whole):
    status, measured, _, err = whole("-a", "glibc", "-a", "odd=glibc;ODD=7", "-n", "1")
    assert status == 1 and "exec/words/odd: checksum" in err
    assert measured.row("exec", "words", "odd").samples == []


def test_programs_are_listed(whole):
    assert whole("--list")[::2] == (0, "words  counts words\n")


def test_an_unknown_program_is_refused(whole):
    status, measured, out, err = whole("nope")
    assert (status, measured, out) == (2, None, "")
    assert err.endswith("spanbench: nope: no such program (words)\n")


def test_the_real_table_makes_its_input(tmp_path):
    facts = map(json.loads, whole_programs.asked(["--into", str(tmp_path), "z3"]))
    assert [fact["name"] for fact in facts] == ["z3"]
    assert len(whole_programs.asked([])) == 12
