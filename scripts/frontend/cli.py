"""The command line: which verbs there are and how a command ends. What they do lies in modules of
their own, which are loaded only when they are called: help for all of them loads none."""

import importlib
import io
import os
import signal
import sys
import time
from collections import namedtuple
from contextlib import suppress

from frontend.command_line import Parser
from frontend.failure import BAD_INPUT, WORK_FAILED, Failure, error_text
from frontend.guess import meant
from frontend.version import VERSION
from frontend.visible import HANDLER, visible

INTERRUPTED, TERMINATED = 130, 143  # 128 + the signal, as shells have it
ONE_SENDER_S = 0.5  # signals within it count as one: timeout(1) sends each of its twice; arbitrary

# One verb. Its module has EXAMPLES (lines), add_arguments(parser) and run(options, argv) -> status;
# NOTES and STATUSES, for its help, if it has any of its own. takes_command: the rest of the line is
# another program's; passes_on: words that begin so are. (A dataclass costs help for all more time
# than the rest of this file.)
Verb = namedtuple("Verb", "module summary takes_command passes_on", defaults=(False, None))

VERBS = {
    "advise": Verb(
        "advise", "tell which allocator a program should use, in five lines", takes_command=True
    ),
    "record": Verb(
        "record", "record the malloc calls of a program and its children", takes_command=True
    ),
    "info": Verb("info", "show what a trace holds and where it came from"),
    "import": Verb("importing", "convert another tool's file to a trace"),
    "export": Verb("exporting", "convert a trace to another tool's file"),
    "reduce": Verb("reducing", "find the shortest trace that still shows something"),
    "cut": Verb("cut", "take a part of a trace by operations, time or threads"),
    "filter": Verb("filtering", "take some of a trace's blocks, by thread, size or kind"),
    "merge": Verb("merge_traces", "lay the traces of several processes side by side, as one"),
    "synth": Verb("synthesising", "make a trace of any length with the statistics of another one"),
    "diff": Verb(
        "diffing", "tell whether a program asks for more than it did, from two recordings"
    ),
    "strip": Verb("stripping", "take out of a trace what identifies its maker"),
    "replay": Verb("replay", "replay traces against allocators"),
    "check": Verb("checking", "verify that allocators keep what malloc promises, on traces"),
    "exec": Verb(
        "execute",
        "run a program under each allocator: time, CPU, memory, faults",
        takes_command=True,
    ),
    "whole-programs": Verb(
        "whole_programs",
        "run a dozen real programs under each allocator, on generated input",
    ),
    "run": Verb("run", "run synthetic workloads against allocators; without a name, list them"),
    "micro": Verb("micro", "run the micro-benchmarks against allocators", passes_on="--benchmark_"),
    "bench": Verb("bench", "run the standard comparison and draw its charts"),
    "report": Verb("reporting", "draw charts and write one self-contained HTML page"),
    "compare": Verb("compare", "compare two result files, row by row: ratio, interval, verdict"),
    "merge-results": Verb("merge_results", "join the result files of shards (--shard) to one"),
    "bisect": Verb("bisecting", "find the commit that made the allocator slower or fatter"),
    "gate": Verb("gate", "decide whether a change made an allocator slower or fatter"),
    "allocators": Verb("allocators", "list the allocators found on this machine"),
}
STATUSES = "Exit status: 0 ok; 1 the work failed; 2 usage, or bad input or output; 77 cannot tell."


def main(argv=None):
    argv = sys.argv[1:] if argv is None else list(argv)
    open_closed_streams()
    buffer_output()
    let_pass_any_text()
    return guarded("spanbench", lambda: dispatch(argv))


