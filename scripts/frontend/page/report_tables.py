"""The tables of the page: ratios with intervals, figures of a trace, rows that failed. A cell whose
text does not sort by itself carries what it sorts by.
"""

from html import escape

from frontend.figures import decision, digest
from frontend.page import report_reading


def table(heads, rows, foot="", look=""):
    """A table of cells that are ready, wide ones in a box that scrolls; the look is a class."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "\n".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    foot = f"<tfoot>{foot}</tfoot>" if foot else ""
    return (
        f'<div class="wide" tabindex="0"><table class="{look}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody>{foot}</table></div>"
    )


def name_cell(name):
    """The first cell of a row."""
    return f'<th scope="row">{escape(name)}</th>'


def number_cell(number, text=""):
    """A cell that sorts by a number; empty without one."""
    if number is None:
        return "<td></td>"
    return f'<td data-sort="{number:.6g}">{text or digest.number_text(number)}</td>'


def gap_cell(gap):
    """A cell for what could not be had."""
    return f'<td class="{"failed" if gap == "failed" else "absent"}">{gap}</td>'


def ratio_cell(cell, measure):
    """A ratio with its interval, or why there is none."""
    if cell.gap:
        return gap_cell(cell.gap)
    return estimate_cell(digest.part(cell, measure, "_ratio"))


def estimate_cell(estimate, remark=""):
    """A cell for a ratio."""
    if estimate is None:
        return "<td>no ratio</td>"
    median, _, interval = digest.figure_text(estimate).partition(" ")
    mark = f'<span class="{digest.verdict(estimate)}">{median}</span>'
    return number_cell(estimate.median, f"{mark}<small>{interval}{remark}</small>")


def figure_cell(cell, measure):
    """An absolute figure with its interval, or why there is none."""
    estimate = digest.part(cell, measure)
    if cell.gap or estimate is None:
        return gap_cell(cell.gap) if cell.gap else number_cell(None)
    low, median, high = map(digest.number_text, digest.ends(estimate))
    remark = digest.coverage_remark(estimate)
    interval = "" if estimate.low is None else f"<small>({low}–{high}){remark}</small>"
    return number_cell(estimate.median, median + interval)


def ratio_table(summary, measure, has_means=True, subjects=None):
    """Ratios of every subject (or those given) and rival with intervals; the geometric means at the
    foot, where they mean anything."""
    estimates = [digest.part(cell, measure) for cell in summary.cells.values()]
    if not any(estimates):
        return ""
    word = digest.SUBJECT_WORDS[summary.kind]
    heads = [word, f"{summary.reference}, {measure.unit}", *summary.rivals]
    rows = [ratio_row(summary, subject, measure) for subject in subjects or summary.subjects]
    foot = means_row(summary, measure) if has_means else ""
    return (
        f"<h3>{measure.title}, ratio to {escape(summary.reference)}</h3>"
        f'<p class="small">Below 1 is {measure.better}. In bold: {measure.worse}, the interval '
        f"(of 95 %) excluding 1 and reaching beyond {100 * decision.MARGIN:g} %. "
        f"{counted_losses(summary, measure, subjects)}</p>{table(heads, rows, foot)}"
        f"{report_reading.folded(report_reading.RATIOS.format(word=word))}"
    )


def counted_losses(summary, measure, subjects):
    """How many rows each rival loses: "Of 14 rows, slower: span 6, tbb 1."."""
    rows = subjects or summary.subjects
    counts = {name: losses(summary, measure, rows, name) for name in summary.rivals}
    lost = [f"{escape(name)} {count}" for name, count in counts.items() if count]
    told = "1 row" if len(rows) == 1 else f"{len(rows)} rows"
    return f"Of {told}, {measure.worse}: {', '.join(lost) or 'none'}."


def losses(summary, measure, subjects, name):
    """How many rows of a rival are worse than the reference's, by their intervals."""
    parts = (digest.part(summary.cells[s, name], measure, "_ratio") for s in subjects)
    return sum(digest.verdict(estimate) == "worse" for estimate in parts)


