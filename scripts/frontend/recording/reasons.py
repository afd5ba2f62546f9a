"""Why a program was not recorded, as far as its file and what its parent saw can tell."""

import os
import shutil
import stat
from contextlib import suppress

from frontend.allocators import elf
from frontend.failure import Failure
from frontend.recording.control import FOLDER_FAR, LIBRARY_FAR, NO_DIRECTORY, NO_PRELOAD

LOST_BY_SIZE = 1 << 16  # RAW_LOST_BY_SIZE
SCRIPTS_MAX = 4  # that name each other as interpreters; as the kernel has it
UNKNOWN = "did not load the recorder (changed rights, a limit, or a filter of system calls)"


def why(vanished):
    """What kept an image from being recorded: follows "perl (pid 7) "."""
    if vanished.error:
        return f"found no place for its recording ({error_text(vanished.error)})"
    obstacles = vanished.obstacles  # first: from another root folder, names are of other files
    known = environment_fault(obstacles) or place_fault(obstacles) or file_fault(vanished.path)
    return known or UNKNOWN


def error_text(error):
    """What a reason for losses says."""
    return "--max-size" if error == LOST_BY_SIZE else os.strerror(error)


def environment_fault(obstacles):
    """What the environment lacks, or None."""
    if obstacles & NO_PRELOAD and obstacles & NO_DIRECTORY:
        return "was started with a cleared environment"
    if obstacles & NO_PRELOAD:
        return "was started without the recorder in LD_PRELOAD"
    if obstacles & NO_DIRECTORY:
        return "was started with the environment of another recording"
    return None


def place_fault(obstacles):
    """What its user, its root folder or its mounts keep it from reaching, or None."""
    if obstacles & FOLDER_FAR:
        return "may not reach the recording's folder as its user or from its root folder"
    if obstacles & LIBRARY_FAR:
        return "does not find librecord.so from its root folder"
    return None


def file_fault(name):
    """What about a program's file keeps the loader from preloading anything, or None."""
    path = shutil.which(name) or name
    for _ in range(SCRIPTS_MAX):
        interpreter = script_interpreter(path)
        if not interpreter:
            break
        path = interpreter
    return privilege_fault(path) or format_fault(path)


def script_interpreter(path):
    """The program that runs a script; None if it is none."""
    with suppress(OSError, IndexError), open(path, "rb") as file:
        line = file.readline(256)
        return os.fsdecode(line[2:].split()[0]) if line.startswith(b"#!") else None
    return None


def privilege_fault(path):
    """Whether the program gets rights that its caller has not, and so no preloads."""
    with suppress(OSError):
        if os.stat(path).st_mode & (stat.S_ISUID | stat.S_ISGID):
            return "is setuid or setgid"
        os.getxattr(path, "security.capability")
        return "has file capabilities"
    return None


def format_fault(path):
    """Whether the recorder's library does not fit the program."""
    with suppress(Failure), elf.opened(path, "program") as program:
        if program.elfclass == 32:
            return "is a 32-bit program"
        interpreter = next(program.iter_segments("PT_INTERP"), None)
        return None if interpreter else "is linked statically"
    return None
