"""The part of the page about what programs would save, as replays with a model of the program
predict, beside what the replay alone says."""

from html import escape

from frontend.figures import prediction
from frontend.figures.digest import coverage_remark, number_text
from frontend.page.report_tables import name_cell, number_cell, ratio_cell, table

INTRODUCTION = """
<h3>What the programs would save</h3>
<p>Predicted against {against}, by replays that do between the calls what a program does with its
blocks. More is better, a minus is a loss. In calls: what of it is inside the calls; the rest is
where blocks lie, and page faults of what is written to them. The share is of the time that the
program took{when}.</p>
"""
RECORDED, RUN = " when it was recorded", ", here or when it was recorded"


def part(summary, real):
    """The predictions of a Digest of replays; nothing without any. `real` are the Digests of real
    programs of this page: where one has the program, its time counts."""
    rows = [row for subject in summary.subjects for row in subject_rows(summary, subject, real)]
    if not rows:
        return ""
    against = escape(str(summary.context.get(prediction.AGAINST)))
    intro = INTRODUCTION.format(against=against, when=RUN if real else RECORDED)
    saved = ("saved, ms", "of it in calls, ms", "share of the program")
    heads = ("trace", "allocator", "time of the replay, ratio", *saved)
    return intro + table(heads, rows, look="flat")


def subject_rows(summary, subject, real):
    """The rows of one trace."""
    for name in summary.allocators:
        saving = prediction.saving(summary, subject, name, program_ns(summary, subject, real))
        if saving:
            yield [
                name_cell(subject),
                f'<td class="name">{escape(name)}</td>',
                ratio_cell(summary.cells[subject, name], summary.time),
                saving_cell(saving.ms, 1),
                saving_cell(saving.in_calls_ms, 1),
                saving_cell(saving.share, 100, " %"),
            ]


def program_ns(summary, subject, real):
    """What the program itself took under the reference of the prediction, if the page has it."""
    against = summary.context.get(prediction.AGAINST)
    cells = (digest.cells.get((subject, against)) for digest in real)
    return next((1e6 * cell.time.median for cell in cells if cell and cell.time), None)


def saving_cell(estimate, scale, unit=""):
    """A cell with an interval; empty without an estimate."""
    if estimate is None:
        return number_cell(None)
    text = signed(scale * estimate.median) + unit
    if estimate.low is not None:
        ends = f"{signed(scale * estimate.low)} to {signed(scale * estimate.high)}"
        text += f"<small>({ends}){coverage_remark(estimate)}</small>"
    return number_cell(scale * estimate.median, text)


def signed(number):
    """A number with three figures that count, or its minus."""
    return ("−" if number < 0 else "") + number_text(abs(number))
