"""The verb record: runs a program under the recorder and compiles what it left into traces.

The raw recording lies in FILE.recording while the program runs, one file for each process image,
and goes once all of it has been compiled; until then `record --recover` can finish the work.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from frontend.allocators import own_malloc
from frontend.allocators.preload import SPLITS, plain_folder
from frontend.failure import WORK_FAILED, Failure, io_failure
from frontend.figures import results
from frontend.figures.table import counted
from frontend.measuring import context
from frontend.paths import built
from frontend.progress import say
from frontend.verbs.options import rest_of_line

EXAMPLES = (
    "spanbench record -o my.trace -- sqlite3 my.db 'select 1'",
    "spanbench record -o my.trace --recover my.trace.recording    # after an interruption",
)
RAW_NAME = re.compile(r"(\d+)-(\d+)\.raw")
COMPILED_NAME = re.compile(r"\d+-\d+\.trace")
ROOT_NAME = "root"  # beside the raw files: the pid of the command, for the recorder too
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
SI_KERNEL = 0x80  # si_code of a signal that the terminal sends to all processes in front
LOSSES = {
    "unknown_frees": "frees of unknown blocks",
    "unknown_reallocs": "reallocs of unknown blocks",
    "repaired_inversions": "inversions repaired",
    "lost_ops": "calls lost",
}


@dataclass(frozen=True)
class Image:
    """The raw recording of one process image."""

    pid: int
    number: int  # counts the images (execs) of the process
    path: Path


def add_arguments(parser):
    """The options of the verb."""
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="the trace of CMD; those of other processes and images go " "to the folder FILE.d",
    )
    parser.add_argument(
        "--no-children",
        action="store_true",
        help="record the process of CMD only, none that it starts",
    )
    parser.add_argument(
        "--recover",
        type=Path,
        metavar="DIR",
        help="run nothing: compile what an interrupted recording left in DIR (FILE.recording)",
    )
    parser.add_argument("command", nargs="...", metavar="CMD", help="the program and its arguments")


def run(options, _argv):
    """Records; exits as CMD did. Compiling failures, and nothing recorded, are status 1."""
    built("trace")
    results.check_writable(options.output)
    if options.recover:
        if options.command:
            raise Failure("--recover: takes no command")
        return recover(options.recover, options.output)
    words = rest_of_line(options.command)
    if not shutil.which(words[0]):
        raise Failure(f"{words[0]}: command not found")
    raw = make_raw_folder(options.output)
    status = run_recorded(words, raw, not options.no_children)
    is_compiled = compile_all(raw, options.output, shutil.which(words[0]))
    return status if is_compiled else status or WORK_FAILED


def make_raw_folder(output):
    """Makes the folder of the raw recording, which must be new."""
    raw = output.parent.absolute() / f"{output.name}.recording"
    try:
        raw.mkdir(mode=0o700)
    except FileExistsError as error:
        raise Failure(f"{raw}: is there already; compile it with record --recover") from error
    except OSError as error:
        raise io_failure(error, raw) from error
    return raw


def run_recorded(words, raw, has_children):
    """Runs the command under the recorder; its exit status, 128 + N if signal N ended it."""
    with preloadable(built("librecord.so")) as library:
        environment = recording_environment(library, raw, has_children)
        try:
            status = run_passing_signals(words, environment, raw)
        except OSError as error:
            shutil.rmtree(raw)
            raise io_failure(error, words[0]) from error
    return status if status >= 0 else 128 - status


@contextmanager
def preloadable(library):
    """The library's path, or that of a link to it if LD_PRELOAD cannot hold the path."""
    if not SPLITS.search(str(library)):
        yield str(library)
        return
    with tempfile.TemporaryDirectory(prefix="spanbench-", dir=plain_folder()) as folder:
        link = Path(folder) / library.name
        link.symlink_to(library)
        yield str(link)


def recording_environment(library, raw, has_children):
    """The user's environment, with the recorder before what the user preloads."""
    theirs = os.environ.get("LD_PRELOAD")
    return {
        **os.environ,
        "LD_PRELOAD": f"{library} {theirs}" if theirs else library,
        "SPANBENCH_RECORD_DIR": str(raw),
        "SPANBENCH_RECORD_CHILDREN": "1" if has_children else "0",
    }


