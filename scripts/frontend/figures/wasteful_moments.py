"""The moment of a replay at which most memory is resident beyond what lives: `peak_waste` of the
entries. Where the trace tells its call sites, also whose blocks live then; only then it is shown.
"""

from dataclasses import dataclass

from frontend.figures.digest import number_text
from frontend.figures.metrics import MIB
from frontend.figures.results import is_figure
from frontend.figures.table import console, print_prose

KEY = "peak_waste"
NUMBERS = ("bytes", "op", "rss", "live")


@dataclass(frozen=True)
class Moment:
    """Of all rounds of an allocator on a trace, the one with most waste."""

    waste: int  # bytes resident beyond the live ones
    op: int  # number of the operation in the trace after which it was seen, from 1
    live: int
    owners: tuple  # (site, live bytes) of those with most, the first of them first


def moment_of(entry):
    """What an entry tells of its moment, or None, since files may hold anything."""
    told = entry.get(KEY)
    is_one = isinstance(told, dict) and all(is_figure(told.get(key)) for key in NUMBERS)
    return told if is_one else None


def of_row(row):
    """The Moment of a results.Row, or None if it has none with sites."""
    told = [moment for entry in row.samples if (moment := moment_of(entry)) and owners_of(moment)]
    if not told:
        return None
    most = max(told, key=lambda moment: moment["bytes"])
    return Moment(most["bytes"], most["op"], most["live"], owners_of(most))


def owners_of(moment):
    """Whose blocks live at a moment: ((site, bytes), ...)."""
    owners = moment.get("sites")
    known = [o for o in owners if isinstance(o, dict)] if isinstance(owners, list) else []
    return tuple((str(o.get("site")), o["live"]) for o in known if is_figure(o.get("live")))


def show(measured):
    """Prints a line for each row of the Results that tells of its sites."""
    told = [(row, moment) for row in measured.rows if (moment := of_row(row))]
    out = console() if told else None
    for row, moment in told:
        print_prose(out, f"most waste of {row.allocator} on {row.subject}: {text_of(moment)}")


def text_of(moment):
    """ "2.5 MiB (operation 4,711, 12 MiB live: 8 MiB of make (x.c:3), 3.9 MiB of main)"."""
    owners = ", ".join(f"{mib_text(live)} of {site}" for site, live in moment.owners)
    live = f"{mib_text(moment.live)} live: {owners}"
    return f"{mib_text(moment.waste)} (operation {moment.op:,}, {live})"


def mib_text(count):
    """Bytes as MiB."""
    return f"{number_text(count / MIB)} MiB"
