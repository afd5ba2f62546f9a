"""The verb record: runs a program under the recorder and compiles what it left into traces.

The raw recording lies in FILE.recording while the program runs, one file for each process image,
and goes once all of it has been compiled; until then `record --recover` can finish the work.
"""

import argparse
import os
import shutil
from pathlib import Path

from frontend.failure import WORK_FAILED, Failure, blamed_on, error_text, io_failure
from frontend.figures import results
from frontend.paths import built, check_command
from frontend.progress import say
from frontend.recording import control as controls
from frontend.recording.compiling import run_path
from frontend.recording.finishing import Recording, finish, stays_in
from frontend.recording.following import running_in, wait_for_all
from frontend.recording.images import images_in, root_process
from frontend.recording.launching import Attendance, Stretch, first_phase, preloadable
from frontend.recording.launching import recording_environment, start
from frontend.recording.signals import Signals
from frontend.verbs.options import add_command, add_flag, add_trace_output, add_whole, decimal
from frontend.verbs.options import rest_of_line, seconds, size

EXAMPLES = (
    "spanbench record -o my.trace -- sqlite3 my.db 'select 1'",
    "spanbench record -o server.trace --after 10 --for 60 -- nginx -g 'daemon off;'",
    "spanbench record -o my.trace --sites=4 -- my-program    # for info --sites",
    "spanbench record --times 3 -o my.trace -- my-program    # for diff",
    "spanbench record -o my.trace --recover my.trace.recording    # after an interruption",
)
WAIT_S = 10
DEPTH_MOST = 8  # the recorder's RAW_DEPTH_MAX
SIGNALLED = 128  # exit statuses from here on say that a signal ended the command


def add_arguments(parser):
    what = "the trace of CMD; traces of other processes and images go to the folder FILE.d"
    add_trace_output(parser, what, "FILE", Path)
    add_flag(parser, "--no-children", "record only the process of CMD, not those that it starts")
    parser.add_argument(
        "--wait",
        type=seconds_or_none,
        default=WAIT_S,
        metavar="S",
        help="seconds to wait for recorded processes that outlive CMD (default: %(default)s)",
    )
    parser.add_argument(
        "--max-size",
        type=size,
        metavar="SIZE",
        help="disk space for the recording (500M, 2G); calls beyond it are lost and counted",
    )
    parser.add_argument(
        "--after", type=seconds_or_none, metavar="S", help="start recording S seconds after CMD"
    )
    parser.add_argument(
        "--for",
        dest="length",
        type=seconds,
        metavar="S",
        help="stop recording after S seconds; CMD runs on unrecorded",
    )
    add_whole(
        parser,
        "--times",
        "run CMD so often; FILE is the first run, FILE.d/run-K.trace are the others, by which "
        "diff knows what varies by itself",
        1,
    )
    parser.add_argument(
        "--sites",
        nargs="?",
        type=depth,
        const=1,
        metavar="DEPTH",
        help="keep who made each call, for info --sites and diff --sites: DEPTH return addresses, "
        f"up to {DEPTH_MOST} where the program keeps frame pointers (default: the caller alone)",
    )
    add_flag(
        parser,
        "--strip",
        "leave out of the trace what identifies its maker: command line, process id, paths",
    )
    parser.add_argument(
        "--recover",
        type=Path,
        metavar="DIR",
        help="run nothing: compile what an interrupted recording left in DIR (FILE.recording)",
    )
    add_command(parser)


def depth(text):
    """A number of return addresses, for argparse."""
    if text in map(str, range(1, DEPTH_MOST + 1)):
        return int(text)
    what = f"not a number from 1 to {DEPTH_MOST}"
    hint = "" if text.lstrip("-").isdigit() else f"; if it is the command: --sites -- {text}"
    raise argparse.ArgumentTypeError(f"{text}: {what}{hint}")


