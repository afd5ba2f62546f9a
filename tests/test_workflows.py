"""The workflows of GitHub, as far as they can be run without it: their shell lines are sound, call
what there is, and end as they should."""

import os
import re
import shlex
import subprocess

import pytest
from places import REPO

from frontend import cli

yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")
FOLDER = REPO / ".github" / "workflows"
MATRIX = re.compile(r"\$\{\{ matrix\.(\w+) \}\}")
OF_MAKE = re.compile(r"^\t?(?:part )?make (.*)$", re.MULTILINE)
OURS = re.compile(r"(?:^|\s)((?:scripts|\.ci)/\w+)((?: [^|&;>\n]*)?)", re.MULTILINE)


def scripts():
    """[(job, shell lines)] of all steps, with what the matrix puts in, and of what they call."""
    found = [("run", (REPO / ".ci" / "run").read_text())]
    for path in sorted(FOLDER.glob("*.yml")):
        for name, job in yaml.safe_load(path.read_text())["jobs"].items():
            rows = job.get("strategy", {}).get("matrix", {}).get("include", [{}])
            for step in job["steps"]:
                texts = [MATRIX.sub(lambda m, r=row: r[m[1]], step.get("run", "")) for row in rows]
                found += [(f"{path.stem}-{name}", text) for text in dict.fromkeys(texts) if text]
    return found


SCRIPTS = scripts()


def step_with(part):
    """The one step that has this in it."""
    (found,) = [text for job, text in SCRIPTS if part in text and job != "run"]
    return found


def run_step(text, folder, **variables):
    """Runs the lines of a step as GitHub does where no shell is named."""
    environment = {**os.environ, **variables}
    command = ["bash", "-e", "-c", text]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("text", [text for _, text in SCRIPTS])
def test_each_step_is_bash_and_takes_nothing_from_outside(text):
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "${{" not in text


@pytest.fixture(scope="module")
def targets():
    """What make can make, patterns left out."""
    done = subprocess.run(["make", "-pqr", "help"], cwd=REPO, capture_output=True, text=True)
    return set(re.findall(r"^([\w./-]+):(?!=)", done.stdout, re.MULTILINE))


def test_there_is_what_they_make(targets):
    words = [
        word
        for _, text in SCRIPTS
        for line in OF_MAKE.findall(text)
        for word in shlex.split(line)
        if not word.startswith("-") and "=" not in word
    ]
    assert {"test", "lint", "deb", "reference"} <= set(words) <= targets


def test_there_is_what_they_call():
    called = {(match[1], match[2].strip()) for _, text in SCRIPTS for match in OURS.finditer(text)}
    assert {path for path, _ in called} == {"scripts/deps", "scripts/spanbench", ".ci/run"}
    for path, words in called:
        assert os.access(REPO / path, os.X_OK)
        if path == "scripts/deps":
            table = re.search(r"<<'END'\n(.*?)\nEND\n", (REPO / path).read_text(), re.DOTALL)[1]
            purposes = [line.split()[0] for line in table.splitlines()]
            assert set(words.split()) <= set(",".join(purposes).split(","))
        elif path == "scripts/spanbench":
            verb, *rest = shlex.split(words.partition("||")[0])
            cli.load(verb)[1].parse(rest)  # or it exits


def test_the_tests_that_run_under_tsan_are_there(targets):
    (line,) = re.findall(r"^locking=.*$", (REPO / ".ci" / "run").read_text(), re.MULTILINE)
    done = run_step(line + "; echo $locking", REPO)
    names = [name.removeprefix("build/tsan/tests/") for name in done.stdout.split()]
    assert len(names) == 9
    for name in names:
        assert (REPO / "tests" / f"{os.path.basename(name)}.c").exists(), name


@pytest.mark.parametrize(
    "status, has_page, ends_with", [(0, 1, 0), (1, 1, 1), (2, 0, 2), (77, 1, 0), (77, 0, 0)]
)
def test_the_gate_stops_a_change_or_warns(tmp_path, status, has_page, ends_with):
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", tmp_path]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "base"]):
        subprocess.run([*git, *words], check=True)
    subprocess.run([*git, "update-ref", "refs/remotes/origin/main", "HEAD"], check=True)
    command = tmp_path / "scripts" / "spanbench"
    command.parent.mkdir()
    page = "mkdir gate; echo a page >gate/gate.md" if has_page else ":"
    command.write_text(f'#!/bin/sh\necho "$*"\n{page}\nexit {status}\n')
    command.chmod(0o755)
    facts = {"GITHUB_BASE_REF": "main", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    done = run_step(step_with("merge-base"), tmp_path, **facts)
    assert done.returncode == ends_with, done.stderr
    assert re.match(r"gate --base [0-9a-f]{40,} -o gate\n", done.stdout)
    assert ("::warning::" in done.stdout) == (status == 77)
    assert (tmp_path / "summary").exists() == bool(has_page)


@pytest.mark.parametrize("status, ends_with", [(0, 0), (1, 1), (77, 0)])
def test_the_baseline_of_another_machine_stops_nothing(tmp_path, status, ends_with):
    command = tmp_path / "scripts" / "spanbench"
    command.parent.mkdir()
    command.write_text(f"#!/bin/sh\nexit {status}\n")
    command.chmod(0o755)
    text = (REPO / ".ci" / "run").read_text()
    assert run_step(text[text.index("scripts/spanbench") :], tmp_path).returncode == ends_with


def test_the_page_is_the_one_that_is_published(tmp_path):
    folder = tmp_path / "results" / "reference"
    (folder / "fidelity").mkdir(parents=True)
    for name in ("report.html", "results.json", "fidelity/lua.trace", "fidelity/results.json"):
        (folder / name).write_text(name)
    for name in ("README.md", "docs"):
        (tmp_path / name).write_text("of before\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "README.md", "docs"], cwd=tmp_path, check=True)
    (tmp_path / "README.md").write_text("of now\n")
    for part in ("rm -f results", "git diff", "mkdir site"):
        done = run_step(step_with(part), tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "site" / "index.html").read_text() == "report.html"
    assert "+of now" in (folder / "tables.diff").read_text()
    assert [path.name for path in (folder / "fidelity").iterdir()] == ["results.json"]
