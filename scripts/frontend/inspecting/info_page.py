"""The page of a trace for people: what `trace info` says of it and of its call sites, as tables."""

from frontend.counted import counted
from frontend.figures.table import Text, console, new_table, size_text
from frontend.progress import say

RECORDED = "recorded_"  # how keys begin that are no losses
CURVE_COLUMNS = 72  # of the live curve in text; arbitrary, as the next
MATRIX_THREADS = 8
LEVELS = " ▁▂▃▄▅▆▇█"
SITES_MOST = 30  # in the table; arbitrary
REASONS_MOST = 3  # in the line about modules without names; arbitrary


def show(path, info):
    out = console()
    out.print(Text(str(path), style="bold"))
    for heading, facts in (
        *(("", totals(info)), ("from", info["origin"])),
        *(("lost", losses(info)), ("recorded besides", besides(info))),
    ):
        if facts:
            out.print(facts_text(heading, facts), soft_wrap=True)
    out.print(curve_text(info, out.width), soft_wrap=True)
    out.print(kinds_table(info))
    out.print(top_table(info))
    out.print(shares_table("bytes requested", "requests", info["sizes"]))
    out.print(shares_table("lifetime in allocations", "blocks", info["lifetimes"]))
    out.print(shares_table("lifetime in operations", "blocks", info["lifetimes_ops"]))
    out.print(shares_table("lifetime in bytes requested", "blocks", info["lifetimes_bytes"]))
    if info["by_kind"]["realloc"]:
        out.print(facts_text("reallocs", reallocs(info)), soft_wrap=True)
        out.print(shares_table("resizes of a block", "blocks", info["resizes_of_a_block"]))
    if info["handoffs"]:
        out.print(matrix_table(info))


def totals(info):
    """The main figures, by what people call them."""
    peak = info["peak"]
    return {
        "operations": f"{info['ops']:,} of {counted(info['threads'], 'thread')}",
        "file": f"{size_text(info['file_bytes'])}, {info['bytes_per_op']:.2f} bytes an operation",
        "duration": f"{info['duration_ns'] / 1e9:,.2f} s",
        "requested": blocks_text(info["bytes_requested"], info["allocations"]),
        "peak live": f"{blocks_text(info['peak_live'], peak['blocks'])}, at operation "
        f"{peak['op']:,} ({peak['time_ns'] / 1e9:,.2f} s); at most "
        f"{counted(info['slots'], 'block')}",
        "never freed": blocks_text(info["final_live"], info["final_slots"]),
        "mean lifetime": lifetime_text(info),
        "hand-offs": f"{info['handoffs']:,}",
        "failed": failed_text(info),
        "free(NULL)": f"{info['null_frees']:,}",
    }


def blocks_text(size, blocks):
    """12.3 MiB in 4 blocks."""
    return f"{size_text(size)} in {counted(blocks, 'block')}"


def lifetime_text(info):
    """Of the blocks that were freed."""
    if not info["freed_blocks"]:
        return "no block was freed"
    return (
        f"{counted(round(info['mean_lifetime_ops']), 'operation')}, "
        f"{counted(round(info['mean_lifetime']), 'allocation')}, "
        f"{size_text(info['mean_lifetime_bytes'])} requested"
    )


def failed_text(info):
    """How many calls failed, and which."""
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in info["failed_by_kind"].items())
    return f"{info['failed']:,}" + (f" ({kinds})" if kinds else "")


def losses(info):
    """What was lost on the way; empty counts are no losses."""
    lost = {
        key: value
        for key, value in info["losses"].items()
        if str(value) not in ("0", "") and not key.startswith(RECORDED)
    }
    return lost or {"nothing": ""}


def besides(info):
    """What another tool recorded of the program besides its calls."""
    found = {
        key.removeprefix(RECORDED): value
        for key, value in info["losses"].items()
        if key.startswith(RECORDED)
    }
    if "rss" in found:
        points = counted(len(str(found["rss"]).split()), "point")
        found["rss"] = f"{points} in time (--json has them)"
    if str(found.get("peak_rss")).isdecimal():
        found["peak_rss"] = size_text(int(found["peak_rss"]))
    return found


def reallocs(info):
    """What the reallocs did; those of NULL are allocations."""
    done = info["reallocs"]
    grown = size_text(done["bytes_grown"] / max(1, done["grow"]))
    return {
        "grow": f"{done['grow']:,}, by {grown} on average",
        "shrink": f"{done['shrink']:,}",
        "same size": f"{done['same']:,}",
        "to 0, a free": f"{done['to_zero']:,}",
        "of NULL": f"{done['of_null']:,}",
        "failed": f"{done['failed']:,}",
    }


