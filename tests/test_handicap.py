"""A library with a handicap is as much slower or fatter as it was told to be."""

import ctypes
import os
import re
import shutil
import subprocess

import pytest
from places import REPO

from frontend.measuring import building
from studies import gate_proof

LOOPS = 1000
SHARE = 2
CALLS = 100

# Makes and frees as many blocks as its argument says.
PROGRAM = """
#include <stdlib.h>
void *volatile block;
int main(int argc, char **argv)
{
    for (int i = 0; argc > 1 && i < atoi(argv[1]); i++) {
        block = malloc(100);
        free(block);
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with libspan-fast.so with either handicap, and a program to preload them into."""
    path = tmp_path_factory.mktemp("handicap")
    names = [f"{kind}/libspan-fast.so" for kind in (f"loops-{LOOPS}", f"share-{SHARE}")]
    building.make(REPO, path, names, "libspan-fast.so", "CFLAGS=-O1 -Werror")
    (path / "calls.c").write_text(PROGRAM)
    subprocess.run(["cc", "calls.c", "-o", "calls"], check=True, cwd=path)
    return path


def test_each_allocating_call_asks_for_more(folder):
    span = ctypes.CDLL(str(folder / f"share-{SHARE}" / "libspan-fast.so"))
    names = "malloc calloc realloc reallocarray memalign aligned_alloc valloc pvalloc"
    for name in names.split():
        getattr(span, name).restype = ctypes.c_void_p
    span.malloc_usable_size.restype = ctypes.c_size_t
    size, page = ctypes.c_size_t, ctypes.c_size_t(os.sysconf("SC_PAGESIZE"))
    aligned = ctypes.c_void_p()
    assert span.posix_memalign(ctypes.byref(aligned), size(64), size(10000)) == 0
    old = ctypes.c_void_p(span.malloc(size(100)))
    blocks = [
        *(aligned.value, span.malloc(size(10000)), span.calloc(size(100), size(100))),
        span.realloc(None, size(10000)),
        span.reallocarray(None, size(100), size(100)),
        *(
            span.memalign(size(64), size(10000)),
            span.aligned_alloc(size(64), size(10000)),
        ),
    ]
    for p in blocks:
        assert 15000 <= span.malloc_usable_size(ctypes.c_void_p(p)) < 16000
    grown = ctypes.c_void_p(span.realloc(old, size(10000)))  # may have room to grow on
    assert 15000 <= span.malloc_usable_size(grown) < 15000 * 9 / 8 + 64
    for name in ("valloc", "pvalloc"):
        p = getattr(span, name)(page)
        assert span.malloc_usable_size(ctypes.c_void_p(p)) >= page.value * 3 // 2
    assert span.malloc(size(2**64 - 1)) is None


def count_instructions(folder, calls):
    """How many instructions the program takes for so many calls."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "./calls"]
    environment = {**os.environ, "LD_PRELOAD": f"{folder}/loops-{LOOPS}/libspan-fast.so"}
    done = subprocess.run(
        [*command, str(calls)],
        **{"capture_output": True, "text": True, "check": True},
        cwd=folder,
        env=environment,
    )
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def test_a_call_takes_so_many_loops_more(folder):
    if not shutil.which("valgrind"):
        pytest.skip("there is no valgrind to count instructions with")
    more = count_instructions(folder, 2 * CALLS) - count_instructions(folder, CALLS)
    assert 2 * LOOPS * CALLS <= more < 5 * LOOPS * CALLS


def test_the_proof_of_the_gate_has_one_library_a_handicap():
    with gate_proof.libraries({"3": 4, "5": 7}) as made:
        assert set(made) == {gate_proof.SAME, gate_proof.FAT, "3", "5"}
        exports = {name: set(symbols(path)) for name, path in made.items()}
    assert "malloc" in exports[gate_proof.SAME] & exports["3"]
    added = exports["3"] - exports[gate_proof.SAME]
    assert (
        "handicap_malloc" in added and {s for s in added if not s.startswith("handicap_")} == set()
    )


def symbols(library):
    """The names that a library exports."""
    command = ["nm", "-D", "--defined-only", "--format=posix", library]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.split()[0] for line in lines.splitlines()]
