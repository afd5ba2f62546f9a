"""Tables that never cut a number: what does not fit the width is broken between words, and where
that does not suffice the columns that matter least are left out, by name.
"""

import copy
import re

from rich import box
from rich.console import Console, Group
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

# Where a text may be broken: behind white space, and in names behind a slash, a comma or a dash.
# What is between these is never cut, so no number is, nor what stands for its unit.
PIECE = re.compile(
    r"(?:[^\s/,-]|[,-](?=\d)|\s(?=%)|(?<=\d)\s(?=(?:[KMGT]i)?B\b))*(?:\s+|/+|[,-](?!\d)\s*|$)"
)
PADDING = 1  # left of each cell
GAP, EDGES = 2, 2  # what each column is wider than its texts, and the table than its columns


class UncutConsole(Console):
    """A rich Console that lets a line be longer than it is wide rather than cut it."""

    def print(self, *objects, crop=False, **options):
        super().print(*objects, crop=crop, **options)


class FittedTable(Table):
    """A rich Table that fits itself to the width. `spare` are heads of columns that may be left
    out, the first one first; heads that several columns have are told apart by nobody."""

    def __init__(self, *heads, spare=()):
        super().__init__(
            *heads, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, PADDING), collapse_padding=True
        )
        self.spare = list(spare)

    def __rich_console__(self, console, options):
        """What rich asks for: the table as it fits, and which columns it is without."""
        if whole_width(map(natural, self.columns)) <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        fitted, missing = self.fitted(options.max_width)
        wide = options.update(
            max_width=max(options.max_width, whole_width(c.width for c in fitted.columns))
        )
        yield from Table.__rich_console__(fitted, console, wide)
        if missing:
            told = f"No room for: {', '.join(missing)} (a wider terminal, or a pipe, has them)."
            yield from console.render(Group(Text(told, style="dim")), options)
            yield Segment.line()

    def fitted(self, width):
        """(the table without what has no room, heads of what is left out)."""
        kept, missing = list(self.columns), []
        for head in self.spare:
            if whole_width(map(least, kept)) <= width:
                break
            missing += [head_of(c) for c in kept if head_of(c) == head]
            kept = [c for c in kept if head_of(c) != head]
        fitted = copy.copy(self)
        fitted.columns = [broken(c, w) for c, w in zip(kept, widths(kept, width))]
        return fitted, missing

    def leave_out_empty(self):
        """Leaves out the columns in which no row has anything."""
        self.columns = [c for c in self.columns if any(as_text(cell).plain for cell in c._cells)]


def texts_of(column):
    """The head and the cells of a column."""
    return [as_text(cell) for cell in (column.header, *column._cells)]


def as_text(cell):
    return cell if isinstance(cell, Text) else Text(str(cell))


def head_of(column):
    """What a column is called."""
    return as_text(column.header).plain


def pieces(text):
    """The parts of a text that are never cut."""
    return [piece for piece in PIECE.findall(text) if piece]


def natural(column):
    """The width of a column in which nothing is broken."""
    return max(part.cell_len for text in texts_of(column) for part in text.split() or [Text()])


def least(column):
    """The least width of a column in which nothing is cut."""
    found = (Text(p.rstrip()).cell_len for t in texts_of(column) for p in pieces(t.plain))
    return max(found, default=0)


def whole_width(columns):
    """The width of a table of columns of some widths."""
    return sum(width + GAP for width in columns) + EDGES


def widths(columns, room):
    """The width of each column: as wide as it is, or narrower, the widest first, until all have
    room."""
    found, lows = [natural(c) for c in columns], [least(c) for c in columns]
    excess = whole_width(found) - room
    while excess > 0 and any(width > low for width, low in zip(found, lows)):
        slack = [(width, -i) for i, (width, low) in enumerate(zip(found, lows)) if width > low]
        found[-max(slack)[1]] -= 1
        excess -= 1
    return found


def broken(column, width):
    """The column with a width, its texts broken to fit."""
    made = copy.copy(column)
    made.width, made.no_wrap = width, True
    made.header = break_text(as_text(column.header), width)
    made._cells = [break_text(as_text(cell), width) for cell in column._cells]
    return made


def break_text(text, width):
    """The Text in lines that are no wider than `width`, but for pieces that are."""
    if all(line.cell_len <= width for line in text.split()):
        return text
    offsets, used, place = [], 0, 0
    for piece in pieces(text.plain):
        if used and used + Text(piece.rstrip()).cell_len > width:
            offsets.append(place)
            used = 0
        used, place = used + Text(piece).cell_len, place + len(piece)
    lines = text.divide(offsets)
    for line in lines:
        line.rstrip()
    return Text("\n").join(lines)
