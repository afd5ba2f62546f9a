"""The verb compare: two result files, or two allocators of one, row by row."""

from pathlib import Path

from frontend.allocators.registry import FLOOR
from frontend.comparing import comparability, compare_table, comparing
from frontend.comparing.comparing import BETTER, UNKNOWN, WORSE, Comparer, Manner
from frontend.counted import counted
from frontend.failure import CANNOT_TELL, WORK_FAILED, Failure
from frontend.figures import decision, documents, metrics, results
from frontend.paths import check_apart
from frontend.progress import say
from frontend.verbs.options import add_flag, add_json, percent
from frontend.verbs.outcome import print_json

EXAMPLES = (
    "spanbench compare before.json after.json",
    "spanbench compare results.json --base glibc --head span-fast --all",
)
NOTES = (
    "A row is worse or better if its test, corrected for the number of rows, says so, unless\n"
    "the whole interval lies within the margin."
)
STATUSES = (
    "Exit status: 0 nothing got worse; 1 a mean or a row did; 2 the files cannot be read or\n"
    "compared; 77 a metric cannot be decided."
)
NAMED_MOST = 8  # rows that only one file has, before they are counted


def add_arguments(parser):
    parser.add_argument("before", type=Path, metavar="A.json", help="results from before")
    parser.add_argument(
        "after",
        type=Path,
        nargs="?",
        metavar="B.json",
        help="results from after; without it, --base and --head are compared within A",
    )
    parser.add_argument(
        "--metric",
        action="append",
        choices=metrics.NAMES,
        metavar="METRIC",
        help=f"figure to compare, one of {', '.join(metrics.NAMES)}; repeatable (default: "
        f"{' and '.join(comparing.DEFAULT_METRICS)})",
    )
    parser.add_argument(
        "--base", metavar="NAME", help="compare only this allocator of A, with that of --head"
    )
    parser.add_argument(
        "--head",
        metavar="NAME",
        help="the allocator of B that is compared with --base (without B: of A, paired by round)",
    )
    parser.add_argument(
        "--relative-to",
        metavar="NAME",
        help="compare ratios to this allocator, which is the same in both files: takes out what "
        "the machine did meanwhile",
    )
    parser.add_argument(
        "--margin",
        type=percent(100),
        default=comparing.MARGIN,
        metavar="PERCENT",
        help="a difference that is certainly smaller is none "
        f"(default: {100 * comparing.MARGIN:g})",
    )
    add_flag(parser, "--anyway", "compare what was not measured alike, and say so")
    add_flag(parser, "--all", "show rows without a difference, too")
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--markdown",
        type=Path,
        metavar="FILE",
        help="write the tables as Markdown, for a pull request; - prints them instead",
    )
    add_json(form)


@documents.uncollected()
def run(options, _argv):
    check(options)
    a = results.read(options.before)
    b = a if options.after is None else results.read(options.after)
    pairs, only = pair_up(a, b, options)
    manner = Manner(comparability.is_one_run(a.context, b.context), options.margin)
    notes = [] if manner.is_paired else check_contexts(a, b, pairs, options)
    names = results.unique(options.metric or comparing.DEFAULT_METRICS)
    comparer = Comparer(pairs, manner, references_of(a, b, pairs, options))
    means, rows = comparer.means(names), comparer.rows(names)
    check_metrics(options.metric or [], means + rows)
    if not manner.is_paired and not options.relative_to:
        notes += drift(a, b, comparer)
    notes += only
    sides = (("A", a, options.base), ("B", b, options.head))
    titles = [compare_table.title(*side) for side in sides]
    page = compare_table.Page(titles, means, rows, notes, manner, options.all)
    result = status(names, means, rows, manner)
    if options.json:
        print_json(compare_table.document(page, result))
    else:
        show(page, options.markdown)
    return result


def check(options):
    """Fails where the options do not go together, or nothing could be written."""
    if (options.base is None) != (options.head is None):
        raise Failure("--base and --head go together: they name the two allocators to compare")
    if options.after is None and options.base is None:
        raise Failure("B.json is missing (in one file, --base and --head can be compared)")
    if options.markdown and str(options.markdown) != "-":
        results.check_writable(options.markdown)
        check_apart(options.markdown, options.before, *filter(None, [options.after]))


def pair_up(a, b, options):
    """([(name, row of A, row of B)], lines that tell which rows only one of them has)."""
    ours, theirs = rows_of(a, options.base), rows_of(b, options.head)
    pairs = [(name, row, theirs[name]) for name, row in ours.items() if name in theirs]
    if not pairs:
        raise Failure("there is no row that both have")
    only = [
        alone("A", [name for name in ours if name not in theirs]),
        alone("B", [name for name in theirs if name not in ours]),
    ]
    return pairs, list(filter(None, only))


