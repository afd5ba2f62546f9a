"""The verb gate: is head slower or fatter than base? Both are measured in one run, side by side.
The rules are in gate_verdict, docs/method.md shows what they are worth."""

from argparse import ArgumentTypeError
from dataclasses import dataclass, field
from pathlib import Path

from frontend.allocators.preload import Links
from frontend.allocators.registry import Allocator
from frontend.counted import counted
from frontend.failure import BAD_INPUT, CANNOT_TELL, WORK_FAILED, Failure
from frontend.figures import results, together
from frontend.figures.metrics import LIMITED, STEADY
from frontend.gate import baseline, gate_page, gate_sides, gate_subjects, gate_time, gate_verdict
from frontend.gate.gate_time import BASE, HEAD, SIDES
from frontend.gate.gate_verdict import DETECT, DETECT_QUICK, PAIRS_FIRST, PAIRS_MOST, TIME, UNKNOWN
from frontend.gate.gate_verdict import WORSE
from frontend.gate.revisions import BUILDS
from frontend.measuring import callgrind, context, deterministic, replays
from frontend.measuring.campaign import RunFailed
from frontend.measuring.deterministic import COUNTED, KEYS
from frontend.guess import meant
from frontend.paths import check_apart, latest, shown, temporary_folder
from frontend.progress import progress, say
from frontend.verbs.options import add_flag, add_folder, add_json, add_whole, names_of, percent
from frontend.verbs.options import positive

EXAMPLES = (
    "spanbench gate --base main",
    "spanbench gate --base old.so --head new.so --workloads my.trace larson",
    "spanbench gate --save baseline.json && spanbench gate --base baseline.json",
)
STATUSES = (
    "Exit status: 0 no regression; 1 a regression, or a row that failed; 2 usage, or bad input;\n"
    "77 cannot tell."
)
RESULTS, SUMMARY = "gate.json", "gate.md"
METRICS = (*KEYS, TIME)
STATUS = {WORSE: WORK_FAILED, UNKNOWN: CANNOT_TELL}


@dataclass
class Measured:
    """What a gate has measured."""

    figures: dict = field(default_factory=dict)  # {(build, subject, side): {key: figure}}
    kinds: dict = field(default_factory=dict)  # {subject: its kind} of the figures
    rows: list = field(default_factory=list)  # gate_time.Rows
    failures: list = field(default_factory=list)  # (name as in results, what went wrong)


def add_arguments(parser):
    parser.add_argument(
        "--base",
        type=str,
        metavar="REV|FILE.json|PATH.so",
        help="what to compare with: a revision of this repository, a stored baseline (.json), or a "
        "library that defines malloc (.so, which --head must then be too)",
    )
    parser.add_argument(
        "--head", type=str, metavar="REV|PATH.so", help="what is judged (default: the working tree)"
    )
    parser.add_argument(
        "--build",
        action="append",
        choices=BUILDS,
        help="build of the allocator of a revision; repeatable "
        f"(default: {' and '.join(BUILDS)})",
    )
    add_flag(
        parser,
        "--quick",
        f"--detect {100 * DETECT_QUICK:g}, and without --workloads only the traces "
        f"{', '.join(gate_subjects.QUICK)}",
    )
    parser.add_argument(
        "--workloads",
        nargs="+",
        default=[],
        metavar="NAME",
        help="what to run: names of traces of the corpus, trace files, synthetic workloads "
        "(default: the corpus)",
    )
    parser.add_argument(
        "--metrics",
        type=names_of(METRICS),
        default=METRICS,
        metavar="LIST",
        help=f"figures to judge, separated by commas (default: all, {', '.join(METRICS)})",
    )
    parser.add_argument(
        "--limit",
        type=limit,
        action="append",
        default=[],
        metavar="METRIC=PERCENT",
        help="percent by which a figure other than time may grow; repeatable (default: "
        + ", ".join(f"{m.key}={100 * m.limit:g}" for m in LIMITED)
        + ")",
    )
    parser.add_argument(
        "--detect",
        type=percent(1000),
        metavar="PERCENT",
        help="a pass must rule out a slowdown of this many percent; if it cannot, the answer is 77"
        f" (default: {100 * DETECT:g}, with --quick {100 * DETECT_QUICK:g})",
    )
    parser.add_argument(
        *("-n", "--pairs", "--runs", "--repeats"),
        type=positive,
        default=PAIRS_FIRST,
        metavar="N",
        help="pairs of runs (base and head) before the first decision; doubled until everything is "
        "decided (default: %(default)s)",
    )
    add_whole(
        parser,
        "--most",
        "most pairs of runs, but for confirming a suspected regression",
        PAIRS_MOST,
    )
    add_folder(parser, "gate.json and gate.md", latest(), shown(latest()))
    add_json(parser)
    parser.add_argument(
        "--save",
        type=Path,
        metavar="FILE.json",
        help="compare nothing; store all figures of --head but time as a baseline",
    )


