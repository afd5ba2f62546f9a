"""What all charts share: size, fonts, title, caption, axes of ratios, and how a figure becomes a
file. Which charts there are and what they show is not known here.
"""

import io
import re
import textwrap
import warnings

import matplotlib

matplotlib.use("Agg")
# A name may have letters that the font lacks: they are drawn as boxes, and no news for anybody.
warnings.filterwarnings("ignore", "Glyph .* missing from")

from matplotlib import lines, pyplot, ticker  # noqa: E402

from frontend.charts import lettering, palette  # noqa: E402
from frontend.counted import counted  # noqa: E402
from frontend.failure import WORK_FAILED, io_failure  # noqa: E402
from frontend.figures import digest  # noqa: E402

WIDTH = 8.85  # inches; as SVG 850 pixels, the width of a README
PNG_DPI = 160
FORMATS = ("svg", "png")
CAPTION_COLUMNS = 138
STYLE = {
    "font.family": lettering.FONT,
    "font.size": 9.5,
    "text.color": palette.INK,
    "axes.edgecolor": palette.LINES,
    "axes.labelcolor": palette.INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": palette.LINES,
    "ytick.color": palette.LINES,
    "xtick.labelcolor": palette.MUTED,
    "ytick.labelcolor": palette.MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "grid.color": palette.LINES,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "figure.facecolor": palette.PAPER,
    "axes.facecolor": "none",
    "svg.hashsalt": "spanbench",
    "text.parse_math": False,
}
# Ticks of ratio axes, the finest that fit are taken.
RATIO_TICKS = (
    (0.8, 0.85, 0.9, 0.95, 1, 1.05, 1.1, 1.15, 1.2),
    (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6),
    (0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.2, 1.5, 2, 2.5, 3),
    (0.25, 0.33, 0.5, 0.7, 1, 1.5, 2, 3, 4, 6),
    tuple(digit * 10.0**power for power in range(-3, 4) for digit in (1, 2, 5)),
    tuple(digit * 10.0**power for power in range(-4, 5) for digit in (1, 3)),
    tuple(10.0**power for power in range(-9, 10)),
)
MOST_TICKS = 9
NO_BREAK = "\N{NO-BREAK SPACE}"
TIP = "tip: "  # what the id of a mark with a tip begins with, until it is SVG
EDGE = ("axes fraction", "data")  # x from 0 at the left to 1 at the right edge


def save(figure, stem, formats):
    """Writes stem.svg and stem.png or one of them, closes the figure and returns the paths."""
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in formats]
    path = stem.parent
    try:
        path.mkdir(parents=True, exist_ok=True)
        for path in paths:
            path.write_bytes(ENCODERS[path.suffix](figure))
    except OSError as error:
        raise io_failure(error, error.filename or path, WORK_FAILED) from error
    finally:
        pyplot.close(figure)
    return paths


def svg_bytes(figure):
    svg = io.StringIO()
    figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    return put_tips(shorten(svg.getvalue())).encode()


def png_bytes(figure):
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return png.getvalue()


ENCODERS = {".svg": svg_bytes, ".png": png_bytes}


def shorten(svg):
    """The SVG with its paths' coordinates cut to a hundredth of a point."""
    return re.sub(r' d="[^"]*"', lambda d: re.sub(r"(\.\d\d)\d+", r"\1", d.group()), svg)


def tip(artist, text):
    """Gives a mark what it says under the pointer, where the chart is shown as SVG."""
    artist.set_gid(TIP + text)


def put_tips(svg):
    """The SVG with tips as titles instead of ids."""
    return re.sub(rf"<g id=([\"']){TIP}(.*?)\1>", r"<g><title>\2</title>", svg, flags=re.DOTALL)


def draw_mark(axes, name, point, text, size, **look):
    """The mark of an allocator, so large, with its tip."""
    style = palette.style(name)
    look = {"color": style.colour, "mfc": style.face, "ms": size, "clip_on": False, **look}
    (mark,) = axes.plot(*point, style.marker, **look)
    tip(mark, text)


def caption(summary, remark="", shown=None):
    """Machine, commit, number of samples and date, as lines of text. `shown`: what is shown, if not
    medians with intervals."""
    context = summary.context
    parts = [
        remark,
        f"n = {counted(summary.rounds, 'round')}, interleaved; "
        f"{shown or digest.interval_text(summary)}",
        *replay_words(summary),
        digest.machine_text(context),
        f"commit {digest.commit_text(context)}",
        digest.date_text(context),
    ]
    text = " · ".join(part.replace(" ", NO_BREAK) for part in parts if part)
    wrapped = textwrap.wrap(text, CAPTION_COLUMNS, break_on_hyphens=False, break_long_words=False)
    return "\n".join(line.strip(" ·").replace(NO_BREAK, " ") for line in wrapped)


def replay_words(summary):
    """How traces were replayed."""
    if summary.kind != "replay":
        return []
    touch = summary.context.get("touch")
    return [f"touch {touch}" if touch else "", digest.thread_order_text(summary)]


