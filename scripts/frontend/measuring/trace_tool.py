"""Runs build/.../trace for verbs that pass their work on to it: its exit status is theirs, and so
are its messages, in the form that all verbs give theirs."""

import subprocess

from frontend.measuring.traces import import_hint
from frontend.paths import built
from frontend.progress import say


def run_trace(command, *words):
    """Runs `trace COMMAND WORD...` and returns its exit status. Words that are None are left out;
    a (name, value) is an option, left out where its value is None."""
    line = [str(built("trace")), command]
    for word in words:
        if isinstance(word, tuple):
            line += [] if word[1] is None else [f"--{word[0]}={word[1]}"]
        elif word is not None:
            line.append(str(word))
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, errors="replace") as tool:
        for said in tool.stderr:
            say(said.rstrip("\n") + import_hint(said))
    return tool.returncode


def add_output(parser):
    """The option that names the trace to write."""
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the trace to write")
