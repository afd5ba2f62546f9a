"""SPAN_OPTIONS=verify: which mistakes are noticed (tests/subjects/mistakes.c has them), and that
programs without any are served as ever: the model, threads, forks and whole programs."""

import os
import re
import signal
import subprocess

import pytest
from places import ALLOCATORS, BUILD

MISTAKES = BUILD / "tests" / "subjects" / "mistakes"
NAMES = subprocess.run([MISTAKES], capture_output=True, text=True, check=True).stdout.split()
SIZES = (8, 256, 40000)
# With each size. Reading what was freed is no mistake of the table: nobody could notice.
NOTICED_AT_LEAST = {"": {8: 22, 256: 27, 40000: 16}, "verify": dict.fromkeys(SIZES, len(NAMES))}
VERIFY = {"SPAN_OPTIONS": "verify"}


def make(mistake, size, options):
    done = subprocess.run(
        [MISTAKES, mistake, str(size)],
        env={"LD_PRELOAD": str(ALLOCATORS["default"]), "SPAN_OPTIONS": options},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mistake", NAMES)
def test_a_mistake_is_told_in_one_line(mistake, size):
    status, err = make(mistake, size, "verify")
    if mistake == "write_to_nothing":
        assert (status, err) == (-signal.SIGSEGV, "")
    else:
        assert status == -signal.SIGABRT and re.fullmatch(r"span: .+\n", err), err


@pytest.mark.parametrize("options", NOTICED_AT_LEAST)
@pytest.mark.parametrize("size", SIZES)
def test_no_fewer_are_noticed_than_were(options, size):
    noticed = [name for name in NAMES if make(name, size, options)[0] != 0]
    print(f"{len(noticed)} of {len(NAMES)}")
    assert len(noticed) >= NOTICED_AT_LEAST[options][size], set(NAMES) - set(noticed)


@pytest.mark.parametrize("name", ["model", "threads", "forks"])
def test_right_programs_are_served(name):
    """Those of the tests in C: the model among them, against random operations."""
    program = BUILD / "tests" / f"test_{name}"
    limits = {"MODEL_OPS": "1"}
    done = subprocess.run(
        [program], env={**os.environ, **VERIFY, **limits}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["/usr/bin/python3", "-c", "import json, decimal; print(json.dumps([1] * 100000)[:9])"],
        ["perl", "-e", "my %h; $h{$_} = $_ x 3 for 1 .. 50000; print scalar keys %h"],
        ["sh", "-c", "for i in 1 2 3 4 5; do /bin/echo $i | cat; done"],
        ["sort", "-n", __file__],
    ],
    ids=lambda command: command[0],
)
def test_whole_programs_do_the_same(command):
    library = {"LD_PRELOAD": str(ALLOCATORS["default"])}
    outcomes = [
        subprocess.run(command, env={**os.environ, **more}, capture_output=True, timeout=120)
        for more in ({}, {**library, **VERIFY})
    ]
    assert outcomes[0].returncode == 0 and outcomes[1].stderr == b""
    assert outcomes[0].stdout == outcomes[1].stdout


def test_libspan_fast_has_no_such_option():
    done = subprocess.run(
        ["/bin/true"],
        env={"LD_PRELOAD": str(ALLOCATORS["fast"]), **VERIFY},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and 'no option "verify"' in done.stderr


def test_nothing_of_it_is_compiled_into_libspan_fast():
    symbols = subprocess.run(
        ["nm", ALLOCATORS["fast"]], capture_output=True, text=True, check=True
    ).stdout
    assert "heap_free" in symbols
    assert not re.search(r" (verified|quarantine|empty|verify_(?!set))\w+", symbols)
