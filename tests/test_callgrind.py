"""Callgrind's files: what is read out of made-up ones, and that two real runs count the same."""

import shutil

import pytest
from places import ALLOCATORS

from frontend.allocators import registry
from frontend.allocators.preload import Links
from frontend.allocators.registry import Allocator
from frontend.failure import WORK_FAILED, Failure
from frontend.gate import gate_subjects
from frontend.measuring import callgrind, deterministic

PROGRAM = "/a/build/replay-glibc"
HEAD = "# callgrind format\nversion: 1\npositions: line\nevents: Ir sysCount sysTime\n"
# Of the allocator are 5 + 6 + 7 + 8 + 40 instructions and two system calls; of the C library 30 and
# four. The rest is the program's, the loader's and that of stubs, or stands for callees.
SOME = f"""{HEAD}summary: 9999 9 9

ob=(1) {PROGRAM}
fl=(1) ???
fn=(1) replayer_run
0 1000 1 5
cob=(2) /tmp/head0.so
cfn=(2) malloc
calls=7 0
0 50000 100 100
+3 200

ob=(2)
fn=(2)
0 5
+3 6 2 10
-1 7
* 8
cob=(3) /lib/x86_64-linux-gnu/libc.so.6
cfn=(4) memcpy
calls=1 +2
* 70000 100 100
12 40

ob=(3)
fn=(4)
0 30 4

ob=(4) /lib64/ld-linux-x86-64.so.2
fn=(5) _dl_runtime_resolve
0 500

ob=(5) ???
fn=(6) 0x0000000000001030
0 600
totals: 9999 9 9
"""


@pytest.fixture
def read(tmp_path):
    """A function that reads a file with this text."""

    def apply(text):
        path = tmp_path / "callgrind.out"
        path.write_text(text)
        return callgrind.read(path, PROGRAM)

    return apply


def test_costs_are_counted_by_object_and_callees_once(read):
    assert read(SOME) == {"instructions": 5 + 6 + 7 + 8 + 40 + 30, "system_calls": 1 + 2 + 4}


def test_every_object_has_its_costs():
    costs, calls = callgrind.by_object(SOME.splitlines(keepends=True))
    assert costs == {
        PROGRAM: 1200,
        "/tmp/head0.so": 66,
        "/lib/x86_64-linux-gnu/libc.so.6": 30,
        "/lib64/ld-linux-x86-64.so.2": 500,
        "???": 600,
    }
    assert calls == 7


def test_named_code_without_an_object_is_of_the_allocator(read):
    """So is tcmalloc's malloc, which is in a section of its own."""
    stub = "fn=(1) 0x000000000010b4c0\n0 9\n"
    text = f"{HEAD}ob=(1) {PROGRAM}\nfn=(9) run\n0 1\nob=(2) ???\n{stub}fn=(2) malloc\n0 4 3\n"
    again = "cob=(2)\ncfn=(2)\ncalls=1 0\n0 70\nfn=(1)\n0 9\nfn=(3) free\n0 2\nfn=(2)\n0 1\n"
    assert read(text + again) == {"instructions": 4 + 2 + 1, "system_calls": 3}


def test_a_line_without_costs_costs_nothing(read):
    assert read(f"{HEAD}ob=(1) x.so\n0\n+1 4\n*\n") == {"instructions": 4, "system_calls": 0}


def test_a_name_may_be_told_where_it_is_called(read):
    text = f"{HEAD}ob=(1) {PROGRAM}\n0 1\ncob=(2) x.so\ncalls=1 0\n0 9\nob=(2)\n0 4\n"
    assert read(text)["instructions"] == 4


@pytest.mark.parametrize("events", ["Ir", "Ir Dr", "sysCount Ir", "Ir sysTime sysCount"])
def test_other_events_are_refused(read, events):
    with pytest.raises(Failure, match=f"callgrind counts events: {events}, not") as caught:
        read(SOME.replace("Ir sysCount sysTime", events))
    assert caught.value.status == WORK_FAILED


@pytest.mark.parametrize("text", ["", HEAD, f"{HEAD}ob=(1) {PROGRAM}\n0 100\n"])
def test_nothing_counted_in_the_allocator_is_a_failure(read, text, tmp_path):
    with pytest.raises(Failure, match="callgrind.out: callgrind counted nothing in the allocator"):
        read(text)


def test_a_missing_file_is_a_failure(tmp_path):
    with pytest.raises(Failure, match="nowhere: No such file") as caught:
        callgrind.read(tmp_path / "nowhere", PROGRAM)
    assert caught.value.status == WORK_FAILED


@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind: not installed")
@pytest.mark.skipif(not registry.find("tcmalloc"), reason="tcmalloc: not installed")
def test_the_fast_paths_of_tcmalloc_are_counted(short_trace):
    """A call takes 93 instructions here; without malloc, free and realloc themselves it took 60."""
    subject = gate_subjects.resolve([str(short_trace)])[0]
    with Links() as links:
        figures = deterministic.count(subject, registry.find("tcmalloc"), links)
    assert figures["instructions"] > 75 * figures["ops"]


@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind: not installed")
@pytest.mark.parametrize("name", ALLOCATORS)
def test_two_runs_count_the_same(name, short_trace):
    subject = gate_subjects.resolve([str(short_trace)])[0]
    keys = deterministic.COUNTED
    with Links() as links:
        allocator = Allocator(name, "", ALLOCATORS[name].resolve())
        first, second = (deterministic.measure(subject, allocator, links, keys) for _ in range(2))
    assert first == second and set(first) == {*keys, *subject.work}
    assert first["instructions"] > 10_000 and first["system_calls"] > 0
