"""The tables of the page as data: ratios with intervals; of single traces all figures, latencies,
worst calls, threads, wasteful moments and predictions. Where nothing is known, a table is None.
"""

from typing import NamedTuple

from frontend.allocators.registry import FLOOR
from frontend.figures import decision, digest, prediction, replay_details, stats
from frontend.figures.digest import duration_text, interval, number_text
from frontend.figures.metrics import LATENCIES, MIB
from frontend.figures.replay_details import mib_text


class Cell(NamedTuple):
    """A cell of a table, an empty one by default; lines of its text stay lines."""

    text: str = ""
    sort: float = None  # what it sorts by, if not by its text
    small: str = ""  # an interval
    mark: str = ""  # "better" or "worse"
    look: str = ""  # "name", "failed" or "absent"


class Table(NamedTuple):
    """Rows of a name and Cells; flat is one whose intervals stand beside their figures."""

    heads: list
    rows: list
    foot: list = None
    is_flat: bool = True


def number_cell(number, text=None, small=""):
    """A cell that sorts by a number; empty without one."""
    return Cell() if number is None else Cell(text or number_text(number), number, small)


def name_cell(text):
    """A cell of a word."""
    return Cell(text, look="name")


def gap_cell(gap):
    """A cell for what could not be had."""
    return Cell(gap, look="failed" if gap == "failed" else "absent")


def ratio_cell(cell, measure):
    """A ratio with its interval, or why there is none."""
    if cell.gap:
        return gap_cell(cell.gap)
    return estimate_cell(digest.part(cell, measure, "_ratio"))


def estimate_cell(estimate, remark=""):
    """A cell for a ratio."""
    if estimate is None:
        return Cell("no ratio")
    median, _, ends = digest.figure_text(estimate).partition(" ")
    return Cell(median, estimate.median, ends + remark, digest.verdict(estimate))


def figure_cell(cell, measure):
    """An absolute figure with its interval, or why there is none."""
    estimate = digest.part(cell, measure)
    if cell.gap or estimate is None:
        return gap_cell(cell.gap) if cell.gap else Cell()
    return number_cell(estimate.median, small=interval(estimate, number_text, "({}–{})"))


# Of one kind of entries


def ratio_table(summary, measure, has_means, subjects):
    """Ratios of subjects and rivals with intervals; the geometric means at the foot, where they
    mean anything."""
    if not any(digest.part(cell, measure) for cell in summary.cells.values()):
        return None
    word = digest.SUBJECT_WORDS[summary.kind]
    means = [
        estimate_cell(
            digest.part(summary.overall[name], measure, "_ratio"),
            digest.counted_text(summary, name),
        )
        for name in summary.rivals
    ]
    return Table(
        [word, f"{summary.reference}, {measure.unit}", *summary.rivals],
        [ratio_row(summary, subject, measure) for subject in subjects],
        ["geometric mean", Cell(), *means] if has_means and len(subjects) > 1 else None,
        is_flat=False,
    )


def ratio_row(summary, subject, measure):
    """One subject: the reference's absolute figure and the rivals' ratios."""
    reference = summary.cells[subject, summary.reference]
    absolute = digest.part(reference, measure)
    first = number_cell(absolute.median) if absolute else gap_cell(reference.gap or "")
    ratios = (ratio_cell(summary.cells[subject, name], measure) for name in summary.rivals)
    return [subject, first, *ratios]


def is_decidable(summary, measure, subjects):
    """Whether the ratio of any subject has an interval that a verdict can follow from."""
    cells = (cell for (subject, _), cell in summary.cells.items() if subject in subjects)
    found = (digest.part(cell, measure, "_ratio") for cell in cells)
    return any(e.low is not None and e.coverage >= decision.RULE.level for e in found if e)


def losses(summary, measure, subjects):
    """{rival: how many of its rows are worse than the reference's} of those that have any."""
    counts = {
        name: sum(
            digest.verdict(digest.part(summary.cells[s, name], measure, "_ratio")) == "worse"
            for s in subjects
        )
        for name in summary.rivals
    }
    return {name: count for name, count in counts.items() if count}


def lone_subjects(summary):
    """The subjects that the reference does not have."""
    first = {s: summary.cells[s, summary.reference] for s in summary.subjects}
    return [subject for subject, cell in first.items() if cell.gap == digest.NOT_RUN]


def times_table(summary, subjects):
    """Times of what only some allocators have."""
    names = [n for n in summary.allocators if any(summary.cells[s, n].time for s in subjects)]
    rows = [
        [s, *(figure_cell(summary.cells[s, name], summary.time) for name in names)]
        for s in subjects
    ]
    heads = [digest.SUBJECT_WORDS[summary.kind], *names]
    return Table(heads, rows, is_flat=False) if names else None


def side_by_side(summaries):
    """Replay and real program of one name: a row for each subject and rival that both have."""
    pairs = [(a, b) for a in summaries for b in summaries if (a.kind, b.kind) == ("replay", "exec")]
    rows = [
        [s, name_cell(name), *(ratio_cell(side.cells[s, name], side.time) for side in (a, b))]
        for a, b in pairs
        for s in a.subjects
        if s in b.subjects
        for name in a.rivals
        if name in b.rivals
    ]
    return Table(("program", "allocator", "replay", "program itself"), rows) if rows else None


# What programs would save


