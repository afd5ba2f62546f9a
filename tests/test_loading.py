"""How the allocator comes into a process and leaves it: allocations before its own constructor and
after main, other preloaded libraries, threads that are cleaned up late, and dlopen."""

import os
import re
import signal
import subprocess

import pytest

from places import ALLOCATORS, BUILD

SUBJECTS = BUILD / "tests" / "subjects"
RUNS = 3
# Threads that each left as little as a page behind would hold twice as much.
LATE_THREADS = 2000
GROWN_MAX_KB = 4000

LOCKING = SUBJECTS / "locking_library.so"
# All that the allocator may ask of the system, by one thread, by several, by new ones, by children.
ASKING = ("growing alone", "growing threads", "shim_caller", "early_and_late", "short_threads 50")

each_build = pytest.mark.parametrize("library", ALLOCATORS.values(), ids=ALLOCATORS)


def run(command, *preload):
    environment = dict(os.environ, LD_PRELOAD=" ".join(str(path) for path in preload))
    command = [str(word) for word in command]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def assert_prints(ended, text):
    assert (ended.returncode, ended.stderr, ended.stdout) == (0, "", text + "\n")


@each_build
def test_blocks_of_early_constructors_and_late_destructors(library):
    for _ in range(RUNS):
        assert_prints(run([SUBJECTS / "early_and_late"], library), str(library))


@each_build
@pytest.mark.parametrize("allocator_first", [True, False])
def test_other_libraries_may_be_preloaded(library, allocator_first):
    other = SUBJECTS / "early_library.so"
    preload = [library, other] if allocator_first else [other, library]
    for _ in range(RUNS):
        assert_prints(run([SUBJECTS / "early_and_late"], *preload), str(library))


def preload_with_locking(library, allocator_first):
    return [library, LOCKING] if allocator_first else [LOCKING, library]


@each_build
@pytest.mark.parametrize("allocator_first", [True, False])
@pytest.mark.parametrize("words", ASKING)
def test_other_libraries_may_lock_and_allocate_in_calls_of_libc(library, allocator_first, words):
    """It must not come to them from inside of a malloc that they called under their lock."""
    program, *arguments = words.split()
    preload = preload_with_locking(library, allocator_first)
    ended = run([SUBJECTS / program, *arguments], *preload)
    assert (ended.returncode, ended.stderr) == (0, "")


@each_build
@pytest.mark.parametrize("allocator_first", [True, False])
def test_misuse_is_told_though_another_library_stands_before_write(library, allocator_first):
    ended = run([SUBJECTS / "growing", "twice"], *preload_with_locking(library, allocator_first))
    assert ended.returncode == -signal.SIGABRT
    assert re.fullmatch(r"span: free\(0x[0-9a-f]+\): double free\n", ended.stderr)


@each_build
def test_memory_freed_after_the_last_destructor_is_not_lost(library):
    ended = run([SUBJECTS / "late_frees", LATE_THREADS], library)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert int(ended.stdout) < GROWN_MAX_KB


@each_build
def test_process_may_end_with_threads_at_work(library):
    for _ in range(RUNS * 4):
        ended = run([SUBJECTS / "sudden_end"], library)
        assert (ended.returncode, ended.stderr) == (0, "")


@each_build
def test_operators_of_cxx_and_sized_frees_are_the_allocator_s(library):
    ended = run([SUBJECTS / "operators", "cross"], library)
    assert (ended.returncode, ended.stderr) == (0, "")


@each_build
@pytest.mark.parametrize("mode", ["local", "deepbind"])
def test_library_may_be_opened_and_closed(library, mode):
    for _ in range(RUNS):
        assert_prints(run([SUBJECTS / "opener", mode, library]), "1")


@pytest.mark.parametrize("mode", ["local", "deepbind"])
def test_both_builds_live_in_one_process(mode):
    for _ in range(RUNS):
        assert_prints(run([SUBJECTS / "opener", mode, *ALLOCATORS.values()]), "2")


def test_one_build_is_opened_under_the_other():
    default, fast = ALLOCATORS.values()
    assert_prints(run([SUBJECTS / "opener", "local", fast], default), "1")
    assert_prints(run([SUBJECTS / "opener", "local", default], fast), "1")
