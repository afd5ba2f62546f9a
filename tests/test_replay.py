"""The replay programs as whole commands: what they print, prove, measure and refuse."""

import csv
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from places import BUILD, REPO

MIB = 1 << 20
SLACK = 64 * 4096 * os.cpu_count()  # of VmHWM, which the system keeps in pieces
NULL = BUILD / "libnull.so"
SPAN = BUILD / "libspan.so"

# Every kind of operation once, so many blocks live at the end, a failed call and free(NULL).
KINDS = """\
1: malloc 0x1000 100
1: calloc 0x2000 10 24
1: realloc 0x3000 0x1000 5000
1: memalign 0x4000 64 300
1: malloc 0x0 4611686018427387904
2: free 0x2000
2: free 0x0
2: realloc 0x5000 0x0 64
2: malloc 0x6000 300000000
2: free 0x6000
2: thread_done 0x0
"""
KINDS_OPS = 9  # without the failed call and the threads

# An allocator that counts its calls; unless WHOLE, it lacks the aligned family, and if GREEDY, it
# takes memory when it is loaded.
COUNTING = """
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
static char memory[1 << 20] __attribute__((aligned(4096)));
static size_t used;
static int mallocs, frees, others;
static void *cut(size_t n) { used += n + 15 & ~15ul; return memory + used - (n + 15 & ~15ul); }
void *malloc(size_t n) { mallocs++; return cut(n); }
void free(void *p) { frees++; (void)p; }
void *calloc(size_t n, size_t m) { others++; return cut(n * m); }
void *realloc(void *p, size_t n) { others++; (void)p; return cut(n); }
#ifdef WHOLE
void *aligned_alloc(size_t a, size_t n) { others++; used = (used + a - 1) / a * a; return cut(n); }
void *memalign(size_t a, size_t n) { return aligned_alloc(a, n); }
int posix_memalign(void **p, size_t a, size_t n) { *p = aligned_alloc(a, n); return 0; }
#endif
#ifdef GREEDY
__attribute__((constructor)) static void take(void)
{
    char *p = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, 1, 8 << 20);
}
#endif
__attribute__((destructor)) static void say(void)
{
    char line[100];
    int n = snprintf(line, sizeof line, "%d %d %d\\n", mallocs, frees, others);
    (void)!write(2, line, n);
}
"""


def libc_path():
    """The C library that a replayer runs on."""
    maps = subprocess.run(["ldd", str(BUILD / "replay-glibc")], capture_output=True, text=True)
    return next(w for line in maps.stdout.splitlines() for w in line.split() if "/libc.so" in w)


