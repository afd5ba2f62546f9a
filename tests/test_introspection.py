"""What programs ask of an allocator beside memory, as they know it from glibc: ours, preloaded."""

import os
import re
import subprocess
from xml.etree import ElementTree

import pytest
from places import ALLOCATORS

MIB = 1 << 20
# Prints what the functions say, after each of its steps; compiled by glibc's <malloc.h>.
PROGRAM = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MIB = 1 << 20, LEAST = 1000 };

static size_t resident(void)
{
    char text[100] = "";
    unsigned long pages = 0;
    int file = open("/proc/self/statm", O_RDONLY);
    if (read(file, text, sizeof text - 1) <= 0 || sscanf(text, "%*u %lu", &pages) != 1)
        abort();
    close(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* 64 MiB of blocks of a size, so often. */
static void fill_and_empty(size_t size, int rounds)
{
    static void *blocks[64 * MIB / LEAST];
    for (int i = 0; i < rounds; i++) {
        size_t count = 64 * MIB / size;
        for (size_t k = 0; k < count; k++)
            blocks[k] = memset(malloc(size), 1, size);
        for (size_t k = 0; k < count; k++)
            free(blocks[k]);
    }
}

static int trim(size_t size)
{
    fill_and_empty(size, 4);
    size_t before = resident();
    int first = malloc_trim(0);
    printf("%d %zu %zu %d\\n", first, before, resident(), malloc_trim(0));
    return 0;
}

static int follow(void)
{
    void *volatile block[100];
    for (int step = 0; step < 3; step++) {
        for (int i = 0; i < 100 && step < 2; i++)
            block[i] = malloc(50000);
        struct mallinfo2 info = mallinfo2();
        struct mallinfo old = mallinfo();
        printf("%zu %d %d\\n", info.uordblks + info.hblkhd, old.uordblks + old.hblkhd,
               info.arena == info.uordblks + info.fordblks);
        for (int i = 0; i < 100 && step == 1; i++)
            free(block[i]);
    }
    return 0;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    if (strcmp(argv[1], "trim") == 0)
        return trim(argc > 2 ? atoi(argv[2]) : MIB);
    if (strcmp(argv[1], "follow") == 0)
        return follow();
    if (strcmp(argv[1], "mallopt") == 0)
        return printf("%d %d %d\\n", mallopt(M_MMAP_THRESHOLD, 1 << 20), mallopt(M_ARENA_MAX, 1),
                      mallopt(4711, 1)) < 0;
    void *volatile live = malloc(100000);
    void *volatile large = malloc(3 * MIB);
    fill_and_empty(2000, 1);
    malloc_stats();
    struct mallinfo2 info = mallinfo2();
    fprintf(stderr, "%zu %zu %zu\\n", info.arena, info.fordblks, info.hblkhd);
    int status = malloc_info(0, stdout);
    free(live), free(large);
    return status;
}
"""
each_build = pytest.mark.parametrize("library", ALLOCATORS.values(), ids=ALLOCATORS)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("introspection")
    (folder / "program.c").write_text(PROGRAM)
    words = ["cc", "-O0", "-Wno-deprecated-declarations", "program.c", "-o", "program"]
    subprocess.run(words, cwd=folder, check=True)
    return folder / "program"


def run(program, library, *words):
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    command = [program, *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    return done.stdout, done.stderr


@each_build
@pytest.mark.parametrize("size", [1000, 30000, MIB, 16 * MIB])
def test_malloc_trim_after_64_mib_were_freed(program, library, size):
    first, before, after, second = map(int, run(program, library, "trim", size)[0].split())
    assert (first, second) == (1, 0)
    assert after < before - MIB // 4
    assert after < 6 * MIB  # the program, and its table of blocks


@each_build
def test_mallinfo_follows_what_is_live(program, library):
    lines = [
        list(map(int, line.split())) for line in run(program, library, "follow")[0].split("\n")[:3]
    ]
    half, full, empty = (line[0] for line in lines)
    assert all(line[0] == line[1] and line[2] == 1 for line in lines)
    assert 5_000_000 <= half < 5_600_000 and 10_000_000 <= full < 11_000_000
    assert empty <= half + 100_000


@each_build
def test_mallopt_knows_what_glibc_knows(program, library):
    assert run(program, library, "mallopt")[0] == "1 1 0\n"


def sums(parent, kind):
    """The count and the bytes of a <total>."""
    total = parent.find(f"total[@type='{kind}']")
    return int(total.get("count")), int(total.get("size"))


@each_build
def test_malloc_info_is_xml_that_agrees_with_mallinfo(program, library):
    out, err = run(program, library, "info")
    arena, free, large = map(int, err.splitlines()[-1].split())
    root = ElementTree.fromstring(out)
    assert (root.tag, root.get("version")) == ("malloc", "1")
    assert int(root.find("system[@type='current']").get("size")) == arena
    assert sums(root, "fast")[1] + sums(root, "rest")[1] == free
    count, size = sums(root, "mmap")
    assert count >= 1 and size == large >= 3 * MIB
    for kind in ("fast", "rest"):
        heaps = [sums(heap, kind) for heap in root.findall("heap")]
        assert tuple(map(sum, zip(*heaps))) == sums(root, kind)
    for size in root.iter("size"):
        least, most, total, count = (int(size.get(k)) for k in ("from", "to", "total", "count"))
        assert count > 0 and least * count <= total <= most * count


@each_build
def test_malloc_stats_says_the_same_on_stderr(program, library):
    err = run(program, library, "info")[1]
    *_, last = err.splitlines()
    arena, free, large = map(int, last.split())
    told = re.findall(r"^(?:system|in use|mmap) bytes +=\s+(\d+)$", err, re.MULTILINE)
    assert err.startswith("Arena 0:\nsystem bytes     = ")
    assert list(map(int, told[-3:])) == [arena + large, arena + large - free, large]
