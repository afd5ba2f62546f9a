"""What two recordings differ in, as tables for people and as JSON."""

from frontend.counted import counted
from frontend.figures.table import Text, console, new_table
from frontend.inspecting.differing import FAIL, PASS

SIZES_MOST = SITES_MOST = 20  # in the tables; arbitrary
COLOURS = {PASS: "green", FAIL: "red"}


def show(a, b, changes, sizes, verdicts, sites=None):
    """Prints the page; `sites` as differing.site_changes has them."""
    out = console()
    for letter, side in (("A", a), ("B", b)):
        out.print(Text(f"{letter}: {side_text(side)}"), soft_wrap=True)
    changed = sorted((c for c in changes if c.is_change), key=lambda c: -abs(c.growth))
    if changed:
        out.print(changes_table(changed))
    out.print(rest_text(changes), soft_wrap=True)
    if sizes:
        out.print(sizes_table(sizes[:SIZES_MOST]))
        if len(sizes) > SIZES_MOST:
            out.print(f"and {counted(len(sizes) - SIZES_MOST, 'further size')}; --json has all")
    if sites is not None:
        out.print(sites_table(sites[:SITES_MOST]) if sites else "no site asked for more or less")
        if len(sites) > SITES_MOST:
            out.print(f"and {counted(len(sites) - SITES_MOST, 'further site')}; --json has all")
    for verdict in verdicts:
        out.print(
            Text(verdict_text(verdict), style=COLOURS.get(verdict.verdict, "")), soft_wrap=True
        )


def side_text(side):
    """A side's file, program and number of recordings."""
    runs = len(side.infos)
    return f"{side.path}, {side.program or 'unknown program'}, {counted(runs, 'recording')}"


def number(value):
    """A figure with its thousands."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def values_text(values):
    """One figure, or the range of several."""
    low, high = min(values), max(values)
    return number(low) if low == high else f"{number(low)} - {number(high)}"


def percent_text(growth):
    """A share as +12.3 %."""
    return "new" if growth == float("inf") else f"{100 * growth:+,.2f} %"


def changes_table(changed):
    """The metrics that have changed."""
    table = new_table("metric", numbers=("A", "B", "change", "of A"), spare=("change",))
    for change in changed:
        amount = ("+" if change.amount > 0 else "") + number(change.amount)
        cells = values_text(change.a), values_text(change.b), amount, percent_text(change.growth)
        table.add_row(change.name, *cells)
    return table


def rest_text(changes):
    """How many metrics are as they were, and which vary by themselves."""
    same = [change for change in changes if not change.is_change]
    varying = [change.name for change in same if change.spread]
    text = f"{counted(len(same), 'metric')} as before"
    if varying:
        text += f"; of these vary by themselves: {', '.join(varying)}"
    return text


def sizes_table(sizes):
    """The sizes that are asked for more or less often."""
    table = new_table(numbers=("size", "A", "B", "change", "in bytes"))
    for change in sizes:
        sign = "+" if change.amount > 0 else ""
        note = f"{sign}{change.amount:,}"
        if not max(change.a):
            note = f"appears {note}"
        elif not max(change.b):
            note = f"vanishes {note}"
        in_bytes = f"{sign}{change.amount * change.name:,}"
        cells = values_text(change.a), values_text(change.b), note, in_bytes
        table.add_row(f"{change.name:,}", *cells)
    return table


def sites_table(sites):
    """Who makes more or fewer calls, or asks for more or fewer bytes."""
    numbers = ("calls A", "B", "bytes A", "B", "change", "of A")
    table = new_table("site", numbers=numbers, spare=("change", "of A"))
    for calls, size in sites:
        amount = ("+" if size.amount > 0 else "") + number(size.amount)
        cells = (values_text(values) for values in (calls.a, calls.b, size.a, size.b))
        table.add_row(Text(calls.name), *cells, amount, percent_text(size.growth))
    return table


def verdict_text(verdict):
    """One limit: what it allows, what there is, what that means."""
    change = verdict.change
    least, most = change.growth_bounds
    grown = percent_text(most)
    if least != most:
        grown = f"{percent_text(least)} to {grown}"
    reason = f" ({verdict.reason})" if verdict.reason else ""
    return (
        f"{change.name}: may grow by {verdict.percent:g} %, grew by {grown}: "
        f"{verdict.verdict}{reason}"
    )


def facts(a, b, changes, sizes, verdicts, sites=None):
    """The same as JSON; what is new has no growth."""
    found = [
        {"site": calls.name, "calls": change_facts(calls), "bytes": change_facts(size)}
        for calls, size in sites or ()
    ]
    return {
        **({} if sites is None else {"sites": found}),
        "a": side_facts(a),
        "b": side_facts(b),
        "metrics": [{"metric": c.name, **change_facts(c)} for c in changes],
        "sizes": [{"size": c.name, **change_facts(c)} for c in sizes],
        "limits": [
            {
                "metric": verdict.change.name,
                "percent": verdict.percent,
                "verdict": verdict.verdict,
                "reason": verdict.reason,
            }
            for verdict in verdicts
        ],
    }


def side_facts(side):
    return {"path": str(side.path), "program": side.program, "recordings": len(side.infos)}


def change_facts(change):
    """One figure, without its name."""
    growth = change.growth if change.is_change else 0
    return {
        "a": change.a,
        "b": change.b,
        "changed": change.is_change,
        "varies": bool(change.spread),
        "amount": change.amount if change.is_change else 0,
        "growth": None if growth == float("inf") else growth,
    }