def plot_area(figure, left, top, width, height):
    """Axes at a place that is given in inches from the upper left corner."""
    whole_width, whole_height = figure.get_size_inches()
    bottom = (whole_height - top - height) / whole_height
    return figure.add_axes([left / whole_width, bottom, width / whole_width, height / whole_height])


def sheet(height, text, title, subtitle):
    """A figure of the width of all, so many inches high without its caption, with that, headline
    and how to read it: what every chart begins with."""
    height += 0.14 * (text.count("\n") + 1) + 0.14
    figure = pyplot.figure(figsize=(WIDTH, height))
    left, title = 0.12 / WIDTH, lettering.fitted(title, WIDTH - 0.24, 13, "bold")
    figure.text(left, 1 - 0.1 / height, title, va="top", size=13, weight="bold")
    figure.text(left, 1 - 0.38 / height, subtitle, va="top", size=9.5, color=palette.MUTED)
    figure.text(left, 0.08 / height, text, va="bottom", size=8, color=palette.MUTED)
    return figure


def grid(names, sizes, *words):
    """(figure, {name: (axes, inches of their width)}) of a panel for each name, two in a row; one
    by itself is as wide as both. Sizes in inches: what is above the panels, the height of one, what
    is below it, left and right of it; words as for sheet."""
    head, height, below, left, right = sizes
    across = min(2, len(names))
    figure = sheet(head + -(-len(names) // across) * (height + below), *words)
    cell, panels = WIDTH / across, {}
    for i, name in enumerate(names):
        top = head + i // across * (height + below)
        axes = plot_area(figure, left + i % across * cell, top, cell - left - right, height)
        put_panel_title(axes, name, cell - left - right)
        panels[name] = (axes, cell - left - right)
    return figure, panels


def put_panel_title(axes, title, inches=WIDTH):
    """The headline of one panel of several, in so many inches."""
    shown = lettering.fitted(title, inches, 10, "bold")
    axes.set_title(shown, loc="left", size=10, weight="bold", pad=4)


def set_axis_from_zero(axes, end, ticks=8):
    """Makes the lower axis one of absolute figures."""
    axes.set_xlim(0, end)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(ticks))
    axes.grid(axis="x")


NAMES_SIZE, NAMES_LINE, NAMES_GAP, NAMES_MARK = 9.5, 0.2, 0.22, 0.16  # the last three in inches


def rows_of_names(names):
    """[[(allocator, inches from the left)]]: names beside their marks, in as many rows as it
    takes."""
    rows, left = [[]], 0.2
    for name in names:
        width = NAMES_MARK + lettering.width_of(name, NAMES_SIZE) + NAMES_GAP
        if rows[-1] and left + width > WIDTH:
            rows.append([])
            left = 0.2
        rows[-1].append((name, left))
        left += width
    return rows


def put_names(figure, rows, top):
    """Writes rows of names, the first so many inches below the upper edge."""
    height = figure.get_size_inches()[1]
    for i, row in enumerate(rows):
        y = 1 - (top + NAMES_LINE * i) / height
        for name, left in row:
            put_name(figure, name, left, y)


def put_name(figure, name, left, y):
    """Writes a name beside its mark; left is in inches."""
    style = palette.style(name)
    mark = lines.Line2D([left / WIDTH], [y], marker=style.marker, color=style.colour)
    mark.set(mfc=style.face, ms=6)
    figure.add_artist(mark)
    shown = lettering.fitted(name, WIDTH - left - NAMES_MARK - 0.1, NAMES_SIZE)
    look = {"size": NAMES_SIZE, "va": "center_baseline", "color": style.colour}
    figure.text((left + NAMES_MARK - 0.05) / WIDTH, y, shown, **look)


def note(axes, text, at, shift, coords="data", **look):
    """Writes text, shifted by points from a place in the axes."""
    look.setdefault("va", "center")
    return axes.annotate(
        text, at, shift, xycoords=coords, textcoords="offset points", annotation_clip=False, **look
    )


def twin_note(summary):
    """Explains the hollow marks where there are any."""
    twins = [name for name in summary.allocators if palette.style(name).is_twin]
    return f"hollow: poisons what is freed, as span does ({', '.join(twins)})" if twins else ""


def ratio_ticks(low, high):
    """Ticks of a logarithmic axis of ratios: the finest that reach both ends and do not crowd."""
    for ticks in RATIO_TICKS:
        inside = [tick for tick in ticks if low <= tick <= high]
        is_reaching = low >= 0.9 * ticks[0] and high <= 1.1 * ticks[-1]
        if is_reaching and len(inside) <= MOST_TICKS:
            return inside
    return inside


def set_ratio_axis(axes, letter, limits):
    """Makes the axis "x" or "y" logarithmic with ratios as plain numbers."""
    axes.set(**{f"{letter}scale": "log", f"{letter}lim": limits})
    axis = getattr(axes, f"{letter}axis")
    axis.set_major_locator(ticker.FixedLocator(ratio_ticks(*limits)))
    axis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}×"))
    axis.set_minor_locator(ticker.NullLocator())
