"""The tables of a replay besides the first: how long single calls took, what programs would save,
who survives a limit of memory, and what is given back. Each is printed if the Results have it.
"""

from frontend.allocators.registry import FLOOR
from frontend.counted import counted
from frontend.figures import decision, prediction, replay_details, stats
from frontend.figures.digest import digest, duration_text, interval
from frontend.figures.metrics import LATENCIES, MIB
from frontend.figures.table import add_rows, console, coverage_text, figure
from frontend.figures.table import figure_table, new_table, print_prose, ratio_cell

WORST_SHOWN = 3  # of an allocator; the results have ten
WORST_LEGEND = (
    "longest: of all rounds. A call that is among the worst ten in every round is slow by itself;"
    " one that is there once may have been disturbed."
)
LEAST = "least_limit"
PEAK_COLUMN = ("peak MiB", "peak_rss", MIB, 2)
LEAST_COLUMNS = (PEAK_COLUMN, ("least limit MiB", LEAST, MIB, 2))
FAILED_COLUMNS = (("live MiB then", "failed_live", MIB, 2), PEAK_COLUMN)
ADDRESS_SPACE = (
    "No memory cgroup could be made here, so the limit is on address space (RLIMIT_AS): what is"
    " only reserved counts like what is used, and allocators that reserve much fail early."
)
DECAY_COLUMNS = tuple(
    (head, key, MIB, 2)
    for head, key in (
        ("peak", "peak_rss"),
        ("at once", "rss_after_drain"),
        ("0.1 s", "rss_after_100ms"),
        ("1 s", "rss_after_1s"),
        ("5 s", "rss_after_5s"),
        ("trimmed", "rss_after_trim"),
    )
)
WATCHED = "rss_after_5s"  # only what was replayed with --decay has it
DECAY_LEGEND = (
    "MiB of RSS: the peak, and what is left when every block has been freed, at once and after so"
    " long without a call. trimmed: after malloc_trim(0), where the allocator has one of its own."
)


# How long single calls took: percentiles of a sample, the worst call, and one of these figures
# compared with the reference's; then the worst calls.


def show_latencies(measured, metric):
    """Prints the latencies and compares them by a Metric of theirs."""
    summed = digest(measured, "replay")
    rows = [row for row in measured.rows if row.values(metric.key)] if summed else []
    rivals = [row for row in rows if row.allocator != FLOOR]
    if not rows:
        return
    out = console()
    ratios = {row.name: ratio_of(row, summed, metric) for row in rows}
    out.print(latency_rows(rows, ratios, metric, summed.reference))
    print_prose(out, latency_legend(rows, ratios, metric))
    if any(map(replay_details.worst_calls, rivals)):
        out.print(worst_table(rivals))
        print_prose(out, WORST_LEGEND)


def ratio_of(row, summed, metric):
    """The Decision on a figure against the reference's; None for the reference itself."""
    reference = summed.rows.get((row.subject, summed.reference))
    compared_with_nobody = row.allocator in (summed.reference, FLOOR)
    if reference is None or compared_with_nobody or reference.failures:
        return None
    return decision.decide(decision.of_rows(reference, row, metric))


def latency_rows(rows, ratios, metric, reference):
    """The table of all rows."""
    head = f"{metric.name} / {reference}"
    heads = [key for key in LATENCIES if any(row.values(key) for row in rows)]
    numbers = (*(LATENCIES[key].name for key in heads), head)
    table = new_table("trace", "allocator", numbers=numbers, spare=("p50", "p90", "p99.99"))

    def cells_of(row):
        ratio = ratios[row.name]
        times = (duration_text(stats.median(row.values(key))) for key in heads)
        return [*times, ratio_cell(ratio) if ratio else ""]

    add_rows(table, rows, cells_of)
    return table


def latency_legend(rows, ratios, metric):
    step = max((step for row in rows for step in row.values("counter_step_ns")), default=0)
    lines = [
        "Latency: of one call in sixteen, without what is written to the block. max: of all calls,"
        " in a run of its own, without those during which the system ran something else. All are"
        " medians of the rounds.",
        f"The clock moves in steps of {step:.3g} ns. {metric.name}: ratios are medians over"
        f" rounds, within a round{coverage_text(ratios.values())}.",
    ]
    return "\n".join(lines)


def worst_table(rows):
    """The worst calls of each allocator, of all its rounds; who made them, if a trace tells."""
    found = [(row, call) for row in rows for call in replay_details.worst_calls(row)[:WORST_SHOWN]]
    site = ["made by"] if any(call.site for _, call in found) else []
    numbers = ("longest", "operation", "thread", "faults", "among worst 10 in")
    table = new_table("trace", "allocator", "worst call", numbers=numbers, spare=("thread",))
    for head in site:
        table.add_column(head, overflow="fold")
    subject = None
    for row, call in found:
        if subject not in (None, row.subject):
            table.add_section()
        name = "" if row.subject == subject else row.subject
        cells = call_cells(call, len(row.samples)) + ([call.site] if site else [])
        table.add_row(name, row.allocator, *cells)
        subject = row.subject
    return table


def call_cells(call, rounds):
    """What it was, how long it took, where in the trace, and how often it was that bad."""
    return [
        f"{call.kind} of {counted(call.size, 'byte')}",
        duration_text(call.ns),
        *(f"{number:,}" for number in (call.op, call.thread, call.faults)),
        f"{call.rounds} of {counted(rounds, 'round')}",
    ]