def run_passing_signals(words, environment, raw):
    """Runs the command, passing on the signals that are meant for it; its status.

    Signals are taken with sigwaitinfo, because only so it is known whether the terminal sent them
    (and so to the command as well).
    """
    watched = (*PASSED_ON, signal.SIGCHLD)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    try:
        child = subprocess.Popen(
            words,
            env=environment,
            preexec_fn=lambda: become_root(raw, before),
        )
        while child.poll() is None:
            arrived = signal.sigwaitinfo(watched)
            if arrived.si_signo in PASSED_ON and not is_from_terminal(arrived):
                child.send_signal(arrived.si_signo)
        return child.returncode
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def become_root(raw, mask):
    """In the new process, before it is the command: says that it is the root; own signal mask."""
    (raw / ROOT_NAME).write_text(f"{os.getpid()}\n")
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def is_from_terminal(arrived):
    """Whether the command got the signal by itself."""
    return arrived.si_signo in FROM_TERMINAL and arrived.si_code == SI_KERNEL


def recover(raw, output):
    """Compiles what is in the folder of an interrupted recording."""
    if not raw.is_dir():
        raise Failure(f"{raw}: no such directory")
    if not images_in(raw):
        raise Failure(f"{raw}: holds no raw recording")
    return 0 if compile_all(raw, output) else WORK_FAILED


def images_in(raw):
    """The Images in a folder, the last of each process first."""
    found = ((RAW_NAME.fullmatch(path.name), path) for path in raw.iterdir())
    images = [Image(int(m.group(1)), int(m.group(2)), path) for m, path in found if m]
    return sorted(images, key=lambda image: (image.pid, -image.number))


def root_pid(raw, images):
    """The process of the command; the lowest pid if that was not written down any more."""
    try:
        return int((raw / ROOT_NAME).read_text())
    except (OSError, ValueError):
        return min(image.pid for image in images)


def compile_all(raw, output, command=None):
    """Compiles all images: the root's last one with calls to output, the others beside it.

    Returns whether there was something for output and all went well; what could not be compiled
    stays where it is.
    """
    images = images_in(raw)
    root = root_pid(raw, images) if images else None
    own = [image for image in images if image.pid == root]
    others = [image for image in images if image.pid != root]
    unseen = own_malloc.find(own[0].path if own else None, command)
    try:
        main = compile_first(own, output)
        count = compile_others([*own, *others], output)
    except CompileFailed as reason:
        say(f"{reason}; the recording stays in {raw}")
        return False
    shutil.rmtree(raw, ignore_errors=True)
    if unseen:
        say(unseen.told(main["ops"] if main else 0))
    if main is None:
        say(nothing_recorded(output, count))
        return False
    say(summary(output, main, count))
    return True


class CompileFailed(Exception):
    """The compiler could not make a trace; the message is its line."""


def compile_first(images, output):
    """Compiles images until one has calls, which becomes output; its counts, or None."""
    while images:
        counts = compile_image(images.pop(0), output)
        if counts:
            return counts
    return None


def compile_others(images, output):
    """Compiles the other processes and images into output.d; how many had calls."""
    folder = output.with_name(f"{output.name}.d")
    remove_earlier(folder)
    count = 0
    for image in images:
        folder.mkdir(exist_ok=True)
        count += bool(compile_image(image, folder / f"{image.pid}-{image.number}.trace"))
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    return count


def remove_earlier(folder):
    """Removes what an earlier recording to the same file left beside it."""
    for path in folder.glob("*.trace"):
        if COMPILED_NAME.fullmatch(path.name):
            path.unlink()


def compile_image(image, output):
    """Compiles one image; its counts, or None (and no file) if it made no call."""
    command = [str(built("trace")), "compile", "--json"]
    command += ["--origin", f"cpu={context.cpu_model()}", str(image.path), "-o", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise CompileFailed(lines[-1] if lines else f"{image.path}: could not be compiled")
    counts = json.loads(done.stdout)
    if counts["ops"]:
        return counts
    output.unlink(missing_ok=True)
    return None


def summary(output, counts, others):
    """The closing line."""
    size = output.stat().st_size / counts["ops"]
    parts = [
        f"{output}: {counts['ops']:,} operations of {counted(counts['threads'], 'thread')}",
        f"{size:.2f} bytes an operation",
        *(f"{counts[key]:,} {name}" for key, name in LOSSES.items() if counts.get(key)),
    ]
    if counts.get("lost_ops"):
        parts[-1] += f" ({counts.get('lost_why') or 'limits of the recorder'})"
    if others:
        parts.append(f"{counted(others, 'further image')} in {output}.d")
    return ", ".join(parts)


def nothing_recorded(output, others):
    """Why there is no trace of the command itself."""
    reason = "the command called no malloc that can be recorded (static, setuid, or it made none)"
    beside = f"; see {output}.d for {counted(others, 'other image')}" if others else ""
    return f"{output}: nothing recorded: {reason}{beside}"
