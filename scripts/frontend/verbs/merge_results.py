"""The verb merge-results: the result files of shards as one."""

import shlex
from pathlib import Path

from frontend.comparing import merging
from frontend.failure import Failure
from frontend.figures import results, table
from frontend.paths import check_apart
from frontend.progress import say
from frontend.verbs.options import add_output
from frontend.verbs.outcome import curves_folder, keep

EXAMPLES = (
    "spanbench merge-results shard-*.json -o all.json",
    "spanbench merge-results first.json second.json --json | jq '.context.shards'",
)
NOTES = (
    "Refused is what is not of one comparison: other work, builds or options, a row that stands\n"
    "in two files, or a trace whose allocators do. Machines may differ, and are told in the\n"
    "context, shard by shard: ratios are of one machine each, absolute times are not."
)


def add_arguments(parser):
    parser.add_argument(
        "results", nargs="+", type=Path, metavar="FILE", help="result files, one of each shard"
    )
    add_output(parser)


def run(options, argv):
    if options.output:
        results.check_writable(options.output)
        check_apart(options.output, *options.results)
        results.check_replaceable(options.output.with_suffix(".curves"))
    parts = [results.read(path) for path in options.results]
    if not any(part.rows for part in parts):
        raise Failure(f"{options.results[0]}: no rows")
    whole = merging.merge(parts, shlex.join(["spanbench", *argv]))
    tell(parts)
    if options.output:
        with curves_folder() as curves:
            merging.copy_curves(parts, curves)
            keep(whole, options.output, curves, f"{options.output.stem}.curves")
    if whole.path != results.STDOUT:
        table.show(whole)
    results.check_kept(whole)
    return 0


def tell(parts):
    """Says what readers of the whole must know."""
    missing, count = merging.missing_shards(parts)
    if missing:
        names = ", ".join(map(str, missing))
        say(f"take care: of {count} shards, there is no {names}")
    for name, files in merging.partial_allocators(parts).items():
        say(f"take care: no row of {name} is in {', '.join(files)}")
    differing = merging.machine_differences(parts)
    if differing:
        say(f"the machines differ in {', '.join(differing)}: compare ratios, not times")