def seconds_or_none(text):
    """A time that may be 0, for argparse."""
    number = decimal(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: not a number of seconds")
    return number


def run(options, _argv):
    """Records; exits as CMD did. Status 1: CMD succeeded, but there is no trace of anything."""
    built("trace")
    results.check_writable(options.output, is_trace=True)
    if options.recover:
        if options.command or options.times > 1:
            raise Failure(f"--recover: takes no {'command' if options.command else '--times'}")
        return recover(options.recover, options.output, options.strip)
    words = rest_of_line(options.command)
    check_command(words[0])
    status, is_recorded = record_once(options, words)
    for number in range(2, options.times + 1):
        if status >= SIGNALLED or not is_recorded or not options.output.exists():
            break
        try:
            again, is_recorded = record_again(options, words, number)
        except Failure as failure:
            say(str(failure))
            return status or WORK_FAILED
        status = again or status
    return status


def record_once(options, words):
    """One run of the command: its exit status, and whether something was recorded."""
    raw = make_raw_folder(options.output)
    library = built("librecord-sites.so" if options.sites else "librecord.so")
    with preloadable(library) as library:
        control = make_control(raw, options)
        environment = recording_environment(library, raw, not options.no_children, options.sites)
        session = Session(options, words, raw, control)
        return session.run(environment), session.succeeded


def record_again(options, words, number):
    """As record_once, without the children: what the run does differently varies by itself."""
    output = run_path(options.output, number)
    with blamed_on(output.parent, WORK_FAILED):
        output.parent.mkdir(exist_ok=True)
    again = {**vars(options), "output": output, "no_children": True}
    return record_once(argparse.Namespace(**again), words)


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


def make_control(raw, options):
    """The control file of a new recording. Without a place for it nothing is begun."""
    try:
        return controls.create(raw, first_phase(options.after, options.length), options.max_size)
    except OSError as error:
        shutil.rmtree(raw, ignore_errors=True)
        raise io_failure(error, raw) from error


class Session:
    """One command under the recorder."""

    def __init__(self, options, words, raw, control):
        self.options = options
        self.words = words
        self.raw = raw
        self.control = control
        self.ending = None
        self.succeeded = None  # None: nothing compiled yet

    def run(self, environment):
        """The exit status."""
        with Signals() as signals:
            try:
                child = start(self.words, environment, self.raw, self.control, signals)
            except Failure:
                shutil.rmtree(self.raw, ignore_errors=True)
                raise
            stretch = Stretch(self.control, self.options.after, self.options.length)
            self.ending = Attendance(child, signals, stretch, self.compile_stretch).stay()
            running = [] if self.is_finished() else self.follow(signals, stretch)
            child.wait()
        if not self.is_finished():
            self.finish(running)
        return self.ending.status if self.succeeded else self.ending.status or WORK_FAILED

    def compile_stretch(self):
        """The recording is over, but the command goes on."""
        self.finish([])
        say(f"{self.words[0]} goes on, unrecorded; Ctrl-C ends it")

    def is_finished(self):
        """Whether the recording was compiled, as well as it could be."""
        return self.succeeded is not None

    def follow(self, signals, stretch):
        """Waits for those that go on without the command; those that write on nevertheless."""
        try:
            running = wait_for_all(self.running, self.options.wait, signals, stretch)
        except OSError:
            return []  # the folder is gone; finish tells
        return [] if stretch.is_over() else running

    def running(self):
        """Who still writes to the recording."""
        if self.options.no_children:
            return []
        return running_in(self.raw, images_in(self.raw), self.control.root_process.start)

    def finish(self, running):
        """Compiles and tells. Whatever fails, the exit status stays that of the command."""
        options = self.options
        facts = (options.output, self.control, self.words, self.ending, running, options.strip)
        try:
            self.succeeded = finish(Recording(self.raw, *facts))
        except OSError as error:
            self.succeeded = False
            say(f"{error.filename or self.raw}: {error_text(error)}")
        except KeyboardInterrupt:
            say(stays_in(self.raw))
            raise


def recover(raw, output, strip):
    """Compiles what is in the folder of an interrupted recording."""
    if not os.path.isdir(raw):
        raise Failure(f"{raw}: no such directory")
    images = images_in(raw)
    if not images:
        raise Failure(f"{raw}: holds no raw recording")
    raw = raw.absolute()
    control = controls.find(raw)
    since = root_process(raw, control, images).start
    recording = Recording(
        raw, output, control, [], running=running_in(raw, images, since), strip=strip
    )
    return 0 if finish(recording, has_all=True) else WORK_FAILED
