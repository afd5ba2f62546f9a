"""The verb merge: the traces of several processes side by side in time, as one."""

from frontend.measuring.traces import rewrite
from frontend.verbs.options import add_flag, add_trace_output

EXAMPLES = (
    "spanbench merge server.trace client.trace -o both.trace",
    "spanbench merge --by-date my.trace my.trace.d/*.trace -o tree.trace    # a process tree",
)
NOTES = """\
Threads are numbered anew. All traces begin together, with --by-date as their dates say. Where one
of them has no times, all go by the share of their operations done."""


def add_arguments(parser):
    parser.add_argument("traces", nargs="+", metavar="FILE", help="the traces to merge")
    add_flag(parser, "--by-date", "begin each at the date (to a second) in its origin")
    add_trace_output(parser)


def run(options, _argv):
    by_date = "--by-date" if options.by_date else None
    return rewrite("merge", [by_date], options.output, *options.traces)
