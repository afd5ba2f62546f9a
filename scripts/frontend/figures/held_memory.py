"""What an allocator holds its memory for where a replay needs most of it: `held` of the entries, of
allocators that have a mallinfo2 of their own.
"""

from dataclasses import dataclass

from frontend.figures.results import is_figure

KEY = "held"
NUMBERS = ("rss", "live", "used", "cached", "free", "empty")


@dataclass(frozen=True)
class Held:
    """Bytes by cause; together they are what is mapped, of which `rss` bytes are resident."""

    rss: int
    live: int  # requested by the program
    overhead: int  # headers, and what requests were rounded up by
    cached: int  # freed, in caches of threads or not merged yet
    free: int  # free between blocks in use
    empty: int  # could be given back as it is


def of_row(row):
    """The Held of a results.Row in the round with the highest RSS; None if it does not tell."""
    told = [entry[KEY] for entry in row.samples if is_told(entry.get(KEY))]
    if not told:
        return None
    most = max(told, key=lambda held: held["rss"])
    overhead = max(0, most["used"] - most["live"])
    return Held(most["rss"], most["live"], overhead, *(most[key] for key in NUMBERS[3:]))


def is_told(held):
    """Whether an entry's value has the figures, since files may hold anything."""
    return isinstance(held, dict) and all(is_figure(held.get(key)) for key in NUMBERS)
