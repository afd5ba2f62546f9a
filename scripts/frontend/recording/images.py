"""The raw files of a recording: which process image each is of, and which belong together."""

import re
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from frontend.recording.control import Process

RAW_NAME = re.compile(r"(\d+)-(\d+)\.raw")
START = struct.Struct("<Q4I2Q")  # struct raw_header up to start_ns
IDENTITY = struct.Struct("<2Q")  # pid_namespace, start_ticks
TEXT_BYTES_AT, TEXT_AT, TEXT_MAX = 84, 88, 3072
HEADER_BYTES = TEXT_AT + TEXT_MAX + IDENTITY.size


@dataclass(frozen=True)
class Image:
    """The raw recording of one process image."""

    process: Process
    number: int  # N of PID-N.raw; no two images have the same pid and number
    path: Path
    start_ns: int  # when it began
    is_root: bool  # as the recorder saw it
    program: str

    @property
    def name(self):
        """PID-N."""
        return self.path.stem


def images_in(raw):
    """The Images in a folder, in order of processes and then of time."""
    found = (read_image(path) for path in Path(raw).iterdir() if RAW_NAME.fullmatch(path.name))
    return sorted(found, key=lambda image: (image.process.pid, image.process.start, image.start_ns))


def read_image(path):
    """What the header of a raw file says; of a damaged one what its name does."""
    pid, number = map(int, RAW_NAME.fullmatch(path.name).groups())
    header = b""
    with suppress(OSError), open(path, "rb") as file:
        header = file.read(HEADER_BYTES)
    header = header.ljust(HEADER_BYTES, b"\0")
    _, _, _, _, parent, _, start_ns = START.unpack_from(header)
    namespace, start = IDENTITY.unpack_from(header, TEXT_AT + TEXT_MAX)
    process = Process(pid, namespace, start)
    return Image(process, number, path, start_ns, parent == 0, text_of(header).get("program", ""))


def text_of(header):
    """The "key=value" lines of a header."""
    length = min(struct.unpack_from("<I", header, TEXT_BYTES_AT)[0], TEXT_MAX)
    lines = header[TEXT_AT : TEXT_AT + length].decode(errors="replace").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def root_process(raw, control, images):
    """The process of the command; that of the lowest pid where nobody knows it any more."""
    if control and control.root_process.pid:
        return control.root_process
    with suppress(OSError, ValueError):
        pid = int((Path(raw) / "root").read_text())
        own = [image for image in images if image.process.pid == pid]
        first = min(own, key=lambda image: (not image.is_root, image.start_ns), default=None)
        return first.process if first else Process(pid, 0, 0)
    return min(image.process for image in images) if images else Process(0, 0, 0)
