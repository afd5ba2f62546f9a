"""The verb cut: a part of a trace by operations, time or threads, still valid."""

from frontend.measuring.traces import rewrite
from frontend.verbs.options import add_trace_output

EXAMPLES = (
    "spanbench cut my.trace --ops 100000:200000 -o part.trace",
    "spanbench cut my.trace --time 2.5: -o later.trace    # seconds since the recording began",
    "spanbench cut my.trace --threads 0,3-5 -o workers.trace",
)
NOTES = """\
A range begins with its first number and ends before its second; either may be left out. Blocks
that are live at its start are made first, in their order and by their threads. Several options
choose what all of them choose. With --threads, a free of a block that no listed thread made is left
out, a realloc of one makes it, and a block that passes to another thread is freed there."""


def add_arguments(parser):
    parser.add_argument("trace", metavar="FILE", help="a trace")
    parser.add_argument("--ops", metavar="A:B", help="operations by number, from 0")
    parser.add_argument("--time", metavar="A:B", help="seconds, in steps of a millisecond")
    parser.add_argument("--threads", metavar="LIST", help="what these threads did: 0,3,5-9")
    add_trace_output(parser)


def run(options, _argv):
    chosen = [(name, getattr(options, name)) for name in ("ops", "time", "threads")]
    return rewrite("cut", chosen, options.output, options.trace)
