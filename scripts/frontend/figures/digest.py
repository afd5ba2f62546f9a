"""What tables, charts and pages show of a result file: for each subject (a trace, a command) and
allocator the time and the peak RSS, absolute and as a ratio to the reference's, with intervals.

Nothing is drawn or written here, and no file is opened.
"""

import math
from dataclasses import dataclass, field

from frontend.allocators import registry
from frontend.counted import counted
from frontend.figures import decision, stats
from frontend.figures.metrics import MIB, RSS, TIME  # noqa: F401 (charts take them from here)

NOT_RUN = "not run"
SHORT_COVERAGE = 0.9  # an interval that covers less says so where it stands
DURATIONS = (("ns", 1), ("us", 1e3), ("ms", 1e6))
SUBJECT_WORDS = {"replay": "trace", "run": "workload", "micro": "benchmark", "exec": "program"}


@dataclass(frozen=True)
class Cell:
    """One subject under one allocator: Estimates of its figures, and Decisions on them against the
    reference's. What could not be had is None, and `error` says why."""

    time: object = None
    rss: object = None
    time_ratio: object = None
    rss_ratio: object = None
    error: str = None

    @property
    def gap(self):
        """What stands in the place of a figure ("failed", "not run"), or None."""
        return NOT_RUN if self.error == NOT_RUN else self.error and "failed"


@dataclass
class Digest:
    """All cells of one kind of entry (replay, exec), and what sums them up."""

    kind: str
    context: dict
    subjects: list
    allocators: list  # without the floor; the reference is among them
    reference: str
    cells: dict  # (subject, allocator): Cell
    overall: dict  # allocator: Cell of geometric means over the subjects
    counted: dict  # allocator: how many subjects its geometric means hold
    rounds: int = 0
    floor: dict = field(default_factory=dict)  # subject: ns per op of the null allocator
    live: dict = field(default_factory=dict)  # subject: peak live bytes
    bound: dict = field(default_factory=dict)  # subject: bytes that theory says are needed
    waste: dict = field(default_factory=dict)  # (subject, allocator): resident beyond live / live
    rows: dict = field(default_factory=dict)  # (subject, allocator): results.Row

    @property
    def rivals(self):
        """The allocators that are compared with the reference."""
        return [name for name in self.allocators if name != self.reference]

    @property
    def time(self):
        return TIME[self.kind]

    def failures(self):
        """[(subject, allocator, message)] of what failed. Micro-benchmarks need not be run on all
        allocators."""
        missing = NOT_RUN if self.kind == "micro" else None
        cells = self.cells.items()
        return [(*key, cell.error) for key, cell in cells if cell.error not in (None, missing)]


def digest(results, kind):
    """The Digest of the entries of one kind, or None if there are none."""
    rows = {(row.subject, row.allocator): row for row in results.rows if row.kind == kind}
    if not rows:
        return None
    names = results.allocators(kind)
    competitors = [name for name in names if name != registry.FLOOR]
    reference = registry.REFERENCE if registry.REFERENCE in names else (competitors or names)[0]
    subjects = results.subjects(kind)
    cells = {
        (subject, name): make_cell(
            rows.get((subject, name)), rows.get((subject, reference)), TIME[kind]
        )
        for subject in subjects
        for name in competitors
    }
    wastes = {k: stats.median(r.values("waste")) for k, r in rows.items() if k[1] in competitors}
    whole = {name: whole_rows(rows, subjects, name, reference) for name in competitors}
    overall = {n: [mean_ratio(pairs, m) for m in (TIME[kind], RSS)] for n, pairs in whole.items()}
    return Digest(
        kind=kind,
        context=results.context,
        subjects=subjects,
        allocators=competitors,
        reference=reference,
        cells=cells,
        overall={name: Cell(None, None, *means) for name, means in overall.items()},
        counted={name: len(pairs) for name, pairs in whole.items()},
        rounds=max((len(row.samples) for row in rows.values()), default=0),
        floor=first_medians(rows, subjects, [registry.FLOOR], TIME[kind].key),
        live=first_medians(rows, subjects, competitors, "peak_live"),
        bound=first_medians(rows, subjects, competitors, "bound"),
        waste={key: waste for key, waste in wastes.items() if waste is not None},
        rows=rows,
    )


