"""Where things lie: the programs, the corpus, the results. The front end is either part of a
checkout, or installed (`make install`); nobody else needs to know which."""

import errno
import json
import os
import shutil
import stat
from contextlib import contextmanager
from pathlib import Path

from frontend.failure import Failure, blamed_on
from frontend.interrupts import interrupts_held
from frontend.lazily import Lazy

tempfile = Lazy("tempfile")

HOME = (
    Path(__file__).resolve().parents[1]
)  # scripts/ of a checkout; all there is of an installation
INSTALLED = HOME / "installed.json"  # is there in an installation: the circumstances of its build
IS_INSTALLED = INSTALLED.exists()
ROOT = HOME if IS_INSTALLED else HOME.parent  # what has workloads/ in it
CORPUS = ROOT / "workloads" / "traces"
PROFILE = ROOT / "workloads" / "profiles" / "python3.profile"


def checkout(what):
    """The folder of the checkout, for `what` needs its sources or its history; an installation has
    neither."""
    if IS_INSTALLED:
        raise Failure(
            f"{what}: needs a checkout of spanbench, and this one is installed; run the"
            " scripts/spanbench of a clone"
        )
    return ROOT


def installed_facts():
    """{commit, dirty, compiler} of the build of an installation; {} in a checkout."""
    return json.loads(INSTALLED.read_text(encoding="utf-8")) if IS_INSTALLED else {}


def latest():
    """The folder for results that nobody has named one for: results/latest of the checkout that we
    are in, else of the current folder."""
    here = Path.cwd()
    is_in_checkout = not IS_INSTALLED and here.is_relative_to(ROOT)
    return (ROOT if is_in_checkout else here) / "results" / "latest"


def build_folder():
    """The folder of the built programs; SPANBENCH_BUILD names another one (debug, tests)."""
    usual = ROOT / ("programs" if IS_INSTALLED else "build/release")
    return Path(os.environ.get("SPANBENCH_BUILD") or usual).absolute()


def built(name):
    """The path of the built program or library `name`, which must be there."""
    path = build_folder() / name
    if not path.exists():
        raise Failure(f"{shown(path)}: not {'installed' if IS_INSTALLED else 'built; run make'}")
    return path


@contextmanager
def temporary_folder(place=None):
    """A folder of our own, for as long as a `with` lasts; below `place`, or where such folders go.
    A signal that comes while it is made ends us once it is known here, and it goes."""
    made = None
    try:
        with interrupts_held():
            made = tempfile.TemporaryDirectory(prefix="spanbench-", dir=place)
        yield Path(made.name)
    finally:
        if made:
            made.cleanup()


def check_regular(path):
    """Fails unless the path is a regular file: what several programs read can be no pipe, and one
    that nobody writes to would be waited for."""
    with blamed_on(path):
        mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise Failure(f"{path}: Is a directory")
    if not stat.S_ISREG(mode):
        raise Failure(f"{path}: no regular file")


def check_apart(output, *inputs):
    """Fails if the output is one of the inputs: what was recorded or measured would be lost."""
    for path in inputs:
        try:
            is_same = os.path.isfile(output) and os.path.samefile(output, path)
        except (OSError, ValueError):
            continue  # whoever opens it tells
        if is_same:
            raise Failure(f"{output}: is read too; name another file to write to")


def check_command(name):
    """Fails unless a program can be run by this name."""
    if shutil.which(name):
        return
    if "/" not in name or not os.path.exists(name):
        raise Failure(f"{name or repr(name)}: command not found")
    fault = errno.EISDIR if os.path.isdir(name) else errno.EACCES
    raise Failure(f"{name}: {os.strerror(fault)}")


def in_tree(path):
    """`path` as result files have it: relative to the checkout if it lies there, whoever asks."""
    path = Path(path)
    is_inside = not IS_INSTALLED and path.is_relative_to(ROOT)
    return str(path.relative_to(ROOT)) if is_inside else str(path)


def shown(path):
    """`path` as people can use it where they are: relative within the checkout and below the
    current folder, else absolute."""
    path, here = Path(path), Path.cwd()
    is_inside = not IS_INSTALLED and path.is_relative_to(ROOT) and here.is_relative_to(ROOT)
    return os.path.relpath(path, here) if is_inside or path.is_relative_to(here) else str(path)