def facts_text(heading, facts):
    """Lines "key  value" under a heading."""
    lines = [f"  {key:20} {value}".rstrip() for key, value in facts.items()]
    return Text("\n".join(([heading] if heading else []) + lines))


def curve_text(info, columns):
    """The most live bytes of each stretch of operations, as a line of blocks in so many columns."""
    peaks = [point["peak"] for point in info["live_curve"]]
    if not info["peak_live"]:
        return Text("live bytes: none")
    width = max(1, min(CURVE_COLUMNS, len(peaks), columns - 2))
    edges = [round(i * len(peaks) / width) for i in range(width + 1)]
    most = [max(peaks[a:b]) for a, b in zip(edges, edges[1:])]
    steps = len(LEVELS) - 1
    line = "".join(LEVELS[-(-peak * steps // info["peak_live"])] for peak in most)
    return Text(f"live bytes over operations, the top is {size_text(info['peak_live'])}\n  {line}")


def shares_table(head, what, classes):
    """How many there are by class of size or lifetime, with the share of those up to each class."""
    table = new_table(numbers=(head, what, "share", "up to here"))
    total = max(1, sum(c["count"] for c in classes))
    seen = 0
    for c in classes:
        seen += c["count"]
        shares = (f"{100 * n / total:.1f} %" for n in (c["count"], seen))
        ends = sorted({c["from"], c["to"]})
        table.add_row(" - ".join(f"{end:,}" for end in ends), f"{c['count']:,}", *shares)
    return table


def kinds_table(info):
    """Operations by kind with their share."""
    table = new_table("kind", numbers=("operations", "share"))
    for kind, count in info["by_kind"].items():
        if count:
            table.add_row(kind, f"{count:,}", f"{100 * count / max(1, info['ops']):.1f} %")
    return table


def top_table(info):
    """The commonest exact sizes with their share of requests."""
    table = new_table(numbers=("commonest sizes", "requests", "share"))
    total = max(1, sum(c["count"] for c in info["sizes"]))
    for top in info["top_sizes"]:
        share = f"{100 * top['count'] / total:.1f} %"
        table.add_row(f"{top['size']:,}", f"{top['count']:,}", share)
    return table


def matrix_table(info):
    """Who frees or resizes whose blocks, of the threads that do the most; the rest together."""
    names = [top["thread"] for top in info["thread_ops"][:MATRIX_THREADS]]
    cells, others = {}, info["frees_by_other_pairs"]
    for pair in info["frees_by_owner"]:
        if pair["owner"] in names and pair["by"] in names:
            cells[pair["owner"], pair["by"]] = pair["count"]
        else:
            others += pair["count"]
    heads = [f"freed or resized by {names[0]}", *map(str, names[1:])]
    table = new_table("blocks of", numbers=heads)
    for owner in names:
        table.add_row(str(owner), *(f"{cells.get((owner, by), 0):,}" for by in names))
    if others:
        table.add_row("other pairs", f"{others:,}")
    return table


def show_sites(path, found):
    """Prints the call sites with the most calls."""
    out = console()
    total = max(1, sum(site.ops for site in found))
    out.print(Text(str(path), style="bold"))
    heads = ("operations", "share", "requested", "peak live", "never freed", "mean lifetime")
    spare = ("mean lifetime", "share", "never freed", "peak live")
    table = new_table("site", numbers=heads, spare=spare)
    for site in found[:SITES_MOST]:
        table.add_row(Text(site.text), *site_cells(site, total))
    out.print(table)
    if len(found) > SITES_MOST:
        out.print(f"and {counted(len(found) - SITES_MOST, 'further site')}; --json has all")


def tell_nameless(reasons):
    """Says in one line which modules have no names, and why."""
    if reasons:
        rest = len(reasons) - REASONS_MOST
        more = f"; and {counted(rest, 'further module')}" if rest > 0 else ""
        say(f"no names: {'; '.join(reasons[:REASONS_MOST])}{more}")


def site_cells(site, total):
    """The figures of a row. A place that only frees has no blocks."""
    share = f"{100 * site.ops / total:.1f} %"
    if not site.bytes and not site.blocks:
        return f"{site.ops:,}", share, "", "", "", ""
    lifetime = counted(round(site.mean_lifetime_ops), "op") if site.freed else "never freed"
    sizes = (size_text(n) for n in (site.bytes, site.peak_live, site.final_live))
    return f"{site.ops:,}", share, *sizes, lifetime
