"""Base and head of a gate: revisions, trees, or files of anyone's allocators. Whatever it is,
copies of it in temporary folders are what is measured: a rebuild must not replace a file in
mid-run, and paths of one length shift no stack."""

import errno
import filecmp
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from frontend.allocators import registry
from frontend.allocators.registry import Allocator
from frontend.failure import Failure, io_failure
from frontend.gate import revisions
from frontend.gate.gate_time import BASE, COPIES, HEAD, allocator_name
from frontend.paths import checkout

TREE = "the working tree"
LIBRARY = re.compile(r"\.so(\.\d+)*$")  # libx.so, libx.so.2


@dataclass
class Side:
    """One side: what it is called, and its libraries, {build: path}; a bare file's build is ""."""

    name: str
    libraries: dict = field(default_factory=dict)
    commit: str = None  # None for the working tree and for a bare file


def is_library(text):
    """Whether base or head is a shared object rather than a revision."""
    return LIBRARY.search(text) is not None


def prepare(base, head, builds, folder):
    """(base Side, head Side) of the options, with the libraries in a folder. Base may be None for
    none, head for the working tree."""
    if base and is_library(base) != bool(head and is_library(head)):
        file, other = (base, "head") if is_library(base) else (head, "base")
        raise Failure(f"{file}: is a library, so --{other} must name one too (PATH.so)")
    found_base = make_side(base, builds, Path(folder) / "from-base") if base else None
    return found_base, make_side(head, builds, Path(folder) / "from-head")


def check_sources(base, head):
    """Fails if one of the sides must be built, and there is no checkout to build it in."""
    for text in (base, head):
        if text is None or not is_library(text):
            checkout(TREE if text is None else f"the revision {text}")


def make_side(text, builds, folder):
    """The Side that a revision, a library or None (the working tree) is."""
    folder.mkdir()
    if text and is_library(text):
        registry.from_file("library", text)  # fails where it is none
        return Side(text, {"": Path(text).resolve()})
    if text is None:
        return Side(TREE, revisions.build(checkout(TREE), builds, folder, TREE))
    commit = revisions.commit_of(text)
    with revisions.worktree(commit) as tree:
        libraries = revisions.build(tree, builds, folder, f"{text} ({commit})")
    return Side(f"{text} ({commit[:10]})", libraries, commit)


def is_same(base, head):
    """Whether both Sides are one and the same, so that only the machine is measured: files of the
    same bytes, or revisions whose sources of the allocator do not differ (built in two places,
    their bytes do)."""
    if "" in head.libraries:
        return filecmp.cmp(base.libraries[""], head.libraries[""], shallow=False)
    return revisions.is_same_allocator(base.commit, head.commit)


def copies(base, head, folder):
    """{build: {(side, copy): Allocator}} of both Sides, copied into a folder; without a base, of
    head on both sides. `base` and `head` are of one length, so all paths are."""
    made = {}
    for build in head.libraries:
        for side, found in ((BASE, base or head), (HEAD, head)):
            for copy in COPIES:
                path = Path(folder) / f"{side}{copy}{build}.so"
                copy_file(found.libraries[build], path)
                name = allocator_name(build, side)
                made.setdefault(build, {})[side, copy] = Allocator(name, "", path)
    return made


def label(side, build):
    """What a library of a Side is called when the copies of it are gone."""
    return f"{side.libraries[build].name} of {side.name}" if build else side.name


def labels(base, head, copies, links):
    """{path: label} of all copies, and of the names by which they are preloaded."""
    found = {}
    for build, by_copy in copies.items():
        for (side, _), allocator in by_copy.items():
            name = label((base or head) if side == BASE else head, build)
            found[links.link(allocator.path)] = found[str(allocator.path)] = name
            found[str(allocator.path.resolve())] = name
    return found


def relabelled(text, names):
    """A message with what `labels` has for paths that are gone when it is read."""
    for path, name in names.items():
        text = text.replace(path, name)
    return text


def by_name(base, head):
    """{name in the results: (Side, build)} of every library."""
    return {
        allocator_name(build, name): (side, build)
        for name, side in ((BASE, base), (HEAD, head))
        if side
        for build in side.libraries
    }


def copy_file(source, target):
    try:
        shutil.copy(source, target)
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise io_failure(error, target if is_full else source) from error
