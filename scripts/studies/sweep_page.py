"""The page about the tuning constants, in Markdown, from the result file of a sweep."""

import textwrap
from dataclasses import dataclass

import numpy

from frontend.counted import counted
from frontend.failure import Failure
from frontend.figures import digest, markdown
from frontend.figures.results import unique
from frontend.figures.table import worst_text
from studies import sweep, tuning

EQUAL = 0.001  # what was counted varies by less from run to run
NEAR = 0.03  # what changes less is the same; a few rounds on a shared machine tell no less
UNSURE = " (?)"  # the rounds do not show that there is a change
SURE = 0.95  # what the interval of a time must cover; fewer than six rounds cannot
HEADS = ("constant", "where", "value", "time", "worst", "instructions", "page faults")
HEADS += ("peak RSS", "worst", "verdict")


@dataclass(frozen=True)
class Value:
    """One value of a constant as a row of the page has it."""

    value: int
    label: str
    cell: digest.Cell  # geometric means over the traces; the present value's are 1
    worst_time: str
    worst_rss: str
    failures: list  # [(trace, message)]
    instructions: float = None  # geometric means as well; None where they were not counted
    faults: float = None

    def counts_within(self, share):
        """Whether instructions and page faults are those of the present value."""
        counted = (self.instructions, self.faults)
        return None not in counted and all(abs(ratio - 1) < share for ratio in counted)


@dataclass(frozen=True)
class Swept:
    """One constant of one build."""

    build: str
    constant: str
    file: str
    values: list  # of Value, the present one first

    @property
    def neighbours(self):
        """The next values below and above the present one."""
        ascending = sorted(self.values, key=lambda value: value.value)
        place = ascending.index(self.values[0])
        return ascending[max(0, place - 1) : place] + ascending[place + 1 : place + 2]


def page(measured):
    """The text of the page."""
    swept = [summarised(measured, described) for described in sweep.sweeps_of(measured)]
    parts = ["# The tuning constants", how()]
    for build in unique(one.build for one in swept):
        chosen = [one for one in swept if one.build == build]
        made = method(measured.context["made"][build])
        later = alone(sweep.sweeps_of(measured), build)
        parts += [f"## lib{build}", made, later, table(chosen), edges(chosen), why(chosen)]
        parts.append(failures(chosen))
    parts += ["## Not swept", left_out()]
    return "\n\n".join(filter(None, parts)) + "\n"


def has_failures(measured):
    return any(row.failures for row in measured.rows)


def prose(*paragraphs):
    """Paragraphs as the other pages have them."""
    return "\n\n".join(
        textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)
        for text in paragraphs
    )


def how():
    """What the tables say."""
    return prose(
        "The allocator has constants that could as well have other values. Here each of them was "
        "given others, usually a quarter, half, double and four times of the present one, and "
        "nothing else was changed: the allocator was built with each value, and traces were "
        "replayed against all these builds, interleaved.",
        "Time and peak RSS are geometric means over the traces, as ratios to the present value, "
        "which stands in bold: less is better. Beside each stands the trace with the largest "
        f"ratio. A change of less than {100 * NEAR:.0f} % counts as none; (?) says that the rounds "
        "do not agree on it, or that they are fewer than six.",
        "Where other work runs on the machine, time alone leaves much open. Of a constant's "
        "neighbours, half or double of it, instructions (callgrind, in the allocator and what it "
        "calls) and page faults were counted as well, over some of the traces: these hardly vary. "
        "A neighbour whose time is in doubt, but which executes as many instructions and has as "
        f"many page faults (within {100 * NEAR:.0f} %), costs the same. One with the very same "
        "counts does so whatever the rounds say: among more than a hundred values, those of some "
        "agree by chance.",
        "A constant is **on an edge** if one of its neighbours changes the time by more than "
        f"{100 * NEAR:.0f} %: it has to be chosen with care, and the rows say what another choice "
        "costs. Any other constant could be half or double of what it is.",
    )


def method(made):
    """Command, machine, rounds, date and commit of a build's sweeps."""
    rounds = made["rounds"]
    ends = "; behind a ratio stand its least and its greatest round" if rounds != 1 else ""
    return prose(
        f"Made by `{made['command']}`: {counted(made['traces'], 'trace')}, touch {made['touch']}, "
        f"one thread; {counted(rounds, 'round')} of time after a warm-up, in which peak RSS was "
        f"measured{ends}; {digest.origin_text(made)}."
    )


def alone(described, build):
    """Which constants of a build were swept by themselves, and when."""
    lines = [
        f"- {one['constant']}: swept by itself, {counted(one['made']['rounds'], 'round')}; commit "
        f"{digest.commit_text(one['made'])}, {one['made']['date'][:10]}."
        for one in described
        if one["build"] == build and "made" in one
    ]
    return "\n".join(lines)