def make_cell(row, reference, time):
    """The Cell of a row; a row with any failed repetition has failed."""
    if row is None:
        return Cell(error=NOT_RUN)
    if row.failures:
        return Cell(error=row.error)
    cell = {"time": estimate_of(row, time), "rss": estimate_of(row, RSS)}
    if reference and not reference.failures:
        cell["time_ratio"] = ratio_of(row, reference, time)
        cell["rss_ratio"] = ratio_of(row, reference, RSS)
    return Cell(**cell)


def estimate_of(row, measure):
    """The Estimate of a figure in its unit."""
    return stats.estimate(value / measure.scale for value in row.values(measure.key))


def ratio_of(row, reference, measure):
    """The Decision on a figure against the reference's."""
    return decision.decide(decision.of_rows(reference, row, measure))


def whole_rows(rows, subjects, name, reference):
    """[(row, reference row)] of the subjects in which neither failed."""
    pairs = [(rows.get((subject, name)), rows.get((subject, reference))) for subject in subjects]
    return [pair for pair in pairs if all(row and not row.failures for row in pair)]


def mean_ratio(pairs, measure):
    """The Decision on the geometric mean of a figure over [(row, reference row)]; None if a row
    lacks the figure."""
    samples = [[decision.usable(row, measure.key) for row in (b, a)] for a, b in pairs]
    if not all(side for sides in samples for side in sides):
        return None
    return decision.decide(decision.of_means(samples, measure))


def means_between(summary, name, other, measure):
    """The Decision on the geometric mean of one allocator against another's, over the subjects in
    which neither failed."""
    pairs = whole_rows(summary.rows, summary.subjects, name, other)
    return mean_ratio(pairs, measure) if pairs else None


def rows_between(summary, subject, name, other, measure):
    """The Decision on one allocator against another on one subject; None if a run failed."""
    pairs = whole_rows(summary.rows, [subject], name, other)
    return ratio_of(*pairs[0], measure) if pairs else None


def first_medians(rows, subjects, names, key):
    """{subject: figure} of the first of some allocators that has it."""
    found = {}
    for subject in subjects:
        for name in names:
            row = rows.get((subject, name))
            if row and row.values(key):
                found.setdefault(subject, stats.median(row.values(key)))
    return found


def frontier(points):
    """Names of {name: (x, y)} that no other point beats or equals in both, from left to right."""
    best, names = math.inf, []
    for name, (_, y) in sorted(points.items(), key=lambda item: item[1]):
        if y < best:
            best = y
            names.append(name)
    return names


def machine_text(context):
    """Processor, system and C library."""
    cpus = f"{context['num_cpus']} CPUs" if context.get("num_cpus") else ""
    cpu = " ".join(filter(None, [str(context.get("cpu", "unknown CPU")), cpus and f"({cpus})"]))
    kernel = f"Linux {context['kernel']}" if context.get("kernel") else ""
    return ", ".join(filter(None, [cpu, kernel, context.get("libc")]))


def thread_order_text(summary):
    """Whose threads made the calls of a replay, if any of its traces has several."""
    context = summary.context
    described = context.get("traces") or {}
    threads = [(described.get(name) or {}).get("threads", 1) for name in summary.subjects]
    if not any(count > 1 for count in threads):
        return ""
    is_original = context.get("thread_order") == "original"  # results of 0.1 do not tell: one
    return "on the recorded threads" if is_original else "all calls on one thread"


def commit_text(context):
    """The commit's first letters, and whether the tree differed from it."""
    return str(context.get("commit", "unknown"))[:10] + (" (dirty)" if context.get("dirty") else "")


