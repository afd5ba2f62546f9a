"""Programs that have an allocator of their own linked in: the recorder sees only what they ask of
the standard names, so it is said that there is more. And programs that are linked with an
allocator's library, which serves them where nothing is preloaded."""

import re
from dataclasses import dataclass
from pathlib import Path

from frontend.allocators import elf
from frontend.counted import counted
from frontend.failure import Failure

RAW_HEADER_BYTES = 4096
# The recorder's note of the program's file; it is in the raw recording only.
EXECUTABLE = re.compile(rb"\n\.executable=([^\n]+)\n")
# What allocators that are linked in call their functions. Wrappers (xmalloc, zmalloc, g_malloc)
# cannot be told from allocators by their names, so these are names that only allocators have.
ALLOCATORS = (
    rb"malloc"  # it goes before any preloaded one
    rb"|\w*mallocx|(_rjem_)?(je_)?malloc"  # jemalloc, with any prefix
    rb"|mi_(heap_)?malloc(_\w+)?"  # mimalloc
    rb"|tc_(malloc|new)(_\w+)?|TCMallocInternal\w+"
    rb"|_ZN\d+(partition_alloc|allocator_shim)\w+"  # Chromium's
    rb"|sn_(rust_)?(alloc|malloc)|_ZN8snmalloc\w+"
    rb"|rpmalloc|scudo_malloc|xxmalloc|nedmalloc|dlmalloc"
    rb"|runtime\.mallocgc"  # Go's
)

# The libraries that define malloc itself, by the beginning of their sonames.
LIBRARIES = re.compile(
    r"lib(jemalloc|mimalloc|tcmalloc\w*|tbbmalloc_proxy|snmallocshim\S*|hoard|rpmalloc|scudo\S*"
    r"|hardened_malloc\S*|span|span-fast)\.so"
)


@dataclass(frozen=True)
class OwnMalloc:
    """A program's own allocator."""

    program: str
    symbol: str

    def told(self, calls):
        """The line that says so, beside the number of calls that were recorded."""
        seen = f"{counted(calls, 'call')} seen"
        return f"{self.program}: has a malloc of its own (symbol {self.symbol}): {seen}"


def find(raw, command):
    """The OwnMalloc of the program that a raw recording is of (without one, of the command's file);
    None if the program's file shows none, or nobody knows which it is."""
    path = executable_of(raw) if raw else command and Path(command)
    symbol = symbol_of(path) if path else None
    return OwnMalloc(path.name, symbol) if symbol else None


def executable_of(raw):
    """The file of the program that a raw recording is of, or None if it is not told."""
    try:
        with open(raw, "rb") as file:
            match = EXECUTABLE.search(file.read(RAW_HEADER_BYTES))
    except OSError:
        return None
    return Path(match.group(1).decode("utf-8", "surrogateescape")) if match else None


def symbol_of(path):
    """The shortest name of an allocator's function that a program defines, or None. A program whose
    names were stripped shows none but those that it exports."""
    try:
        names = elf.names_defined(path, ALLOCATORS)
    except Failure:
        return None
    return min(names, key=lambda name: (len(name), name), default=None)


def library_of(path):
    """The name of the library of the allocator that a program is linked with, or None."""
    try:
        names = [Path(soname).name for soname in elf.needed(path)]
    except Failure:
        return None
    return next(filter(LIBRARIES.match, names), None)


def library_text(name, library):
    """The line that says so."""
    return f"{name} is linked with {library}, which serves it where nothing is preloaded"
