"""The verb diff: did my program ask for more? Two recordings of one program, and a gate on them."""

import math
from argparse import ArgumentTypeError
from pathlib import Path

from frontend.failure import CANNOT_TELL, WORK_FAILED, Failure
from frontend.guess import meant
from frontend.inspecting import diff_page, differing
from frontend.inspecting.info_page import tell_nameless
from frontend.progress import say
from frontend.verbs.options import add_flag, add_json
from frontend.verbs.outcome import print_json

EXAMPLES = (
    "spanbench diff before.trace after.trace",
    "spanbench diff before.trace after.trace --sites    # both recorded with --sites",
    "spanbench diff before.trace after.trace --limit bytes_requested=5 --limit peak_live=2",
)
NOTES = """\
Metrics are named as `info --json` names them, kinds of calls among them. A program of one thread
does the same in each run, so one recording of each side tells to the operation. Where a program
varies, record it with `record --times 3`: diff finds the further runs beside FILE and reports only
what lies beyond what they differ in."""
STATUSES = """\
Exit status: 0 ok, or no limit was crossed; 1 a metric grew by more than its limit; 2 usage, or bad
input; 77 cannot tell: the program varies by too much, or a recording is not complete."""


def add_arguments(parser):
    parser.add_argument("a", type=Path, metavar="A", help="the recording before")
    parser.add_argument("b", type=Path, metavar="B", help="the recording after")
    parser.add_argument(
        "--limit",
        type=limit,
        action="append",
        default=[],
        metavar="METRIC=PERCENT",
        help="a metric may grow by so many percent and no more; repeatable",
    )
    add_flag(
        parser, "--sites", "who asked for more, by function; both must be recorded with --sites"
    )
    add_json(parser)


def limit(text):
    """(metric, percent) of a limit, for argparse."""
    name, _, percent = text.partition("=")
    try:
        value = float(percent)
    except ValueError:
        value = math.nan
    if not name or not 0 <= value < math.inf:
        raise ArgumentTypeError(f"{text}: not METRIC=PERCENT, such as peak_live=5")
    return name, value


def run(options, _argv):
    """Prints what differs; the exit status is that of the worst limit."""
    a, b = differing.load(options.a), differing.load(options.b)
    changes = differing.changes_of(a, b)
    by_name = {change.name: change for change in changes}
    for name, _ in options.limit:
        if name not in by_name:
            told = meant(name, by_name) or f" (known: {', '.join(by_name)})"
            raise Failure(f"--limit {name}: no such metric{told}")
    if a.program != b.program:
        say(f"{a.path} is of {a.program}, {b.path} of {b.program}: not the same program")
    if None not in (a.tool, b.tool) and a.tool != b.tool:
        say(
            f"{a.path} is a recording of {a.tool}, {b.path} of {b.tool}: what only one of them "
            "sees looks like a change; `spanbench info` names what was lost"
        )
    verdicts = [differing.judge(by_name[name], most, a, b) for name, most in options.limit]
    sizes = differing.sizes_of(a, b)
    sites = changed_sites(a, b) if options.sites else None
    if options.json:
        print_json(diff_page.facts(a, b, changes, sizes, verdicts, sites))
    else:
        diff_page.show(a, b, changes, sizes, verdicts, sites)
    return status_of(verdicts)


def changed_sites(a, b):
    """The sites that have changed; says why some have no names."""
    (ours, reasons), (theirs, more) = differing.sites_by_name(a), differing.sites_by_name(b)
    tell_nameless([*dict.fromkeys(reasons + more)])
    return differing.site_changes(ours, theirs)


def status_of(verdicts):
    """1 if a limit was crossed, else 77 if one cannot be told."""
    found = {verdict.verdict for verdict in verdicts}
    if differing.FAIL in found:
        return WORK_FAILED
    return CANNOT_TELL if differing.UNKNOWN in found else 0
