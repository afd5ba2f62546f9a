"""The verb filter: some of the blocks of a trace, with all that happens to them."""

from frontend.measuring.traces import rewrite
from frontend.verbs.options import add_trace_output

EXAMPLES = (
    "spanbench filter my.trace --sizes 32K: -o large.trace",
    "spanbench filter my.trace --threads 0 --kinds malloc,calloc -o main.trace",
)
NOTES = """\
A block is chosen by who made it, by the call that made it, and by its size; its reallocs and its
free come along, whichever thread does them. A realloc that takes a block out of the sizes frees it,
one that brings it in makes it."""


def add_arguments(parser):
    parser.add_argument("trace", metavar="FILE", help="a trace")
    parser.add_argument("--threads", metavar="LIST", help="blocks that these made: 0,3,5-9")
    parser.add_argument(
        "--sizes", metavar="MIN:MAX", help="blocks of these bytes, both included: 64:4K, 1M:"
    )
    parser.add_argument(
        "--kinds", metavar="LIST", help="blocks made by these calls: malloc,calloc,memalign"
    )
    add_trace_output(parser)


def run(options, _argv):
    chosen = [(name, getattr(options, name)) for name in ("threads", "sizes", "kinds")]
    return rewrite("filter", chosen, options.output, options.trace)
