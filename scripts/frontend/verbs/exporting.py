"""The verb export: traces, turned into other tools' files by build/.../trace."""

from frontend.figures import results
from frontend.measuring.traces import convert
from frontend.verbs.options import add_trace_output

EXAMPLES = (
    "spanbench export --to csv my.trace -o my.csv",
    "spanbench export --to rep my.trace -o my.rep",
    "spanbench export --to heaptrack my.trace -o my.raw    # recorded with --sites",
)
NOTES = (
    "formats: csv (one line an operation), memory_replay (Android), rep (CS:APP malloc lab),\n"
    "wl (glibc), heaptrack (raw: heaptrack_interpret makes what heaptrack_gui reads)."
)


def add_arguments(parser):
    parser.add_argument("trace", metavar="FILE", help="the trace to export")
    parser.add_argument(
        "--to", dest="format", type=str, required=True, metavar="FMT", help="the format to write"
    )
    add_trace_output(parser, "the file to write, or - for standard output")


def run(options, _argv):
    results.check_no_trace(options.output)
    return convert("export", [("to", options.format)], options.output, options.trace)
