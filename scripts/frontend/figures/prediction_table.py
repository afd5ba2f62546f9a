"""The table of what programs would save with each allocator, as replays with a model predict."""

from frontend.figures import prediction, stats
from frontend.figures.digest import coverage_remark, digest
from frontend.figures.table import (
    add_number_columns,
    console,
    coverage_text,
    new_table,
    print_prose,
)


def show(measured):
    """Prints the predictions, if the Results have any."""
    summed = digest(measured, "replay")
    if not summed or not prediction.has_any(summed):
        return
    savings = {
        (subject, name): prediction.saving(summed, subject, name)
        for subject in summed.subjects
        for name in summed.allocators
    }
    out = console()
    out.print(savings_table(summed, savings))
    print_prose(out, legend(summed, savings.values()))


def savings_table(summed, savings):
    """A row for each subject and allocator."""
    against = summed.context.get(prediction.AGAINST)
    table = new_table("trace", "allocator", spare=("replay ms", "modelled ms"))
    heads = ("replay ms", "modelled ms", f"saved / {against} ms", "in calls ms", "of program")
    add_number_columns(table, heads)
    for subject in summed.subjects:
        for name in summed.allocators:
            row = summed.rows.get((subject, name))
            is_first = name == summed.allocators[0]
            table.add_row(subject if is_first else "", name, *cells(row, savings[subject, name]))
        table.add_section()
    return table


def cells(row, saving):
    """The numbers of a row."""
    if row is None or row.failures:
        return [""] * 5
    times = stats.median(row.values("real_time")), stats.median(row.values(prediction.TIME))
    replayed, modelled = times[0], times[1] and times[1] / 1e6
    return [
        *("" if ms is None else f"{ms:,.0f}" for ms in (replayed, modelled)),
        "" if saving is None else text_of(saving.ms, 1),
        "" if saving is None or saving.in_calls_ms is None else text_of(saving.in_calls_ms, 1),
        "" if saving is None or saving.share is None else percent_text(saving.share),
    ]


def percent_text(estimate):
    """ "4.2 % [3.9, 4.4]"."""
    return text_of(estimate, 100, "{:z.1f}", " %")


def text_of(estimate, scale, form="{:z,.0f}", unit=""):
    """A figure with its interval, and what that covers where it is little."""
    number = form.format(scale * estimate.median) + unit
    if estimate.low is None:
        return number
    low, high = (form.format(scale * end) for end in (estimate.low, estimate.high))
    return f"{number} [{low}, {high}]{coverage_remark(estimate)}"


def legend(summed, savings):
    """What the numbers are."""
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
