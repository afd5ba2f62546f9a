"""Options that verbs share, and the kinds of words that options take."""

from pathlib import Path

from frontend.allocators import registry
from frontend.failure import Failure
from frontend.measuring.running import TIMEOUT_S

# The fewest rounds of which one may go the other way and the test still tells (six must all agree).
REPEATS = 7


def add_measuring(parser):
    """The options of the verbs that measure allocators."""
    parser.add_argument(
        "-a",
        "--allocators",
        action="append",
        default=[],
        metavar="LIST",
        help="names, or NAME=PATH.so, with commas between; one NAME[=...];KEY=VALUE... for an "
        "allocator with settings; repeatable (default: those found of "
        f"{', '.join(registry.DEFAULT)})",
    )
    parser.add_argument(
        "-n",
        "--repeats",
        type=positive,
        default=REPEATS,
        metavar="N",
        help="of each run (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout", type=seconds, default=TIMEOUT_S, metavar="S", help="of one run"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.json", help="keep the results")


def positive(text):
    """A whole number above zero, for argparse."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def seconds(text):
    """A time above zero, for argparse."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(text)
    return number


def rest_of_line(words):
    """The command in what argparse.REMAINDER collected; the first "--" is ours."""
    command = words[1:] if words[:1] == ["--"] else words
    if not command:
        raise Failure("a command is missing")
    return command
