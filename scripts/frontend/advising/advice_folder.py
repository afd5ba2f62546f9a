"""The folder of an advice: what was made in it, and what is left of it when the work ends early."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from frontend.figures import results
from frontend.paths import shown
from frontend.progress import say


@dataclass
class Folder:
    """Where everything goes."""

    path: Path
    is_ours: bool = False  # whether it was not there before
    made: list = field(default_factory=list)  # files, in the order in which they were made

    def begin(self):
        """Makes it, unless it is there."""
        self.is_ours = not self.path.exists()
        results.make_folder(self.path)

    def place(self, name):
        """A path in it for a file that is made now."""
        self.made.append(self.path / name)
        return self.made[-1]

    def leave(self, is_wanted):
        """After an end before the end: says what there is, or removes it if nobody wants it."""
        if not is_wanted:
            self.remove()
            return
        kept = [shown(path) for path in self.made if path.exists()]
        if kept:
            say(f"what was made until now: {', '.join(kept)}")
        elif self.is_ours:
            self.remove()

    def remove(self):
        """Takes away what was made in it; all of it, if it was made for that."""
        if self.is_ours:
            shutil.rmtree(self.path, ignore_errors=True)
            return
        for path in self.made:
            path.unlink(missing_ok=True)
            shutil.rmtree(path.with_name(f"{path.name}.d"), ignore_errors=True)
