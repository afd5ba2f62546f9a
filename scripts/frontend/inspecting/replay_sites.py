"""Who made the worst calls of a replay, and whose blocks live where it wastes most memory: set in
the entries of Results, for traces that were recorded with their call sites."""

import json

from frontend.figures import replay_details
from frontend.inspecting import sites
from frontend.measuring import traces

COLUMN = "sites"  # of those that `trace info` names


def add(measured, loaded):
    """Sets the sites in the Results of replays of the Traces; why some modules have no names."""
    reasons = []
    for trace in loaded:
        if COLUMN in trace.info.get("columns", ()):
            entries = [e for row in measured.rows if row.subject == trace.name for e in row.samples]
            reasons += [why for why in add_to(entries, trace.path) if why not in reasons]
    return reasons


def add_to(entries, path):
    """The same for the entries of the trace at `path`."""
    calls = [call for entry in entries for call in replay_details.calls_of(entry)]
    moments = [found for entry in entries if (found := replay_details.moment_of(entry))]
    wanted = {("op", call["op"]) for call in calls} | {("live", m["op"]) for m in moments}
    if not wanted:
        return []
    told, places, reasons = ask(path, sorted(wanted, key=lambda line: line[1]))
    for call in calls:
        call["site"] = site_of(told["op", call["op"]], places)
    for moment in moments:
        owners = told["live", moment["op"]]["sites"]
        moment["sites"] = [{"site": site_of(o, places), "live": o["live"]} for o in owners]
    return reasons


def ask(path, wanted):
    """({line: what `trace moments` answers}, {frame: Place}, why some modules have no names)."""
    lines = "".join(f"{word} {op}\n" for word, op in wanted)
    told = json.loads(traces.tool("moments", path, text=lines))
    answers = dict(zip(wanted, told["moments"]))
    owners = [owner for answer in told["moments"] for owner in answer.get("sites", [answer])]
    frames = [frame for owner in owners for frame in owner["frames"]]
    places, reasons = sites.named(told["modules"], frames)
    return answers, places, reasons


def site_of(owner, places):
    """The stack of a site in a line."""
    return sites.stack_text([places[module, offset] for module, offset in owner["frames"]])