def limit(text):
    """(metric, share) of "peak_rss=2", for argparse."""
    key, _, number = text.partition("=")
    if key not in KEYS or not number:
        what = f"METRIC=PERCENT is needed, METRIC being of {', '.join(KEYS)}"
        raise ArgumentTypeError(f"{text}: {what}{meant(key, KEYS)}")
    return key, percent(1000)(number)


def run(options, argv):
    """Measures, judges, shows; exit status 1 for a regression, 77 if it cannot be told."""
    with together.no_empty_folder(options.output):
        return measure_and_judge(options, argv)


def measure_and_judge(options, argv):
    """All of it; the exit status."""
    subjects = subjects_of(options)
    check(options, subjects)
    if options.save:
        return save(options, subjects)
    stored = results.read(options.base) if is_stored(options.base) else None
    if stored and not comparable(stored):
        return CANNOT_TELL
    with temporary_folder() as folder, Links() as links:
        base_text = None if stored else options.base
        base, head = gate_sides.prepare(base_text, options.head, builds_of(options), folder)
        copies = gate_sides.copies(base, head, folder)
        sameness = {} if stored else told_sameness(base, head)
        for build in copies.values():
            gate_subjects.check_programs(subjects, [build[HEAD, 0]])
        sides_of = gate_sides.by_name(base, head)
        files = {name: side.libraries[build] for name, (side, build) in sides_of.items()}
        facts = context.gather([Allocator(n, "", path) for n, path in files.items()], argv)
        measured = Measured()
        detect = options.detect or (DETECT_QUICK if options.quick else DETECT)
        looks = gate_verdict.Looks(options.pairs, options.most, detect)
        sides = (HEAD,) if stored else SIDES
        measure_figures(measured, subjects, copies, links, options.metrics, stored, sides)
        if has_time(options):
            measure_time(measured, subjects, copies, links, looks)
        names = gate_sides.labels(base, head, copies, links)
    measured.failures = [(n, gate_sides.relabelled(why, names)) for n, why in measured.failures]
    for name, (side, build) in sides_of.items():
        facts["allocators"][name]["path"] = gate_sides.label(side, build)
    facts.update(gate_subjects.describe(subjects), touch="page", thread_order=replays.ORIGINAL)
    facts.update(baseline.key())
    names = {"base": options.base if stored else base.name, "head": head.name}
    facts["gate"] = {**names, **sameness}
    return conclude(options, measured, looks, facts)


def told_sameness(base, head):
    """What the context says of base and head if they are one and the same, which is also said at
    once: such a gate passes whatever the change is, and so is easily set up by mistake.
    """
    if not gate_sides.is_same(base, head):
        return {}
    say(f"take care: {head.name} and {base.name} {gate_page.SAME}, so this gate can only pass")
    return {"is_same": True}


def subjects_of(options):
    """The Subjects that the options name."""
    words = [word for text in options.workloads for word in text.split(",") if word]
    if options.workloads and not words:
        raise Failure("--workloads: names nothing to run")
    return gate_subjects.resolve(words) if words else gate_subjects.standard(options.quick)


