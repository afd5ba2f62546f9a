"""The tables on standard output: a row for each subject and allocator, then what it comes to."""

import sys

from frontend.allocators.registry import FLOOR
from frontend.counted import counted
from frontend.figures import decision, stats
from frontend.figures.digest import NOT_RUN, digest, interval, number_text, ratio_number
from frontend.figures.digest import thread_order_text, verdict
from frontend.figures.metrics import MIB
from frontend.lazily import Lazy

Text = Lazy("rich.text", "Text")
FittedTable, UncutConsole = (
    Lazy("frontend.figures.fitting", name) for name in ("FittedTable", "UncutConsole")
)

UNITS = ("KiB", "MiB", "GiB", "TiB")
PIPE_WIDTH = 1 << 16  # columns where stdout is no terminal: nothing is broken there
PROSE_WIDTH = 100  # of sentences; arbitrary
COLOURS = {"better": "green", "worse": "red"}
WAITING_MOST = 1.1  # a replay waits for nothing; arbitrary, above what a quiet machine shows
SUBJECTS = {"replay": "trace", "run": "workload", "exec": "command"}
RIVALS_A_TABLE = 3  # micro-benchmarks fit 100 columns
# head, figure, what it is divided by, digits
TIME_COLUMNS = {
    "replay": (("ns/op", "ns_per_op", 1, 1), ("net", "net_ns_per_op", 1, 1)),
    "run": (("ns/op", "ns_per_op", 1, 1), ("threads", "threads", 1, 0)),
    "exec": (("ms", "real_time", 1, 1), ("CPU ms", "cpu_time", 1, 1)),
}
# Of a replay and a workload what the allocator has; of a whole program all that its largest process
# has, program and libraries included: two things, so two names.
NET_PEAK = ("peak MiB", "peak_rss", MIB, 1)
PEAK_COLUMNS = {"replay": NET_PEAK, "run": NET_PEAK, "exec": ("max RSS MiB", "peak_rss", MIB, 1)}
PEAK_WORDS = {"replay": "peak", "run": "peak", "exec": "max RSS"}
TREE_COLUMN = ("tree MiB", "tree_pss", MIB, 1)  # where a command has several processes
HUGE_COLUMN = ("huge MiB", "huge_bytes", MIB, 1)
BOUND_COLUMN = ("theory MiB", "bound", MIB, 1)  # of adversaries
FAULTS_COLUMN = ("faults", "minor_faults", 1, 0)
LAST_COLUMN = {
    "replay": ("waste", "waste", 1, 2),
    "run": FAULTS_COLUMN,
    "exec": FAULTS_COLUMN,
}


