"""Where things lie: the tree that this file is part of, its programs, its corpus, its results."""

import os
import stat
from pathlib import Path

from frontend.failure import Failure, io_failure

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "workloads" / "traces"
PROFILE = ROOT / "workloads" / "profiles" / "python3.profile"
LATEST = ROOT / "results" / "latest"


def build_folder():
    """The folder of the built programs; SPANBENCH_BUILD names another one (debug, tests)."""
    return Path(os.environ.get("SPANBENCH_BUILD") or ROOT / "build" / "release").absolute()


def built(name):
    """The path of the built program or library `name`, which must be there."""
    path = build_folder() / name
    if not path.exists():
        raise Failure(f"{shown(path)}: not built; run make")
    return path


def check_regular(path):
    """Fails unless the path is a regular file: what several programs read can be no pipe, and one
    that nobody writes to would be waited for."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise io_failure(error, path) from error
    if stat.S_ISDIR(mode):
        raise Failure(f"{path}: Is a directory")
    if not stat.S_ISREG(mode):
        raise Failure(f"{path}: no regular file")


def in_tree(path):
    """`path` as result files have it: relative to the tree where it lies in it, whoever asks."""
    path = Path(path)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def shown(path):
    """`path` as people can use it where they are: relative within the tree, else absolute."""
    path, here = Path(path), Path.cwd()
    is_inside = path.is_relative_to(ROOT) and here.is_relative_to(ROOT)
    return os.path.relpath(path, here) if is_inside else str(path)
