"""The plot of one trace as SVG: live bytes over operations, sizes and lifetimes of its blocks."""

from matplotlib import ticker

from frontend.charts import canvas, palette
from frontend.counted import counted
from frontend.figures.metrics import MIB

LEFT, HEAD, PANEL, GAP = 0.85, 0.95, 2.1, 0.85  # inches


def info_figure(name, info):
    """Three panels, one below the other."""
    figure = canvas.sheet(
        HEAD + 3 * (PANEL + GAP),
        caption(info),
        f"{name}: what the program asked for",
        "Live bytes by operation; blocks by size and lifetime.",
    )
    draw_curve(panel(figure, 0, "live, MiB"), info)
    draw_classes(panel(figure, 1, "requests, by bytes"), info["sizes"], "bytes")
    draw_classes(panel(figure, 2, "freed blocks, by lifetime"), info["lifetimes_ops"], "operations")
    return figure


def panel(figure, number, title):
    """The axes of one panel."""
    top = HEAD + number * (PANEL + GAP)
    axes = canvas.plot_area(figure, LEFT, top, canvas.WIDTH - LEFT - 0.3, PANEL)
    canvas.put_panel_title(axes, title)
    axes.grid(axis="y")
    return axes


def draw_curve(axes, info):
    """The most live bytes of each stretch as an area, and a mark at the peak."""
    points = info["live_curve"]
    ops = [0, *(point["ops"] for point in points)]
    live = [0, *(point["peak"] / MIB for point in points)]
    axes.fill_between(ops, live, color=palette.LIVE, lw=0, step="pre")
    axes.set(xlim=(0, ops[-1] or 1), ylim=(0, 1.12 * max(live) or 1))
    axes.xaxis.set_major_formatter(ticker.EngFormatter(sep=""))
    peak = info["peak"]["op"], info["peak_live"] / MIB
    (mark,) = axes.plot(*peak, "v", color=palette.INK, ms=5, clip_on=False)
    canvas.tip(mark, f"peak: {peak[1]:.2f} MiB at operation {peak[0]:,}")
    axes.set_xlabel("operations")


def draw_classes(axes, classes, unit):
    """A bar for each power of two, with its count as a tip; empty classes keep their place."""
    places = [c["to"].bit_length() for c in classes]
    for place, c in zip(places, classes):
        (bar,) = axes.bar(place, c["count"], width=0.86, color=palette.LIVE)
        canvas.tip(bar, f"{c['from']:,} - {c['to']:,} {unit}: {c['count']:,}")
    if places:
        axes.set_xlim(min(places) - 0.6, max(places) + 0.6)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(12, integer=True))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda place, _: least_text(int(place))))
    axes.yaxis.set_major_formatter(ticker.EngFormatter(sep=""))
    axes.set_xlabel(f"{unit}, from")


def least_text(place):
    """The least number of so many bits: "0", "1", "512", "4Ki", "1Mi"."""
    least = 0 if place <= 0 else 1 << (place - 1)
    for scale, letter in ((30, "Gi"), (20, "Mi"), (10, "Ki")):
        if least >= 1 << scale:
            return f"{least >> scale}{letter}"
    return str(least)


def caption(info):
    """What is told at the foot: operations, and where the trace is from."""
    origin = info["origin"]
    parts = [counted(info["ops"], "operation"), counted(info["threads"], "thread")]
    parts += [origin[key] for key in ("program", "libc", "cpu") if origin.get(key)]
    parts += [str(origin["date"])[:10]] if origin.get("date") else []
    return " · ".join(parts)
