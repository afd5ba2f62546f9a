"""The command line: which verbs there are and how a command ends. What they do lies in modules of
their own, which are loaded only when they are called."""

import argparse
import importlib
import os
import signal
import sys
from dataclasses import dataclass

from frontend.failure import WORK_FAILED, Failure, error_text

INTERRUPTED, TERMINATED = 130, 143  # 128 + the signal, as shells have it


@dataclass(frozen=True)
class Verb:
    """One verb: its module has SUMMARY, add_arguments(parser) and run(options, argv) -> status."""

    module: str
    takes_command: bool = False  # the rest of the line is another program's
    passes_on: str = None  # words that begin so are another program's


VERBS = {
    "record": Verb("record", takes_command=True),
    "info": Verb("info"),
    "import": Verb("importing"),
    "replay": Verb("replay"),
    "exec": Verb("execute", takes_command=True),
    "whole-programs": Verb("whole_programs"),
    "run": Verb("run"),
    "micro": Verb("micro", passes_on="--benchmark_"),
    "bench": Verb("bench"),
    "report": Verb("reporting"),
    "compare": Verb("compare"),
    "bisect": Verb("bisecting"),
    "gate": Verb("gate"),
    "allocators": Verb("allocators"),
}
STATUSES = "Exit status: 0 ok; 1 the work failed; 2 usage, or bad input or output; 77 cannot tell."


def main(argv=None):
    """Runs the command and returns its exit status."""
    argv = sys.argv[1:] if argv is None else list(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # an exit that cleans up
    open_closed_streams()
    try:
        status = dispatch(argv)
        sys.stdout.flush()
        return status
    except Failure as failure:
        print(f"spanbench: {failure}", file=sys.stderr)
        return failure.status
    except BrokenPipeError:
        drop_output()  # its reader left before the end and may have missed a failed row
        return WORK_FAILED
    except OSError as error:
        if not error.filename:
            drop_output()
        name = error.filename or "standard output"
        print(f"spanbench: {name}: {error_text(error)}", file=sys.stderr)
        return WORK_FAILED
    except KeyboardInterrupt:
        print("spanbench: interrupted", file=sys.stderr)
        return INTERRUPTED


def open_closed_streams():
    """Python has None where a standard stream was closed by the caller; let it be /dev/null."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))


def drop_output():
    """Sends what is still to be printed to nowhere: Python would fail on it again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def dispatch(argv):
    """Hands over to the verb that argv begins with."""
    if not argv or argv[0] not in VERBS:
        overview().parse_args(argv or ["--help"])
        return 0
    verb = VERBS[argv[0]]
    module = importlib.import_module(f"frontend.verbs.{verb.module}")
    parser = argparse.ArgumentParser(
        prog=f"spanbench {argv[0]}", description=module.SUMMARY, epilog=STATUSES, allow_abbrev=False
    )
    module.add_arguments(parser)
    parse = parser.parse_args if verb.takes_command else parser.parse_intermixed_args
    passed = [w for w in argv[1:] if verb.passes_on and w.startswith(verb.passes_on)]
    options = parse([w for w in argv[1:] if w not in passed])
    options.passed = passed
    return module.run(options, argv)


def overview():
    """The parser of a line without a verb: all it can do is to help, or to complain."""
    width = max(map(len, VERBS))
    lines = (f"  {name:{width}}  {summary(verb)}" for name, verb in VERBS.items())
    parser = argparse.ArgumentParser(
        prog="spanbench",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="spanbench VERB [ARGUMENT...]    (spanbench VERB -h tells more)",
        description="Records programs' malloc calls and measures allocators with them.",
        epilog="verbs:\n" + "\n".join(lines) + "\n\n" + STATUSES,
        allow_abbrev=False,
    )
    parser.add_argument("verb", choices=VERBS, help=argparse.SUPPRESS)
    return parser


def summary(verb):
    """One line about a verb."""
    return importlib.import_module(f"frontend.verbs.{verb.module}").SUMMARY
