"""Who asked for memory: the call sites of a trace with their names."""

import json
from collections import Counter
from dataclasses import asdict, dataclass

from frontend.inspecting.symbols import Place, places_of
from frontend.measuring import traces

UNKNOWN = Place("", 0, "unknown caller")
BETWEEN = " < "  # a function and the one that called it


@dataclass(frozen=True)
class Site:
    """A call site and what its calls came to; as `trace sites` tells it."""

    places: tuple  # of Place, the innermost first
    ops: int
    blocks: int
    bytes: int
    peak_live: int
    peak_op: int
    final_live: int
    freed: int
    mean_lifetime_ops: float

    @property
    def text(self):
        """Its stack in a line."""
        return stack_text(self.places)

    @property
    def names(self):
        """The same without lines and addresses, which change with every build."""
        return BETWEEN.join(place.name for place in self.places)

    def facts(self):
        """As JSON has it."""
        facts = asdict(self)
        places = facts.pop("places")
        return {"frames": places, **facts}


def load(path):
    """(all Sites of a trace, the busiest first, and why some modules have no names)."""
    told = json.loads(traces.tool("sites", path))
    frames = [frame for site in told["sites"] for frame in site["frames"]]
    places, reasons = named(told["modules"], frames)
    found = [site_of(site, places) for site in told["sites"]]
    return sorted(found, key=lambda site: (-site.ops, -site.bytes, site.text)), reasons


def stack_text(places):
    """Places in a line, the innermost first, each with its line where that is known."""
    return BETWEEN.join(place.text for place in places or (UNKNOWN,))


def named(modules, frames):
    """({(module, offset): Place}, reasons) of [module, offset] pairs."""
    offsets, places, reasons = {}, {}, []
    for module, offset in frames:
        offsets.setdefault(module, set()).add(offset)
    for module, wanted in offsets.items():
        if module == 0:
            places.update({(0, offset): Place("", offset) for offset in wanted})
            continue
        found, why = places_of(modules[module - 1], sorted(wanted))
        places.update({(module, offset): place for offset, place in found.items()})
        reasons += [why] if why and why not in reasons else []
    return places, reasons


def site_of(told, places):
    """A Site from what `trace sites` says of it."""
    figures = {key: value for key, value in told.items() if key != "frames"}
    frames = tuple(places[module, offset] for module, offset in told["frames"])
    return Site(frames or (UNKNOWN,), **figures)


def folded(found):
    """Lines "OUTERMOST;...;INNERMOST CALLS" as tools for flame graphs read them."""
    counts = Counter()
    for site in found:
        names = (place.name.replace(";", ":") for place in reversed(site.places))
        counts[";".join(names)] += site.ops
    return "\n".join(f"{stack} {count}" for stack, count in counts.items())


def by_name(found):
    """{stack of names: (calls, bytes)}: comparable between two builds of a program."""
    sums = {}
    for site in found:
        ops, size = sums.get(site.names, (0, 0))
        sums[site.names] = (ops + site.ops, size + site.bytes)
    return sums