def rows_of(measured, allocator):
    """{name: row} of one allocator, named without it; of all but the floor if None is given."""
    if allocator is None:
        return {row.name: row for row in measured.rows if row.allocator != FLOOR}
    chosen = [row for row in measured.rows if row.allocator == allocator]
    if not chosen:
        raise Failure(f"{measured.path}: no rows of {allocator}")
    return {f"{row.kind}/{row.subject}": row for row in chosen}


def alone(side, names):
    """ "only in A: replay/x/span", or None."""
    if not names:
        return None
    rest = f" and {len(names) - NAMED_MOST} more" if len(names) > NAMED_MOST else ""
    return f"only in {side}: {', '.join(names[:NAMED_MOST])}{rest}"


def check_contexts(a, b, pairs, options):
    """Fails if A and B were not measured alike; with --anyway, the lines that say so."""
    rows = [(ours, theirs) for _, ours, theirs in pairs]
    found = comparability.differences(a, b, rows, options.base is not None)
    if found and not options.anyway:
        raise Failure(f"not measured alike (--anyway compares): {'; '.join(found)}")
    return [f"not measured alike: {line}" for line in found]


def references_of(a, b, pairs, options):
    """{name: (row of A, row of B)} of the allocator that figures are relative to, or None. Its own
    rows, which would all be 1, have none."""
    name = options.relative_to
    if name is None:
        return None
    if not comparability.is_same_build(name, a.context, b.context) and not options.anyway:
        raise Failure(f"--relative-to {name}: not known to be the same in both (--anyway)")
    ours, theirs = ({(r.kind, r.subject): r for r in rows_of(x, name).values()} for x in (a, b))
    keys = {label: (r.kind, r.subject) for label, r, _ in pairs if r.allocator != name}
    both = {label: (ours.get(key), theirs.get(key)) for label, key in keys.items()}
    return {label: rows for label, rows in both.items() if all(r and not r.failures for r in rows)}


def check_metrics(asked, made):
    """Fails if a metric that was asked for is in no row, or if nothing is compared at all."""
    there = {comparison.asked for comparison in made}
    missing = [name for name in asked if name not in there]
    if missing:
        raise Failure(f"--metric {missing[0]}: no row has it in both")
    if not made:
        raise Failure("no row has a figure in both")


def drift(a, b, comparer):
    """Lines for the kinds in which allocators took another time although they are the same; what
    the Comparer of A and B has read is not read again."""
    ours, theirs = ({row.name: row for row in x.rows} for x in (a, b))
    same = {
        name: comparability.is_same_build(name, a.context, b.context) for name in a.allocators()
    }
    pairs = [(n, row, theirs[n]) for n, row in ours.items() if n in theirs and same[row.allocator]]
    means = comparer.of(pairs).whole_means(["time"])
    found = [mean for mean in means if mean.verdict in (WORSE, BETTER) and mean.is_sure]
    return [drift_line(mean, pairs) for mean in found]


def drift_line(mean, pairs):
    """What the same allocators did in other time, and what can be done about it."""
    kind = mean.name.partition(":")[0]
    names = results.unique(row.allocator for _, row, _ in pairs if row.kind == kind)
    ratio = compare_table.ratio_text(mean.ratio)
    return (
        f"take care: {kind}: {', '.join(names)}: the same builds in both, and B / A is {ratio}: "
        "it was the machine that changed (--relative-to NAME takes that out)"
    )


def show(page, markdown):
    """Prints the page, and writes it as Markdown where that is wanted."""
    if str(markdown) == "-":
        print(compare_table.to_markdown(page), end="")
        return
    compare_table.show(page)
    if markdown:
        results.write_text(markdown, compare_table.to_markdown(page))


def status(names, means, rows, manner):
    """The exit status; a metric of which nothing can be told is named."""
    if any(c.is_alarm for c in means + rows):
        return WORK_FAILED
    unknown = False
    for name in names:
        ours = [c for c in means + rows if c.asked == name]
        is_open = ours and all(c.verdict == UNKNOWN for c in ours)
        doubtful = [c for c in means if c.asked == name and c.verdict == WORSE]
        if is_open or doubtful:
            say(f"{name}: cannot tell{runs_text((doubtful or ours)[0], manner)}")
            unknown = True
    return CANNOT_TELL if unknown else 0


def runs_text(comparison, manner):
    """How many runs would tell, going by what was seen; one is a mean if there is any."""
    ratio, rule = comparison.ratio, manner.rule
    if ratio is None or ratio.low is None:
        least = decision.least_runs(manner.is_paired, rule.level)
        return f"; at least {counted(least, 'run')} of each are needed"
    needed = decision.runs_needed(ratio, rule)
    percent = 100 * (ratio.median - 1)
    return (
        f"; {counted(ratio.n, 'run')} of each, about {needed:,} would tell: "
        f"{percent:+.1f} % was seen, and {100 * rule.margin:g} % is the margin"
    )
