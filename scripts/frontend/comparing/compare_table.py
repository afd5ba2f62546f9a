"""What compare prints: tables for people, the same as Markdown for a pull request."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from frontend.comparing.comparing import BETTER, FAILED, ORDER, WORSE
from frontend.counted import counted
from frontend.figures import markdown
from frontend.figures.digest import commit_text, interval, number_text
from frontend.figures.table import Text, console, coverage_text, new_table
from frontend.paths import shown

COLOURS = {FAILED: "bold red", WORSE: "red", BETTER: "green"}
DOUBT = " *"  # behind a verdict: by itself
MEAN_HEADS = ("geometric mean", "metric"), ("rows", "B / A")
ROW_HEADS = ("row", "metric"), ("A", "B", "B / A")


@dataclass(frozen=True)
class Page:
    """All that is shown of a comparison."""

    titles: list  # what A and B are
    means: list  # Comparisons
    rows: list  # Comparisons, worst first
    notes: list
    manner: object
    is_complete: bool  # rows without a difference are shown, too

    @cached_property
    def shown_rows(self):
        """The rows that are shown."""
        return [row for row in self.rows if self.is_complete or row.verdict in COLOURS]


def title(letter, measured, allocator):
    """ "A: base.json, span, commit 0123456789 (dirty), 2026-01-02T03:04:05+00:00"."""
    context = measured.context
    facts = [shown(measured.path), allocator, f"commit {commit_text(context)}", context.get("date")]
    return f"{letter}: {', '.join(str(fact) for fact in facts if fact)}"


def ratio_text(estimate):
    """ "1.021 [1.018, 1.025]"."""
    text_of = "{:.3f}".format
    return text_of(estimate.median) + interval(estimate, text_of) if estimate else ""


def word_of(comparison):
    """The verdict, marked where it does not hold for the number of tests."""
    is_doubtful = comparison.verdict in (WORSE, BETTER) and not comparison.is_sure
    return f"{comparison.verdict}{DOUBT if is_doubtful else ''}"


def mean_cells(mean):
    """The texts of a line about a mean, without the verdict."""
    return [mean.name, mean.metric.name, str(mean.rows), ratio_text(mean.ratio)]


def row_cells(row):
    """The texts of a line about a row, without the verdict."""
    if row.metric is None:
        return [row.name, "", "", "", ""]
    name = ", ".join(filter(None, (row.metric.name, row.metric.unit)))
    figures = [number_text(value / row.metric.scale) for value in (row.before, row.after)]
    return [row.name, name, *figures, ratio_text(row.ratio)]


def counts_text(rows):
    """ "40 rows: 2 worse, 38 no difference"."""
    found = Counter(row.verdict for row in rows)
    parts = ", ".join(f"{found[word]} {word}" for word in ORDER if found[word])
    return f"{counted(len(rows), 'row')}: {parts}" if rows else "no rows"


def legend(page):
    """How the figures were made."""
    made = [c for c in page.means + page.rows if c.ratio]
    tested = [c.ratio for c in made if c.ratio.p_value is not None]
    how = (
        "within a round (one run)"
        if page.manner.is_paired
        else "of all runs, not paired (two runs)"
    )
    lines = [
        f"Less is better. Ratios {how}{coverage_text(tested)}.",
        "Verdicts follow from the intervals; a difference certainly below "
        f"{100 * page.manner.margin:g} % is none.",
    ]
    if any(word_of(c).endswith(DOUBT) for c in page.means + page.shown_rows):
        lines.append(
            "*: by itself; of so many comparisons chance makes such ones too, so this is no alarm."
        )
    if len(tested) < len(made):
        lines.append("Of what hardly varies and is no time, the interval is the whole range.")
    return lines


def show(page):
    out = console()
    for line in page.titles:
        out.print(Text(line))
    out.print(rich_table(MEAN_HEADS, page.means, mean_cells))
    if page.shown_rows:
        out.print(rich_table(ROW_HEADS, page.shown_rows, row_cells))
    out.print(Text(f"{counts_text(page.rows)}."))
    for line in page.notes:
        out.print(Text(line, style="yellow"))
    out.print(Text("\n".join(legend(page)), style="dim"))


def rich_table(heads, comparisons, cells):
    """The table of some Comparisons."""
    texts, numbers = heads
    table = new_table(*texts, numbers=numbers, last=("verdict",), spare=("rows", "A", "B"))
    for comparison in comparisons:
        word = Text(word_of(comparison), style=COLOURS.get(comparison.verdict, ""))
        table.add_row(*map(Text, cells(comparison)), word)
    return table


def to_markdown(page):
    parts = [
        "  \n".join(map(literal, page.titles)),
        markdown_table(MEAN_HEADS, page.means, mean_cells),
    ]
    if page.shown_rows:
        parts.append(markdown_table(ROW_HEADS, page.shown_rows, row_cells))
    parts += [f"{counts_text(page.rows)}.", *map(literal, page.notes), *legend(page)]
    return "\n\n".join(parts) + "\n"


def markdown_table(heads, comparisons, cells):
    """The table of some Comparisons, differences in bold."""
    texts, numbers = heads
    lines = [[*texts, *numbers, "verdict"]]
    for comparison in comparisons:
        is_bold = comparison.verdict in COLOURS
        word = literal(word_of(comparison))
        word = f"**{word}**" if is_bold else word
        lines.append([*map(literal, cells(comparison)), word])
    return markdown.table(lines, len(texts), last=1)


def literal(text):
    """A text that Markdown takes as it is."""
    return "".join(f"\\{c}" if c in "\\`*_|<>[]" else c for c in text)


# For programs: all that the page says, and the rows that it leaves out.


def document(page, status):
    """The object that is printed; ratios are B / A."""
    return {
        "titles": page.titles,
        "is_paired": page.manner.is_paired,
        "margin": page.manner.margin,
        "status": status,
        "means": [comparison_facts(mean) for mean in page.means],
        "rows": [comparison_facts(row) for row in page.rows],
        "notes": page.notes,
    }


def comparison_facts(comparison):
    """One mean or row; what it does not have is left out."""
    told = {
        "name": comparison.name,
        "metric": comparison.asked,
        "verdict": comparison.verdict,
        "a": comparison.before,
        "b": comparison.after,
        **estimate_facts(comparison.ratio),
        "is_sure": comparison.is_sure,
        "rows": comparison.rows,
    }
    return {key: value for key, value in told.items() if value is not None}


def estimate_facts(estimate):
    """A ratio with its interval, and what that covers."""
    if estimate is None:
        return {}
    return {
        "ratio": estimate.median,
        "low": estimate.low,
        "high": estimate.high,
        "coverage": estimate.coverage,
        "n": estimate.n,
    }