def show_wastes(measured):
    """Prints a line for each row that tells whose blocks live where most memory is wasted."""
    told = [(r, moment) for r in measured.rows if (moment := replay_details.wasteful_moment(r))]
    out = console() if told else None
    for row, moment in told:
        print_prose(out, f"most waste of {row.allocator} on {row.subject}: {moment.text}")


# What programs would save with each allocator, as replays with a model predict.


def show_predictions(measured):
    summed = digest(measured, "replay")
    if not summed or not any(row.values(prediction.TIME) for row in summed.rows.values()):
        return
    savings = {
        (subject, name): prediction.saving(summed, subject, name)
        for subject in summed.subjects
        for name in summed.allocators
    }
    out = console()
    out.print(savings_table(summed, savings))
    print_prose(out, prediction_legend(summed, savings.values()))


def savings_table(summed, savings):
    """A row for each subject and allocator."""
    against = summed.context.get(prediction.AGAINST)
    heads = ("replay ms", "modelled ms", f"saved / {against} ms", "in calls ms", "of program")
    table = new_table("trace", "allocator", numbers=heads, spare=heads[:2])
    for subject in summed.subjects:
        for name in summed.allocators:
            row = summed.rows.get((subject, name))
            is_first = name == summed.allocators[0]
            table.add_row(
                subject if is_first else "", name, *saving_cells(row, savings[subject, name])
            )
        table.add_section()
    return table


def saving_cells(row, saving):
    """The numbers of a row."""
    if row is None or row.failures:
        return [""] * 5
    times = stats.median(row.values("real_time")), stats.median(row.values(prediction.TIME))
    replayed, modelled = times[0], times[1] and times[1] / 1e6
    return [
        *("" if ms is None else f"{ms:,.0f}" for ms in (replayed, modelled)),
        "" if saving is None else saving_text(saving.ms, 1),
        "" if saving is None or saving.in_calls_ms is None else saving_text(saving.in_calls_ms, 1),
        "" if saving is None or saving.share is None else share_text(saving.share),
    ]


def share_text(estimate):
    """ "4.2 % [3.9, 4.4]"."""
    return saving_text(estimate, 100, "{:z.1f}", " %")


def saving_text(estimate, scale, form="{:z,.0f}", unit=""):
    """A figure with its interval, and what that covers where it is little."""
    number = form.format(scale * estimate.median) + unit
    return number + interval(estimate, lambda end: form.format(scale * end))


def prediction_legend(summed, savings):
    given = [saving.ms for saving in savings if saving]
    lines = [
        "Predicted: what the program would save, by replays that do between the calls what a"
        f" program does (docs/method.md). More is better; medians within a round"
        f"{coverage_text(given)}. of program: of the time it took when it was recorded.",
    ]
    if any(saving and saving.in_calls_ms for saving in savings):
        lines.append(
            "in calls: what of the saving is inside the calls, from a run of its own; the rest is"
            " where blocks lie, and page faults of what is written to them."
        )
    untold = [s for s in summed.subjects if not prediction.duration_of(summed.context, s)]
    if untold:
        lines.append(f"No share of {', '.join(untold)}: the trace has no times.")
    return "\n".join(lines)


# Replays under a limit of memory: who survived it, and where the others failed; or the least limit
# that each survives, beside its peak RSS.


def show_limits(measured):
    out = console()
    ends = [row for row in measured.rows if any("survived" in entry for entry in row.samples)]
    searched = [row for row in measured.rows if row.values(LEAST)]
    if ends:
        out.print(ends_table(ends))
    if searched:
        out.print(figure_table(searched, LEAST_COLUMNS))
    if ends or searched:
        print_prose(out, limit_legend(measured.context, bool(searched)))


def ends_table(rows):
    """How the runs under one limit ended."""
    heads = ("survived", "failed at operation", *(column[0] for column in FAILED_COLUMNS))
    table = new_table("trace", "allocator", numbers=heads, spare=("peak MiB",))
    add_rows(
        table,
        rows,
        lambda r: [survived_text(r), failed_text(r), *(figure(r, c) for c in FAILED_COLUMNS)],
    )
    return table


def survived_text(row):
    """ "yes", "no", or "2 of 5"."""
    ends = [entry["survived"] for entry in row.samples if "survived" in entry]
    if len(set(ends)) == 1:
        return "yes" if ends[0] else "no"
    return f"{sum(ends)} of {len(ends)}"


def failed_text(row):
    """ "1,234 of 5,678", or nothing where no run failed."""
    failed = stats.median(row.values("failed_at_op"))
    return f"{failed:,.0f} of {row.values('ops')[0]:,}" if failed else ""


def limit_legend(context, is_searched):
    """What was limited, and what it means to fail."""
    size = context.get("memory_limit")
    kind = context.get("memory_limit_of", "memory")
    lines = [
        f"Limit on the {kind}{'' if is_searched else f', {size / MIB:,.2f} MiB'}, in a run of its"
        f" own; the harness's memory does not count.",
        "To fail: a call returns NULL, or the system kills the process. Medians.",
    ]
    if is_searched:
        lines[1] = "least limit: the least, to 1 %, under which the replay comes to its end."
    if kind == "address space":
        lines.append(ADDRESS_SPACE)
    return " ".join(lines)


# What allocators give back while a program does nothing: resident memory after the drain of a
# replay, at once, a while later, and after malloc_trim.


def show_decay(measured):
    rows = [row for row in measured.rows if row.values(WATCHED)]
    if rows:
        out = console()
        out.print(figure_table(rows, DECAY_COLUMNS))
        print_prose(out, DECAY_LEGEND)
