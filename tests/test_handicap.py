"""A build with handicaps is as much slower and fatter as it was told to be."""

import ctypes
import os
import re
import shutil
import subprocess

import pytest

from places import REPO

LOOPS = 1000
SHARE = 2
CALLS = 100

# Makes and frees as many blocks as its argument says, all of one kind.
PROGRAM = """
#include "allocator/libspan.h"
#include <stdlib.h>
int main(int argc, char **argv)
{
    for (int i = 0; argc > 1 && i < atoi(argv[1]); i++)
        span_free(span_malloc(100));
    return 0;
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a burdened libspan-fast.so and a program that is linked with it."""
    path = tmp_path_factory.mktemp("handicap")
    handicaps = f"-DSPAN_HANDICAP_LOOPS={LOOPS} -DSPAN_HANDICAP_SHARE={SHARE}"
    words = [f"CPPFLAGS={handicaps}", "CFLAGS=-O1 -Werror", f"B={path}", "MODE=release"]
    command = ["make", "-C", str(REPO), *words, f"{path}/libspan-fast.so"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    (path / "calls.c").write_text(PROGRAM)
    command = ["cc", f"-I{REPO}", "calls.c", "-L.", "-lspan-fast", "-Wl,-rpath,.", "-o", "calls"]
    subprocess.run(command, check=True, cwd=path)
    return path


def test_each_allocating_call_asks_for_more(folder):
    span = ctypes.CDLL(str(folder / "libspan-fast.so"))
    names = "malloc calloc realloc reallocarray memalign aligned_alloc valloc pvalloc"
    for name in names.split():
        getattr(span, f"span_{name}").restype = ctypes.c_void_p
    span.span_malloc_usable_size.restype = ctypes.c_size_t
    size, page = ctypes.c_size_t, ctypes.c_size_t(os.sysconf("SC_PAGESIZE"))
    aligned = ctypes.c_void_p()
    assert span.span_posix_memalign(ctypes.byref(aligned), size(64), size(10000)) == 0
    old = ctypes.c_void_p(span.span_malloc(size(100)))
    blocks = [
        *(aligned.value, span.span_malloc(size(10000)), span.span_calloc(size(100), size(100))),
        span.span_realloc(None, size(10000)),
        span.span_reallocarray(None, size(100), size(100)),
        *(
            span.span_memalign(size(64), size(10000)),
            span.span_aligned_alloc(size(64), size(10000)),
        ),
    ]
    for p in blocks:
        assert 15000 <= span.span_malloc_usable_size(ctypes.c_void_p(p)) < 16000
    grown = ctypes.c_void_p(span.span_realloc(old, size(10000)))  # may have room to grow on
    assert 15000 <= span.span_malloc_usable_size(grown) < 15000 * 9 / 8 + 64
    for name in ("valloc", "pvalloc"):
        p = getattr(span, f"span_{name}")(page)
        assert span.span_malloc_usable_size(ctypes.c_void_p(p)) >= page.value * 3 // 2
    assert span.span_malloc(size(2**64 - 1)) is None


def count_instructions(folder, calls):
    """How many instructions the program takes for so many calls."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    done = subprocess.run(
        [*command, "./calls", str(calls)], capture_output=True, text=True, cwd=folder, check=True
    )
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def test_a_call_takes_so_many_loops_more(folder):
    if not shutil.which("valgrind"):
        pytest.skip("there is no valgrind to count instructions with")
    more = count_instructions(folder, 2 * CALLS) - count_instructions(folder, CALLS)
    assert 2 * LOOPS * CALLS <= more < 5 * LOOPS * CALLS
