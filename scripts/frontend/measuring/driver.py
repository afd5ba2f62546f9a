"""One run of a measuring program on an allocator: which program it is (`replay-span`,
`workload-glibc`), whether the allocator is preloaded into it, and the proof that it was called."""

from operator import itemgetter

from frontend.allocators import identity
from frontend.allocators.preload import measured_environment
from frontend.measuring.campaign import RunFailed
from frontend.measuring.running import run_json
from frontend.paths import build_folder, built


def find(kind, allocator):
    """(name of the program, whether the allocator is preloaded into it)."""
    linked = f"{kind}-{allocator.base}"
    is_linked = allocator.base and (build_folder() / linked).exists()
    return (linked, False) if is_linked else (f"{kind}-glibc", True)


def check_programs(kind, allocators):
    """Fails if a program that the runs need is not built."""
    for name in {"launch", *(find(kind, allocator)[0] for allocator in allocators)}:
        built(name)


def run_once(
    kind, allocator, words, links, timeout, malloc_of=itemgetter("malloc"), options=(), under=()
):
    """What the program prints; it must have called the allocator that was meant. malloc_of gets out
    of it whose malloc it was: {path, device, inode}. The options are launch's, `under` is the
    command that runs the program."""
    program, is_preloaded = find(kind, allocator)
    preload = [links.link(allocator.path)] if is_preloaded else []
    command = [*under, str(built(program)), "--allocator", str(allocator.path), *words]
    environment = measured_environment(allocator.settings, preload)
    figures, error = run_json(command, environment, timeout, options)
    if error:
        raise RunFailed(error)
    malloc = malloc_of(figures)
    if not identity.is_same(malloc, allocator.path):
        raise RunFailed(f"malloc comes from {malloc['path']}, not {allocator.path}")
    return figures
