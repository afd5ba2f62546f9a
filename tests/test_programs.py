"""Real programs do the same with either build of span preloaded as without it: the quick ones of
the battery, and the battery itself on programs that deceive it."""

import subprocess
import tempfile
from random import Random

import battery
import pytest
import workshop
from places import BUILD
from programs import PROGRAMS, Whole

from frontend.allocators import registry
from frontend.allocators.preload import Links

SHORT = [program for program in PROGRAMS if program.is_short]
LIAR = """
#include <stdlib.h>
#ifdef OWN
static char heap[9999];
void *malloc(size_t n) { return heap; }
void free(void *p) { }
#endif
int main(void) { free(malloc(1)); return 0; }
"""


@pytest.fixture
def faults(tmp_path, monkeypatch):
    """A function that checks a program and returns {run: fault or None}."""
    monkeypatch.setenv("SPANBENCH_BUILD", str(BUILD))

    def check(program, *lists):
        found = {}
        with Links() as links, battery.stage_of(program, tmp_path, links) as stage:
            allocators = registry.resolve(lists or [battery.BUILDS])
            battery.check(stage, allocators, lambda run, _, fault: found.update({run: fault}))
        return found

    return check


def shell(text, name="made-up", **facts):
    """A program of one line of shell."""
    return Whole(name, "dash", "a made-up program", ("sh", "-c", text), **facts)


@pytest.mark.parametrize("program", SHORT, ids=[program.name for program in SHORT])
def test_program_does_the_same(program, faults):
    missing = workshop.missing_packages([program])
    if missing:
        pytest.skip(f"apt-get install {' '.join(missing)}")
    assert faults(program) == {"span": None, "span-fast": None}


def test_the_battery_is_large_and_says_what_it_needs():
    assert len(PROGRAMS) >= 25 and len({program.name for program in PROGRAMS}) == len(PROGRAMS)
    assert sum(program.is_timed for program in PROGRAMS) == 12
    assert all(program.packages() for program in PROGRAMS)


@pytest.mark.parametrize("program", SHORT, ids=[program.name for program in SHORT])
def test_input_is_the_same_each_time(program, tmp_path):
    made = []
    for turn in ("first", "second"):
        folder = tmp_path / turn
        folder.mkdir()
        if program.generate:
            program.generate(folder, Random(program.name))
        made.append({path.name: battery.content(path) for path in sorted(folder.rglob("*"))})
    assert made[0] == made[1]


@pytest.mark.parametrize(
    "text, fault",
    [
        ("echo $WORD", "differs: stdout"),
        ("echo $WORD >&2", "differs: stderr"),
        ("mkdir d; echo $WORD >d/out", "differs: files/d/out"),
        ("touch a$WORD b$WORD", "differs: files/a, files/a7, files/b and 1 more"),
        ("exit ${WORD:-0}", "exit status 7, without it exit status 0"),
        ('test -z "$WORD" || kill -SEGV $$', "killed by signal 11 (SIGSEGV), without"),
        ("echo $$", "does something else each time, without us too: differs: stdout"),
    ],
)
def test_a_difference_is_a_fault(faults, text, fault):
    assert faults(shell(text), "odd=span;WORD=7")["odd"].startswith(fault)


def test_what_the_table_excuses_is_none(faults):
    excused = shell("mkdir d; echo $WORD >d/out", volatile=("d/*",))
    assert faults(excused, "odd=span;WORD=7") == {"odd": None}


def test_a_program_that_does_not_work_is_a_fault(faults):
    assert faults(shell("exit 3")) == {battery.PLAIN: "exit status 3"}
    assert faults(shell("exit 3", "as told", status=3), "span") == {"span": None}


@pytest.mark.parametrize(
    "flags, fault",
    [
        (["-DOWN", "-fno-builtin"], "liar: has a malloc of its own"),
        (["-static"], "liar did not call it"),
    ],
)
def test_who_does_not_call_the_allocator_is_found_out(faults, tmp_path, flags, fault):
    source, liar = tmp_path / "liar.c", tmp_path / "liar"
    source.write_text(LIAR)
    subprocess.run(["gcc", "-w", *flags, str(source), "-o", str(liar)], check=True)
    assert faults(shell(str(liar), uses=("liar",)), "span") == {"span": fault}


def test_the_command_tells_what_is_missing_and_what_failed(faults, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    absent = Whole("absent", "no-such-package", "not installed", ("true",))
    allocators = registry.resolve(["odd=span;WORD=7"])
    assert battery.run_all([absent, shell("true")], allocators) == 0
    out = capsys.readouterr().out
    assert "skipped: no-such-package (apt-get install no-such-package)" in out
    assert out.endswith("1 ok, 0 failed, 1 programs skipped\n")
    assert list(tmp_path.iterdir()) == []
    assert battery.run_all([shell("echo $WORD")], allocators) == 1
    assert "FAILED" in capsys.readouterr().out
    kept = {path.parent.name: path.read_text() for path in tmp_path.glob("*/made-up/*/stdout")}
    assert kept == {"plain": "\n", "odd": "7\n"}