def guarded(name, work, interrupted="interrupted"):
    """The exit status of a command, as work() returns it (None is 0). What goes wrong is told in a
    line that begins with the command's name."""
    catch_signals()
    try:
        status = outcome(work)
        sys.stdout.flush()
        return status
    except Failure as failure:
        print(f"{name}: {visible(failure)}", file=sys.stderr)
        return failure.status
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] == "frontend":
            raise
        missing = f"the Python module {error.name} is not installed"
        print(f"{name}: {missing}; `scripts/deps bench` installs it", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        drop_output()  # its reader left before the end and may have missed a failed row
        return WORK_FAILED
    except OSError as error:
        if not error.filename:
            drop_output()
        file = visible(error.filename or "standard output")
        print(f"{name}: {file}: {error_text(error)}", file=sys.stderr)
        return WORK_FAILED
    except MemoryError:
        print(f"{name}: not enough memory", file=sys.stderr)
        return WORK_FAILED
    except KeyboardInterrupt:
        print(f"{name}: {interrupted}", file=sys.stderr)
        return INTERRUPTED


def outcome(work):
    """What work() returns, or ends with as help does, whose text may still wait to be written."""
    try:
        return work() or 0
    except SystemExit as end:
        if end.code:
            raise
        return 0


def catch_signals():
    """The first SIGTERM or SIGINT is an exit that cleans up; a later one ends us at once, whatever
    the cleaning up waits for. A SIGINT that our caller ignores stays ignored. Only the first thread
    may decide that; called from another one, it changes nothing."""
    ending = []

    def end(number, _frame):
        ending.append(time.monotonic())
        if len(ending) > 1:
            if ending[-1] - ending[0] < ONE_SENDER_S:
                return
            end_children()
            os._exit(128 + number)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(TERMINATED)

    try:
        signal.signal(signal.SIGTERM, end)
    except ValueError:  # as Python calls another thread
        return
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end)


def end_children():
    """Sends a SIGTERM to all children; what is measured has a parent of ours that passes it on."""
    for thread in os.listdir("/proc/self/task"):
        with suppress(OSError), open(
            f"/proc/self/task/{thread}/children", encoding="ascii"
        ) as file:
            for child in file.read().split():
                os.kill(int(child), signal.SIGTERM)


def open_closed_streams():
    """Python has None where a standard stream was closed by the caller; let it be /dev/null."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))


def buffer_output():
    """With PYTHONUNBUFFERED, as containers often have it, Python takes what a full disk holds of a
    text for all of it. Behind a buffer the rest is written too, or fails."""
    out = sys.stdout
    raw = getattr(out, "buffer", None)
    if isinstance(raw, io.RawIOBase):
        buffered = io.BufferedWriter(io.FileIO(raw.fileno(), "w", closefd=False))
        sys.stdout = io.TextIOWrapper(buffered, out.encoding, out.errors, line_buffering=True)


def let_pass_any_text():
    """What a stream's encoding cannot say, as a name that is no UTF-8, is shown otherwise."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=HANDLER)


def drop_output():
    """Sends what is still to be printed to nowhere: Python would fail on it again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def dispatch(argv):
    """Hands over to the verb that argv begins with."""
    name, *words = argv or ["--help"]
    if name == "help" and len(words) < 2:
        return dispatch([*words, "--help"])
    if name not in VERBS:
        return without_verb(name, words)
    verb = VERBS[name]
    module, parser = load(name)
    passed = [w for w in words if verb.passes_on and w.startswith(verb.passes_on)]
    options = parser.parse([w for w in words if w not in passed], verb.takes_command)
    options.passed = passed
    return module.run(options, argv)


def load(name):
    """(module, parser) of a verb."""
    module = importlib.import_module(f"frontend.verbs.{VERBS[name].module}")
    parser = Parser(f"spanbench {name}", description=VERBS[name].summary, epilog=epilog(module))
    module.add_arguments(parser)
    if VERBS[name].takes_command:
        parser.name_command()
    return module, parser


def all_parsers():
    """{verb: its parser} of all verbs, for what is made of them: the manual and the completion."""
    return {name: load(name)[1] for name in VERBS}


def epilog(module):
    """What stands below the options of a verb."""
    notes = getattr(module, "NOTES", None)
    head = "example:" if len(module.EXAMPLES) == 1 else "examples:"
    examples = "\n".join([head, *(f"  {line}" for line in module.EXAMPLES)])
    statuses = getattr(module, "STATUSES", STATUSES)
    return "\n\n".join(filter(None, [notes, examples, statuses]))


def without_verb(name, words):
    """A line that begins with no verb can ask for help or the version, or is wrong."""
    parser = overview()
    if not name.startswith("-"):
        parser.error(f"{name or repr(name)}: no such verb{meant(name, VERBS)}")
    parser.parse([name, *words])
    return 0


def overview():
    """The parser of a line without a verb."""
    width = max(map(len, VERBS))
    lines = (f"  {name:{width}}  {verb.summary}" for name, verb in VERBS.items())
    parser = Parser(
        "spanbench",
        usage="spanbench VERB [ARGUMENT...]    (spanbench VERB -h tells more)",
        description="Records programs' malloc calls and measures allocators with them.",
        epilog="verbs:\n" + "\n".join(lines) + "\n\n" + STATUSES,
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"spanbench {VERSION}",
        help="print the version and exit",
    )
    return parser
