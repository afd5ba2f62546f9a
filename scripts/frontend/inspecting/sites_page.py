"""The call sites of a trace as a table for people."""

from frontend.figures.table import add_number_columns, console, counted, new_table
from frontend.inspecting.info_page import bytes_text
from frontend.lazily import Lazy
from frontend.progress import say

Text = Lazy("rich.text", "Text")

SITES_MOST = 30  # in the table; arbitrary
REASONS_MOST = 3  # in the line about modules without names; arbitrary


def show(path, found):
    """Prints those with the most calls."""
    out = console()
    total = max(1, sum(site.ops for site in found))
    out.print(Text(str(path), style="bold"))
    table = new_table("site", spare=("mean lifetime", "share", "never freed", "peak live"))
    add_number_columns(
        table, ("operations", "share", "requested", "peak live", "never freed", "mean lifetime")
    )
    for site in found[:SITES_MOST]:
        table.add_row(Text(site.text), *cells_of(site, total))
    out.print(table)
    if len(found) > SITES_MOST:
        out.print(f"and {counted(len(found) - SITES_MOST, 'further site')}; --json has all")


def tell_nameless(reasons):
    """Says in one line which modules have no names, and why."""
    if reasons:
        rest = len(reasons) - REASONS_MOST
        more = f"; and {counted(rest, 'further module')}" if rest > 0 else ""
        say(f"no names: {'; '.join(reasons[:REASONS_MOST])}{more}")


def cells_of(site, total):
    """The figures of a row. A place that only frees has no blocks."""
    share = f"{100 * site.ops / total:.1f} %"
    if not site.bytes and not site.blocks:
        return f"{site.ops:,}", share, "", "", "", ""
    lifetime = f"{site.mean_lifetime_ops:,.0f} ops" if site.freed else "never freed"
    sizes = (bytes_text(n) for n in (site.bytes, site.peak_live, site.final_live))
    return f"{site.ops:,}", share, *sizes, lifetime