def builds_of(options):
    """The builds of a revision that are measured."""
    return tuple(build for build in BUILDS if build in (options.build or BUILDS))


def is_stored(text):
    """Whether a base is a file of figures."""
    return bool(text) and text.endswith(".json")


def check(options, subjects):
    """Fails before any work where something is missing."""
    if not options.base and not options.save:
        raise Failure("--base REV|FILE.json|PATH.so is needed; -h tells more")
    if options.base and options.save:
        raise Failure("--save compares nothing, so it goes without --base")
    if options.save or is_stored(options.base):
        gate_sides.check_sources(options.head, options.head)
    else:
        gate_sides.check_sources(options.base, options.head)
    if any(key in COUNTED for key in options.metrics) and not callgrind.is_installed():
        rest = ",".join(key for key in options.metrics if key not in COUNTED)
        raise Failure(
            "valgrind: not installed, and it counts instructions and system calls; install it"
            " (apt-get install valgrind)" + (rest and f" or go without: --metrics {rest}")
        )
    if not (has_figures(options, subjects) or has_time(options)):
        raise Failure(
            "nothing is left to measure: threads that work together have time alone, and a"
            " baseline holds none"
        )
    if options.save:
        results.check_writable(options.save)
        return
    results.make_folder(options.output)
    for path in (options.output / RESULTS, options.output / SUMMARY):
        results.check_writable(path)
        check_apart(path, *[options.base] if is_stored(options.base) else [])


def has_figures(options, subjects):
    """Whether anything is measured that hardly varies."""
    is_asked = any(key in KEYS for key in options.metrics)
    return is_asked and any(subject.is_deterministic for subject in subjects)


def has_time(options):
    return TIME in options.metrics and not options.save and not is_stored(options.base)


def comparable(stored):
    """Whether a baseline holds for this machine and build; says what differs."""
    different = baseline.differences(stored)
    for line in different:
        say(f"{stored.path}: cannot tell: {line}")
    return not different


def save(options, subjects):
    if options.head and gate_sides.is_library(options.head):
        raise Failure(f"{options.head}: a baseline is that of a revision or of the working tree")
    with temporary_folder() as folder, Links() as links:
        _, head = gate_sides.prepare(None, options.head, builds_of(options), folder)
        copies = gate_sides.copies(None, head, folder)
        measured = Measured()
        measure_figures(measured, subjects, copies, links, options.metrics, None, (HEAD,))
        names = gate_sides.labels(None, head, copies, links)
    if measured.failures:
        name, why = measured.failures[0]
        raise Failure(f"{name}: {gate_sides.relabelled(why, names)}", WORK_FAILED)
    figures = {(measured.kinds[s], s, b): values for (b, s, _), values in measured.figures.items()}
    results.write(options.save, baseline.make(figures))
    print(f"{options.save}: {counted(len(figures), 'row')}")
    return 0


# Measuring


def measure_figures(measured, subjects, copies, links, keys, stored, sides=SIDES):
    """What hardly varies, of the sides; those of base may be stored."""
    keys = tuple(key for key in keys if key in KEYS)
    if not keys:
        return
    jobs = [
        (build, subject, side)
        for subject in subjects
        if subject.is_deterministic
        for build in copies
        for side in sides
    ]
    say(f"{counted(len(jobs), 'run')} for the figures that hardly vary")
    runs = [(subject, copies[build][side, 0]) for build, subject, side in jobs]
    for (build, subject, side), done in zip(jobs, deterministic.measure_all(runs, links, keys)):
        if isinstance(done, RunFailed):
            measured.failures.append((row_name(subject, build, side), str(done)))
        else:
            measured.figures[build, subject.name, side] = done
            measured.kinds[subject.name] = subject.kind
    if stored:
        add_stored(measured, stored)
    measured.failures += different_work(measured.figures, [job for job in jobs if job[2] == HEAD])