def date_text(context):
    """The day on which it was measured."""
    return str(context.get("date", "no date"))[:10]


def origin_text(context):
    """Machine, commit and day."""
    return f"{machine_text(context)}; commit {commit_text(context)}, {date_text(context)}"


def interval_text(summary):
    """What the marks and the lines through them are: those of ratios, where there are any."""
    cells = summary.cells.values()
    rivals = [c for (_, name), c in summary.cells.items() if name != summary.reference]
    estimates = [c.time_ratio for c in rivals] if any(c.time_ratio for c in rivals) else None
    coverages = [
        e.coverage for e in estimates or [c.time for c in cells] if e and e.low is not None
    ]
    if not coverages:
        return "medians, no interval"
    return f"medians, intervals of {100 * min(coverages):.3g} %"


def ends(estimate):
    """Lower end, median and upper end; all the same where there is no interval."""
    if estimate.low is None:
        return estimate.median, estimate.median, estimate.median
    return estimate.low, estimate.median, estimate.high


def figure_text(estimate):
    """ "0.78 (0.76–0.80)", with the coverage where it is short: "0.78 (0.70–0.90) 50 %"."""
    return ratio_number(estimate.median) + interval(estimate, ratio_number, " ({}–{})")


def interval(estimate, text_of, form=" [{}, {}]"):
    """What stands behind a median: its interval, and what that covers where it is little; nothing
    where there is no interval. text_of makes the text of a number."""
    if estimate.low is None:
        return ""
    return form.format(text_of(estimate.low), text_of(estimate.high)) + coverage_remark(estimate)


def told_text(estimate, of_what=""):
    """ "0.78 (0.76–0.80) of glibc's wall time" for a sentence, in which a short coverage would be
    taken for a share of what follows: "0.78 (0.70–0.90, an interval of 50 %) of ..."."""
    text = figure_text(estimate)
    remark = coverage_remark(estimate)
    if remark:
        text = f"{text.removesuffix(f'){remark}')}, an interval of{remark})"
    return f"{text} of {of_what}" if of_what else text


def ratio_number(ratio):
    """Two digits after the point, or three where two would be one figure that counts."""
    return f"{ratio:.2f}" if ratio >= 0.0995 else f"{ratio:.3f}"


def coverage_remark(estimate):
    """ " 75 %" for an interval that covers less than people take for granted, else nothing."""
    if estimate.low is None or estimate.coverage >= SHORT_COVERAGE:
        return ""
    return f" {100 * estimate.coverage:.3g} %"


def number_text(value):
    """A number with three figures that count."""
    return f"{value:,.0f}" if value >= 99.5 else f"{value:#.3g}"


def duration_text(ns):
    """ "35 ns", "1.2 us", "3.4 ms": three digits at most, but for seconds; empty for None."""
    if ns is None:
        return ""
    name, scale = next((unit for unit in DURATIONS if ns / unit[1] < 999.5), DURATIONS[-1])
    value = ns / scale
    return f"{value:.3g} {name}" if value < 999.5 else f"{value:,.0f} {name}"


def counted_text(summary, name):
    """How many subjects a mean holds, where it does not hold them all."""
    some, all_ = summary.counted[name], len(summary.subjects)
    return "" if some == all_ else f", {some} of {all_}"


def subjects_text(summary):
    """How many subjects there are: "12 traces", "1 program"."""
    return counted(len(summary.subjects), SUBJECT_WORDS[summary.kind])


def part(cell, measure, suffix=""):
    """The time or the memory of a cell, or its ratio (suffix "_ratio")."""
    return getattr(cell, ("rss" if measure is RSS else "time") + suffix)


def verdict(estimate):
    """ "better" or "worse" as a Decision says, else ""."""
    word = getattr(estimate, "verdict", "")
    return word if word in (decision.BETTER, decision.WORSE) else ""
