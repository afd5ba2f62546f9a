"""The static libraries: they bring the functions of libspan.h into a program and no other name,
however they were compiled."""

import re
import shutil
import subprocess

import pytest
from places import BUILD, REPO

from frontend.measuring import building

ARCHIVES = ("libspan.a", "libspan-fast.a")

# A program with functions and a variable of its own that are called as inner ones of ours are.
PROGRAM = """
#include "allocator/libspan.h"
#include <stdio.h>
#include <string.h>
int guards = 1;
static int calls;
void heap_free(void *p) { (void)p; calls++; }
void pool_free(void *p) { (void)p; calls++; }
void *os_map(size_t bytes) { (void)bytes; calls++; return NULL; }
void *span_map(void *spans, size_t bytes) { (void)spans; (void)bytes; calls++; return NULL; }
int main(void)
{
    void *blocks[1000];
    for (int i = 0; i < 1000; i++)
        blocks[i] = span_calloc(1, (size_t)i * 100);
    for (int i = 0; i < 1000; i++)
        blocks[i] = memset(span_realloc(blocks[i], (size_t)i * 200 + 1), 1, (size_t)i * 200 + 1);
    for (int i = 0; i < 1000; i++)
        span_free(blocks[i]);
    printf("%d %d %u\\n", calls, guards, span_check());
    heap_free(NULL), pool_free(NULL), os_map(0), span_map(NULL, 0);
    return calls != 4;
}
"""
SANITIZED = "-O1 -fsanitize=address,undefined -fno-sanitize-recover=all"
WAYS = {
    "gcc-lto": ["CC=gcc", "CFLAGS=-O1 -flto"],
    "gcc-sanitized": ["CC=gcc", f"CFLAGS={SANITIZED}"],
    "clang-lto": ["CC=clang", "CFLAGS=-O1 -flto", "LDFLAGS=-fuse-ld=lld"],
    "clang-sanitized": ["CC=clang", f"CFLAGS={SANITIZED}"],
}
NEEDED = {"clang-lto": "ld.lld"}
# Of newer Clangs: whether the globals of a program are registered, one for all its objects.
SHARED = {"___asan_globals_registered"}


def declared():
    """The functions of the public header."""
    text = (REPO / "allocator" / "libspan.h").read_text()
    return set(re.findall(r"^SPAN_API [^;]*?\b(span_\w+)\(", text, re.MULTILINE))


def defined(archive):
    """What a program that is linked with the archive sees of it."""
    command = ["nm", "-g", "--defined-only", "--format=posix", archive]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in lines.splitlines() if not line.endswith(":")}


def link_and_run(folder, archive, compiler, *flags):
    """What a program prints that has our inner names and the archive."""
    (folder / "program.c").write_text(PROGRAM)
    command = [compiler, *flags, f"-I{REPO}", "program.c", archive, "-pthread", "-o", "program"]
    subprocess.run(command, cwd=folder, check=True)
    done = subprocess.run([folder / "program"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    return done.stdout


@pytest.mark.parametrize("archive", ARCHIVES)
def test_a_program_may_have_our_inner_names_itself(archive, tmp_path):
    assert defined(BUILD / archive) == declared()
    for flags in ([], ["-static"], ["-O2", "-flto"]):
        assert link_and_run(tmp_path, BUILD / archive, "gcc", *flags) == "0 1 0\n", flags


@pytest.mark.parametrize("way", WAYS)
def test_however_it_was_compiled(way, tmp_path):
    words = dict(word.split("=", 1) for word in WAYS[way])
    for needed in (words["CC"], NEEDED.get(way, words["CC"])):
        if not shutil.which(needed):
            pytest.skip(f"{needed}: not installed")
    building.make(REPO, tmp_path / "build", [ARCHIVES[0]], way, *WAYS[way])
    flags = [*words["CFLAGS"].split(), *words.get("LDFLAGS", "").split()]
    path = tmp_path / "build" / ARCHIVES[0]
    assert defined(path) - SHARED == declared()
    assert link_and_run(tmp_path, path, words["CC"], *flags) == "0 1 0\n"
