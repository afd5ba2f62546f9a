"""The verb report: charts and a page from result files."""

import importlib
import os
from pathlib import Path

from frontend.failure import Failure
from frontend.figures import results
from frontend.paths import latest, shown
from frontend.verbs.options import add_folder

EXAMPLES = ("spanbench report", "spanbench report my.json other.json -o my-report")


def add_arguments(parser):
    default = shown(latest() / "results.json")
    parser.add_argument(
        "results", nargs="*", type=Path, metavar="FILE", help=f"result files (default: {default})"
    )
    add_folder(parser, "charts and page", None, "where the first result file lies")


def run(options, _argv):
    """Hands over to the writer of reports."""
    paths = options.results or [latest() / "results.json"]
    missing = [path for path in paths if not os.path.exists(path)]  # an impossible name is none
    if missing:
        raise Failure(f"{missing[0]}: no such file; `spanbench bench` makes the default one")
    out_dir = options.output or paths[0].parent
    results.check_folder(out_dir)
    return importlib.import_module("frontend.page.report").main_report(paths, out_dir) or 0
