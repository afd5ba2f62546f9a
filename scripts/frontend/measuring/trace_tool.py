"""Runs build/.../trace for verbs that pass their work on to it: its exit status is theirs, and so
are its messages, in the form that all verbs give theirs."""

import subprocess

from frontend.failure import WORK_FAILED, Failure
from frontend.measuring.running import killed_by
from frontend.measuring.traces import import_hint
from frontend.paths import built, check_apart
from frontend.progress import say
from frontend.visible import said


def rewrite(command, words, output, *inputs):
    """run_trace for a command that makes a trace of traces; that may take the place of one."""
    return run_trace(command, *words, "-o", output, "--", *inputs)


def convert(command, words, output, source):
    """run_trace for a command that makes of a file one of another kind, which must not take its
    place."""
    check_apart(output, source)
    return rewrite(command, words, output, source)


def run_trace(command, *words):
    """Runs `trace COMMAND WORD...` and returns its exit status. Words that are None are left out;
    a (name, value) is an option, left out where its value is None."""
    line = [str(built("trace")), command]
    for word in words:
        if isinstance(word, tuple):
            line += [] if word[1] is None else [f"--{word[0]}={word[1]}"]
        elif word is not None:
            line.append(str(word))
    kind = {"stderr": subprocess.PIPE, "text": True, "errors": "surrogateescape"}
    with subprocess.Popen(line, **kind) as tool:
        try:
            text = tool.stderr.read()
        except BaseException:
            tool.terminate()  # or we would wait for its end
            raise
    for told in said(text, *line):
        say(told + import_hint(told))
    if tool.returncode < 0:
        raise Failure(f"trace {command}: {killed_by(-tool.returncode)}", WORK_FAILED)
    return tool.returncode


def add_output(parser):
    """The option that names the trace to write."""
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the trace to write")
