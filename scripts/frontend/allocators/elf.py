"""Reads what we ask of a shared object: its build-id and the functions it defines. ELF64, little
endian, by its section headers; no general ELF library."""

import re
import struct
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap

from frontend.failure import Failure, io_failure
from frontend.paths import check_regular

TYPE_SHARED = 3
SECTION_SYMTAB = 2
SECTION_NOTE = 7
SECTION_DYNSYM = 11
NOTE_BUILD_ID = 3
SYMBOL_BYTES = 24


@dataclass(frozen=True)
class SharedObject:
    """What is known of a file."""

    machine: int
    build_id: str  # hexadecimal, "" if it has none
    functions: frozenset  # names that it defines for others


def read(path):
    """The SharedObject of a file; a Failure if it is none."""
    check_regular(path)
    try:
        image = path.read_bytes()
    except OSError as error:
        raise io_failure(error, path) from error
    if image[:6] != b"\x7fELF\x02\x01":
        raise Failure(f"{path}: no 64-bit ELF shared object")
    try:
        return parse(image)
    except (struct.error, IndexError, ValueError) as error:
        raise Failure(f"{path}: damaged ELF shared object") from error


def parse(image):
    """The SharedObject of the bytes of a file."""
    kind, machine = struct.unpack_from("<HH", image, 16)
    if kind != TYPE_SHARED:
        raise ValueError("no shared object")
    sections = list(section_headers(image))
    notes = [note_build_id(body(image, s)) for s in sections if s[1] == SECTION_NOTE]
    tables = [s for s in sections if s[1] == SECTION_DYNSYM]
    names = (defined(body(image, s), body(image, sections[s[6]])) for s in tables)
    return SharedObject(machine, next(filter(None, notes), ""), frozenset().union(*names))


def names_defined(path, pattern):
    """The names that a program or library defines (for others, and in its table of all symbols if
    it still has that) and that match a pattern of bytes as a whole."""
    try:
        with open(path, "rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as image:
            return set().union(*names_in_tables(image, pattern))
    except (OSError, ValueError) as error:
        raise Failure(f"{path}: cannot be read: {error}") from error
    except (struct.error, IndexError) as error:
        raise Failure(f"{path}: damaged ELF file") from error


def names_in_tables(image, pattern):
    """For each table of symbols, the names in it that match. A program may have a million symbols,
    so most are not even looked at where none can match."""
    if image[:6] != b"\x7fELF\x02\x01":
        raise ValueError("no 64-bit ELF file")
    sections = list(section_headers(image))
    for section in (s for s in sections if s[1] in (SECTION_SYMTAB, SECTION_DYNSYM)):
        strings = body(image, sections[section[6]])
        wanted = {
            m.start(1) for m in re.finditer(rb"(?<=\0)(" + pattern.pattern + rb")\0", strings)
        }
        yield defined(body(image, section), strings, wanted) if wanted else set()


def section_headers(image):
    """Section headers: name, type, flags, address, offset, size, link, ..."""
    (start,) = struct.unpack_from("<Q", image, 40)
    size, count = struct.unpack_from("<HH", image, 58)
    for i in range(count):
        yield struct.unpack_from("<IIQQQQII", image, start + i * size)


def body(image, section):
    """The bytes of a section."""
    return image[section[4] : section[4] + section[5]]


def note_build_id(note):
    """The build-id in a note section, or "". The first note of such a section is all we look at."""
    if len(note) < 12:
        return ""
    name_bytes, bytes_, kind = struct.unpack_from("<III", note)
    start = 12 + (name_bytes + 3) // 4 * 4
    is_build_id = kind == NOTE_BUILD_ID and note[12:16] == b"GNU\0"
    return note[start : start + bytes_].hex() if is_build_id else ""


def defined(symbols, strings, wanted=None):
    """Names of the symbols that are defined here and have a value; if `wanted` is given, only those
    whose names begin at one of these places in strings."""
    found = set()
    for start in range(0, len(symbols) - SYMBOL_BYTES + 1, SYMBOL_BYTES):
        name, _, _, section, value, _ = struct.unpack_from("<IBBHQQ", symbols, start)
        if section and value and (wanted is None or name in wanted):
            found.add(strings[name : strings.index(b"\0", name)].decode("utf-8", "replace"))
    return found
