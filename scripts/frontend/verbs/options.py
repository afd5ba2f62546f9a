"""Options that verbs share, and the kinds of words that options take. A kind says in plain words
what it wants: argparse would name the function instead."""

import re
from argparse import ArgumentTypeError
from pathlib import Path

from frontend.allocators import registry
from frontend.failure import Failure
from frontend.figures.results import STDOUT, unique
from frontend.guess import meant
from frontend.measuring.choices import AUTO, THREAD_ORDERS, TIMEOUT_S

# The fewest rounds of which one may go the other way and the test still tells (six must all agree).
REPEATS = 7
WHOLE = re.compile(r"[0-9]{1,18}")  # fits the 64 bits of the programs that it is passed on to
NUMBER = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,2})?", re.IGNORECASE)
SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?", re.IGNORECASE)
UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
LEAST_BYTES, MOST_BYTES = 64 << 10, 1 << 64  # a few windows of the recorder, arbitrary; 64 bits
MOST_LIMIT = 1 << 50  # of the replayer; more than any machine has
NAN = float("nan")
FOUND = f"those found of {', '.join(registry.DEFAULT)}"


def add_measuring(parser):
    """The options of the verbs that measure allocators."""
    add_allocators(parser, FOUND)
    add_repeats(
        parser, REPEATS, "measured rounds, after a warm-up; each round makes every run once"
    )
    add_timeout(parser)
    add_output(parser)


def add_allocators(parser, default, what="allocators to measure"):
    """Which allocators are measured; `default` says in words which without it."""
    parser.add_argument(
        "-a",
        "--allocators",
        action="append",
        default=[],
        metavar="LIST",
        help=f"{what}: names that `spanbench allocators` lists, or NAME=PATH.so, "
        "separated by commas; give one with settings, NAME[=PATH.so];KEY=VALUE;..., an -a of its "
        f"own; repeatable (default: {default})",
    )


def add_timeout(
    parser, default=TIMEOUT_S, what="a run that takes longer is killed and is a failed row"
):
    """How long a run may take, and what becomes of it then."""
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=default,
        metavar="SECONDS",
        help=f"{what} (default: %(default)g)",
    )


def add_folder(parser, what, default, shown_default):
    """Where everything goes, for verbs that make several files."""
    parser.add_argument(
        *("-o", "--output"),
        type=Path,
        default=default,
        metavar="DIR",
        help=f"the folder for {what} (default: {shown_default})",
    )


def add_thread_order(parser):
    """Whose threads make the calls: of one name in all verbs."""
    add_choice(
        parser,
        "--threads",
        THREAD_ORDERS,
        "original: each recorded thread gets a thread; serial: one thread makes all calls in "
        "recorded order",
    )


def add_repeats(parser, default, what):
    """How often something is done: of one name in all verbs."""
    parser.add_argument(
        *("-n", "--runs", "--repeats"),
        type=positive,
        default=default,
        dest="repeats",
        metavar="N",
        help=what if default is None else f"{what} (default: %(default)s)",
    )


def add_output(parser):
    """Where the results go besides the table, or instead of it."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="OUT.json",
        help="write the results to a file, as Google Benchmark's JSON; - prints them instead",
    )
    where.add_argument(
        "--json",
        dest="output",
        action="store_const",
        const=STDOUT,
        help="print the results as JSON instead of the table: the same as -o -",
    )


def add_trace_output(parser, what="the trace to write", metavar="OUT", kind=str):
    """What must be written, for verbs that make a trace or make something of one."""
    parser.add_argument("-o", "--output", required=True, type=kind, metavar=metavar, help=what)


def add_command(parser, what="the program and its arguments"):
    """The rest of the line, another program's."""
    parser.add_argument("command", nargs="...", metavar="CMD", help=what)


def add_json(parser):
    """For verbs whose -o is something else, or that have none."""
    add_flag(parser, "--json", "print JSON, for programs")


def add_flag(parser, name, what):
    """An option without a value."""
    parser.add_argument(name, action="store_true", help=what)


def add_whole(parser, name, what, default=None, metavar="N"):
    """An option that takes a whole number above zero."""
    what += "" if default is None else " (default: %(default)s)"
    parser.add_argument(name, type=positive, default=default, metavar=metavar, help=what)


def add_choice(parser, name, choices, what, default=None):
    """An option that takes one of a few words, the first one by default."""
    default = default or choices[0]
    what += " (default: %(default)s)"
    parser.add_argument(name, choices=choices, default=default, help=what)


def positive(text):
    """A whole number above zero, for argparse."""
    if not WHOLE.fullmatch(text) or int(text) < 1:
        raise ArgumentTypeError(f"{text}: not a whole number above zero")
    return int(text)


def seconds(text):
    """A time above zero, for argparse."""
    number = decimal(text)
    if not 0 < number < float("inf"):
        raise ArgumentTypeError(f"{text}: not a number of seconds above zero")
    return number


def size(text):
    """A number of bytes, for argparse: 500M, 2G, 1048576."""
    match = SIZE.fullmatch(text)
    if not match:
        raise ArgumentTypeError(f"{text}: not a size such as 500M or 2G")
    number = float(match.group(1)) * 2 ** UNITS[match.group(2).upper()]
    if not LEAST_BYTES <= number < MOST_BYTES:
        raise ArgumentTypeError(f"{text}: not between {LEAST_BYTES >> 10}K and 16E")
    return int(number)


def limit_size(text):
    """A size, or "auto", for argparse."""
    if text == AUTO:
        return AUTO
    if not SIZE.fullmatch(text):
        raise ArgumentTypeError(f"{text}: not a size such as 512M, nor {AUTO}")
    return min(size(text), MOST_LIMIT)


def percent(most):
    """The kind that makes 0.02 of "2", for argparse: above zero and below `most`."""

    def kind(text):
        number = decimal(text.removesuffix("%"))
        if not 0 < number < most:
            raise ArgumentTypeError(f"{text}: not a percentage above 0 and below {most}")
        return number / 100

    return kind


def decimal(text):
    """The number that a text is; NaN, which fails every comparison, if it is none."""
    return float(text) if NUMBER.fullmatch(text) else NAN


def names_of(known):
    """The kind that makes ("a", "b") of "a,b", each of the known names at most once and in their
    order, for argparse."""

    def kind(text):
        named = unique(part.strip() for part in text.split(","))
        for name in named:
            if name not in known:
                what = f"{name or repr(text)}: not one of {', '.join(known)}{meant(name, known)}"
                raise ArgumentTypeError(what)
        return tuple(name for name in known if name in named)

    return kind


def rest_of_line(words):
    """The command in what argparse.REMAINDER collected; the first "--" is ours."""
    command = words[1:] if words[:1] == ["--"] else words
    if not command:
        raise Failure("a command is missing: add -- CMD [ARGUMENT...]")
    return command