def console():
    """Standard output; as wide as need be where it is no terminal."""
    return UncutConsole(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def print_prose(out, text):
    """Prints sentences, in lines that can be read."""
    out.print(text, width=min(out.width, PROSE_WIDTH))


def show(measured):
    """Prints all results, each compared with the reference allocator's."""
    out = console()
    for summed in filter(None, (digest(measured, kind) for kind in measured.kinds())):
        if summed.kind == "micro":
            show_matrix(out, summed)
            continue
        rows = [row for row in measured.rows if row.kind == summed.kind]
        out.print(rows_table(summed, rows))
        if len(summed.subjects) > 1:
            out.print(summary_table(summed))
        print_prose(out, legend(summed, rows))


def new_table(*texts, numbers=(), last=(), spare=()):
    """A table of columns of texts, of numbers, which stand to the right, and of texts; `spare`
    are heads that a narrow terminal goes without, the first one first."""
    table = FittedTable(*texts, spare=spare)
    for head in numbers:
        table.add_column(head, justify="right")
    for head in last:
        table.add_column(head)
    return table


def add_rows(table, rows, cells_of):
    """A line for each row with what cells_of makes of it; a subject is named once, and told from
    the next by a line."""
    subject = None
    for row in rows:
        if subject not in (None, row.subject):
            table.add_section()
        name = "" if row.subject == subject else row.subject
        table.add_row(name, row.allocator, *cells_of(row))
        subject = row.subject


def rows_table(summed, rows):
    """The table of all rows."""
    times = [column[0] for column in TIME_COLUMNS[summed.kind]]
    ratio = f"/ {summed.reference}"
    last = LAST_COLUMN[summed.kind][0]
    more = [head for head, *_ in more_columns(rows)]
    peak = PEAK_COLUMNS[summed.kind][0]
    spare = (last, times[1], *more, ratio, peak)
    numbers = (*times, f"time {ratio}", peak, ratio, *more, last)
    table = new_table(SUBJECTS[summed.kind], "allocator", numbers=numbers, spare=spare)
    add_rows(table, rows, lambda row: row_cells(summed, row, more_columns(rows)))
    table.leave_out_empty()
    return table


def figure_table(rows, columns):
    """A table of the medians of figures; the first columns are the first to go."""
    heads = [head for head, *_ in columns]
    table = new_table("trace", "allocator", numbers=heads, spare=heads)
    add_rows(table, rows, lambda row: [figure(row, column) for column in columns])
    return table


def more_columns(rows):
    """The columns of what few rows have, if any of these has it."""
    columns = (TREE_COLUMN, HUGE_COLUMN, BOUND_COLUMN)
    return [column for column in columns if any(any(row.values(column[1])) for row in rows)]


def row_cells(summed, row, more):
    """The numbers of one row; the reference and the floor are compared with nobody."""
    if row.failures:
        return [Text("failed", style="bold red")] + [""] * (5 + len(more))
    cell = summed.cells.get((row.subject, row.allocator))
    is_rival = cell and row.allocator != summed.reference
    return [
        *(figure(row, column) for column in TIME_COLUMNS[summed.kind]),
        ratio_cell(cell.time_ratio) if is_rival else "",
        figure(row, PEAK_COLUMNS[summed.kind]),
        ratio_cell(cell.rss_ratio, ratio_text) if is_rival else "",
        *(figure(row, column) for column in more),
        figure(row, LAST_COLUMN[summed.kind]),
    ]


def figure(row, column):
    """The median of a figure for people; nothing where the row has none."""
    _, key, scale, digits = column
    median = stats.median(row.values(key))
    if median is None:
        return ""
    return f"{round(median / scale, digits) + 0.0:,.{digits}f}"  # + 0.0: no "-0.0"


def size_text(count):
    """ "46 bytes", "12.3 MiB"."""
    scale = min((max(int(count), 1).bit_length() - 1) // 10, len(UNITS))
    if not scale:
        return counted(round(count), "byte")
    return f"{count / (1 << 10 * scale):,.1f} {UNITS[scale - 1]}"


def ratio_text(estimate):
    """The ratio alone."""
    return "" if estimate is None else ratio_number(estimate.median)


def interval_text(estimate):
    """The ratio with its interval: "1.25 [1.20, 1.31]", and what that covers where it is little."""
    return ratio_text(estimate) + (interval(estimate, ratio_number) if estimate else "")


def ratio_cell(estimate, text_of=interval_text):
    """A ratio, coloured as its verdict is."""
    return Text(text_of(estimate), style=COLOURS.get(verdict(estimate), ""))


def summary_table(summed):
    """Geometric means over the subjects, and the subject where each allocator does worst."""
    subjects = f"{SUBJECTS[summed.kind]}s"
    time = f"time / {summed.reference}"
    peak = f"{PEAK_WORDS[summed.kind]} / {summed.reference}"
    worst = "slowest on", "fattest on"
    spare = (subjects, *reversed(worst), peak)
    table = new_table("geometric mean", numbers=(subjects, time), last=worst[:1], spare=spare)
    table.add_column(peak, justify="right")
    table.add_column(worst[1])
    for name in summed.rivals:
        whole = summed.overall[name]
        table.add_row(
            name,
            f"{summed.counted[name]} of {len(summed.subjects)}",
            ratio_cell(whole.time_ratio),
            worst_text(summed, name, "time_ratio"),
            ratio_cell(whole.rss_ratio, ratio_text),
            worst_text(summed, name, "rss_ratio"),
        )
    return table


def worst_text(summed, name, ratio):
    """ "2.31 gawk": the largest ratio of an allocator and its subject."""
    estimates = {s: getattr(summed.cells.get((s, name)), ratio, None) for s in summed.subjects}
    ratios = [(estimate.median, s) for s, estimate in estimates.items() if estimate]
    return "{:.2f} {}".format(*max(ratios)) if ratios else ""


def waiting(rows):
    """Real time over CPU time of all samples: above 1 where runs had to wait for a processor."""
    alone = [row for row in rows if row.values("threads")[:1] in ([], [1])]
    real, cpu = (sum(sum(row.values(key)) for row in alone) for key in ("real_time", "cpu_time"))
    return real / cpu if cpu else 1.0


def legend(summed, rows):
    """What the numbers are, with the true coverage of the intervals."""
    cells = [summed.cells[s, name] for s in summed.subjects for name in summed.rivals]
    cover = coverage_text([cell.time_ratio for cell in cells])
    lines = [f"Less is better. Ratios are medians over rounds, within a round{cover}."]
    if summed.kind == "replay":
        lines.append(f"net: above {FLOOR}.")
        if any(row.values("waste") for row in rows):
            lines[-1] += " waste: integral of RSS - live over that of live."
        if HUGE_COLUMN in more_columns(rows):
            lines.append("huge: of it in huge pages, at the sample where RSS is highest.")
        lines += pauses_lines(rows)
        if order := thread_order_text(summed):
            lines.append(f"Traces of several threads: {order}.")
    if summed.kind == "exec":
        lines.append("max RSS: of the largest process, program and libraries included.")
        if TREE_COLUMN in more_columns(rows):
            lines.append("tree: most at once of all processes together, PSS, sampled.")
    if summed.kind == "run":
        lines.append("ns/op: time over the calls of all threads together.")
        if BOUND_COLUMN in more_columns(rows):
            lines.append("theory: the least peak that is possible there without moving blocks.")
    if summed.kind == "replay" and waiting(rows) > WAITING_MOST:
        lines.append(
            f"Take care: real time was {waiting(rows):.2f} times CPU time, so other work ran"
            " on the machine."
        )
    lines += open_lines(summed)
    if summed.failures():
        lines.append("A row with a failed run is not compared; the lines below say why it failed.")
    return Text("\n".join(lines), style="dim")


def pauses_lines(rows):
    """A line on the pauses that were made, if any were."""
    paused = [stats.median(times) for row in rows if (times := row.values("paused_ns"))]
    if not any(paused):
        return []
    mean = sum(paused) / len(paused) / 1e6
    return [f"The recorded pauses were made, {mean:,.0f} ms a run; no time contains them."]


def open_lines(summed):
    """A line on the time that cannot be told apart, and on how many rounds would tell: of the
    geometric means where they say something, else of single rows."""
    is_mean = len(summed.subjects) > 1 and summed.kind != "run"
    cells = [summed.overall[name] for name in summed.rivals]
    if not is_mean:
        cells = [summed.cells[s, name] for s in summed.subjects for name in summed.rivals]
    ratios = [cell.time_ratio for cell in cells if cell.time_ratio]
    doubtful = [ratio for ratio in ratios if ratio.verdict == decision.UNKNOWN]
    if not doubtful:
        return []
    needed = sorted(decision.runs_needed(ratio) for ratio in doubtful)
    least = f"{needed[0]:,} to " if needed[-1] > needed[0] else ""
    what = "geometric mean" if is_mean else "ratio"
    return [
        f"Cannot tell {counted(len(doubtful), what)} of time from 1; by what was seen, about"
        f" {least}{counted(needed[-1], 'round')} (-n) would tell."
    ]


def coverage_text(estimates):
    """What the intervals cover; the least of them where rows differ."""
    given = [e for e in estimates if e]
    covered = [e for e in given if e.low is not None]
    if not covered:
        return "; one round has no intervals" if given else ""
    least = min(covered, key=lambda e: e.coverage)
    return f"; intervals cover {100 * least.coverage:.4g} % (n = {least.n})"


# Micro-benchmarks: a line for each benchmark, a column for each allocator.


def show_matrix(out, summed):
    """Prints the micro-benchmarks, each compared with the reference allocator's."""
    rivals = summed.rivals
    for i in range(0, len(rivals) or 1, RIVALS_A_TABLE):
        out.print(matrix(summed, rivals[i : i + RIVALS_A_TABLE]))
    print_prose(out, Text(matrix_legend(summed), style="dim"))


def matrix(summed, rivals):
    """The table of the reference and some of its rivals."""
    table = new_table("ns", numbers=[summed.reference, *rivals])
    for subject in summed.subjects:
        first = time_text(summed.cells[subject, summed.reference])
        others = [rival_text(summed.cells[subject, name]) for name in rivals]
        if any([first, *others]):
            table.add_row(subject, first, *others)
    return table


def time_text(cell):
    """The median time; what is missing where a run failed, nothing where none was meant."""
    if cell.error:
        return Text("" if cell.error == NOT_RUN else cell.gap, style="bold red")
    return Text(number_text(cell.time.median))


def rival_text(cell):
    """Time and ratio: "27.6 (2.30)", coloured as its verdict is."""
    text = time_text(cell)
    if cell.time_ratio:
        ratio = f" ({short_ratio(cell.time_ratio.median)})"
        text.append(f"{ratio:>7}", COLOURS.get(verdict(cell.time_ratio), ""))
    return text


def short_ratio(ratio):
    """Two digits after the point, or none where they would say nothing."""
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"


def matrix_legend(summed):
    cover = coverage_text([cell.time_ratio for cell in summed.cells.values()])
    return (
        "Nanoseconds of one iteration, medians; less is better. In brackets: ratio to "
        f"{summed.reference}, the median over rounds of ratios within a round{cover}."
    )
