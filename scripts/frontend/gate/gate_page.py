"""What a gate says: the table on standard output, worst first, the Markdown summary for a pull
request, and the findings as they stand in the result file."""

from dataclasses import dataclass

from frontend.counted import counted
from frontend.figures import digest, markdown, metrics
from frontend.figures.table import Text, console, new_table
from frontend.gate.gate_verdict import BETTER, MEAN, PASS, SUSPECT, TIME, UNJUDGED, UNKNOWN, WORSE
from frontend.gate.gate_verdict import judge_figures_mean

HEADS = ("figure", "row", "base", "head", "head / base", "verdict")
COLOURS = {WORSE: "bold red", SUSPECT: "yellow", UNKNOWN: "yellow", BETTER: "green"}
SAID = {
    WORSE: "regression: head is slower or fatter than base",
    UNKNOWN: "cannot tell: the runs vary too much for the pairs that were measured",
    PASS: "no regression",
}


SAME = "are the same allocator"
OPEN = {
    UNKNOWN: "not decided yet",
    WORSE: "worse, which must be seen twice in a row",
    SUSPECT: "looks worse, which must be seen twice",
}


@dataclass(frozen=True)
class Page:
    """Everything that a gate says."""

    sides: dict  # what base and head are
    findings: list
    failures: list  # (row, what went wrong)
    verdict: str
    detect: float

    @property
    def shown(self):
        """The Findings to be read, worst first; those of which nothing is to be said come in means
        only."""
        told = [f for f in self.findings if f.row == MEAN or f.verdict not in (PASS, UNJUDGED)]
        return sorted([*told, *means(self.findings)], key=lambda f: f.worth)

    def hidden(self, verdict):
        """How many Findings of a verdict are not shown."""
        return sum(f.row != MEAN and f.verdict == verdict for f in self.findings)


def means(findings):
    """Findings on the geometric means of the figures that hardly vary, over the rows of a build.
    They are for reading: the limits hold row by row."""
    rows = {}
    for f in findings:
        if f.metric != TIME and f.ratio.median > 0:
            rows.setdefault((f.build, f.metric), []).append(f)
    return [judge_figures_mean(*key, found) for key, found in rows.items()]


def number(finding, side):
    """Base or head in the figure's unit; times have none that means anything over rows."""
    value = getattr(finding, side)
    if value is None:
        return ""
    metric = metrics.STEADY[finding.metric]
    return f"{digest.number_text(value / metric.scale) if value else 0} {metric.unit}".rstrip()


def ratio_text(finding):
    """ "1.052 [1.041, 1.063]"; without an interval where nothing varies."""
    ratio = finding.ratio
    if finding.metric != TIME or ratio.low is None:
        return f"{ratio.median:.4f}"
    return f"{ratio.median:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"


def open_text(finding, target):
    """Why a gate goes on after a look: what is open, and to how many pairs that leads."""
    what = f"{finding.build} {finding.row}".strip()
    figures = f"time {ratio_text(finding)} after {counted(finding.ratio.n, 'pair')}"
    return f"{what}: {figures}: {OPEN[finding.verdict]}; going on to {counted(target, 'pair')}"


def cells(finding):
    """The cells of a Finding's line, as HEADS names them."""
    return (
        TIME if finding.metric == TIME else metrics.STEADY[finding.metric].name,
        f"{finding.build} {finding.row}".strip(),
        number(finding, "base"),
        number(finding, "head"),
        ratio_text(finding),
        finding.verdict + (f" ({finding.remark})" if finding.remark else ""),
    )


def show(page):
    """Prints the table and the verdict."""
    out = console()
    table = new_table(*HEADS[:2], numbers=HEADS[2:5], last=HEADS[5:], spare=HEADS[2:4])
    for finding in page.shown:
        *texts, verdict = cells(finding)
        table.add_row(*texts, Text(verdict, style=COLOURS.get(finding.verdict, "")))
    if page.findings:
        out.print(table)
    for row, reason in page.failures:
        out.print(Text(f"{row}: {reason}", style="bold red"), soft_wrap=True)
    out.print(Text(hidden_text(page), style="dim"), soft_wrap=True)
    out.print(Text(sentence(page), style=COLOURS.get(page.verdict, "")), soft_wrap=True)


def hidden_text(page):
    """What the table leaves out, and what its intervals are."""
    parts = []
    if page.hidden(PASS):
        parts.append(f"Further figures within their limits: {page.hidden(PASS)}.")
    if page.hidden(UNJUDGED):
        parts.append(
            f"Times of single rows that noise alone may move so far: {page.hidden(UNJUDGED)}."
        )
    covered = [f.ratio for f in page.findings if f.metric == TIME and f.ratio.low is not None]
    if covered:
        least = min(covered, key=lambda e: e.coverage)
        pairs = {e.n for e in covered}
        fewest = f"{min(pairs)} to " if len(pairs) > 1 else ""
        counts = f"{fewest}{counted(max(pairs), 'pair')}"
        parts.append(f"Time: {counts}, intervals cover {100 * least.coverage:.4g} %.")
    return " ".join(parts)


def sentence(page):
    """The verdict in words: what it is, on what, and what it rules out."""
    if page.failures and page.verdict == WORSE and not worse(page):
        said = "failed: there are rows without figures"
    else:
        said = SAID[page.verdict]
    names = f"{page.sides['head']} against {page.sides['base']}"
    if page.sides.get("is_same"):
        names += f", which {SAME}"
    return f"{said} ({names}){bound_text(page)}"


def worse(page):
    """The Findings that are regressions."""
    return [f for f in page.findings if f.verdict == WORSE]


def bound_text(page):
    """What the upper ends of the means rule out, where it was a pass."""
    tops = [f.ratio.high for f in page.findings if f.metric == TIME and f.row == MEAN]
    if page.verdict != PASS or not tops or None in tops:
        return ""
    most = 100 * (max(tops) - 1)
    if most < 0:
        return "; time in the mean has fallen"
    return f"; time in the mean has grown by no more than {most:.1f} %"


def summary(page, context):
    """The summary for a pull request."""
    lines = [f"### spanbench gate: {sentence(page)}", ""]
    if page.findings:
        lines += [markdown.table([HEADS, *map(marked, page.shown)], texts=2, last=1), ""]
    lines += [f"- **{row}**: {reason}" for row, reason in page.failures]
    lines += [f"{hidden_text(page)}  ", f"{digest.machine_text(context)}, {context['compiler']}"]
    return "\n".join(lines).rstrip() + "\n"


def marked(finding):
    """The cells of a line, the verdict in bold where it asks to be read."""
    *texts, verdict = (text.replace("|", "/") for text in cells(finding))
    return [*texts, f"**{verdict}**" if finding.verdict in (WORSE, SUSPECT, UNKNOWN) else verdict]


def facts(page):
    """What the context of the result file says of the verdict."""
    return {
        "verdict": page.verdict,
        "detect": page.detect,
        "findings": [finding_facts(finding) for finding in page.findings],
    }


def finding_facts(finding):
    """One Finding."""
    ratio = finding.ratio
    told = {
        "build": finding.build,
        "row": finding.row,
        "metric": finding.metric,
        "verdict": finding.verdict,
        "ratio": ratio.median,
        "low": ratio.low,
        "high": ratio.high,
        "coverage": ratio.coverage,
        "pairs": ratio.n,
        "base": finding.base,
        "head": finding.head,
    }
    return {key: value for key, value in told.items() if value is not None}
