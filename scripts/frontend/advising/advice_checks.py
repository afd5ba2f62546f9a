"""What is looked at before a program is run for advice: which allocators there are to choose from,
whether all that runs is built, whether the program has a malloc of its own, and what it reads."""

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from frontend.allocators import own_malloc, registry
from frontend.failure import WORK_FAILED, Failure
from frontend.measuring import replays
from frontend.paths import built
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
