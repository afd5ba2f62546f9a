"""Trace files as the front end sees them: verified, named, described. Their bytes are the
business of build/.../trace."""

import json
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from frontend.failure import WORK_FAILED, Failure, io_failure
from frontend.figures.results import unique
from frontend.guess import closest, offer
from frontend.lazily import Lazy
from frontend.paths import CORPUS, built, check_regular, in_tree, shown
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
    done = run_tool("info", *options, path)
    if done.returncode:
        lines = said(done.stderr, path) or [f"{path}: trace info failed"]
        raise Failure(lines[-1] + import_hint(lines[-1]))
    return json.loads(done.stdout)


def run_tool(command, *words, text=""):
    """The finished process of `trace COMMAND WORD...`, which reads the text."""
    line = [str(built("trace")), command, *map(str, words)]
    kind = {"capture_output": True, "text": True, "errors": "surrogateescape"}
    return subprocess.run(line, input=text, check=False, **kind)


def import_hint(line):
    """What may make a trace of a file that is none, by the line "PATH: not a trace"."""
    path, is_none, _ = line.partition(": not a trace")
    if not is_none:
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
    done = run_tool("cut", "--ops", f"0:{ops}", trace.path, "-o", path)
    if done.returncode:
        lines = said(done.stderr, trace.path, path)
        raise Failure(lines[-1] if lines else f"{trace.path}: trace cut failed", WORK_FAILED)
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
