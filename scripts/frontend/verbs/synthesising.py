"""The verb synth: a trace of any length with the statistics of another one."""

from frontend.measuring.trace_tool import add_output, run_trace
from frontend.paths import check_regular

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
    """The options of the verb."""
    parser.add_argument("trace", metavar="FILE", help="a trace, or the profile of one")
    parser.add_argument("--ops", metavar="N", help="operations (default: as many as FILE has)")
    parser.add_argument("--threads", metavar="T", help="threads (default: as many as FILE has)")
    parser.add_argument("--seed", metavar="S", help="of chance, a whole number (default: 1)")
    parser.add_argument(
        "--profile-only", action="store_true", help="write the profile, as JSON, instead of a trace"
    )
    add_output(parser)


def run(options, _argv):
    """Passes the work on."""
    check_regular(options.trace)
    chosen = [(name, getattr(options, name)) for name in ("ops", "threads", "seed")]
    profile = "--profile-only" if options.profile_only else None
    return run_trace("synth", *chosen, profile, "-o", options.output, "--", options.trace)