def add_stored(measured, stored):
    """The figures of a baseline become those of base, for the rows that head has."""
    known = baseline.figures(stored)
    missing = []
    for build, subject, _ in list(measured.figures):
        row = (measured.kinds[subject], subject, build)
        if row in known:
            measured.figures[build, subject, BASE] = known[row]
        else:
            missing.append("/".join(row))
    if missing:
        say(f"{stored.path}: not compared, for it has no such row: {', '.join(missing)}")


def different_work(figures, jobs):
    """[(name, what is wrong)] of the heads that have not done the work of their bases."""
    found = []
    for build, subject, _ in jobs:
        base, head = (figures.get((build, subject.name, side), {}) for side in SIDES)
        try:
            work = {key: base[key] for key in subject.work if key in base and head}
            gate_time.check_work(head, work)
        except RunFailed as reason:
            found.append((row_name(subject, build, HEAD), str(reason)))
    return found


def row_name(subject, build, side):
    """As in results."""
    return f"{subject.kind}/{subject.name}/{gate_time.allocator_name(build, side)}"


def measure_time(measured, subjects, copies, links, looks):
    """Pairs of runs, until the Looks ask for no more."""
    broken = {name.rpartition("/")[0] for name, _ in measured.failures}
    measured.rows = [
        gate_time.Row(subject, build, by_copy)
        for subject in subjects
        for build, by_copy in copies.items()
        if f"{subject.kind}/{subject.name}" not in broken
    ]
    wanted, target = measured.rows, looks.first
    while wanted:
        with progress() as shown:
            gate_time.measure(wanted, target, links, shown)
        open_keys = looks.look(gate_time.rows_by_build(measured.rows))
        wanted = [row for row in measured.rows if row.key in open_keys]
        target = 2 * max((len(row.pairs.logs) for row in wanted), default=0)
        for finding in looks.open:
            say(gate_page.open_text(finding, target))
    measured.failures += [(row.name, row.error) for row in measured.rows if row.error]


# Judging


def findings_on_figures(measured, limits):
    """The Findings on what hardly varies, row by row."""
    figures = measured.figures
    return [
        gate_verdict.judge_figure(build, row, STEADY[key].limited(limits.get(key)), base[key], head)
        for (build, row, side), base in figures.items()
        if side == BASE
        for key, head in figures.get((build, row, HEAD), {}).items()
        if key in base and key in KEYS
    ]


def conclude(options, measured, looks, facts):
    """Judges, writes, shows; the exit status."""
    findings = findings_on_figures(measured, dict(options.limit))
    findings += looks.findings(gate_time.rows_by_build(measured.rows))
    verdict = WORSE if measured.failures else gate_verdict.overall(findings)
    if not findings and not measured.failures:
        raise Failure(
            "nothing could be compared: base and head have no figure in common", BAD_INPUT
        )
    page = gate_page.Page(facts["gate"], findings, measured.failures, verdict, looks.detect)
    facts["gate"].update(gate_page.facts(page))
    measured_results = results.Results(facts, entries(measured))
    if options.json:
        print(results.to_text(measured_results))
    else:
        gate_page.show(page)
    with together.files_in(options.output) as place:
        results.write(place / RESULTS, measured_results)
        results.write_text(place / SUMMARY, gate_page.summary(page, facts))
    return STATUS.get(verdict, 0)


def entries(measured):
    """What the result file holds: an entry a run, with the figures that hardly vary in each of its
    row; a row without times has one entry."""
    made = []
    timed = {(r.build, r.subject.name): r for r in measured.rows}
    for row in measured.rows:
        for entry in row.entries:
            side = entry["name"].rpartition("-" if row.build else "/")[2]
            more = measured.figures.get((row.build, row.subject.name, side), {})
            made.append({**entry, **more, "repetitions": row.rounds * gate_time.PAIRS_A_ROUND})
    for (build, subject, side), figures in measured.figures.items():
        if (build, subject) not in timed:
            kind, allocator = measured.kinds[subject], gate_time.allocator_name(build, side)
            name = f"{kind}/{subject}/{allocator}"
            made.append(results.sample(name, (0, 1), (0.0, 0.0), figures))
    made += [results.failed(name, (0, 1), reason) for name, reason in measured.failures]
    return made
