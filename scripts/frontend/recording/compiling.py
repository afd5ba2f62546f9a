"""Makes traces: FILE of the command's last image, FILE.d/PID-N.trace of all others,
FILE.d/run-K.trace of the command's further runs."""

import json
import os
import re
import stat
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from frontend.measuring import context
from frontend.paths import built
from frontend.visible import said

COMPILED_NAME = re.compile(r"(\d+-\d+|run-\d+)\.trace")


class CompileFailed(Exception):
    """No trace could be made; the message is one line."""


@dataclass(frozen=True)
class Compiled:
    """What became of a raw file."""

    image: object
    path: Path
    counts: dict  # as `trace compile --json` tells; "ops" may be 0, then there is no trace


def compile_main(image, output, facts=(), strip=False):
    """The command's own trace: a Compiled, or None without an image. What FILE held before goes."""
    if image is None:
        remove_file(output)
        return None
    return compile_image(image, output, facts, strip)


def compile_others(images, output, facts_of, strip=False):
    """The Compiled of those images that made a call, in FILE.d."""
    folder = folder_of(output)
    made = []
    try:
        remove_earlier(folder)
        for image in images:
            folder.mkdir(exist_ok=True)
            path = folder / f"{image.name}.trace"
            made.append(compile_image(image, path, facts_of(image), strip))
    except OSError as error:
        raise CompileFailed(f"{error.filename or folder}: {error.strerror}") from error
    finally:
        with suppress(OSError):  # of no use while it is empty
            folder.rmdir()
    return [one for one in made if one.counts["ops"]]


def folder_of(output):
    """FILE.d."""
    return output.with_name(f"{output.name}.d")


def run_path(output, number):
    """The trace of the command's run K, of several: FILE is that of the first."""
    return folder_of(output) / f"run-{number}.trace"


def remove_earlier(folder):
    """Removes what an earlier recording to the same file left beside it."""
    for path in folder.glob("*.trace"):
        if COMPILED_NAME.fullmatch(path.name):
            path.unlink()
    for run in folder.glob("run-*.trace.d"):
        remove_earlier(run)
        with suppress(OSError):  # somebody put something else there
            run.rmdir()


def remove_file(path):
    """Removes an earlier trace; never what is no file (/dev/null)."""
    with suppress(OSError):
        if stat.S_ISREG(os.stat(path).st_mode):
            path.unlink()


def compile_image(image, output, facts=(), strip=False):
    """Compiles one image; where it made no call there is no file afterwards. With strip, the trace
    does not say who made it."""
    command = [str(built("trace")), "compile", "--json", *(["--strip"] if strip else [])]
    for fact in (f"cpu={context.cpu_model()}", *facts):
        command += ["--origin", fact]
    command += [str(image.path), "-o", str(output)]
    kind = {"capture_output": True, "text": True, "errors": "surrogateescape"}
    done = subprocess.run(command, check=False, **kind)
    if done.returncode:
        lines = said(done.stderr, image.path, output)
        status = done.returncode
        ended = f"signal {-status}" if status < 0 else f"status {status}"
        raise CompileFailed(lines[-1] if lines else f"{image.path}: trace compile: {ended}")
    counts = json.loads(done.stdout)
    if not counts["ops"]:
        remove_file(output)
    return Compiled(image, output, counts)
