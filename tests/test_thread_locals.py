"""How preloadable libraries reach their thread-local variables: by an offset from the thread
pointer, which the loader fixes at the start. Other models call __tls_get_addr, which may allocate.
"""

import re
import subprocess

import pytest

from places import BUILD, REPO

# The objects of a library, as patterns; one with none of its own has nothing to show.
OBJECTS = {
    "libspan-fast.so": "fast/allocator/*.o",
    "librecord.so": "workloads/recorder*.o",
    "librecord-sites.so": "sites/workloads/recorder*.o",
    "libnull.so": "bench/null.o",
}
# How x86-64 and AArch64 name relocations of the general, the local and the descriptor's model.
# Debugging information has an offset (DTPOFF) whatever the model is.
CALLS = re.compile(r"R_\w*_(TLSGD|TLSLD|TLSDESC|GOTPC32_TLSDESC)\w*")
OFFSETS = re.compile(r"R_\w*_(GOTTPOFF|TPOFF|TLSIE|TLSLE)\w*")


def relocations(files):
    """The relocations of object files, as readelf lists them."""
    command = ["readelf", "--relocs", "--wide", *files]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("library", OBJECTS)
def test_thread_locals_are_reached_without_a_call(library):
    listing = relocations(sorted((BUILD / "obj").glob(OBJECTS[library])))
    assert OFFSETS.search(listing)
    calls = [line for line in listing.splitlines() if CALLS.search(line)]
    assert calls == []


def test_emulated_tests_have_all_libraries(tmp_path):
    command = ["make", "-n", "--no-print-directory", f"AARCH64={tmp_path}", "test-aarch64-run"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True)
    built = done.stdout.split()
    assert [name for name in OBJECTS if f"{tmp_path}/{name}" not in built] == []
