"""Files that belong together, such as charts and their page: they take their places when all of
them are written, so that a full disk leaves what was there before."""

import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

from frontend.failure import WORK_FAILED, Failure, io_failure
from frontend.figures import results


@contextmanager
def files_in(folder):
    """A place to write files for `folder`, which is made. If something fails, nothing is left of
    them, nor of a folder that was not there before."""
    folder = Path(folder)
    with no_empty_folder(folder):
        results.make_folder(folder)
        with taken(folder, folder) as place:
            try:
                yield place
                move_files(place, folder)
            except Failure as failure:
                text = str(failure).replace(str(place), str(folder))
                raise Failure(text, failure.status) from failure


@contextmanager
def no_empty_folder(folder):
    """At the end, a folder that was not there before and is empty goes again."""
    folder = Path(folder)
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    finally:
        with suppress(OSError):
            for path in missing:
                path.rmdir()  # fails where something is in it


@contextmanager
def folder_at(target, source):
    """At the end, if nothing failed until then, the folder `source` has the place of `target`, a
    folder of curves that is removed."""
    target = Path(target)
    results.check_replaceable(target)
    with taken(target.parent, target) as place:
        new = place / "new"
        shutil.move(source, new)  # to this disk, if it is of another one
        yield
        if target.exists():
            target.rename(place / "old")
        new.rename(target)


@contextmanager
def taken(folder, target):
    """A place on the disk of the folder, removed at the end; what goes wrong is told of target."""
    place = None
    try:
        place = Path(tempfile.mkdtemp(prefix=".spanbench-", dir=folder))
        yield place
    except OSError as error:
        raise io_failure(error, target, WORK_FAILED) from error
    finally:
        if place:
            shutil.rmtree(place, ignore_errors=True)


def move_files(place, folder):
    """Moves all files to the same places below a folder on the same disk."""
    moves = [(path, folder / path.relative_to(place)) for path in place.rglob("*")]
    files = [(path, target) for path, target in moves if path.is_file()]
    for _, target in files:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise Failure(f"{target}: Is a directory")
    for path, target in files:
        os.replace(path, target)