def summarised(measured, described):
    """The Swept of one constant."""
    summary = digest.digest(sweep.replays_of(measured, described), "replay")
    if summary is None:
        raise Failure(f"{measured.path}: {described['constant']}: no entries")
    counts = measured.context.get("counts", {})
    present = counts.get(described["values"][0]["allocator"], {})
    values = [value_of(summary, tried, counts, present) for tried in described["values"]]
    return Swept(described["build"], described["constant"], described["file"], values)


def value_of(summary, tried, counts, present):
    """The Value that a sweep tried; `present` are the counts of the present one."""
    name = tried["allocator"]
    return Value(
        tried["value"],
        tried["label"],
        summary.overall.get(name, digest.Cell()),
        worst_text(summary, name, "time_ratio"),
        worst_text(summary, name, "rss_ratio"),
        [(trace, message) for trace, whose, message in summary.failures() if whose == name],
        *(mean_of(counts.get(name, {}), present, key) for key in sweep.COUNTED),
    )


def mean_of(counts, present, key):
    """The geometric mean over traces of a count's ratios to the present value's, None without."""
    ratios = [counts[trace][key] / present[trace][key] for trace in counts if trace in present]
    return float(numpy.exp(numpy.mean(numpy.log(ratios)))) if ratios else None


def table(swept):
    """All constants of a build, the values of each in ascending order."""
    lines = [HEADS]
    for one in swept:
        ascending = sorted(one.values, key=lambda value: value.value)
        names = [(one.constant, one.file)] + [("", "")] * (len(ascending) - 1)
        lines += [(*name, *value_cells(one, value)) for name, value in zip(names, ascending)]
    return markdown.table(lines, texts=2, last=1)


def value_cells(one, value):
    """A value and what it comes to; of the present one, what its neighbours come to."""
    if value is one.values[0]:
        return (f"**{value.label}**", "1", "", "1", "1", "1", "", edge(one))
    time = digest.figure_text(value.cell.time_ratio) if value.cell.time_ratio else ""
    rss = f"{value.cell.rss_ratio.median:.2f}" if value.cell.rss_ratio else ""
    counts = ("" if r is None else f"{r:.2f}" for r in (value.instructions, value.faults))
    return (value.label, time, value.worst_time, *counts, rss, value.worst_rss, verdict(value))


def verdict(value):
    """What a value costs or saves."""
    if value.failures or not value.cell.time_ratio:
        return "**failed**"
    memory = change(value.cell.rss_ratio, ("more memory", "less memory"))
    return ", ".join(filter(None, [time_change(value), memory])) or "the same"


def time_change(value):
    """What a value does to the time; nothing where that is too little to count, or denied by what
    was counted."""
    text = change(value.cell.time_ratio, ("slower", "faster"), SURE)
    is_denied = value.counts_within(NEAR if text.endswith(UNSURE) else EQUAL)
    return "" if is_denied else text


def change(estimate, words, least_coverage=0.0):
    """ "5 % slower", with a question mark if the rounds do not agree or are too few; nothing if
    it is less than counts."""
    if not estimate or abs(estimate.median - 1) < NEAR:
        return ""
    percent = 100 * abs(estimate.median - 1)
    is_sure = estimate.excludes(1) and estimate.coverage >= least_coverage
    doubt = "" if is_sure else UNSURE
    return f"{percent:.0f} % {words[estimate.median < 1]}{doubt}"


def edge(one):
    """Whether a constant is on an edge: what its neighbours do to the time."""
    if any(value.failures for value in (one.values[0], *one.neighbours)):
        return "cannot tell"
    told = [(value.label, time_change(value)) for value in one.neighbours]
    told = [f"{label} is {text}" for label, text in told if text]
    if not told:
        return "not on an edge"
    is_sure = any(not text.endswith(UNSURE) for text in told)
    return f"{'**on an edge**' if is_sure else 'cannot tell'}: {', '.join(told)}"


def edges(swept):
    """Which constants are on an edge, and of which that is open."""
    told = []
    for text, verb in (("**on an edge**", "on an edge"), ("cannot tell", "open")):
        found = [one.constant for one in swept if edge(one).startswith(text)]
        told.append(f"{len(found)} {verb}" + (f" ({', '.join(found)})" if found else ""))
    return prose(f"Of {counted(len(swept), 'constant')}: {', '.join(told)}.")


def why(swept):
    """Why the constants that are on an edge or open have the values that they have."""
    lines = [
        f"- {one.constant}: {tuning.WHY[one.build, one.constant]}"
        for one in swept
        if edge(one) != "not on an edge" and (one.build, one.constant) in tuning.WHY
    ]
    return "\n".join(lines)


def failures(swept):
    lines = [
        f"- {one.constant} {value.label} on {trace}: {message}"
        for one in swept
        for value in one.values
        for trace, message in value.failures
    ]
    return "\n".join(["Failed rows:", "", *lines]) if lines else ""


def left_out():
    """The constants that are not swept, and why."""
    return "\n".join(f"- {names}: {reason}." for names, reason in tuning.LEFT_OUT.items())
