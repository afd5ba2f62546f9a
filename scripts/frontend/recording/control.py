"""The control file of a recording (workloads/recording.h): what the recorder is told while programs
run, and what it tells of images that it could not record."""

import mmap
import os
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

NAME = "control"
MAGIC, VERSION = 0x4C544E4F43425053, 1
HEADER = struct.Struct("<QIIQQQQII")  # struct recording_control up to root_process
PROCESS = struct.Struct("<IIQQ")
ROOT = struct.Struct("<IIII16s220s")
NOTE = struct.Struct("<IIQQIII220s")
PHASE_AT = 12
PROCESS_AT = HEADER.size
ROOT_AT = PROCESS_AT + PROCESS.size
NOTES_AT, NOTES_MAX = 4096, 1024
FILE_BYTES = NOTES_AT + NOTES_MAX * NOTE.size
UNLIMITED = 2**64 - 1

ALWAYS, BEFORE, STRETCH, OVER = range(4)  # enum recording_phase
NOTE_EXEC, NOTE_REFUSED = 4, 5  # enum recording_note_state
NO_PRELOAD, NO_DIRECTORY, LIBRARY_FAR, FOLDER_FAR = 1, 2, 4, 8  # enum recording_obstacle


@dataclass(frozen=True)
class Process:
    """Who a process is, as it sees itself; what is not known is 0."""

    pid: int
    namespace: int  # inode of its pid namespace
    start: int  # in clock ticks since the machine was started

    def is_same(self, other):
        """Whether both may be the same process."""
        pairs = ((self.namespace, other.namespace), (self.start, other.start))
        return self.pid == other.pid and all(a == b or not (a and b) for a, b in pairs)


@dataclass(frozen=True)
class Root:
    """What the images of the command's process told."""

    images: int  # that started
    number: int  # N of the last one's raw file PID-N.raw, or None
    has_ended: bool  # in an orderly way
    error: int  # errno, if there is no raw file because it could not be made
    name: str  # of its first thread, when it started
    program: str


@dataclass(frozen=True)
class Vanished:
    """An image that was started and is not recorded."""

    pid: int  # 0: not known
    namespace: int
    sequence: int
    obstacles: int
    error: int
    path: str


def text_of(field):
    """The string in a field that ends with NUL."""
    return os.fsdecode(field.split(b"\0", 1)[0])


class Control:
    """The mapped file."""

    def __init__(self, path):
        with open(path, "r+b") as file:
            self.bytes = mmap.mmap(file.fileno(), FILE_BYTES)

    @property
    def phase(self):
        """What is recorded at present."""
        return struct.unpack_from("<I", self.bytes, PHASE_AT)[0]

    @phase.setter
    def phase(self, phase):
        struct.pack_into("<I", self.bytes, PHASE_AT, phase)

    @property
    def claimed_bytes(self):
        """What the raw files have taken of the disk so far."""
        return HEADER.unpack_from(self.bytes)[4]

    @property
    def root_process(self):
        """The command's process; pid 0 before it was started."""
        pid, _, namespace, start = PROCESS.unpack_from(self.bytes, PROCESS_AT)
        return Process(pid, namespace, start)

    @root_process.setter
    def root_process(self, process):
        words = (process.pid, 0, process.namespace, process.start)
        PROCESS.pack_into(self.bytes, PROCESS_AT, *words)

    @property
    def root(self):
        """What the command's images told."""
        images, file, has_ended, error, name, program = ROOT.unpack_from(self.bytes, ROOT_AT)
        number = file - 1 if file else None
        return Root(images, number, bool(has_ended), error, text_of(name), text_of(program))

    @property
    def unnoted(self):
        """Notes for which there was no room."""
        return HEADER.unpack_from(self.bytes)[6]

    def vanished(self):
        """The images that are not recorded, in the order in which they were started."""
        return sorted(self.notes(), key=lambda note: note.sequence)

    def notes(self):
        """The notes that still stand."""
        for index in range(HEADER.unpack_from(self.bytes)[7]):
            fields = NOTE.unpack_from(self.bytes, NOTES_AT + index * NOTE.size)
            state, pid, namespace, sequence, _, obstacles, error, path = fields
            if state in (NOTE_EXEC, NOTE_REFUSED):
                yield Vanished(pid, namespace, sequence, obstacles, error, text_of(path))


def create(folder, phase=ALWAYS, most_bytes=None):
    """Makes the control file, with its place on the disk: a full disk shows here, not later."""
    path = Path(folder) / NAME
    with open(path, "xb") as file:
        os.posix_fallocate(file.fileno(), 0, FILE_BYTES)
        most = UNLIMITED if most_bytes is None else most_bytes
        file.write(HEADER.pack(MAGIC, VERSION, phase, most, 0, 0, 0, 0, 0))
    return Control(path)


def find(folder):
    """The control file of a folder; None where there is none that makes sense."""
    with suppress(OSError, ValueError):
        control = Control(Path(folder) / NAME)
        if HEADER.unpack_from(control.bytes)[:2] == (MAGIC, VERSION):
            return control
    return None


def this_process():
    """Who the calling process is, as the recorder in it will see it."""
    start = namespace = 0
    with suppress(OSError, ValueError, IndexError):
        start = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    with suppress(OSError, ValueError):
        namespace = int(os.readlink("/proc/self/ns/pid")[len("pid:[") : -1])
    return Process(os.getpid(), namespace, start)
