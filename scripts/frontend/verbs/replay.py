"""The verb replay: traces against allocators."""

import tempfile
from pathlib import Path

from frontend.allocators import registry
from frontend.allocators.preload import Links
from frontend.failure import Failure
from frontend.figures import results
from frontend.measuring import replays, traces
from frontend.verbs.options import add_measuring
from frontend.verbs.outcome import keep, show

SUMMARY = "replay traces against allocators"


def add_arguments(parser):
    """The options of the verb."""
    parser.add_argument("traces", nargs="+", metavar="FILE", help="a trace")
    add_measuring(parser)
    parser.add_argument("--threads", choices=("original", "serial"), default="serial")
    parser.add_argument(
        "--touch", choices=replays.TOUCHES, default="page", help="what of a new block"
    )
    parser.add_argument("--no-null", action="store_true", help="without the floor of the harness")


def is_kept(output):
    """Whether there is a place for curves beside the results."""
    return output is not None and not results.is_stdout(output)


def run(options, argv):
    """Replays and shows; exit status 1 if a row failed."""
    if options.threads == "original":
        raise Failure("--threads original: not there yet; use --threads serial")
    asked = registry.resolve(options.allocators)
    allocators = asked if options.no_null else registry.with_floor(asked)
    replays.check_programs(allocators)
    if options.output:
        results.check_writable(options.output)
    loaded = traces.load(options.traces)
    with Links() as links, tempfile.TemporaryDirectory(prefix="spanbench-") as folder:
        curves = Path(folder) / "curves"
        curves.mkdir()
        manner = replays.Manner(
            options.touch, options.timeout, curves if is_kept(options.output) else None, links
        )
        measured = replays.measure(loaded, allocators, manner, lambda *_: options.repeats, argv)
        if options.output:
            keep(measured, options.output, curves, f"{options.output.stem}.curves")
    unasked = [a.name for a in allocators if a not in asked]
    return show(measured, options.output, unasked)
