"""Every program in tests/misuse breaks the heap in its own way. Its first comment names the mistake
and says for each build what comes of it:

    certain, and a message (0xADDRESS stands for the pointer): every run ends with it and abort;
    likely, and a message: at least half of the runs do, each of which is told its number;
    crash: every run ends with a bad access to memory and no message;
    not detected: every run goes on to its end.

The build "verify" is the default one with SPAN_OPTIONS=verify; where nothing is said of it, what
comes of a mistake is the same as without.
"""

import re
import resource
import signal
import subprocess
from collections import namedtuple

import pytest

from places import ALLOCATORS, BUILD, REPO

SOURCES = sorted((REPO / "tests" / "misuse").glob("*.c"))
BUILDS = ("default", "fast", "verify")
RUNS = 2
LIKELY_RUNS = 16
BAD_ACCESSES = (-signal.SIGSEGV, -signal.SIGBUS)

Outcome = namedtuple("Outcome", "verdict message")
OUTCOME = re.compile(
    r" \* (default|fast|both builds|verify): "
    r"(?:(certain|likely)\n \* (span: .+)|(crash|not detected))\n"
)


def outcomes_of(source):
    """A dictionary of the outcome in each build, from the first comment of a misuse program."""
    opening = source.read_text().split(" */", 1)[0]
    outcomes = {}
    for build, verdict, message, other in OUTCOME.findall(opening):
        for name in ("default", "fast") if build == "both builds" else (build,):
            outcomes[name] = Outcome(verdict or other, message)
    return {"verify": outcomes.get("default"), **outcomes}


def run(program, number, build):
    library = ALLOCATORS["default" if build == "verify" else build]
    options = {"SPAN_OPTIONS": "verify"} if build == "verify" else {}
    return subprocess.run(
        [program, str(number)],
        env={"LD_PRELOAD": str(library), **options},
        capture_output=True,
        text=True,
        timeout=20,
    )


def is_detected(ended, message):
    """Whether a run ended with the message and nothing else."""
    pattern = re.escape(message).replace("0xADDRESS", "0x[0-9a-f]+") + "\n"
    return ended.returncode == -signal.SIGABRT and bool(re.fullmatch(pattern, ended.stderr))


@pytest.fixture(autouse=True, scope="module")
def no_core_files():
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, limits)


def test_every_misuse_says_what_comes_of_it():
    assert len(SOURCES) >= 50
    for source in SOURCES:
        assert set(outcomes_of(source)) == set(BUILDS), source


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_misuse_ends_as_its_first_comment_says(source, build):
    verdict, message = outcomes_of(source)[build]
    program = BUILD / "tests" / "misuse" / source.stem
    runs = LIKELY_RUNS if verdict == "likely" else RUNS
    ends = [run(program, number, build) for number in range(runs)]
    outcomes = [(end.returncode, end.stderr) for end in ends]
    if verdict == "certain":
        assert all(is_detected(end, message) for end in ends), outcomes
    elif verdict == "likely":
        assert sum(is_detected(end, message) for end in ends) * 2 >= runs, outcomes
    else:
        statuses = BAD_ACCESSES if verdict == "crash" else (0,)
        assert all(end.returncode in statuses and not end.stderr for end in ends), outcomes
