"""Every program in tests/misuse breaks the heap in its own way and must die of it with the message
that stands in its first comment (0xADDRESS stands for the pointer)."""

import re
import signal
import subprocess

import pytest

from places import BUILD, REPO

SOURCES = sorted((REPO / "tests" / "misuse").glob("*.c"))


def expected_message(source):
    """The text of the first comment of a misuse program, as a regular expression."""
    first_line = source.read_text().splitlines()[0]
    text = re.fullmatch(r"/\* (.*) \*/", first_line).group(1)
    return re.escape(text).replace("0xADDRESS", "0x[0-9a-f]+") + "\n"


def test_there_are_misuses():
    assert len(SOURCES) >= 10


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_misuse_is_told_and_ends_the_program(source):
    program = BUILD / "tests" / "misuse" / source.stem
    run = subprocess.run(
        [program],
        env={"LD_PRELOAD": str(BUILD / "libspan.so")},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert re.fullmatch(expected_message(source), run.stderr)
    assert run.returncode == -signal.SIGABRT
