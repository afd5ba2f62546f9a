"""The allocator of a revision: a commit checked out into a folder of its own, and its libraries
built there as those of this tree are. The user's tree, index and branches are never touched."""

import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

from frontend.failure import WORK_FAILED, Failure
from frontend.measuring import building
from frontend.paths import ROOT, checkout

BUILDS = ("span", "span-fast")
SILENT = "failed"  # what stands for the words of a git that said none
SOURCES = ("allocator", "Makefile")  # all that a library of ours is made of


def git(*arguments, tree=ROOT):
    """(exit status, standard output, last line of stderr) of a git command in a tree."""
    command = ["git", "-C", str(tree), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Failure("git: not installed, and revisions are its business") from None
    errors = done.stderr.strip().splitlines() or [SILENT]
    return done.returncode, done.stdout.strip(), errors[-1]


def commit_of(revision):
    """The full hash of a revision, which must be there."""
    checkout(f"the revision {revision}")
    status, commit, why = git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if status and why != SILENT:
        raise Failure(f"{revision}: git: {why}")
    if status:
        raise Failure(f"{revision}: no such revision")
    return commit


def subject_of(commit):
    """ "1a2b3c4 area: what" of a commit."""
    return git("log", "-1", "--format=%h %s", commit)[1]


def is_same_allocator(base, head):
    """Whether a commit has the allocator that another one has, or the working tree if that is
    None."""
    if git("diff", "--quiet", *filter(None, [base, head]), "--", *SOURCES)[0]:
        return False
    return bool(head) or not git("ls-files", "--others", "--exclude-standard", "--", *SOURCES)[1]


@contextmanager
def worktree(commit):
    """A checkout of a commit, for as long as a `with` lasts."""
    folder = Path(tempfile.mkdtemp(prefix="spanbench-tree-"))
    try:
        status, _, error = git("worktree", "add", "--detach", str(folder), commit)
        if status:
            raise Failure(f"{folder}: git worktree: {error}", WORK_FAILED)
        yield folder
    finally:
        git("worktree", "remove", "--force", str(folder))
        shutil.rmtree(folder, ignore_errors=True)
        git("worktree", "prune")


def build(tree, builds, folder, what):
    """{build: path} of the libraries of a tree, built elsewhere and put into a folder; `what` is
    the tree's name in messages."""
    files = {name: f"lib{name}.so" for name in builds}
    with tempfile.TemporaryDirectory(prefix="spanbench-build-") as scratch:
        building.make(tree, scratch, files.values(), what)
        for file in files.values():
            shutil.copy(Path(scratch) / file, folder)
    return {name: Path(folder) / file for name, file in files.items()}
