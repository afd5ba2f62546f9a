"""The symbols that the preloadable libraries export, to the last one."""

import subprocess

import pytest

from places import BUILD

STANDARD = {
    "malloc",
    "free",
    "calloc",
    "realloc",
    "reallocarray",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
    "valloc",
    "pvalloc",
    "malloc_usable_size",
}
C23 = {"free_sized", "free_aligned_sized"}
PREFIXED = {f"span_{name}" for name in STANDARD | C23} | {"span_check", "span_version"}
EXPORTS = {
    "libspan.so": STANDARD | C23 | PREFIXED,
    "libspan-fast.so": STANDARD | C23 | PREFIXED,
    "libnull.so": STANDARD,
}


@pytest.mark.parametrize("library", EXPORTS)
def test_exports(library):
    command = ["nm", "-D", "--defined-only", "--format=posix", BUILD / library]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in lines.splitlines()} == EXPORTS[library]
