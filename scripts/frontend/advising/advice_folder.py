"""The folder of an advice: what was made in it, and what is left of it when the work ends early."""

import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from frontend.failure import blamed_on
from frontend.figures import results
from frontend.paths import shown
from frontend.progress import say


@dataclass
class Folder:
    """Where everything goes."""

    path: Path
    is_ours: bool = False  # whether it was not there before
    made: list = field(default_factory=list)  # files, in the order in which they were made
    aside: Path = None  # a folder in it for what an earlier advice made; None: there is nothing

    def begin(self):
        """Makes it, unless it is there."""
        self.is_ours = not self.path.exists()
        results.make_folder(self.path)

    def place(self, name):
        """A path in it for a file that is made now. What was there is put aside."""
        path = self.path / name
        if path not in self.made:
            self.put_aside(path)
            self.made.append(path)
        return path

    def put_aside(self, path):
        """Keeps an earlier file, and the folder beside it, until something has its place."""
        with blamed_on(path):
            for old in filter(Path.exists, (path, beside(path))):
                if not self.aside:
                    self.aside = Path(tempfile.mkdtemp(prefix=".spanbench-", dir=self.path))
                old.rename(self.aside / old.name)

    def end(self):
        """All is made: what was put aside goes."""
        if self.aside:
            shutil.rmtree(self.aside, ignore_errors=True)

    def leave(self, is_wanted):
        """After an end before the end: says what there is, or removes it if nobody wants it. What
        was there before and has nothing in its place comes back."""
        if not is_wanted:
            self.remove()
            return
        kept = [shown(path) for path in self.made if path.exists()]
        self.put_back()
        if kept:
            say(f"what was made until now: {', '.join(kept)}")
        elif self.is_ours:
            self.remove()

    def remove(self):
        """Takes away what was made in it; all of it, if it was made for that. A recording that
        cannot be compiled stays; record --recover does that elsewhere."""
        if self.is_ours and not any(self.path.glob("*.recording")):
            shutil.rmtree(self.path, ignore_errors=True)
            return
        for path in self.made:
            path.unlink(missing_ok=True)
            shutil.rmtree(beside(path), ignore_errors=True)
        self.put_back()

    def put_back(self):
        """Gives what was put aside its place again, where that is free."""
        if not self.aside:
            return
        for path in self.made:
            if path.exists():
                continue
            for old in (self.aside / path.name, self.aside / beside(path).name):
                with suppress(OSError):
                    old.rename(self.path / old.name)
        self.end()


def beside(path):
    """The folder for what belongs to a trace."""
    return path.with_name(f"{path.name}.d")
