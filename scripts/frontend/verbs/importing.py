"""The verb import: other tools' files, turned into traces by build/.../trace."""

import subprocess

from frontend.paths import built

SUMMARY = "turn another tool's file into a trace"


def add_arguments(parser):
    """The options of the verb."""
    parser.add_argument("input", metavar="IN", help="the file, or - for standard input")
    parser.add_argument(
        "--from", dest="format", metavar="FMT", help="its format (default: by look)"
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the trace")


def run(options, _argv):
    """Passes the work on; its messages and its exit status are ours."""
    command = [str(built("trace")), "import"]
    command += ["--from", options.format] if options.format else []
    return subprocess.run([*command, options.input, "-o", options.output], check=False).returncode
