"""The table of micro-benchmarks: a line for each benchmark, a column for each allocator."""

from frontend.figures.digest import NOT_RUN, digest, number_text, verdict
from frontend.figures.table import COLOURS, Text, console, coverage_text, new_table, print_prose

RIVALS_A_TABLE = 3  # fit 100 columns


def show(measured):
    """Prints the micro-benchmarks of the Results, each compared with the reference allocator's."""
    summed = digest(measured, "micro")
    if summed is None:
        return
    out = console()
    rivals = summed.rivals
    for i in range(0, len(rivals) or 1, RIVALS_A_TABLE):
        out.print(matrix(summed, rivals[i : i + RIVALS_A_TABLE]))
    print_prose(out, Text(legend(summed), style="dim"))


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
        ratio = f" ({ratio_text(cell.time_ratio.median)})"
        text.append(f"{ratio:>7}", COLOURS.get(verdict(cell.time_ratio), ""))
    return text


def ratio_text(ratio):
    """Two digits after the point, or none where they would say nothing."""
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"


def legend(summed):
    cover = coverage_text([cell.time_ratio for cell in summed.cells.values()])
    return (
        "Nanoseconds of one iteration, medians; less is better. In brackets: ratio to "
        f"{summed.reference}, the median over rounds of ratios within a round{cover}."
    )
