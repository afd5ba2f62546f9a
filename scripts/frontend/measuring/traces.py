"""Trace files as the front end sees them: verified, named, described. Their bytes are the
business of build/.../trace, which is run here, also for verbs that pass their work on to it: its
exit status is theirs then, and so are its messages, in the form that all verbs give theirs."""

import json
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from frontend.failure import BAD_INPUT, WORK_FAILED, Failure, io_failure
from frontend.figures.results import unique
from frontend.guess import closest, offer
from frontend.lazily import Lazy
from frontend.measuring.running import killed_by
from frontend.paths import CORPUS, built, check_apart, check_regular, in_tree, shown
from frontend.progress import say
from frontend.visible import said

hashlib = Lazy("hashlib")

SUMMARY = (
    *("ops", "by_kind", "threads", "handoffs", "peak_live", "bytes_requested", "duration_ns"),
    *("bytes_per_op", "sizes", "lifetimes", "origin", "losses"),
)


# The traces of the corpus that a short comparison takes: what bench and the gate can run in
# their minutes. One or two of each world, so that the means of both are alike.
STANDARD = (
    *("cc1", "clang++", "doxygen", "ffmpeg", "gawk", "git-log", "git-repack", "jq", "lua"),
    *("perl", "python3", "redis", "sqlite3", "xmllint"),
)


@dataclass(frozen=True)
class Trace:
    """A trace whose every block has been verified."""

    name: str  # the stem of the file
    path: Path
    info: dict  # as `trace info` prints it


def read_info(path, *options):
    """What `trace info` with these options says of a file; a Failure with its line if the file is
    no good."""
    try:
        os.stat(path)  # not opened before it is known to be no pipe
        check_regular(path)
        with open(path, "rb"):
            pass
    except FileNotFoundError as error:
        raise Failure(f"{path}: {error.strerror}{meant_file(path)}") from error
    except OSError as error:
        raise io_failure(error, path) from error
    return json.loads(tool("info", *options, path))


def tool(command, *words, text="", status=BAD_INPUT):
    """What `trace COMMAND WORD...` prints, which reads the text; a Failure with its last line if it
    fails."""
    line = [str(built("trace")), command, *map(str, words)]
    kind = {"capture_output": True, "text": True, "errors": "surrogateescape"}
    done = subprocess.run(line, input=text, check=False, **kind)
    if done.returncode:
        told = said(done.stderr, *words) or [f"trace {command}: failed ({done.returncode})"]
        raise Failure(told[-1] + import_hint(told[-1]), status)
    return done.stdout


def run_tool(command, *words):
    """Runs `trace COMMAND WORD...` and returns its exit status. Words that are None are left out;
    a (name, value) is an option, left out where its value is None."""
    line = [str(built("trace")), command]
    for word in words:
        if isinstance(word, tuple):
            line += [] if word[1] is None else [f"--{word[0]}={word[1]}"]
        elif word is not None:
            line.append(str(word))
    kind = {"stderr": subprocess.PIPE, "text": True, "errors": "surrogateescape"}
    with subprocess.Popen(line, **kind) as running:
        try:
            text = running.stderr.read()
        except BaseException:
            running.terminate()  # or we would wait for its end
            raise
    for told in said(text, *line):
        say(told + import_hint(told))
    if running.returncode < 0:
        raise Failure(f"trace {command}: {killed_by(-running.returncode)}", WORK_FAILED)
    return running.returncode


def rewrite(command, words, output, *inputs):
    """run_tool for a command that makes a trace of traces; that may take the place of one."""
    return run_tool(command, *words, "-o", output, "--", *inputs)


def convert(command, words, output, source):
    """run_tool for a command that makes of a file one of another kind, which must not take its
    place."""
    check_apart(output, source)
    return rewrite(command, words, output, source)


def import_hint(line):
    """What may make a trace of a file that is none, by the line "PATH: not a trace"; nothing does
    of an empty one."""
    path, is_none, size = line.partition(": not a trace")
    if not is_none or size == " (0 bytes)":
        return ""
    return f"; another tool's file needs: spanbench import {shlex.quote(path)} -o OUT"


def meant_file(path):
    """Which trace may have been meant by one that is not there: of the same folder, or, if a bare
    name was given, of the corpus."""
    path = Path(path)
    folders = [path.parent] if len(path.parts) > 1 else [path.parent, CORPUS]
    by_name = {
        found.stem: shown(found) for folder in reversed(folders) for found in folder.glob("*.trace")
    }
    names = [path.stem] if path.stem in by_name else closest(path.stem, by_name)
    return offer([by_name[name] for name in names])


def load(paths):
    """The Traces in the files."""
    traces = [Trace(Path(path).stem, Path(path), read_info(path)) for path in paths]
    check_names(paths)
    return traces


def check_names(paths):
    """Fails if two files have one name: they would be one row."""
    names = [Path(path).stem for path in paths]
    twice = [name for name in unique(names) if names.count(name) > 1]
    if twice:
        same = [str(path) for path in paths if Path(path).stem == twice[0]]
        raise Failure(f"{same[1]}: has the name of {same[0]}; results are told apart by name")


def cut(trace, ops, path):
    """The Trace of the first operations of another one, in a file at `path`."""
    tool("cut", "--ops", f"0:{ops}", trace.path, "-o", path, status=WORK_FAILED)
    return load([path])[0]


def describe(trace):
    """What the context of a result file says of a trace."""
    summary = {key: trace.info[key] for key in SUMMARY if key in trace.info}
    with open(trace.path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"path": in_tree(trace.path), "sha256": digest, **summary}


def corpus():
    """The verified Traces of the corpus."""
    loaded = load(sorted(CORPUS.glob("*.trace")))
    if not loaded:
        raise Failure(f"{shown(CORPUS)}: no traces")
    return loaded


def standard():
    """The verified Traces of the corpus that a short comparison takes."""
    return load([CORPUS / f"{name}.trace" for name in STANDARD])


def shortest(loaded, count):
    """So many of the Traces, those with the fewest operations, in the order that they have."""
    chosen = sorted(loaded, key=lambda trace: trace.info["ops"])[:count]
    return [trace for trace in loaded if trace in chosen]