def means_row(summary, measure):
    """The geometric means."""
    means = (mean_cell(summary, name, measure) for name in summary.rivals)
    return f"<tr>{name_cell('geometric mean')}<td></td>{''.join(means)}</tr>"


def mean_cell(summary, name, measure):
    """The geometric mean of one rival."""
    estimate = digest.part(summary.overall[name], measure, "_ratio")
    return estimate_cell(estimate, digest.counted_text(summary, name))


def ratio_row(summary, subject, measure):
    """One subject: the reference's absolute figure and the rivals' ratios."""
    reference = summary.cells[subject, summary.reference]
    absolute = digest.part(reference, measure)
    first = number_cell(absolute.median) if absolute else gap_cell(reference.gap or "")
    ratios = (ratio_cell(summary.cells[subject, name], measure) for name in summary.rivals)
    return [name_cell(subject), first, *ratios]


def figures_table(summary, subject):
    """All figures of one subject, a row for each allocator."""
    columns = [column for column in figure_columns(summary, subject) if any(column[1].values())]
    heads = ["allocator", *(head for head, _ in columns)]
    rows = [
        [name_cell(name), *(cells.get(name) or number_cell(None) for _, cells in columns)]
        for name in summary.allocators
    ]
    reading = report_reading.folded(report_reading.FIGURES)
    return table(heads, rows, look="flat") + reading


def figure_columns(summary, subject):
    """(head, {allocator: cell}) of each figure of a subject; a figure that nobody has, has no
    cells."""
    cells = {name: summary.cells[subject, name] for name in summary.allocators}
    for measure in (summary.time, digest.RSS):
        if any(digest.part(cell, measure) for cell in cells.values()):
            head = f"{measure.name}, {measure.unit}"
            yield head, {name: figure_cell(cell, measure) for name, cell in cells.items()}
            yield "ratio", {
                name: ratio_cell(cell, measure)
                for name, cell in cells.items()
                if name != summary.reference
            }
    wastes = {name: summary.waste.get((subject, name)) for name in summary.allocators}
    yield "waste", {
        name: number_cell(waste, f"{100 * waste:.0f} %")
        for name, waste in wastes.items()
        if waste is not None
    }


def times_table(summary, subjects):
    """Times of what only some allocators have."""
    names = [n for n in summary.allocators if any(summary.cells[s, n].time for s in subjects)]
    if not names:
        return ""
    rows = [
        [
            name_cell(subject),
            *(figure_cell(summary.cells[subject, name], summary.time) for name in names),
        ]
        for subject in subjects
    ]
    heads = [digest.SUBJECT_WORDS[summary.kind], *names]
    return f"<h3>Pieces of single allocators, {summary.time.unit}</h3>{table(heads, rows)}"


def failures_list(summary):
    """Every row that failed, with its message."""
    items = [
        f"<li><b>{escape(name)}</b> on {escape(subject)}: {escape(message)}</li>"
        for subject, name, message in summary.failures()
    ]
    return f'<h3 class="failed">Rows that failed</h3><ul>{"".join(items)}</ul>' if items else ""


def side_by_side(summaries):
    """Replay and real program of one name, where the page has both."""
    pairs = [(a, b) for a in summaries for b in summaries if (a.kind, b.kind) == ("replay", "exec")]
    rows = [row for pair in pairs for row in pair_rows(*pair)]
    if not rows:
        return ""
    return (
        '<h2 id="both">Replay and real program, side by side</h2><p>Time as a ratio to the '
        "reference: what the replay of the trace says, and what the program itself does.</p>"
        + table(("program", "allocator", "replay", "program itself"), rows, look="flat")
    )


def pair_rows(replay, real):
    """A row for each subject and rival that both have."""
    for subject in (subject for subject in replay.subjects if subject in real.subjects):
        for name in (name for name in replay.rivals if name in real.rivals):
            cells = [ratio_cell(s.cells[subject, name], s.time) for s in (replay, real)]
            yield [name_cell(subject), f'<td class="name">{escape(name)}</td>', *cells]
