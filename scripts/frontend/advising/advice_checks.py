"""What is seen to before a program is run for advice: which allocators there are to choose from,
whether all that runs is built, whether the program has a malloc of its own, what it reads, and the
folder in which everything is made."""

import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from frontend.allocators import own_malloc, registry
from frontend.failure import WORK_FAILED, Failure
from frontend.figures import results
from frontend.measuring import replays
from frontend.paths import built, shown
from frontend.progress import say


def find_allocators(lists):
    """The allocators to choose from, the one that they are compared with first."""
    base = registry.find(registry.REFERENCE)
    if lists:
        named = registry.resolve_real(lists, "no program can run on it")
    else:
        named = unpoisoned([a for a in registry.found() if not a.is_floor])
    rivals = [allocator for allocator in named if allocator.name != base.name]
    if not rivals:
        raise Failure(f"no allocator but {base.name}: there is nothing to compare it with")
    return [base, *rivals]


def unpoisoned(found):
    """The allocators without those that poison, which nobody runs a program on for its speed: the
    twins, and span where its tuned build is there."""
    is_tuned = any(allocator.name == "span-fast" for allocator in found)
    poisoning = {*registry.TWINS, *(["span"] if is_tuned else [])}
    return [allocator for allocator in found if allocator.name not in poisoning]


def check_programs(allocators):
    """Fails if something that is run is not built."""
    for name in ("librecord.so", "trace", "libprobe.so"):
        built(name)
    replays.check_programs(allocators)


def refuse_own_malloc(command):
    """Fails if the program has an allocator of its own, so that none can take its place."""
    symbol = own_malloc.symbol_of(Path(shutil.which(command.words[0])))
    if symbol:
        raise Failure(own_malloc_text(command.name, symbol), WORK_FAILED)


def own_malloc_text(name, symbol):
    """The line that says so."""
    return f"{name}: has a malloc of its own (symbol {symbol}): no other can be preloaded"


def standard_input(name):
    """The file that the command reads: ours, if that is a file, for it is read many times."""
    with suppress(OSError):
        mode = os.fstat(0).st_mode
        if stat.S_ISREG(mode):
            return f"/proc/{os.getpid()}/fd/0"
        if stat.S_ISFIFO(mode):
            say(f"standard input is a pipe: {name} reads nothing; a file (<FILE) can be read often")
    return os.devnull


@dataclass
class Folder:
    """Where everything goes, and what is left of it when the work ends early."""

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
