"""The verb strip: a trace without what identifies its maker, so that it may be published."""

from frontend.measuring.traces import rewrite
from frontend.verbs.options import add_trace_output

EXAMPLES = ("spanbench strip my.trace -o public.trace",)
NOTES = """\
The operations stay: kinds, sizes, threads and times. Of where the trace came from, command line,
host, user, process id, paths and environment go, and so does every key that is not known here. Of
the modules of call sites the folders go, so that info --sites finds no names any more.
What is left is printed: read it before you publish. `record --strip` never writes the rest."""


def add_arguments(parser):
    parser.add_argument("trace", metavar="FILE", help="a trace")
    add_trace_output(parser)


def run(options, _argv):
    return rewrite("strip", [], options.output, options.trace)
