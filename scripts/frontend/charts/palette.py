"""One colour and one marker for each allocator, the same in every chart and page.

The hues are close to those of Okabe and Ito, which people with any of the usual colour deficiencies
can tell apart; the markers say the same a second time. A twin, which poisons what is freed, has the
hue of its parent, lighter and hollow. A name that is not known here gets a style from its letters
alone, so that it keeps its look whatever stands beside it.
"""

import zlib
from dataclasses import dataclass

INK = "#1f2328"
MUTED = "#59636e"
LINES = "#d1d9e0"
BAND = "#f3f5f7"
PAPER = "#ffffff"
LIVE = "#c9d3dd"
# What the page puts in their place where the reader prefers dark.
DARK = {
    INK: "#e6edf3",
    MUTED: "#9aa5b1",
    LINES: "#3a434d",
    BAND: "#1a2129",
    PAPER: "#0f141a",
    LIVE: "#36424f",
}


@dataclass(frozen=True)
class Style:
    """How an allocator looks: on paper, on a dark screen, as a marker."""

    colour: str
    dark: str
    marker: str
    is_twin: bool = False

    @property
    def face(self):
        """The inside of its marker."""
        return PAPER if self.is_twin else self.colour

    @property
    def dashes(self):
        """How its line is drawn."""
        return (0, (3, 1.2)) if self.is_twin else "solid"


KNOWN = {
    "span": Style("#d55e00", "#ff8533", "o"),
    "span-fast": Style("#8f2d00", "#d9653b", "p"),
    "glibc": Style("#3a4147", "#e1e6ea", "s"),
    "jemalloc": Style("#0058c4", "#5b9bff", "^"),
    "mimalloc": Style("#00875a", "#1f9d78", "D"),
    "tcmalloc": Style("#d0509f", "#e08ac8", "v"),
    "tbb": Style("#b07a00", "#e3ad3b", "P"),
    "scudo": Style("#7d5fc4", "#ab92ea", "X"),
    "glibc-perturb": Style("#737d87", "#8d98a3", "s", is_twin=True),
    "jemalloc-junk": Style("#5a93dc", "#5f86c9", "^", is_twin=True),
}
# For names that are not above: none of these pairs is used there.
OTHER_COLOURS = (("#a03050", "#e07a95"), ("#7a5230", "#c0906a"), ("#6b7a00", "#aebb3f"))
OTHER_MARKERS = ("h", "d", "<", ">", "*")


def style(name):
    """The Style of the allocator `name`."""
    if name in KNOWN:
        return KNOWN[name]
    number = zlib.crc32(name.encode())
    colour, dark = OTHER_COLOURS[number % len(OTHER_COLOURS)]
    marker = OTHER_MARKERS[number // len(OTHER_COLOURS) % len(OTHER_MARKERS)]
    return Style(colour, dark, marker)


def dark_of(colour):
    """The colour that stands for `colour` on a dark screen."""
    known = {look.colour: look.dark for look in KNOWN.values()}
    return {**known, **dict(OTHER_COLOURS), **DARK}[colour]


def colours():
    """Every colour that a chart may hold."""
    return [*DARK, *(look.colour for look in KNOWN.values()), *dict(OTHER_COLOURS)]
