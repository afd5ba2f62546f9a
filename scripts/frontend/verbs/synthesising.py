"""The verb synth: a trace of any length with the statistics of another one."""

from frontend.figures import results
from frontend.measuring.traces import rewrite
from frontend.paths import check_apart, check_regular
from frontend.verbs.options import add_flag, add_trace_output

EXAMPLES = (
    "spanbench synth my.trace --ops 10000000 --threads 4 -o long.trace",
    "spanbench synth my.trace --profile-only -o my.json    # no call of the program is in it",
    "spanbench synth my.json --seed 7 -o other.trace",
)
NOTES = """\
Sizes, lifetimes, resizes, kinds of calls, live bytes over time and who frees whose blocks are those
of FILE. A longer trace goes through FILE's phases several times, a shorter one is FILE on a smaller
scale. The same profile, N, T and S make the same bytes."""


def add_arguments(parser):
    parser.add_argument("trace", metavar="FILE", help="a trace, or the profile of one")
    parser.add_argument("--ops", metavar="N", help="operations (default: as many as FILE has)")
    parser.add_argument("--threads", metavar="T", help="threads (default: as many as FILE has)")
    parser.add_argument("--seed", metavar="S", help="of chance, a whole number (default: 1)")
    add_flag(parser, "--profile-only", "write the profile, as JSON, instead of a trace")
    add_trace_output(parser)


def run(options, _argv):
    check_regular(options.trace)
    chosen = [(name, getattr(options, name)) for name in ("ops", "threads", "seed")]
    if options.profile_only:
        results.check_no_trace(options.output)
    elif not results.is_trace(options.trace):
        check_apart(options.output, options.trace)
    profile = "--profile-only" if options.profile_only else None
    return rewrite("synth", [*chosen, profile], options.output, options.trace)
