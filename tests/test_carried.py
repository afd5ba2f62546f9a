"""The allocator carried elsewhere: to musl, another C library, without sys/single_threaded.h, where
it preloads, links and serves static programs as well; and to 32 bits, which it refuses.
"""

import os
import shutil
import subprocess

import pytest

from places import REPO

CARRIED = REPO / "tests" / "subjects" / "carried.c"
NAMES = ("libspan", "libspan-fast")
OURS = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-builtin"]

needs_musl = pytest.mark.skipif(
    not shutil.which("musl-gcc"), reason="no musl-gcc: `scripts/deps test` installs musl-tools"
)


@pytest.fixture(scope="module")
def musl_build(tmp_path_factory):
    """A folder with both builds of the allocator for musl, compiled without a warning."""
    folder = tmp_path_factory.mktemp("musl")
    targets = [folder / f"{name}.{kind}" for name in NAMES for kind in ("so", "a")]
    options = ["CC=musl-gcc", "CFLAGS=-Werror", f"B={folder}"]
    subprocess.run(["make", "-s", *options, *targets], cwd=REPO, check=True, capture_output=True)
    return folder


def compiled(folder, *words):
    """The program for musl, linked with what the words name."""
    program = folder / "carried"
    subprocess.run(["musl-gcc", *OURS, CARRIED, *words, "-o", program], check=True)
    return program


def assert_span_serves(program, library=None):
    environment = {**os.environ, "LD_PRELOAD": str(library)} if library else os.environ
    run = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=300)
    assert (run.returncode, run.stdout, run.stderr) == (0, "span serves\n", "")


@needs_musl
@pytest.mark.parametrize("name", NAMES)
def test_musl_program_with_the_allocator_preloaded(musl_build, name):
    program = compiled(musl_build)
    assert subprocess.run([program], check=False).returncode == 1, "it is musl's own that serves"
    assert_span_serves(program, musl_build / f"{name}.so")


@needs_musl
@pytest.mark.parametrize("name", NAMES)
def test_musl_program_linked_with_the_allocator(musl_build, name):
    place = f"-Wl,-rpath,{musl_build}"
    assert_span_serves(compiled(musl_build, musl_build / f"{name}.so", place))


@needs_musl
@pytest.mark.parametrize("name", NAMES)
def test_static_musl_program(musl_build, name):
    names = REPO / "allocator" / "standard_names.ld"
    words = ("-static", "-Wl,-u,span_malloc", musl_build / f"{name}.a", names)
    assert_span_serves(compiled(musl_build, *words))


def test_cross_building_says_what_it_lacks(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sh").symlink_to("/bin/sh")
    command = [REPO / "scripts" / "aarch64_root", tmp_path / "made"]
    environment = {"PATH": str(tmp_path / "bin")}
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (77, "aarch64_root: no aarch64-linux-gnu-gcc\n")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("build", [(), ("-DSPAN_FAST=1",)], ids=["span", "span-fast"])
@pytest.mark.parametrize("bits", ["-m32", "-mx32"])
def test_narrow_pointers_are_refused_in_words(build, bits):
    """Each source says so before anything else, with the headers of such a system or without."""
    if os.uname().machine != "x86_64":
        pytest.skip("no -m32 on this processor")
    for source in sorted((REPO / "allocator").glob("*.c")):
        command = ["gcc", "-std=c11", "-D_GNU_SOURCE", *build, bits, "-fsyntax-only", source]
        run = subprocess.run(command, capture_output=True, text=True)
        first = next(line for line in run.stderr.splitlines() if "error: " in line)
        assert run.returncode and "spanbench's allocator needs 64-bit pointers" in first, source
