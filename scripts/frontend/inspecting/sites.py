"""Who asked for memory: the call sites of a trace with their names. Of replays, who made the worst
calls, and whose blocks live where most memory is wasted, for traces that tell their call sites."""

import json
from collections import Counter
from dataclasses import asdict, dataclass

from frontend.figures import replay_details
from frontend.inspecting.symbols import Place, places_of
from frontend.measuring import traces

COLUMN = "sites"  # of those that `trace info` names
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


# Replays


def add_to_replays(measured, loaded):
    """Sets the sites in the Results of replays of the Traces; why some modules have no names."""
    reasons = []
    for trace in loaded:
        if COLUMN in trace.info.get("columns", ()):
            entries = [e for row in measured.rows if row.subject == trace.name for e in row.samples]
            reasons += [why for why in add_to_entries(entries, trace.path) if why not in reasons]
    return reasons


def add_to_entries(entries, path):
    """The same for the entries of the trace at `path`."""
    calls = [call for entry in entries for call in replay_details.calls_of(entry)]
    moments = [found for entry in entries if (found := replay_details.moment_of(entry))]
    wanted = {("op", call["op"]) for call in calls} | {("live", m["op"]) for m in moments}
    if not wanted:
        return []
    told, places, reasons = ask(path, sorted(wanted, key=lambda line: line[1]))
    for call in calls:
        call["site"] = owner_text(told["op", call["op"]], places)
    for moment in moments:
        owners = told["live", moment["op"]]["sites"]
        moment["sites"] = [{"site": owner_text(o, places), "live": o["live"]} for o in owners]
    return reasons


def ask(path, wanted):
    """({line: what `trace moments` answers}, {frame: Place}, why some modules have no names)."""
    lines = "".join(f"{word} {op}\n" for word, op in wanted)
    told = json.loads(traces.tool("moments", path, text=lines))
    answers = dict(zip(wanted, told["moments"]))
    owners = [owner for answer in told["moments"] for owner in answer.get("sites", [answer])]
    frames = [frame for owner in owners for frame in owner["frames"]]
    places, reasons = named(told["modules"], frames)
    return answers, places, reasons


def owner_text(owner, places):
    """The stack of a site in a line."""
    return stack_text([places[module, offset] for module, offset in owner["frames"]])
