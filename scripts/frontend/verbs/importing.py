"""The verb import: other tools' files, turned into traces by build/.../trace."""

from frontend.measuring.traces import convert
from frontend.verbs.options import add_trace_output

EXAMPLES = (
    "spanbench import memory_replay.txt -o my.trace",
    "spanbench import heaptrack.program.123.zst -o my.trace",
    "valgrind --trace-malloc=yes program 2>&1 | spanbench import --from valgrind - -o my.trace",
)
NOTES = (
    "formats: memory_replay (Android), rep (CS:APP malloc lab), mtrace (glibc), valgrind, ltrace,\n"
    "heaptrack, wl (glibc); plain, .gz, .zst or the one member of a .zip."
)


def add_arguments(parser):
    parser.add_argument(
        "input", metavar="IN", help="the other tool's file, or - for standard input"
    )
    parser.add_argument(
        "--from",
        dest="format",
        type=str,
        metavar="FMT",
        help="the format of IN (default: seen from its first lines)",
    )
    add_trace_output(parser, metavar="FILE")


def run(options, _argv):
    form = ("from", options.format)
    return convert("import", [form], options.output, options.input)
