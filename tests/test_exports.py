"""The symbols that the preloadable libraries export and import, to the last one."""

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
OF_GLIBC = {
    "malloc_trim",
    "mallinfo",
    "mallinfo2",
    "malloc_info",
    "malloc_stats",
    "mallopt",
    "cfree",
}
NAMES = STANDARD | C23 | OF_GLIBC
PREFIXED = {f"span_{name}" for name in NAMES} | {"span_check", "span_version"}
EXPORTS = {
    "libspan.so": NAMES | PREFIXED,
    "libspan-fast.so": NAMES | PREFIXED,
    "libnull.so": STANDARD,
}
# What an allocator imports can be another library's, which may lock and allocate in it.
IMPORTS = {
    # Called inside malloc and free; the compiler itself calls such, so they can do no more than
    # they should.
    *("memchr", "memcmp", "memcpy", "memmove", "memset", "strcmp", "strlen", "strncmp"),
    "__errno_location",  # the same: errno is a macro
    *("__libc_single_threaded", "environ", "__environ"),  # variables
    "__register_atfork",  # from a constructor
    "abort",  # what comes after it does not matter
    "snprintf",  # in span_check, about a heap that is broken, and in malloc_stats
    *("fprintf", "fputs", "fwrite"),  # in malloc_info, to the program's own stream
}
IMPORTS_OF_FAST = {
    # From a constructor, also to find the pthread_setspecific that is libc's own.
    *("dladdr", "dlopen", "dlsym", "pthread_key_create"),
    "pthread_setspecific",  # inside malloc, where libc's own could not be found
}
# What every shared object imports, if only weakly.
LINKED = {"_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable", "__cxa_finalize"}
LINKED |= {"__gmon_start__"}


def symbols(library, which):
    command = ["nm", "-D", which, "--format=posix", BUILD / library]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {line.split()[0].partition("@")[0] for line in lines.splitlines()}


@pytest.mark.parametrize("library", EXPORTS)
def test_exports(library):
    assert symbols(library, "--defined-only") == EXPORTS[library]


@pytest.mark.parametrize("library", ["libspan.so", "libspan-fast.so"])
def test_imports(library):
    allowed = IMPORTS | (IMPORTS_OF_FAST if library == "libspan-fast.so" else set())
    assert symbols(library, "--undefined-only") - LINKED <= allowed
