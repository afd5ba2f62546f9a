"""What is asked of a program or library: its build-id, its processor, the functions that it defines
and which of them is at a place. pyelftools knows the format; only the table of symbols is read with
numpy, since of a large program it has a million entries, and pyelftools takes 20 us for each."""

import re
from contextlib import contextmanager
from dataclasses import dataclass

from frontend.failure import Failure, blamed_on
from frontend.lazily import Lazy
from frontend.paths import check_regular

elffile = Lazy("elftools.elf.elffile")
numpy = Lazy("numpy")

# Elf64_Sym
SYMBOL = [("name", "<u4"), ("kind", "<u2"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")]
FUNCTIONS = (2, 10)  # STT_FUNC and STT_GNU_IFUNC, in the low bits of `kind`


@dataclass(frozen=True)
class SharedObject:
    """What is known of a file."""

    machine: str  # as pyelftools names it, such as EM_X86_64
    build_id: str  # hexadecimal, "" if it has none
    functions: frozenset  # names that it defines for others


def read(path):
    """The SharedObject of a file; a Failure if it is none."""
    with opened(path, "shared object") as elf:
        if elf["e_type"] != "ET_DYN":
            raise ValueError("of another type")
        functions = defined(elf, ("SHT_DYNSYM",), rb"[^\0]+")
        return SharedObject(elf["e_machine"], build_id_of(elf), frozenset(functions))


def build_id(path):
    """The build-id of a program or library, "" if it has none."""
    with opened(path, "file") as elf:
        return build_id_of(elf)


def build_id_of(elf):
    """The same of one that is open."""
    notes = (note for s in elf.iter_sections("SHT_NOTE") for note in s.iter_notes())
    found = (note["n_desc"] for note in notes if note["n_type"] == "NT_GNU_BUILD_ID")
    return next(found, "")


def functions_at(path, places):
    """{place: function} of those places in a file that lie within a function it has a symbol of."""
    found = {}
    with opened(path, "file") as elf:
        for section in elf.iter_sections():
            if section["sh_type"] in ("SHT_SYMTAB", "SHT_DYNSYM"):
                strings = elf.get_section(section["sh_link"]).data()
                symbols = numpy.frombuffer(section.data(), SYMBOL)
                found.update(functions_within(symbols, strings, set(places) - found.keys()))
    return found


def functions_within(symbols, strings, places):
    """The same of one table of symbols."""
    is_function = numpy.isin(symbols["kind"] & 15, FUNCTIONS) & (symbols["section"] != 0)
    symbols = numpy.sort(symbols[is_function], order="value")
    asked = numpy.array(sorted(places), dtype="u8")
    before = numpy.searchsorted(symbols["value"], asked, side="right") - 1
    found = {}
    for place, index in zip(asked.tolist(), before.tolist()):
        if index >= 0 and place - int(symbols["value"][index]) < int(symbols["size"][index]):
            start = int(symbols["name"][index])
            end = strings.index(b"\0", start)
            found[place] = strings[start:end].decode("utf-8", "replace")
    return found


def names_defined(path, pattern):
    """The names that a program or library defines (for others, and in its table of all symbols if
    it still has that) and that match a pattern of bytes as a whole."""
    with opened(path, "file") as elf:
        return defined(elf, ("SHT_SYMTAB", "SHT_DYNSYM"), pattern)


def needed(path):
    """The sonames of the libraries that a program or library is linked with itself, in order."""
    with opened(path, "file") as elf:
        tables = elf.iter_sections("SHT_DYNAMIC")
        return [tag.needed for table in tables for tag in table.iter_tags("DT_NEEDED")]


@contextmanager
def opened(path, what):
    """The ELFFile of a path for as long as a `with` lasts. A Failure if it is none, or if what the
    `with` asks it fails: at a damaged file pyelftools raises nearly every error there is."""
    check_regular(path)
    with blamed_on(path):
        file = open(path, "rb")
    with file:
        try:
            yield elffile.ELFFile(file)
        except Exception as error:
            raise Failure(f"{path}: no 64-bit ELF {what}, or a damaged one") from error


def defined(elf, kinds, pattern):
    """The names in the tables of symbols of these kinds that are defined in the file, have a value
    and match as a whole."""
    if elf.elfclass != 64 or not elf.little_endian:
        raise ValueError("symbols of another layout")
    whole, found = re.compile(rb"(?:%b)(?=\0)" % pattern), set()
    for section in elf.iter_sections():
        if section["sh_type"] in kinds:
            strings = elf.get_section(section["sh_link"]).data()
            symbols = numpy.frombuffer(section.data(), SYMBOL)
            places = symbols["name"][(symbols["section"] != 0) & (symbols["value"] != 0)]
            matches = (whole.match(strings, place) for place in places.tolist())
            found.update(match[0].decode("utf-8", "replace") for match in matches if match)
    return found
