"""Names for places in programs and libraries, as long as their files are those that were recorded.
pyelftools reads the tables of symbols; lines and readable names of C++ are binutils' business."""

import os
import shutil
import subprocess
from dataclasses import dataclass

from frontend.allocators import elf
from frontend.failure import Failure

ADDR2LINE, FILTER = "addr2line", "c++filt"
UNKNOWN = "??"
CALL = 1  # a return address is behind the call; this much before it is certainly within


@dataclass(frozen=True)
class Place:
    """A return address, and what is known of it."""

    module: str  # the path of the file as it was recorded; "" if there was none
    offset: int
    function: str = ""  # "" if it is not known
    line: str = ""  # "file.c:12"; "" if it is not known

    @property
    def name(self):
        """The function, or where it is in the module."""
        return self.function or f"{os.path.basename(self.module) or 'no module'}+{self.offset:#x}"

    @property
    def text(self):
        """The same with the line."""
        return f"{self.name} ({self.line})" if self.line else self.name


def places_of(module, offsets):
    """({offset: Place}, why there are no names, "" if there are) of a module of `trace sites`."""
    path = module["path"]
    why = unusable(path, module["build_id"])
    if why:
        return {offset: Place(path, offset) for offset in offsets}, why
    names = functions(path, [offset - CALL for offset in offsets])
    lines = lines_of(path, [offset - CALL for offset in offsets])
    found = {}
    for offset in offsets:
        function, line = lines.get(offset - CALL, ("", ""))
        found[offset] = Place(path, offset, function or names.get(offset - CALL, ""), line)
    return found, ""


def unusable(path, build_id):
    """Why a file cannot tell what was in the one that was recorded; "" if it can."""
    if not path.startswith("/"):
        return f"{path or 'a module without a name'}: no file to take names from"
    try:
        now = elf.build_id(path)
    except Failure:
        return f"{path}: is gone, or cannot be read"
    if now != build_id:
        return f"{path}: is another file now than was recorded"
    return ""


def functions(path, places):
    """{place: name of the function} by the tables of symbols."""
    try:
        names = elf.functions_at(path, places)
    except Failure:
        return {}
    return dict(zip(names, readable(list(names.values()))))


def readable(names):
    """Names of C++ as they are written in its source."""
    if not shutil.which(FILTER) or not any(name.startswith("_Z") for name in names):
        return names
    done = subprocess.run(
        [FILTER], input="\n".join(names), capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines()
    return lines if len(lines) == len(names) else names


def lines_of(path, places):
    """{place: (function, "file:line")} of those that have debugging information: two lines each."""
    if not shutil.which(ADDR2LINE):
        return {}
    command = [ADDR2LINE, "-f", "-C", "-e", path]
    asked = "".join(f"{place:#x}\n" for place in places)
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    found = {}
    for place, function, line in zip(places, lines[::2], lines[1::2]):
        line = os.path.basename(line.split(" (")[0])
        if not line.startswith(UNKNOWN) and not line.endswith((":0", ":?")):
            found[place] = ("" if function == UNKNOWN else function, line)
    return found
