"""The verb info: what a trace holds, on a page for people or as JSON for programs."""

import json
from pathlib import Path

from rich.text import Text

from frontend.figures.table import add_number_columns, console, counted, new_table
from frontend.measuring import traces

EXAMPLES = (
    "spanbench info my.trace",
    "spanbench info --json my.trace | jq .peak_live",
    "spanbench info --profile my.trace > my.profile && spanbench run profile --profile my.profile",
)
RECORDED = "recorded_"  # how keys begin that are no losses
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def add_arguments(parser):
    """The options of the verb."""
    parser.add_argument("trace", type=Path, metavar="FILE", help="a trace")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON instead of the tables")
    form.add_argument(
        "--profile",
        action="store_true",
        help="print sizes and lifetimes of the blocks, for `spanbench run profile --profile`",
    )


def run(options, _argv):
    """Prints what is known of the trace; reading it verifies every block."""
    info = traces.read_info(options.trace)
    if options.json:
        print(json.dumps(info, indent=1))
        return 0
    if options.profile:
        print(profile_text(options.trace.stem, info))
        return 0
    show(options.trace, info)
    return 0


def profile_text(name, info):
    """The profile of a trace: exact sizes where they are frequent, else ranges, and lifetimes."""
    lines = [f"# {name}: {info['ops']:,} operations; KIND FROM TO COUNT"]
    exact = {top["size"]: top["count"] for top in info["top_sizes"]}
    lines += [f"size {size} {size} {count}" for size, count in sorted(exact.items())]
    for c in info["sizes"]:
        rest = c["count"] - sum(n for size, n in exact.items() if c["from"] <= size <= c["to"])
        if rest > 0:
            lines.append(f"size {c['from']} {c['to']} {rest}")
    lines += [f"lifetime {c['from']} {c['to']} {c['count']}" for c in info["lifetimes"]]
    return "\n".join(lines)


def show(path, info):
    """The page for people."""
    out = console()
    out.print(Text(str(path), style="bold"))
    for heading, facts in (
        *(("", totals(info)), ("from", info["origin"])),
        *(("lost", losses(info)), ("recorded besides", besides(info))),
    ):
        if not facts:
            continue
        out.print(facts_text(heading, facts), soft_wrap=True)
    out.print(kinds_table(info))
    out.print(shares_table("bytes requested", info["sizes"]))
    out.print(shares_table("lifetime in allocations", info["lifetimes"]))


def totals(info):
    """The main figures, by what people call them."""
    return {
        "operations": f"{info['ops']:,} of {counted(info['threads'], 'thread')}",
        "file": f"{bytes_text(info['file_bytes'])}, {info['bytes_per_op']:.2f} bytes an operation",
        "duration": f"{info['duration_ns'] / 1e9:,.2f} s",
        "requested": bytes_text(info["bytes_requested"]),
        "peak live": f"{bytes_text(info['peak_live'])}, at most {info['slots']:,} blocks",
        "never freed": f"{bytes_text(info['final_live'])} in {info['final_slots']:,} blocks",
        "hand-offs": f"{info['handoffs']:,}",
        "failed": f"{info['failed']:,}",
        "free(NULL)": f"{info['null_frees']:,}",
    }


def losses(info):
    """What was lost on the way; empty counts are no losses."""
    lost = {
        key: value
        for key, value in info["losses"].items()
        if str(value) not in ("0", "") and not key.startswith(RECORDED)
    }
    return lost or {"nothing": ""}


def besides(info):
    """What the other tool recorded of the program besides its calls."""
    found = {
        key.removeprefix(RECORDED): value
        for key, value in info["losses"].items()
        if key.startswith(RECORDED)
    }
    if "rss" in found:
        found["rss"] = f"{len(found['rss'].split())} points in time (--json has them)"
    if "peak_rss" in found:
        found["peak_rss"] = bytes_text(int(found["peak_rss"]))
    return found


def bytes_text(count):
    """12.3 MiB for a number of bytes."""
    scale = min((max(int(count), 1).bit_length() - 1) // 10, len(UNITS) - 1)
    return f"{count / (1 << 10 * scale):,.{1 if scale else 0}f} {UNITS[scale]}"


def facts_text(heading, facts):
    """Lines "key  value" under a heading."""
    lines = [f"  {key:20} {value}".rstrip() for key, value in facts.items()]
    return Text("\n".join(([heading] if heading else []) + lines))


def shares_table(head, classes):
    """Blocks by class of size or lifetime, with the share of those up to each class."""
    table = new_table()
    add_number_columns(table, (head, "blocks", "share", "up to here"))
    total = max(1, sum(c["count"] for c in classes))
    seen = 0
    for c in classes:
        seen += c["count"]
        shares = (f"{100 * n / total:.1f} %" for n in (c["count"], seen))
        table.add_row(range_text(c["from"], c["to"]), f"{c['count']:,}", *shares)
    return table


def range_text(first, last):
    """ "16 - 31", or "0" for a range of one."""
    return f"{first:,}" if first == last else f"{first:,} - {last:,}"


def kinds_table(info):
    """Operations by kind with their share."""
    table = new_table("kind")
    add_number_columns(table, ("operations", "share"))
    for kind, count in info["by_kind"].items():
        if count:
            table.add_row(kind, f"{count:,}", f"{100 * count / max(1, info['ops']):.1f} %")
    return table