LIBC = libc_path()
ALL_BUILDS = [
    ("glibc", LIBC),
    ("span", BUILD / "libspan.so"),
    ("span-fast", BUILD / "libspan-fast.so"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder for traces and libraries."""
    return tmp_path_factory.mktemp("replay")


def make_trace(folder, name, text):
    """A trace from text in Android's format; its path."""
    source, path = folder / f"{name}.txt", folder / f"{name}.trace"
    source.write_text(text)
    command = [str(BUILD / "trace"), "import", str(source), "-o", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


@pytest.fixture(scope="module")
def kinds(folder):
    """The trace of KINDS."""
    return make_trace(folder, "kinds", KINDS)


@pytest.fixture(scope="module")
def churn(folder):
    """Many operations on little memory: 40 blocks of 1000 bytes, renewed over and over."""
    lines = []
    for i in range(100000):
        slot = 0x1000 * (1 + i % 40)
        lines += [f"1: free {slot:#x}"] if i >= 40 else []
        lines += [f"1: malloc {slot:#x} 1000"]
    return make_trace(folder, "churn", "\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def large(folder):
    """One block of 64 MiB, made and freed."""
    return make_trace(folder, "large", f"1: malloc 0x1000 {64 * MIB}\n1: free 0x1000\n")


def build_library(folder, name, *flags):
    """The made-up allocator as a shared library; its path."""
    source, path = folder / f"{name}.c", folder / f"{name}.so"
    source.write_text(COUNTING)
    command = ["cc", "-shared", "-fPIC", "-fno-builtin", "-O1", "-Wl,--build-id", *flags]
    subprocess.run([*command, str(source), "-o", str(path)], check=True)
    return path


def replay(program, allocator, trace, *options, preload=None, limits=(), launch=(), **settings):
    """Runs build/.../replay-PROGRAM under limits {resource: bytes}, by the command `launch`, with
    settings in its environment: the finished process."""
    environment = {**os.environ, **settings}
    if preload:
        environment["LD_PRELOAD"] = str(preload)
    command = [str(BUILD / f"replay-{program}"), *options, "--allocator", str(allocator)]
    command.append(str(trace))
    words = [f"--{name}={number}" for name, number in dict(limits).items()]
    command = ["prlimit", *words, *command] if words else [*map(str, launch), *command]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def figures(*arguments, **keywords):
    """What a replay that must succeed prints."""
    done = replay(*arguments, **keywords)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


def assert_refused(done, status, *words):
    """The run failed with this status, and one line that has these words."""
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    for word in words:
        assert str(word) in done.stderr


# What it prints


def test_prints_all_keys_in_both_passes(kinds):
    both = {
        *(
            "pass",
            "touch",
            "model",
            "thread_order",
            "threads",
            "trace",
            "ops",
            "skipped_ops",
            "checksum",
            "repeats",
        ),
        *("real_time_ns", "thp_disabled"),
        *("cpu_time_ns", "user_ns", "sys_ns", "minor_faults", "major_faults", "peak_rss"),
        *("peak_mapped", "initial_rss", "initial_mapped", "baseline_rss", "harness_bytes"),
        *("peak_live", "malloc"),
    }
    speed = figures("glibc", LIBC, kinds)
    memory = figures("glibc", LIBC, kinds, "--pass", "memory")
    memory.pop("held", None)  # not of older C libraries
    assert set(speed) == both
    assert set(memory) == both | {
        "peak_live_replayed",
        "waste",
        "peak_waste",
        "huge_bytes",
        "rss_after_drain",
    }
    assert (speed["pass"], memory["pass"]) == ("speed", "memory")
    assert (speed["touch"], speed["threads"], speed["trace"]) == ("page", 2, str(kinds))
    assert len(speed["checksum"]) == 16 and int(speed["checksum"], 16)
    assert speed["real_time_ns"] > 0


def test_counts_what_was_executed_and_skipped(kinds):
    done = figures("glibc", LIBC, kinds)
    assert (done["ops"], done["skipped_ops"]) == (KINDS_OPS, 1)


def test_work_is_the_same_under_all_allocators_and_passes(kinds):
    runs = [
        figures("glibc", LIBC, kinds),
        figures("glibc", LIBC, kinds, "--pass", "memory"),
        figures("glibc", LIBC, kinds, "--touch", "none"),
        figures("span", SPAN, kinds),
        figures("glibc", NULL, kinds, preload=NULL),
        figures("glibc", NULL, kinds, "--pass", "memory", preload=NULL),
    ]
    assert len({(run["ops"], run["checksum"]) for run in runs}) == 1


def test_checksum_tells_traces_apart(folder, kinds):
    other = make_trace(folder, "other", KINDS.replace(" 64 300", " 64 301"))
    assert figures("glibc", LIBC, kinds)["checksum"] != figures("glibc", LIBC, other)["checksum"]


def test_chunks_change_nothing_but_harness_memory(churn):
    whole = figures("glibc", LIBC, churn, "--pass", "memory")
    parts = figures("glibc", LIBC, churn, "--pass", "memory", "--chunk", "1000")
    assert parts["harness_bytes"] != whole["harness_bytes"]
    for key in ("ops", "checksum", "peak_live"):
        assert parts[key] == whole[key]
    for key in ("peak_rss", "peak_mapped", "rss_after_drain"):
        assert abs(parts[key] - whole[key]) < MIB


def test_repeats_are_one_run_of_the_same_work(churn):
    once = figures("glibc", LIBC, churn)
    best = figures("glibc", LIBC, churn, "--repeats", "5")
    assert (once["repeats"], best["repeats"]) == (1, 5)
    for key in ("ops", "checksum", "peak_live", "malloc"):
        assert best[key] == once[key]
    assert 0 < best["cpu_time_ns"] < 5 * once["cpu_time_ns"]
    assert abs(best["peak_rss"] - once["peak_rss"]) < 1 << 20
    assert abs(best["minor_faults"] - once["minor_faults"]) < 64


def test_repeats_of_a_trace_in_chunks_are_none(churn):
    assert figures("glibc", LIBC, churn, "--repeats", "5", "--chunk", "1000")["repeats"] == 1


def test_an_empty_trace_is_no_error(folder):
    empty = make_trace(folder, "empty", "1: thread_done 0x0\n")
    done = figures("glibc", LIBC, empty, "--pass", "memory")
    assert (done["ops"], done["waste"]) == (0, 0)


# Whose malloc


def test_names_the_object_that_malloc_comes_from(kinds):
    done = figures("span", SPAN, kinds)["malloc"]
    status = SPAN.stat()
    notes = subprocess.run(["readelf", "-n", str(SPAN)], capture_output=True, text=True).stdout
    assert (done["device"], done["inode"]) == (status.st_dev, status.st_ino)
    assert done["path"] == str(SPAN)
    assert f"Build ID: {done['build_id']}" in notes


def test_preloaded_allocator_is_proved(kinds):
    assert figures("glibc", SPAN, kinds, preload=SPAN)["malloc"]["path"] == str(SPAN)


def test_ignored_preload_is_fatal(kinds):
    assert_refused(replay("glibc", SPAN, kinds), 1, "malloc comes from", LIBC, f"not from {SPAN}")


def test_copy_of_the_library_is_not_the_library(folder, kinds):
    copy = Path(shutil.copy(SPAN, folder / "copy.so"))
    linked = SPAN.resolve().with_name("libspan.so.0")  # by its soname
    assert_refused(replay("span", copy, kinds), 1, f"malloc comes from {linked}, not from {copy}")


def test_function_from_elsewhere_is_fatal(folder, kinds):
    partial = build_library(folder, "partial")
    done = replay("glibc", partial, kinds, preload=partial)
    assert done.returncode == 1
    assert f"aligned_alloc comes from {LIBC}, not from {partial}" in done.stderr


@pytest.mark.parametrize("what", ["missing", "text", "folder"])
def test_path_that_is_no_library(folder, kinds, what):
    path = {"missing": folder / "no.so", "text": folder / "kinds.txt", "folder": folder}[what]
    assert_refused(replay("glibc", path, kinds), 2, f"{path}: ")


# The harness keeps out


def test_every_call_is_the_trace_s(folder, churn):
    counting = build_library(folder, "counting", "-DWHOLE")
    few = make_trace(folder, "few", "".join(KINDS.splitlines(True)[:7]))
    done = replay("glibc", counting, few, "--pass", "memory", preload=counting)
    assert json.loads(done.stdout)["ops"] == 6
    # Besides malloc there are calloc, realloc and memalign; the drain frees as well.
    mallocs, frees, others = map(int, done.stderr.split())
    assert (mallocs, others) == (1, 3)
    assert frees >= 2


def test_speed_pass_makes_no_call_of_its_own(folder):
    counting = build_library(folder, "counting2", "-DWHOLE")
    text = "".join(f"1: malloc {i:#x} 16\n" for i in range(16, 1016)) + "1: free 0x10\n"
    trace = make_trace(folder, "mallocs", text)
    done = replay("glibc", counting, trace, preload=counting)
    assert done.stderr.split() == ["1000", "1", "0"]


@pytest.mark.parametrize("name", ["kinds", "churn", "large"])
def test_null_allocator_survives(name, request):
    trace = request.getfixturevalue(name)
    for one in ("speed", "memory"):
        assert figures("glibc", NULL, trace, "--pass", one, preload=NULL)["ops"] > 0


# Writable memory under a limit of data is what it is where the system promises no more than it has.
@pytest.mark.parametrize("limits", [{"as": 200 * MIB}, {"as": 100 * MIB}, {"data": 80 * MIB}])
def test_null_allocator_takes_no_more_than_there_is(large, limits):
    assert figures("glibc", LIBC, large, limits=limits)["ops"] == 2
    assert figures("glibc", NULL, large, preload=NULL, limits=limits)["ops"] == 2


def test_null_allocator_grows_under_a_limit(folder):
    sizes = range(100_000, 30 * MIB, 300_000)
    text = "".join(f"1: malloc {size:#x} {size}\n" for size in sizes)
    text += "1: memalign 0x7000000 1048576 31000000\n"
    trace = make_trace(folder, "ever_larger", text)
    done = figures("glibc", NULL, trace, preload=NULL, limits={"as": 150 * MIB})
    assert done["ops"] == len(sizes) + 1


def test_null_allocator_refuses_what_does_not_fit(large):
    done = replay("glibc", NULL, large, preload=NULL, limits={"as": 60 * MIB})
    assert_refused(done, 1, "malloc(67108864) returned NULL")


def test_harness_memory_is_outside(churn):
    done = figures("glibc", LIBC, churn)
    assert done["harness_bytes"] > MIB
    assert done["baseline_rss"] > done["harness_bytes"]
    assert 40 * 1000 <= done["peak_rss"] < 40 * 1000 + MIB // 2


# Memory


@pytest.mark.parametrize("touch, wanted", [("page", 64 * MIB), ("all", 64 * MIB), ("none", 0)])
def test_peak_rss_is_what_was_touched(large, touch, wanted):
    for one in ("speed", "memory"):
        done = figures("glibc", LIBC, large, "--pass", one, "--touch", touch)
        assert done["peak_live"] == 64 * MIB
        assert abs(done["peak_rss"] - wanted) <= SLACK


@pytest.mark.parametrize("touch", ["page", "none"])
def test_peak_mapped_holds_the_large_block(large, touch):
    for program, path in (("glibc", LIBC), ("span", SPAN)):
        for one in ("speed", "memory"):
            done = figures(program, path, large, "--pass", one, "--touch", touch)
            assert 64 * MIB <= done["peak_mapped"] < 4 * 64 * MIB


def test_peak_mapped_of_parts_is_the_largest_part_s(folder):
    part = "1: malloc 0x2000 16\n1: free 0x2000\n" * 32768
    large = [f"1: malloc 0x1000 {size * MIB}\n1: free 0x1000\n" for size in (8, 64, 8)]
    trace = make_trace(folder, "ups_and_downs", part.join(large))
    for options in ((), ("--chunk", "1000")):
        done = figures("glibc", LIBC, trace, *options)
        assert 64 * MIB <= done["peak_mapped"] < 66 * MIB


def test_memory_taken_at_load_is_charged(folder):
    small = make_trace(folder, "small", "1: malloc 0x1000 10\n")
    greedy = build_library(folder, "greedy", "-DWHOLE", "-DGREEDY")
    done = json.loads(replay("glibc", greedy, small, "--pass", "memory", preload=greedy).stdout)
    for key in ("initial_rss", "initial_mapped", "peak_rss", "peak_mapped", "rss_after_drain"):
        assert abs(done[key] - 8 * MIB) <= SLACK


def test_faults_are_those_of_the_pages(large):
    page = figures("glibc", LIBC, large, "--touch", "page")["minor_faults"]
    first = figures("glibc", LIBC, large, "--touch", "first")["minor_faults"]
    assert first < 100
    assert page > first  # how many more depends on huge pages


def test_memory_is_given_back_after_the_drain(folder):
    kept = make_trace(folder, "kept", f"1: malloc 0x1000 {64 * MIB}\n1: malloc 0x2000 10\n")
    done = figures("glibc", LIBC, kept, "--pass", "memory")
    assert done["peak_rss"] >= 64 * MIB
    assert done["rss_after_drain"] < MIB


# An allocator with a malloc_trim of its own that purges on a thread, a while after the first free.
PURGING = """
#define _GNU_SOURCE
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <pthread.h>
#include <time.h>
enum { MIB = 1 << 20 };
static char *memory;
static size_t used;
void *malloc(size_t n)
{
    if (!memory)
        memory = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    used += n + 15 & ~15ul;
    return memory + used - (n + 15 & ~15ul);
}
static void *purge(void *nothing)
{
    nanosleep(&(struct timespec){0, DELAY_MS * 1000000}, NULL);
    madvise(memory, 16 * MIB, MADV_DONTNEED);
    return nothing;
}
void free(void *p)
{
    static pthread_t thread;
    if (p && !thread)
        pthread_create(&thread, NULL, purge, NULL);
}
void *calloc(size_t n, size_t m) { return malloc(n * m); }
void *realloc(void *p, size_t n) { (void)p; return malloc(n); }
void *aligned_alloc(size_t a, size_t n) { (void)a; return malloc(n); }
int posix_memalign(void **p, size_t a, size_t n) { (void)a; *p = malloc(n); return 0; }
int malloc_trim(size_t pad) { (void)pad; madvise(memory, 64 * MIB, MADV_DONTNEED); return 1; }
"""


def build_purging(folder, delay_ms, text=PURGING):
    """PURGING as a shared library; its path."""
    source, library = folder / "purging.c", folder / f"libpurging-{delay_ms}.so"
    source.write_text(text)
    command = ["cc", "-shared", "-fPIC", "-fno-builtin", "-pthread", str(source)]
    subprocess.run([*command, f"-DDELAY_MS={delay_ms}", "-o", str(library)], check=True)
    return library


def test_what_is_given_back_while_nothing_happens(folder):
    library = build_purging(folder, 500)
    trace = make_trace(folder, "purged", f"1: malloc 0x1000 {32 * MIB}\n")
    options = ("--pass", "memory", "--touch", "all", "--decay")
    done = figures("glibc", library, trace, *options, preload=library)
    assert done["rss_after_drain"] > 31 * MIB
    assert done["rss_after_100ms"] > 31 * MIB
    assert 15 * MIB < done["rss_after_1s"] < 17 * MIB
    assert 15 * MIB < done["rss_after_5s"] < 17 * MIB
    assert done["rss_after_trim"] < MIB


# Sleeps six times, with calls in between: a stamp of the recorder's is shared by eight of them.
SLEEPER = """
#include <stdlib.h>
#include <time.h>
int main(void)
{
    for (int i = 0; i < 600; i++) {
        void *volatile p = malloc(16000);
        free(p);
        if (i % 100 == 50)
            nanosleep(&(struct timespec){0, 150000000}, NULL);
    }
}
"""


@pytest.fixture(scope="module", name="sleeper")
def fixture_sleeper(folder):
    """A recording of a program that sleeps six times 150 ms."""
    source, program, trace = (folder / f"sleeper{end}" for end in (".c", "", ".trace"))
    source.write_text(SLEEPER)
    subprocess.run(["cc", str(source), "-o", str(program)], check=True)
    command = [REPO / "scripts" / "spanbench", "record", "-o", trace, "--", program]
    environment = {**os.environ, "SPANBENCH_BUILD": str(BUILD)}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return trace


@pytest.mark.parametrize("threads", ["serial", "original"])
def test_pauses_are_made_as_recorded_and_not_counted(sleeper, threads):
    plain = figures("span", SPAN, sleeper, "--threads", threads)
    done = figures("span", SPAN, sleeper, "--threads", threads, "--pauses", "recorded")
    assert done["pauses"] >= 6
    assert 890e6 < done["paused_ns"]
    assert done["real_time_ns"] < 300e6 and done["cpu_time_ns"] < 300e6
    assert (done["ops"], done["checksum"]) == (plain["ops"], plain["checksum"])
    assert "pauses" not in plain


def test_the_allocator_may_purge_in_a_pause(sleeper, folder):
    """It purges after 600 ms: in the fourth pause, or after a replay that makes none."""
    library = build_purging(folder, 600)
    options = ("--pass", "memory", "--touch", "all")
    plain, paused = folder / "plain.csv", folder / "paused.csv"
    figures("glibc", library, sleeper, *options, "--curve", plain, preload=library)
    words = ("--pauses", "recorded", "--curve", paused)
    figures("glibc", library, sleeper, *options, *words, preload=library)
    assert not has_fallen(read_curve(plain))
    assert has_fallen(read_curve(paused))


def has_fallen(rows):
    """Whether memory was ever clearly less than before."""
    sizes = [row["rss"] for row in rows]
    return any(after < before - MIB for before, after in zip(sizes, sizes[1:]))


def test_malloc_trim_must_be_the_allocator_s(kinds, folder):
    options = ("--pass", "memory", "--decay")
    assert "rss_after_trim" in figures("glibc", LIBC, kinds, *options)
    assert "rss_after_trim" in figures("span", SPAN, kinds, *options)
    bare = build_purging(folder, 499, PURGING.partition("int malloc_trim")[0])
    plain = make_trace(folder, "plain", "1: malloc 0x1000 100\n")
    done = figures("glibc", bare, plain, *options, preload=bare)
    assert "rss_after_5s" in done and "rss_after_trim" not in done


@pytest.mark.parametrize("name, library", ALL_BUILDS, ids=[name for name, _ in ALL_BUILDS])
def test_what_memory_is_held_for_where_it_is_highest(folder, name, library):
    count, size = 4000, 1000
    lines = [f"1: malloc {0x1000 * i:#x} {size}" for i in range(1, count + 1)]
    lines += [f"1: free {0x1000 * i:#x}" for i in range(1, count + 1)]
    lines += [f"1: malloc {0x1000 * i:#x} {size}" for i in range(1, count // 2)]
    trace = make_trace(folder, "up-and-down", "\n".join(lines) + "\n")
    done = figures(name, library, trace, "--pass", "memory", "--touch", "all")
    if name == "glibc" and "held" not in done:
        pytest.skip("this C library has no mallinfo2")
    held = done["held"]
    assert 0.9 * done["peak_rss"] <= held["rss"] <= done["peak_rss"] + SLACK
    assert 0.9 * held["rss"] <= held["live"] <= count * size
    assert held["live"] + 8 * held["live"] / size <= held["used"] <= 1.2 * held["live"]
    mapped = sum(held[key] for key in ("used", "cached", "free", "empty"))
    assert held["rss"] <= mapped + SLACK and min(held.values()) >= 0


def test_only_the_allocator_itself_is_asked_what_it_holds(kinds, folder):
    bare = build_purging(folder, 498, PURGING.partition("int malloc_trim")[0])
    plain = make_trace(folder, "plain-held", "1: malloc 0x1000 100\n")
    assert "held" not in figures("glibc", bare, plain, "--pass", "memory", preload=bare)


ASKS_FOR_HUGE = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}  # since glibc 2.35: by madvise


def test_huge_pages_are_seen_at_the_peak_and_can_be_had_away(large, tmp_path):
    enabled = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not enabled.exists() or "[never]" in enabled.read_text():
        pytest.skip("the system has no transparent huge pages")
    memory = ("--pass", "memory", "--touch", "all")
    done = figures("glibc", LIBC, large, *memory, **ASKS_FOR_HUGE)
    assert 32 * MIB <= done["huge_bytes"] <= done["peak_rss"] + SLACK
    assert not done["thp_disabled"]
    launch = (BUILD / "launch", "--report", tmp_path / "report", "--small-pages")
    done = figures("glibc", LIBC, large, *memory, launch=launch, **ASKS_FOR_HUGE)
    assert done["huge_bytes"] == 0 and done["thp_disabled"]
    assert done["peak_rss"] >= 64 * MIB - SLACK


def read_curve(path):
    """The rows of a curve, as integers."""
    with open(path, encoding="ascii", newline="") as file:
        return [{key: int(value) for key, value in row.items()} for row in csv.DictReader(file)]


def test_curve_is_even_and_ends_at_the_last_operation(folder, churn):
    path = folder / "curve.csv"
    done = figures(
        *("glibc", LIBC, churn, "--pass", "memory"), *("--curve", str(path), "--points", "50")
    )
    rows = read_curve(path)
    steps = Counter(b["op"] - a["op"] for a, b in zip(rows, rows[1:]))
    assert path.read_text().startswith("op,rss,live\n")
    assert len(rows) == 51
    assert rows[0]["op"] == 0 and rows[-1]["op"] == done["ops"]
    assert max(steps) - min(steps) <= 1
    assert rows[-1]["live"] == 40 * 1000
    assert all(row["rss"] >= row["live"] * 0.9 for row in rows)


def test_waste_follows_from_the_curve(folder, churn):
    path = folder / "waste.csv"
    done = figures("glibc", LIBC, churn, "--pass", "memory", "--curve", str(path))
    rows = read_curve(path)
    waste = live = 0
    for a, b in zip(rows, rows[1:]):
        ops = b["op"] - a["op"]
        waste += ops * (a["rss"] - a["live"] + b["rss"] - b["live"])
        live += ops * (a["live"] + b["live"])
    assert done["waste"] == pytest.approx(waste / live, abs=1e-5)


def test_more_points_than_operations(folder, kinds):
    path = folder / "short.csv"
    figures("glibc", LIBC, kinds, "--pass", "memory", "--curve", str(path))
    assert [row["op"] for row in read_curve(path)] == list(range(KINDS_OPS + 1))


# What it refuses


def test_failing_call_is_named_by_its_operation(folder):
    text = KINDS.replace("300000000", str(1 << 62))
    trace = make_trace(folder, "impossible", text)
    lines = [line for line in text.splitlines() if "thread_done" not in line]
    # Counted with the start of each thread before its first call.
    number = lines.index(f"2: malloc 0x6000 {1 << 62}") + 1 + 2
    for one in (("speed",), ("memory",), ("speed", "--repeats", "3")):
        done = replay("glibc", LIBC, trace, "--pass", *one)
        words = f"{trace}: operation {number}: malloc({1 << 62}) returned NULL"
        assert_refused(done, 1, words)


def test_damaged_traces_are_refused(folder, churn):
    whole = churn.read_bytes()
    bad = folder / "bad.trace"
    middle = len(whole) // 2
    for data in (whole[:middle], whole[:middle] + b"\xff" + whole[middle + 1 :] + b"x", b"", b"hi"):
        bad.write_bytes(data)
        assert_refused(replay("glibc", LIBC, bad), 2, f"{bad}: ")
    assert_refused(replay("glibc", LIBC, folder / "none"), 2, f"{folder / 'none'}: No such file")


def test_unwritable_curve_is_told_before_any_work(folder, churn):
    path = folder / "no" / "curve.csv"
    done = replay("glibc", LIBC, churn, "--pass", "memory", "--curve", str(path))
    assert_refused(done, 2, f"{path}: No such file or directory")


@pytest.mark.parametrize(
    "options",
    [
        ["--threads", "many"],
        ["--pauses", "long"],
        ["--model", "other"],
        ["--model", "program", "--pass", "memory"],
        ["--model", "program", "--touch", "none"],
        ["--model", "program", "--touch", "first"],
        ["--pass", "other"],
        ["--touch", "some"],
        ["--pass", "memory", "--points", "0"],
        ["--points", "-1"],
        ["--chunk", "x"],
        ["--curve", "/dev/null"],
        ["--repeats", "0"],
        ["--decay"],
        ["--limit", "1000000"],
        ["--pass", "limit", "--limit", "1000000"],
        ["--pass", "limit", "--ledger", "/dev/null"],
        ["--pass", "limit", "--ledger", "/dev/null", "--limit", "0"],
        ["--pass", "limit", "--ledger", "/tmp/l", "--limit", "9999999", "--chunk", "5"],
        ["--repeats", "2", "--pass", "memory"],
        ["--unknown"],
        ["another.trace"],
    ],
)
def test_wrong_usage(kinds, options):
    assert_refused(replay("glibc", LIBC, kinds, *options), 2)


@pytest.fixture(scope="module", name="crowd")
def fixture_crowd(folder):
    """A trace of 130 threads, 100 of them at once, that hand blocks on in a ring."""
    lines = []
    live = {}
    for turn in range(6):
        for thread in range(1, 101):
            number = thread if turn < 5 else thread + 30
            mine, next_one = f"{0x100000 * number:#x}", f"{0x100000 * (number % 130 + 1):#x}"
            if mine in live:
                lines.append(f"{number}: free {mine}")
            lines += [f"{number}: malloc {mine} {100 + turn}", f"{number}: free 0x0"]
            live[mine] = number
            if next_one in live and turn % 2:
                lines += [f"{number}: realloc {next_one} {next_one} {5000 + turn}"]
    lines += [f"{number}: thread_done 0x0" for number in range(1, 101)]
    source = folder / "crowd.txt"
    source.write_text("\n".join(lines) + "\n")
    command = [BUILD / "trace", "import", source, "-o", folder / "crowd.trace"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "crowd.trace"


@pytest.mark.parametrize("name, library", ALL_BUILDS, ids=[name for name, _ in ALL_BUILDS])
def test_threads_do_the_work_of_the_trace(crowd, name, library):
    serial = figures(name, library, crowd, "--pass", "memory", "--threads", "serial")
    chunks = (["--chunk", "50"], ["--epoch", "7"], [])
    for options in chunks:
        run = ["--pass", "memory", "--threads", "original", *options]
        threaded = figures(name, library, crowd, *run)
        assert [threaded[key] for key in ("ops", "checksum", "threads", "peak_live")] == [
            serial[key] for key in ("ops", "checksum", "threads", "peak_live")
        ]
        assert threaded["thread_order"] == "original"
        assert abs(threaded["peak_live_replayed"] / serial["peak_live_replayed"] - 1) <= 0.1
        told = [*threaded["per_thread"], threaded["other_threads"]]
        assert sum(thread["ops"] for thread in told) == serial["ops"]
        assert (len(told), threaded["other_threads"]["threads"]) == (33, 130 - 32)
        busy = [thread["ops"] for thread in threaded["per_thread"]]
        assert busy == sorted(busy, reverse=True)
        assert threaded["wait_ns"] >= 0
    assert serial["thread_order"] == "serial"
    assert serial["peak_live_replayed"] == serial["peak_live"]


@pytest.mark.parametrize("model", ["none", "program"])
def test_time_inside_calls_is_that_of_all_threads(crowd, churn, model):
    words = ("--pass", "calls", "--model", model)
    done = figures("glibc", LIBC, crowd, "--threads", "original", *words)
    told = [*done["per_thread"], done["other_threads"]]
    # Each is rounded to a nanosecond.
    assert abs(sum(thread["in_calls_ns"] for thread in told) - done["in_calls_ns"]) <= len(told)
    assert all(thread["in_calls_ns"] > 0 for thread in told) and done["preempted"] >= 0
    plain = figures("glibc", LIBC, crowd, "--threads", "original")
    assert [plain[key] for key in ("ops", "checksum")] == [done[key] for key in ("ops", "checksum")]
    assert [t["thread"] for t in plain["per_thread"]] == [t["thread"] for t in done["per_thread"]]
    assert "in_calls_ns" not in plain["per_thread"][0]
    serial = figures("glibc", LIBC, churn, *words)
    assert 0 < serial["in_calls_ns"] < serial["real_time_ns"] and "per_thread" not in serial


def test_threads_are_replayed_in_copies(crowd):
    done = figures("glibc", LIBC, crowd, "--threads", "original", "--repeats", "3")
    assert done["ops"] == figures("glibc", LIBC, crowd)["ops"]


def test_a_trace_of_one_thread_is_the_same_either_way(kinds):
    orders = [figures("glibc", LIBC, kinds, "--threads", way) for way in ("serial", "original")]
    assert orders[0]["ops"] == orders[1]["ops"] == KINDS_OPS
    assert orders[0]["checksum"] == orders[1]["checksum"]


def test_the_call_that_fails_is_named_with_its_thread(folder, crowd):
    lines = ["7: malloc 0x100 10", "8: malloc 0x200 10", "8: malloc 0x300 4000000000000"]
    (folder / "huge.txt").write_text("\n".join(lines) + "\n")
    command = [BUILD / "trace", "import", folder / "huge.txt", "-o", folder / "huge.trace"]
    subprocess.run(command, check=True, capture_output=True)
    done = replay(
        "glibc", LIBC, folder / "huge.trace", "--threads", "original", limits={"as": 1 << 40}
    )
    assert_refused(done, 1, "operation 5 of thread 1: malloc(4000000000000) returned NULL")


def test_version_and_help_are_printed():
    for option in ("--version", "--help"):
        command = [str(BUILD / "replay-glibc"), option]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "replay" in done.stdout and done.stderr == ""


# The model of a program between the calls


@pytest.mark.parametrize("threads", ["serial", "original"])
def test_a_modelled_program_makes_the_same_calls(crowd, threads):
    plain = figures("span", SPAN, crowd, "--threads", threads)
    done = figures("span", SPAN, crowd, "--threads", threads, "--model", "program")
    assert (plain["model"], done["model"]) == ("none", "program")
    assert all(done[key] == plain[key] for key in ("ops", "checksum", "peak_live"))


def data_references(trace, *options):
    """How many reads and writes cachegrind counts in a replay."""
    command = [
        "valgrind",
        "--tool=cachegrind",
        "--cache-sim=yes",
        "--cachegrind-out-file=/dev/null",
    ]
    command += [str(BUILD / "replay-glibc"), *options, "--allocator", LIBC, str(trace)]
    launch = [str(BUILD / "launch"), "--fixed-addresses", "--report", "/dev/null", "--"]
    done = subprocess.run(launch + command, capture_output=True, text=True, check=True)
    # Versions of valgrind differ in their blanks.
    counts = re.search(r"D +refs: .*\(([\d,]+) rd +\+ +([\d,]+) wr\)", done.stderr)
    reads, writes = counts.groups()
    return int(reads.replace(",", "")), int(writes.replace(",", ""))


@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind: not installed")
def test_a_modelled_program_reads_what_it_frees_and_always_the_same(churn):
    """100,000 blocks of 1000 bytes, of which all but 40 are freed."""
    plain, once, again = (
        data_references(churn, *options)
        for options in ((), ("--model", "program"), ("--model", "program"))
    )
    # What the loader does may differ by a few.
    assert all(abs(a - b) < 1000 for a, b in zip(once, again))
    assert once[0] - plain[0] > 99960 * 16  # lines of a block
    assert once[1] - plain[1] > 100000


# As much as the program touched


def make_present_trace(folder, name, present):
    """A thousand blocks of 64 KiB of which so much was present when they were freed; its path."""
    lines = []
    for i in range(1000):
        lines += [f"1: malloc {0x100000 * (i + 1):#x} 65536 0 0"]
    for i in range(1000):
        lines += [f"1: free {0x100000 * (i + 1):#x} 0 0 {present}"]
    return make_trace(folder, name, "\n".join(lines) + "\n")


@pytest.mark.parametrize("threads", ["serial", "original"])
def test_as_many_pages_are_touched_as_the_program_touched(folder, threads):
    words = ("--touch", "recorded", "--threads", threads)
    faults = {}
    for present in (-1, 4096, 32768):
        trace = make_present_trace(folder, f"present{present}", present)
        done = figures("glibc", LIBC, trace, *words)
        faults[present] = done["minor_faults"]
        assert done["knows_present"] == (present >= 0)
    assert faults[-1] > 15000 and 900 < faults[4096] < 3500 and 7000 < faults[32768] < 10500


@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind: not installed")
def test_the_model_stays_within_what_the_program_touched(folder):
    """A thousand blocks of 64 KiB, each written and read as far as it was present: in lines of 64
    bytes."""
    words = ("--touch", "recorded")
    for present, lines in ((4096, 64), (32768, 512)):
        trace = make_present_trace(folder, f"model{present}", present)
        plain = data_references(trace, *words)
        done = data_references(trace, *words, "--model", "program")
        # The model itself reads its arguments: less than a hundred words a block.
        assert lines * 1000 <= done[0] - plain[0] < (lines + 100) * 1000
        assert done[1] > plain[1]


@pytest.mark.parametrize("threads", ["serial", "original"])
@pytest.mark.parametrize("passes", ["latency", "worst", "speed"])
def test_timed_and_modelled_runs_touch_as_recorded(folder, threads, passes):
    trace = make_present_trace(folder, "timed", 4096)
    words = ["--touch", "recorded", "--threads", threads, "--pass", passes]
    words += ["--model", "program"] if passes == "speed" else []
    done = figures("glibc", LIBC, trace, *words)
    assert 900 < done["minor_faults"] < 3500 and done["knows_present"]