def predictions_table(summary, real):
    """The predictions of a Digest of replays. `real` are the Digests of real programs of this page:
    where one has the program, its time counts."""
    rows = [
        [
            subject,
            name_cell(name),
            ratio_cell(summary.cells[subject, name], summary.time),
            saving_cell(saving.ms, 1),
            saving_cell(saving.in_calls_ms, 1),
            saving_cell(saving.share, 100, " %"),
        ]
        for subject in summary.subjects
        for name in summary.allocators
        if (saving := prediction.saving(summary, subject, name, program_ns(summary, subject, real)))
    ]
    saved = ("saved, ms", "of it in calls, ms", "share of the program")
    heads = ("trace", "allocator", "time of the replay, ratio", *saved)
    return Table(heads, rows) if rows else None


def program_ns(summary, subject, real):
    """What the program itself took under the reference of the prediction, if the page has it."""
    against = summary.context.get(prediction.AGAINST)
    cells = (found.cells.get((subject, against)) for found in real)
    return next((1e6 * cell.time.median for cell in cells if cell and cell.time), None)


def saving_cell(estimate, scale, unit=""):
    """A cell with an interval; empty without an estimate."""
    if estimate is None:
        return Cell()
    ends = interval(estimate, lambda end: signed(scale * end), "({} to {})")
    return number_cell(scale * estimate.median, signed(scale * estimate.median) + unit, ends)


def signed(number):
    """A number with three figures that count, or its minus."""
    return ("−" if number < 0 else "") + number_text(abs(number))


# Of one trace; rows are {allocator: results.Row}


def figures_table(summary, subject):
    """All figures of one subject, a row for each allocator."""
    columns = [column for column in figure_columns(summary, subject) if any(column[1].values())]
    rows = [[n, *(cells.get(n, Cell()) for _, cells in columns)] for n in summary.allocators]
    return Table(["allocator", *(head for head, _ in columns)], rows)


def figure_columns(summary, subject):
    """(head, {allocator: Cell}) of each figure of a subject; a figure that nobody has, has no
    cells."""
    cells = {name: summary.cells[subject, name] for name in summary.allocators}
    for measure in (summary.time, digest.RSS):
        if any(digest.part(cell, measure) for cell in cells.values()):
            yield f"{measure.name}, {measure.unit}", {
                name: figure_cell(cell, measure) for name, cell in cells.items()
            }
            yield "ratio", {name: ratio_cell(cells[name], measure) for name in summary.rivals}
    wastes = {name: summary.waste.get((subject, name)) for name in summary.allocators}
    yield "waste", {
        name: number_cell(waste, f"{100 * waste:.0f} %")
        for name, waste in wastes.items()
        if waste is not None
    }


def duration_cell(ns):
    """A cell that sorts by a duration; empty without one."""
    return number_cell(ns, duration_text(ns))


def percentiles_table(rows):
    """How long one call takes: medians over the rounds, of those figures that somebody has."""
    keys = [key for key in LATENCIES if any(row.values(key) for row in rows.values())]
    cells = [
        [name, *(duration_cell(stats.median(row.values(key))) for key in keys)]
        for name, row in rows.items()
    ]
    return Table(["allocator", *(LATENCIES[key].name for key in keys)], cells) if keys else None


def worst_table(rows):
    """The worst calls of each allocator; who made them, if the traces tell."""
    found = [(n, call, row) for n, row in rows.items() for call in replay_details.worst_calls(row)]
    site = ["site"] if any(call.site for _, call, _ in found) else []
    cells = [
        [
            name,
            duration_cell(call.ns),
            name_cell(call.kind),
            *(number_cell(n, f"{n:,}") for n in (call.size, call.op, call.thread, call.faults)),
            number_cell(call.rounds, f"{call.rounds} of {len(row.samples)}"),
            *(name_cell(call.site) for _ in site),
        ]
        for name, call, row in found
    ]
    heads = "allocator duration call bytes operation thread faults rounds".split()
    return Table([*heads, *site], cells) if found else None


def waste_table(rows):
    """The moment at which each allocator wastes most, and whose blocks live then, for traces with
    call sites."""
    cells = [
        [
            name,
            number_cell(moment.waste / MIB),
            number_cell(moment.op, f"{moment.op:,}"),
            number_cell(moment.live / MIB),
            name_cell("\n".join(f"{site}, {mib_text(live)}" for site, live in moment.owners)),
        ]
        for name, row in rows.items()
        if (moment := replay_details.wasteful_moment(row))
    ]
    heads = ("allocator", "waste, MiB", "operation", "live, MiB", "most of it by")
    return Table(heads, cells) if cells else None


def threads_table(rows):
    """How long each thread was inside calls, how long it waited for others, and what it took of a
    processor; nothing of traces of one thread."""
    cells = [
        [
            name,
            name_cell(figures.name),
            number_cell(figures.ops, f"{figures.ops:,}"),
            *(
                number_cell(None if ns is None else ns / 1e6)
                for ns in (figures.in_calls_ns, figures.wait_ns, figures.cpu_ns)
            ),
        ]
        for name, row in rows.items()
        for figures in replay_details.thread_figures(row)
    ]
    times = ("in calls, ms", "waiting, ms", "on a processor, ms")
    return Table(("allocator", "thread", "operations", *times), cells) if cells else None


def trace_tables(summary, subject):
    """{what they are about: Table or None} of a trace. A row that failed has no latencies, and the
    floor threads alone, as the last one."""
    names = (*summary.allocators, FLOOR)
    rows = {n: summary.rows[subject, n] for n in names if (subject, n) in summary.rows}
    real = {name: row for name, row in rows.items() if name != FLOOR}
    whole = {name: row for name, row in real.items() if not row.failures}
    return {
        "figures": figures_table(summary, subject),
        "percentiles": percentiles_table(whole),
        "worst": worst_table(whole),
        "waste": waste_table(real),
        "threads": threads_table(rows),
    }
