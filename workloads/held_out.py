"""The traces that are held out: programs that are recorded as the corpus is, but by whose traces
no constant of the allocator is chosen, so that they tell how far what the corpus says holds
elsewhere.

They are those of the whole programs whose package the corpus has not, as far as it is Debian's,
their main process makes 100,000 calls or more, and their world is not one of the corpus. They were
chosen before any of these traces was replayed, and none is left out for what it says.

Two have been learnt from since: pdftoppm showed that arrays of the front could starve, bash that a
heap could grow while empty spans were kept that were a little too small. Both were mended; their
rows say less than the others.
"""

from dataclasses import replace

from programs import PROGRAMS as WHOLE


def whole(name, /, **changes):
    """One of the whole programs, with changes."""
    return replace(next(program for program in WHOLE if program.name == name), **changes)


HELD_OUT = (
    whole("bash"),
    whole("ruby", world="an interpreter: garbage collection, threads"),
    whole("php", world="an interpreter without pools of its own"),
    whole("z3"),
    whole("cmake", world="a build generated: strings, maps", command=("cmake", "-B", "build", ".")),
    whole("rsvg-convert"),
    whole(
        "poppler",
        name="pdftoppm",
        world="a PDF read, its pages drawn",
        command=("pdftoppm", "-r", "50", "-l", "9", "-png", "book.pdf", "page"),
    ),
)
