"""The manual page and bash's completion, which are made of the parsers."""

import argparse
import shutil
import subprocess

import pytest
from places import REPO

from frontend import cli
from frontend.measuring import traces
from frontend.cli import all_parsers


def written(script):
    """What a script of ours prints."""
    return subprocess.run(
        [REPO / "scripts" / script], capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture(scope="module")
def manual(tmp_path_factory):
    """The manual page."""
    path = tmp_path_factory.mktemp("manual") / "spanbench.1"
    path.write_text(written("write_manual"))
    return path


@pytest.fixture(scope="module")
def completion(tmp_path_factory):
    """The file that bash reads."""
    path = tmp_path_factory.mktemp("completion") / "spanbench.bash"
    path.write_text(written("write_completion"))
    return path


def needs(program):
    """Skips where a program is not installed."""
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")


def test_groff_has_nothing_to_say_of_the_manual(manual):
    needs("groff")
    command = ["groff", "-man", "-Tutf8", "-ww", "-z", manual]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_man_shows_every_verb_and_option_with_its_help(manual):
    needs("man")
    command = ["man", "--warnings", "-l", manual]
    wide = {
        "MANWIDTH": "1000",
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "MAN_KEEP_FORMATTING": "",
    }
    done = subprocess.run(command, capture_output=True, text=True, env=wide)
    assert (done.returncode, done.stderr) == (0, "")
    shown = " ".join(done.stdout.split())
    for name, parser in all_parsers().items():
        assert cli.VERBS[name].summary in shown
        for line in parser.epilog.splitlines():
            assert " ".join(line.split()) in shown
        for action in parser._actions:
            help_text = parser._get_formatter()._expand_help(action)
            assert action.help is argparse.SUPPRESS or " ".join(help_text.split()) in shown
            assert ", ".join(action.option_strings) in shown


def test_the_manual_says_the_same_wherever_it_is_made(manual, tmp_path):
    again = subprocess.run(
        [REPO / "scripts" / "write_manual"], cwd=tmp_path, capture_output=True, text=True
    ).stdout
    assert again == manual.read_text()


# Completion


@pytest.fixture
def complete(completion, tmp_path):
    """A function that tells what bash completes a line to, in a folder of a few files."""
    for name in ("my.trace", "other.trace", "my.json", "notes", "libx.so"):
        (tmp_path / name).write_text("")
    (tmp_path / "folder").mkdir()

    def ask(line, path="$PATH"):
        words = line.split(" ")
        script = f"""
set -u
PATH={path}
source {completion}
COMP_WORDS=({" ".join(f"'{word}'" for word in words)})
COMP_CWORD={len(words) - 1}
compopt() {{ :; }}
[[ $(complete -p spanbench) == *"-F _spanbench spanbench" ]] || exit 9
_spanbench spanbench "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
printf '%s\\n' "${{COMPREPLY[@]-}}"
"""
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()

    return ask


def test_verbs_and_every_option_of_each_are_completed(complete):
    assert complete("spanbench ") == [*cli.VERBS, "-h", "--help", "--version"]
    assert complete("spanbench wh") == ["whole-programs"]
    for name, parser in all_parsers().items():
        expected = [option for action in parser.options() for option in action.option_strings]
        assert complete(f"spanbench {name} -") == expected


@pytest.mark.parametrize(
    "line, expected",
    [
        ("spanbench replay -a glibc,jem", "glibc,jemalloc glibc,jemalloc-junk"),
        ("spanbench replay -a tc", "tcmalloc"),
        ("spanbench replay ", "folder my.trace other.trace"),
        ("spanbench replay my.trace -o ", "folder my.json"),
        ("spanbench replay --touch ", "none first page all recorded"),
        ("spanbench compare ", "folder my.json"),
        ("spanbench gate --base ", "folder libx.so my.json"),
        ("spanbench gate --head ", "folder libx.so"),
        ("spanbench gate --workloads gaw", "gawk"),
        ("spanbench gate --metrics instructions,ti", "instructions,time"),
        ("spanbench gate --workloads my", "my.trace"),
        ("spanbench gate -o ", "folder"),
        ("spanbench bisect HEAD~9 HEAD xml", "xmllint"),
        ("spanbench record -o x.trace -- sha512su", "sha512sum"),
        ("spanbench record -o x.trace -- cat no", "notes"),
        ("spanbench info no", "notes"),  # where there is no trace, any file
    ],
)
def test_words_are_completed(complete, line, expected):
    assert sorted(set(complete(line))) == sorted(expected.split())


def test_every_option_that_takes_a_name_is_completed_to_those_there_are(complete):
    assert set(traces.STANDARD) <= set(complete("spanbench gate --workloads "))
    for name, parser in all_parsers().items():
        for action in parser.options():
            if action.choices:
                line = f"spanbench {name} {action.option_strings[-1]} "
                assert complete(line) == list(action.choices)


def test_the_completion_is_a_script_without_faults(completion):
    needs("shellcheck")
    done = subprocess.run(["shellcheck", "-s", "bash", completion], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_nothing_is_started_to_complete(complete):
    for line in ("spanbench ", "spanbench replay ", "spanbench replay -a ", "spanbench gate --me"):
        assert complete(line, "/nowhere") == complete(line)


@pytest.mark.parametrize("name", ["write_manual", "write_completion"])
def test_a_full_disk_is_told(name):
    with open("/dev/full", "w", encoding="ascii") as full:
        command = [REPO / "scripts" / name]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        f"{name}: standard output: No space left on device\n",
    )
