"""The verb reduce: the shortest trace for which a command still exits with 0."""

import re
import shlex
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from frontend.counted import counted
from frontend.failure import BAD_INPUT, WORK_FAILED, Failure, blamed_on
from frontend.figures import results
from frontend.measuring import traces
from frontend.paths import check_apart, check_regular, temporary_folder
from frontend.progress import say
from frontend.verbs.options import add_timeout, add_trace_output

PLACE = "{}"
NOT_FOUND = re.compile(r"sh: (?:line )?\d+: (.*): (?:command )?not found$")  # dash and bash say so
TIMEOUT_S = 60.0
EXAMPLES = (
    "spanbench reduce big.trace --while '! spanbench check {} -a mine=./libmine.so' -o small.trace",
)
NOTES = """\
CMD is one string for `sh -c`, in which {} stands for the trace that is tried,
quoted. While it exits with 0, calls are taken out: an allocation goes with its
free. What was reached so far is in OUT at any time, also after Ctrl-C.
"""


def add_arguments(parser):
    parser.add_argument("trace", metavar="FILE", help="the trace to begin with")
    parser.add_argument(
        "--while",
        dest="command",
        required=True,
        metavar="CMD",
        help="the command that exits with 0 while the trace still shows what is looked for",
    )
    add_trace_output(parser, "the result", kind=Path)
    add_timeout(parser, TIMEOUT_S, "a run of CMD that takes longer is ended and does not count")


def run(options, _argv):
    """Reduces; exit status 0 also if nothing could be taken out."""
    if PLACE not in options.command:
        raise Failure(f"--while: {options.command}: holds no {PLACE} for the trace")
    (loaded,) = traces.load([options.trace])
    check_output(options.output)
    check_apart(options.output, options.trace)
    with temporary_folder() as folder:
        search = Search(options, folder)
        search.begin()
        try:
            reduce_units(list(range(search.units)), search.holds)
        except KeyboardInterrupt:
            say(f"interrupted: {options.output} is what was reached")
            raise
        finally:
            print(f"{options.output}: {search.ops:,} of {counted(loaded.info['ops'], 'operation')}")
    return 0


def check_output(path):
    """Fails unless a trace can be put in the place of path."""
    if path.exists() and not path.is_dir():
        check_regular(path)
    results.check_writable(path, is_trace=True)


class Search:
    """The trace to begin with, and what of it still shows what is looked for."""

    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.runs = 0
        self.ops = 0
        self.units = int(self.tool("subset", options.trace))

    def begin(self):
        """The whole trace must show it. The first run tells if what CMD calls is there: `! CMD`
        holds where CMD cannot even start."""
        with open(self.folder / "said", "w+", encoding="utf-8", errors="replace") as errors:
            is_shown = self.shows(self.options.trace, errors)
            errors.seek(0)
            for name in filter(None, map(NOT_FOUND.match, errors)):
                say(f"--while: {name[1]}: command not found")
        if not is_shown:
            raise Failure(f"{self.options.trace}: --while: the command does not exit with 0 for it")
        self.keep(self.options.trace)

    def holds(self, units):
        """Whether a trace of these units alone shows it; then it is kept."""
        chosen, tried = self.folder / "units", self.folder / "tried.trace"
        lines = [f"{first} {end}\n" for first, end in ranges(units)]
        with blamed_on(chosen, WORK_FAILED):
            chosen.write_text("".join(lines))
        self.tool("subset", "--keep", chosen, self.options.trace, "-o", tried)
        if not self.shows(tried):
            return False
        self.keep(tried)
        return True

    def shows(self, path, errors=subprocess.DEVNULL):
        """Whether the command exits with 0 for a trace; its errors go to `errors`."""
        self.runs += 1
        command = self.options.command.replace(PLACE, shlex.quote(str(path)))
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        try:
            done = subprocess.run(
                ["sh", "-c", command],
                timeout=self.options.timeout,
                stderr=errors,
                check=False,
                **quiet,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def keep(self, path):
        """Puts a trace in the place of the result, whole at any time."""
        output = self.options.output
        beside = output.with_name(f".{output.name}.part")
        try:
            with blamed_on(output, WORK_FAILED):
                shutil.copyfile(path, beside)
                beside.replace(output)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise
        self.ops = traces.read_info(output)["ops"]
        say(f"{counted(self.ops, 'operation')} after {counted(self.runs, 'run')}")

    def tool(self, *words):
        """What `trace` prints; once CMD was run, an error is no fault of the input."""
        return traces.tool(*words, status=WORK_FAILED if self.runs else BAD_INPUT)


def reduce_units(units, holds):
    """A list of some of the units, in order, for which holds(list) is true though it is for none
    that lacks one more of the pieces tried last: single units, unless holds raises an exception to
    end the search. It holds for all units. (Delta debugging: Zeller and Hildebrandt, 2002.)"""
    pieces = 2
    while len(units) > 1:
        size = -(-len(units) // pieces)
        start, removed = 0, False
        while start < len(units):
            rest = units[:start] + units[start + size :]
            if rest and holds(rest):
                units, removed = rest, True
            else:
                start += size
        if size == 1 and not removed:
            break
        if not removed:
            pieces = min(2 * pieces, len(units))
        else:
            pieces = min(max(2, len(units) // size), len(units))
    return units


def ranges(units):
    """[(first, end)] of ascending numbers; end is not in it."""
    found = []
    for unit in units:
        if found and found[-1][1] == unit:
            found[-1][1] = unit + 1
        else:
            found.append([unit, unit + 1])
    return [tuple(pair) for pair in found]
