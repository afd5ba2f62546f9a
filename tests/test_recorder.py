"""The recorder in front of small programs made for it, and of real ones: what it writes is what
they did, and they do not notice."""

import collections
import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from places import BUILD, REPO
from raw_recording import UNIT, WINDOW_MAGIC, read_file, read_header, read_records

from frontend.allocators import registry
from frontend.recording import control

SUBJECTS = BUILD / "tests" / "subjects"
SIZE_MAX = 2**64 - 1
MARK = 777777
STEP, HUGE = 16 << 10, 2 << 20
JEMALLOC = "libjemalloc.so.2"

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Recorder:
    """Runs commands under the recorder, with the raw files in one directory."""

    def __init__(self, directory, library=BUILD / "librecord.so"):
        self.directory = directory
        self.library = library

    def environment(self, preload="", **more):
        return {
            **os.environ,
            "LD_PRELOAD": f"{self.library} {preload}".strip(),
            "SPANBENCH_RECORD_DIR": str(self.directory),
        } | more

    def run(self, *command, preload="", limits=(), **more):
        """`limits`: of the command, as (resource, bytes) pairs."""

        def limit():
            for name, most in limits:
                resource.setrlimit(name, (most, most))

        return subprocess.run(
            [str(word) for word in command],
            env=self.environment(preload, **more),
            preexec_fn=limit if limits else None,
            capture_output=True,
            timeout=60,
        )

    def files(self):
        """Raw files by process, in order of their images."""
        found = collections.defaultdict(list)
        for path in self.directory.glob("*-*.raw"):
            found[int(path.name.split("-")[0])].append(path)
        for paths in found.values():
            paths.sort(key=lambda path: int(path.stem.split("-")[1]))
        return found

    def root(self):
        """Raw files of the root process."""
        return self.files()[int((self.directory / "root").read_text())]

    def only(self):
        (path,) = self.root()
        return path


@pytest.fixture
def recorder(tmp_path):
    directory = tmp_path / "a recording"
    directory.mkdir(mode=0o700)
    return Recorder(directory)


@pytest.fixture(params=["librecord.so", "librecord-sites.so"])
def either_recorder(request, recorder, monkeypatch):
    """Without call sites, and with as deep ones as can be."""
    monkeypatch.setenv("SPANBENCH_RECORD_SITES", "8")
    recorder.library = BUILD / request.param
    return recorder


def compile_raw(path, *options):
    """What `trace compile --json` says; the trace goes beside the raw file."""
    command = [BUILD / "trace", "compile", "--json", *options, path, "-o", trace_of(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def trace_of(path):
    return path.with_suffix(".trace")


def trace_info(path):
    done = subprocess.run([BUILD / "trace", "info", trace_of(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def disk_bytes(path):
    """What a file takes on the disk; its size counts the holes."""
    return path.stat().st_blocks * 512


def count_calls(path, kind, size):
    return sum(record.kind == kind and record.size == size for record in read_records(path))


def assert_clean(counts):
    names = ("unknown_frees", "unknown_reallocs", "repaired_inversions", "lost_ops")
    assert {name: counts[name] for name in names} == dict.fromkeys(names, 0)


def between_marks(records):
    marks = [i for i, record in enumerate(records) if record.size == MARK]
    assert len(marks) == 2
    return records[marks[0] + 1 : marks[1]]


def test_every_call_is_recorded_exactly(either_recorder):
    assert either_recorder.run(SUBJECTS / "every_call").returncode == 0
    calls = between_marks(read_records(either_recorder.only()))
    told = [
        (call.kind, call.size, bool(call.address), *(call.more if call.kind != "realloc" else ()))
        for call in calls
    ]
    assert told == [
        ("malloc", 100, True),
        ("realloc", 200000, True),
        ("free", 0, True),
        ("calloc", 11, True, 7),
        ("realloc", 100, True),
        ("realloc", SIZE_MAX, False),
        ("free", 0, True),
        ("free", 0, False),
        ("realloc", 65535, True),
        ("free", 0, True),
        ("malloc", 65534, True),
        ("free", 0, True),
        ("aligned_alloc", 640, True, 64),
        ("free", 0, True),
        ("memalign", 1000, True, 128),
        ("free", 0, True),
        ("posix_memalign", 70000, True, 256),
        ("free", 0, True),
        ("posix_memalign", 10, False, 3),
        ("free", 0, False),
        ("valloc", 10, True),
        ("free", 0, True),
        ("pvalloc", 20, True),
        ("free", 0, True),
        ("malloc", SIZE_MAX // 2, False),
        ("free", 0, False),
        ("malloc", 0, True),
        ("free", 0, True),
    ]


def test_every_call_names_the_right_blocks(recorder):
    recorder.run(SUBJECTS / "every_call")
    live = set()
    stamp = 0
    for call in read_records(recorder.only()):
        assert call.stamp >= stamp
        stamp = call.stamp
        old = call.more[0] if call.kind == "realloc" else call.address
        if call.kind in ("free", "realloc") and old and (call.address or call.kind == "free"):
            live.remove(old)
        if call.kind == "realloc":
            assert call.more[1] & (2**56 - 1) <= call.stamp
        if call.kind != "free" and call.address:
            assert call.address not in live
            live.add(call.address)


def test_header_says_where_it_came_from(recorder):
    recorder.run(SUBJECTS / "ending", "1", "return\n\x1bé\udcff")
    path = recorder.only()
    data = read_file(path)
    header = read_header(data.replace(b"\xff", b"?"))
    assert header.text["program"] == "ending"
    assert header.text["command"].endswith("ending 1 return  é?")
    assert header.text["date"].endswith("Z") and header.text["libc"].startswith("glibc 2.")
    assert (header.image, header.parent, header.lost_ops) == (0, 0, 0)
    assert compile_raw(path, "--origin", "host=here")["threads"] == 1
    origin = trace_info(path)["origin"]
    assert origin["command"] == header.text["command"]
    assert origin["source"] == "recorded" and origin["host"] == "here"


@pytest.mark.parametrize("preload", ["", JEMALLOC])
def test_hand_offs_between_threads_are_in_order(recorder, preload):
    assert recorder.run(SUBJECTS / "hand_off", "200000", preload=preload).returncode == 0
    path = recorder.only()
    counts = compile_raw(path)
    assert_clean(counts)
    assert counts["threads"] == 5
    assert counts["ops"] > 4 * 200000 * 2
    assert trace_info(path)["handoffs"] >= 64


def test_short_threads_are_recorded_to_their_end(recorder):
    assert recorder.run(SUBJECTS / "short_threads", "2000").returncode == 0
    path = recorder.only()
    threads = collections.defaultdict(list)
    for record in read_records(path):
        threads[record.thread].append(record)
    assert len(threads) == 2001
    del threads[0]
    for records in threads.values():
        (block,) = [call.address for call in records if call.size == 12345]
        assert any(call.kind == "free" and call.address == block for call in records)
        assert records[-1].kind == "thread_end"
    assert disk_bytes(path) < 4 << 20
    assert_clean(compile_raw(path))
    assert trace_info(path)["by_kind"]["thread_end"] == 2000


@pytest.mark.parametrize(
    "how, status", [("return", 4), ("_exit", 3), ("abort", -6), ("kill", -signal.SIGKILL)]
)
def test_nothing_is_lost_at_the_end(recorder, how, status):
    done = recorder.run(SUBJECTS / "ending", "30000", how)
    assert (done.returncode, done.stdout, done.stderr) == (status, b"30000\n", b"")
    assert count_calls(recorder.only(), "malloc", 4321) == 30000
    assert_clean(compile_raw(recorder.only()))


def test_killed_from_outside(recorder):
    command = [SUBJECTS / "ending", "1000", "wait"]
    with subprocess.Popen(command, env=recorder.environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"1000\n"
        process.kill()
    assert count_calls(recorder.only(), "malloc", 4321) == 1000
    compile_raw(recorder.only())
    assert trace_info(recorder.only())["duration_ns"] < 10**10


@pytest.mark.parametrize("mode", ["fork", "raw"])
def test_forked_child_has_its_own_file(recorder, mode):
    assert recorder.run(SUBJECTS / "forking", mode).returncode == 5
    parent = recorder.only()
    (child,) = [path for (path,) in recorder.files().values() if path != parent]
    assert count_calls(parent, "malloc", 4444) == 5000
    assert count_calls(parent, "malloc", 2222) == 0
    assert count_calls(child, "malloc", 2222) == 5000
    assert count_calls(child, "malloc", 4444) == 0
    assert read_header(read_file(child)).parent == read_header(read_file(parent)).pid
    assert_clean(compile_raw(parent))
    assert compile_raw(child)["unknown_frees"] == 1


def test_vfork_and_exec(recorder):
    assert recorder.run(SUBJECTS / "forking", "vfork").returncode == 7
    parent = recorder.only()
    (child,) = [path for (path,) in recorder.files().values() if path != parent]
    assert count_calls(parent, "malloc", 4444) == 5000
    assert count_calls(child, "malloc", 3333) == 1
    assert_clean(compile_raw(parent))


@pytest.mark.parametrize("children", ["0", "1"])
def test_each_image_of_the_root_has_a_file(recorder, children):
    done = recorder.run(SUBJECTS / "forking", "chain", "3", SPANBENCH_RECORD_CHILDREN=children)
    assert done.returncode == 6
    assert [count_calls(path, "malloc", 3333) for path in recorder.root()] == [1, 1, 1, 1]


@pytest.mark.parametrize("mode", ["fork", "raw", "vfork"])
def test_children_can_be_left_out(recorder, mode):
    recorder.run(SUBJECTS / "forking", mode, SPANBENCH_RECORD_CHILDREN="0")
    assert list(recorder.files()) == [int((recorder.directory / "root").read_text())]
    assert count_calls(recorder.only(), "malloc", 4444) == 5000


def test_cleared_environment_ends_the_recording(recorder):
    done = recorder.run(SUBJECTS / "forking", "cleared")
    assert (done.returncode, done.stderr) == (7, b"")
    assert count_calls(recorder.only(), "malloc", 1111) == 1


def run_obstacles(recorder, *words, **options):
    """Runs the subject both ways; the program must not see a difference."""
    plain = subprocess.run([SUBJECTS / "obstacles", *words], capture_output=True)
    done = recorder.run(SUBJECTS / "obstacles", *words, **options)
    assert done.returncode == 0 and done.stderr == b""
    return plain.stdout, done.stdout


@pytest.mark.parametrize("how", ["none", "closeall"])
def test_no_descriptor_stays_open(recorder, how):
    plain, recorded = run_obstacles(recorder, how)
    assert recorded == plain and b"errno kept" in plain
    assert count_calls(recorder.only(), "malloc", 2000) == 100000
    assert_clean(compile_raw(recorder.only()))


@ROOT
@pytest.mark.parametrize("how", ["chroot", "setuid"])
def test_recording_goes_on_out_of_reach(recorder, tmp_path, how):
    run_obstacles(recorder, how, str(tmp_path) if how == "chroot" else "65534")
    assert count_calls(recorder.only(), "malloc", 2000) == 100000
    assert_clean(compile_raw(recorder.only()))


def assert_losses_are_counted(path, why):
    counts = compile_raw(path)
    calls = [record for record in read_records(path) if record.kind != "realloc"]
    assert counts["lost_why"] == why
    assert 0 < counts["lost_ops"] < 200101
    assert 200100 <= counts["lost_ops"] + len(calls) <= 200110
    assert int(trace_info(path)["losses"]["lost_ops"]) == counts["lost_ops"]


@pytest.mark.parametrize("how", ["fsize", "nofile"])
def test_limits_that_come_later_cost_nothing(recorder, how):
    plain, recorded = run_obstacles(recorder, how)
    assert recorded == plain
    assert count_calls(recorder.only(), "malloc", 2000) == 100000
    assert_clean(compile_raw(recorder.only()))


def windows_of(path):
    """(offset, bytes that it was given, thread) of each window of a raw file, in its order."""
    data = read_file(path)
    found = []
    for offset in range(UNIT, len(data), UNIT):
        magic, given, thread = struct.unpack_from("<QQI", data, offset)
        if magic == WINDOW_MAGIC:
            found.append((offset, given, thread))
    return found


@pytest.mark.parametrize("pairs, windows, most", [(10, 1, STEP), (2500, 2, UNIT)])
def test_a_thread_is_given_what_it_will_fill(recorder, pairs, windows, most):
    """A step at first; when it has filled a window, a whole one."""
    assert recorder.run(SUBJECTS / "ending", str(pairs), "return").returncode == 4
    path = recorder.only()
    assert [offset // UNIT for offset, _, _ in windows_of(path)] == [1, 2][:windows]
    assert windows_of(path)[-1] == (windows * UNIT, most, 0)
    assert disk_bytes(path) < (windows - 1) * UNIT + most + UNIT


def test_a_busy_thread_is_given_what_huge_pages_may_serve(recorder):
    run_obstacles(recorder, "none")
    offsets = [offset // UNIT for offset, _, _ in windows_of(recorder.only())]
    busy = HUGE // UNIT
    assert offsets == [*range(1, 17), *range(busy, busy + len(offsets) - 16)]
    assert len(offsets) > 40
    assert disk_bytes(recorder.only()) < (len(offsets) + 1) * UNIT + HUGE


def test_slow_threads_stay_out_of_the_way_of_a_busy_one(recorder):
    """A thread that makes a few calls takes no place in a huge page, whoever made it first."""
    assert recorder.run(SUBJECTS / "busy_and_slow", "60", "200000").returncode == 0
    windows = windows_of(recorder.only())
    calls = collections.Counter(record.thread for record in read_records(recorder.only()))
    busy = {thread for thread, count in calls.items() if count > 100000}
    assert len(busy) == 1 and len(calls) == 61
    ours = [offset // HUGE for offset, _, thread in windows if thread in busy]
    ours = set(ours[16:])
    others = {offset // HUGE for offset, _, thread in windows if thread not in busy}
    assert len(ours) > 1 and len(others) > 1 and not ours & others
    assert {given for _, given, thread in windows if thread not in busy} == {STEP}
    assert_clean(compile_raw(recorder.only()))


BUSY_THREADS = """
import threading
def churn():
    for _ in range(30000):
        [None] * 100
for _ in range(32):
    thread = threading.Thread(target=churn)
    thread.start()
    thread.join()
print(sum(".raw" in line for line in open("/proc/self/maps")))
"""


def test_what_a_busy_thread_had_claimed_ends_with_it(recorder):
    command = ["/usr/bin/python3", "-c", BUSY_THREADS]
    done = recorder.run(*command, PYTHONMALLOC="malloc")
    assert (done.returncode, done.stderr) == (0, b"")
    assert 0 < int(done.stdout) < 16
    counts = compile_raw(recorder.only())
    assert_clean(counts)
    assert counts["ops"] > 32 * 4 * 30000


MAPPINGS = """
for _ in range({lists}):
    [None] * 100
maps = open("/proc/self/smaps").read().split("VmFlags:")
for before, after in zip(maps, maps[1:]):
    first = [line for line in before.splitlines() if "-" in line.split()[0]][-1]
    if ".raw" in first:
        start, end = (int(word, 16) for word in first.split()[0].split("-"))
        flags = after.splitlines()[0].split()
        print(end - start, "rr" in flags, "hg" in flags)
"""


@pytest.mark.parametrize("lists, huge", [(100, 0), (60000, 1)])
def test_the_kernel_is_told_what_becomes_of_the_file(recorder, lists, huge):
    """Nothing is read ahead; and a thread that is busy gets huge pages, where there are any."""
    command = ["/usr/bin/python3", "-c", MAPPINGS.format(lists=lists)]
    done = recorder.run(*command, PYTHONMALLOC="malloc")
    assert (done.returncode, done.stderr) == (0, b"")
    found = [line.split() for line in done.stdout.decode().splitlines()]
    assert len(found) > 1 and {random for _, random, _ in found} == {"True"}
    sizes = [int(size) for size, _, is_huge in found if is_huge == "True"]
    if os.path.exists("/sys/kernel/mm/transparent_hugepage"):
        assert sizes == [HUGE] * huge


@pytest.mark.parametrize("most", [1 << 20, 3 << 19])
def test_a_limit_on_the_disk_holds_for_busy_threads(recorder, most):
    control.create(recorder.directory, control.ALWAYS, most)
    run_obstacles(recorder, "none")
    (path,) = recorder.directory.glob("*.raw")
    assert most - UNIT < disk_bytes(path) <= most
    assert compile_raw(path)["lost_why"] == "--max-size"


def test_limit_on_file_size_costs_calls_but_not_the_program(recorder):
    plain, recorded = run_obstacles(recorder, "none", limits=[(resource.RLIMIT_FSIZE, 300000)])
    assert recorded == plain
    assert_losses_are_counted(recorder.only(), "File too large")


@pytest.mark.parametrize("size", [0, 100000])
def test_limit_that_leaves_no_room_for_a_file(recorder, size):
    plain, recorded = run_obstacles(recorder, "none", limits=[(resource.RLIMIT_FSIZE, size)])
    assert recorded == plain
    assert not recorder.files()


def test_little_address_space_is_the_program_s(recorder):
    most = 40 << 20
    plain, recorded = run_obstacles(recorder, "space", limits=[(resource.RLIMIT_AS, most)])
    assert recorded == plain
    assert count_calls(recorder.only(), "malloc", 2000) == 100000
    assert_clean(compile_raw(recorder.only()))


DESCRIPTORS = ("reuse", "over", "watch", "wait", "many", "filter", "priority")


@pytest.mark.parametrize("forked", ["", "forked"])
@pytest.mark.parametrize("how", DESCRIPTORS)
def test_threads_meet_no_descriptor_and_no_child_of_ours(recorder, how, forked):
    command = [SUBJECTS / "descriptors", how, *forked.split()]
    if subprocess.run(command, capture_output=True).returncode == 77:
        pytest.skip("the system does not allow it")
    done = recorder.run(*command)
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, f"{how}: 0 wrong\n", b"")
    root = recorder.only()
    others = [path for (path,) in recorder.files().values() if path != root]
    assert len(others) == bool(forked)
    counts = compile_raw(root)
    assert_clean(counts)
    for path in others:  # begun by a thread, after calls that found no descriptor
        counts = compile_raw(path)
        assert counts["lost_ops"] > 0 and counts["lost_why"] == "Too many open files"
    assert counts["ops"] > 1000


@pytest.fixture
def public_folder():
    """One that every user may write to."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


@ROOT
def test_refused_helper_costs_calls_but_not_the_program(public_folder):
    recorder = Recorder(public_folder)
    done = recorder.run(SUBJECTS / "descriptors", "refused", "forked")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"refused: 0 wrong\n", b"")
    recorder.only()
    assert len(recorder.files()) == 1


# One that is full before a thread counts as busy, one that is full later, and one with huge pages.
DISKS = ("tmpfs 256k", "tmpfs 2m", "ext4 3m")


@pytest.fixture(params=DISKS)
def small_disk(request, tmp_path):
    """A file system that is too small for what `obstacles` does."""
    kind, size = request.param.split()
    folder = tmp_path / "small disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if kind == "ext4":
        image = tmp_path / "image"
        subprocess.run(["truncate", "-s", size, image], check=True)
        make = ["/sbin/mkfs.ext4", "-q", "-F", "-O", "^has_journal", image]
        if not os.path.exists(make[0]) or subprocess.run(make, capture_output=True).returncode != 0:
            pytest.skip("may not make a file system of that kind")
        mount = ["mount", "-o", "loop", str(image), str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("may not mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_costs_calls_but_not_the_program(small_disk, tmp_path):
    recorder = Recorder(small_disk)
    plain, recorded = run_obstacles(recorder, "none")
    assert recorded == plain
    raw = tmp_path / recorder.only().name
    raw.write_bytes(read_file(recorder.only()))
    assert_losses_are_counted(raw, "No space left on device")


KERNELS = SUBJECTS / "librecord-kernels.so"


@pytest.mark.parametrize("kernel", ["pages16", "pages64", "old", "bare", "small", "emulated"])
def test_other_kernels_and_file_systems_lose_nothing(recorder, kernel):
    recorder.library = KERNELS
    done = recorder.run(SUBJECTS / "hand_off", "50000", RECORDER_KERNEL=kernel)
    assert (done.returncode, done.stderr) == (0, b"")
    counts = compile_raw(recorder.only())
    assert_clean(counts)
    assert counts["ops"] > 4 * 50000 * 2


def test_file_system_without_holes_holds_less(recorder):
    recorder.library = KERNELS
    assert recorder.run(SUBJECTS / "hand_off", "200000", RECORDER_KERNEL="solid").returncode == 0
    counts = compile_raw(recorder.only())
    assert counts["ops"] > 200000 and counts["lost_why"] == "File too large"


@pytest.mark.parametrize("kernel", ["old", "pages64"])
def test_full_disk_on_other_kernels(small_disk, tmp_path, kernel):
    recorder = Recorder(small_disk, KERNELS)
    done = recorder.run(SUBJECTS / "obstacles", "none", RECORDER_KERNEL=kernel)
    assert (done.returncode, done.stderr) == (0, b"")
    raw = tmp_path / recorder.only().name
    raw.write_bytes(read_file(recorder.only()))
    assert_losses_are_counted(raw, "No space left on device")


def test_kernel_of_large_pages_refuses_small_units(recorder, tmp_path):
    """What makes the tests above worth something: units of 4 KiB lose every call there."""
    sources = tmp_path / "sources"
    sources.mkdir()
    for path in sorted((REPO / "workloads").glob("record*.[ch]")):
        shutil.copy(path, sources)
    shutil.copy(REPO / "workloads" / "trace.h", sources)
    header = (REPO / "workloads" / "raw.h").read_text()
    small = re.sub(r"(RAW_UNIT|RAW_STEP) = \d+ << 10", r"\1 = 4 << 10", header)
    assert small != header
    (sources / "raw.h").write_text(small)
    recorder.library = tmp_path / "small_units.so"
    command = ["gcc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-fPIC", "-shared"]
    command += ["-fvisibility=hidden", "-Wl,--wrap=sys_call", "-o", recorder.library]
    command += [*sources.glob("*.c"), REPO / "tests" / "subjects" / "kernel_library.c"]
    subprocess.run(command, check=True)
    assert recorder.run(SUBJECTS / "ending", "10", "return", RECORDER_KERNEL="none").returncode == 4
    recorder.only().unlink()
    done = recorder.run(SUBJECTS / "ending", "10", "return", RECORDER_KERNEL="pages64")
    assert done.returncode == 4
    assert not recorder.files()


SHIM = SUBJECTS / "locking_library.so"


@pytest.mark.parametrize("order", ["before", "behind"])
def test_another_library_locks_and_allocates_in_what_it_stands_before(either_recorder, order):
    preload = str(SHIM)
    if order == "before":
        either_recorder.library, preload = SHIM, str(either_recorder.library)
    done = either_recorder.run(SUBJECTS / "shim_caller", preload=preload)
    assert (done.returncode, done.stderr) == (0, b"")
    assert int(done.stdout) > time.time() + 9e8
    paths = [path for (path,) in either_recorder.files().values()]
    assert len(paths) == 2
    for path in paths:
        counts = compile_raw(path)
        assert (counts["lost_ops"], counts["repaired_inversions"]) == (0, 0)
        assert counts["threads"] >= 6 and counts["ops"] > 2 * 5 * 3000
        header = read_header(read_file(path))
        assert header.text["date"] < f"{2 + int(time.strftime('%Y'))}"
        assert header.last_ns - header.start_ns < 10**11
        assert trace_info(path)["by_kind"]["thread_end"] >= 5


@pytest.mark.skipif(shutil.which("musl-gcc") is None, reason="musl-tools is not installed")
def test_recorder_on_musl(recorder, tmp_path):
    """There starting a thread takes no malloc, so that the first thread has none here."""
    recorder.library = tmp_path / "librecord.so"
    options = ["-std=c11", "-D_GNU_SOURCE", f"-I{REPO}", "-O2", "-Wall", "-Wextra", "-Werror"]
    library = ["-fPIC", "-fvisibility=hidden", "-shared", *(REPO / "workloads").glob("recorder*.c")]
    for words in (
        [*library, "-o", recorder.library],
        ["-fno-builtin", REPO / "tests/subjects/short_threads.c", "-o", tmp_path / "program"],
    ):
        subprocess.run(["musl-gcc", *options, *words], check=True)
    done = recorder.run(tmp_path / "program", "20")
    assert (done.returncode, done.stderr) == (0, b"")
    counts = compile_raw(recorder.only())
    assert_clean(counts)
    assert counts["threads"] == 20
    assert trace_info(recorder.only())["by_kind"]["thread_end"] == 20


def test_32_bit_systems_are_refused_clearly():
    command = ["gcc", "-m32", "-fsyntax-only", "-D_GNU_SOURCE", REPO / "workloads/recorder_sys.c"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert "the recorder needs a 64-bit system" in done.stderr


def test_the_recorder_asks_little_of_libc():
    """What is called from inside malloc is harmless wherever it comes from; the rest is called
    from the constructor alone, or is libc's own."""
    inside = {"__errno_location", "memmove", "memcpy", "memset", "strlen"}
    constructor = {"__register_atfork", "gnu_get_libc_version", "pthread_key_create"}
    resolved = {"pthread_setspecific", "dlsym"}  # where libc's own, or a list, cannot be read
    # At the first call of an operator of C++, to find the next one; it is not inside malloc.
    operators = {"dladdr", "dladdr1", "dlopen", "dlclose", "dlerror", "abort"}
    data = {"environ", "__environ", "_r_debug", "__libc_single_threaded"}
    command = ["nm", "-D", "--undefined-only", BUILD / "librecord.so"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    names = {line.split()[-1].split("@")[0] for line in lines if " U " in line}
    assert names - inside - constructor - resolved - operators - data == set()


def test_missing_directory_is_harmless(recorder):
    recorder.directory.rmdir()
    done = recorder.run(SUBJECTS / "ending", "10", "return")
    assert (done.returncode, done.stdout, done.stderr) == (4, b"10\n", b"")


def test_signal_handlers_may_call_malloc(either_recorder, shared_objects):
    bears_it = shared_objects / "liballocator.so"
    done = either_recorder.run(SUBJECTS / "interrupted", preload=str(bears_it))
    assert done.returncode == 0
    path = either_recorder.only()
    assert int(done.stdout) >= 200
    assert count_calls(path, "malloc", 48) == 100000
    assert 200 <= count_calls(path, "malloc", 64) <= int(done.stdout)
    assert compile_raw(path)["lost_why"] in ("", "signal handlers")


def test_shell_script_of_many_commands(recorder):
    script = "for i in 1 2 3 4 5 6 7 8 9 10; do for j in 1 2 3 4 5 6 7 8 9 10; do"
    script += " /bin/echo $i $j; done; done | tail -n 1"
    done = recorder.run("sh", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"10 10\n", b"")
    files = [path for paths in recorder.files().values() for path in paths]
    programs = [read_header(read_file(path)).text["program"] for path in files]
    assert programs.count("echo") == 100
    assert all(disk_bytes(path) <= 128 << 10 for path in files)


PYTHON = "import threading, json; print(len(json.dumps([{str(i): i} for i in range(20000)])))"
PROGRAMS = {
    "python3": ["/usr/bin/python3", "-c", PYTHON],
    "perl": ["perl", "-e", "my %h; $h{$_} = 'x' x ($_ % 99) for 1..20000; print scalar %h"],
    "git": ["git", "version", "--build-options"],
    "sort": ["sort", "--parallel=2", "-r", __file__],
    "gcc": ["gcc", "-O2", "-S", "-x", "c", "-o", "-", SUBJECTS.parent / "x.c"],
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_real_programs_do_not_notice(recorder, tmp_path, name):
    command = list(map(str, PROGRAMS[name]))
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    if name == "gcc":
        command[-1] = str(tmp_path / "x.c")
        (tmp_path / "x.c").write_text("int f(int x) { return x * 3; }\n")
    plain = subprocess.run(command, capture_output=True)
    done = recorder.run(*command)
    assert (done.returncode, done.stdout, done.stderr) == (0, plain.stdout, plain.stderr)
    for paths in recorder.files().values():
        for path in paths:
            counts = compile_raw(path)
            assert (counts["repaired_inversions"], counts["lost_ops"]) == (0, 0)


ALLOCATORS_BEHIND = ["", "jemalloc", "mimalloc", "tcmalloc"]
OPERATORS = SUBJECTS / "operators"


def library_of(name):
    """The file of an allocator, of any version; "" for no name. Skips where there is none."""
    if not name:
        return ""
    allocator = registry.find(name)
    if not allocator:
        pytest.skip(f"{name}: not installed")
    return allocator.path


def operator_calls(path):
    """(kind, size, alignment if it has one, whether it gave a block) of the calls between marks."""
    calls = between_marks(read_records(path))
    return [(call.kind, call.size, *call.more, bool(call.address)) for call in calls]


@pytest.mark.parametrize("behind", ALLOCATORS_BEHIND)
def test_each_operator_of_cxx_is_one_call(recorder, behind):
    done = recorder.run(OPERATORS, "each", preload=library_of(behind))
    assert done.returncode == 0
    plain = [("malloc", size, True) for size in range(101, 107)]
    aligned = [("aligned_alloc", size, 64, True) for size in range(107, 113)]
    sized = [("malloc", 113, True), ("aligned_alloc", 128, 64, True)]
    free = ("free", 0, True)
    assert operator_calls(recorder.only()) == [
        call for block in (*plain, *aligned, *sized) for call in (block, free)
    ]
    assert_clean(compile_raw(recorder.only()))


@pytest.mark.parametrize("behind", ["", "jemalloc", "tcmalloc"])
def test_exceptions_pass_through_the_recorder(recorder, behind):
    endless = (SIZE_MAX // 4,)
    assert recorder.run(OPERATORS, "fail", preload=library_of(behind)).returncode == 0
    calls = operator_calls(recorder.only())
    blocks = [call for call in calls if call[0] != "free"]
    assert blocks == [
        ("malloc", *endless, False),
        ("malloc", *endless, False),
        ("malloc", 120, True),
        ("aligned_alloc", *endless, 64, False),
        ("malloc", 121, True),
    ]


@pytest.mark.parametrize("behind", ALLOCATORS_BEHIND)
def test_programs_of_cxx_are_recorded_whole(recorder, behind):
    done = recorder.run(OPERATORS, "many", "300000", preload=library_of(behind))
    assert done.returncode == 0
    counts = compile_raw(recorder.only())
    assert_clean(counts)
    assert count_calls(recorder.only(), "malloc", 321) == 300000
    assert 600002 <= counts["ops"] < 600100


HEADED = """
#include <cstdlib>
#include <new>
static void *head(size_t size) { return static_cast<char *>(std::malloc(size + 32)) + 32; }
void *operator new(size_t size) { return head(size); }
void operator delete(void *p) noexcept { if (p) std::free(static_cast<char *>(p) - 32); }
int main()
{
    void *first = std::malloc(777777);
    ::operator delete(::operator new(100), size_t{100});
    ::operator delete[](::operator new[](200));
    ::operator delete[](::operator new[](300), size_t{300});
    void *last = std::malloc(777777);
    std::free(first);
    std::free(last);
}
"""


def compile_source(path, source, *flags):
    """Makes a program or library of source in C++ (or C, by the path's suffix)."""
    path.write_text(source)
    compiler = "gcc" if path.suffix == ".c" else "g++"
    command = [compiler, "-O1", "-w", "-fno-builtin", str(path), *flags]
    subprocess.run([*command, "-o", str(path.with_suffix(""))], check=True)
    return path.with_suffix("")


@pytest.mark.parametrize("flags", [["-pie", "-fPIE"], ["-no-pie", "-fno-pic"]])
def test_replaced_operators_are_recorded_as_their_mallocs(recorder, tmp_path, flags):
    program = compile_source(tmp_path / "headed.cc", HEADED, *flags)
    assert recorder.run(program).returncode == 0
    calls = operator_calls(recorder.only())
    assert [call[:2] for call in calls if call[0] == "malloc"] == [
        *(("malloc", 132), ("malloc", 232), ("malloc", 332))
    ]
    assert_clean(compile_raw(recorder.only()))


LOADER = """
#include <dlfcn.h>
int main(int argc, char **argv)
{
    for (int i = 0; i < 2; i++) {
        void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (!library || ((int (*)(void)) dlsym(library, "work"))() != 1)
            return 1;
        dlclose(library);
    }
    return dlerror() != 0;
}
"""
LOADED = """
#include <cstdint>
#include <cstdlib>
#include <new>
extern "C" int work()
{
    volatile size_t endless = SIZE_MAX / 4;
    for (int i = 0; i < 1000; i++)
        ::operator delete(::operator new(4321));
    try {
        ::operator delete(::operator new(endless));
    } catch (const std::bad_alloc &) {
        return 1;
    }
    return 0;
}
"""


def test_library_of_cxx_that_is_opened_late(recorder, tmp_path):
    loader = compile_source(tmp_path / "loader.c", LOADER)
    library = compile_source(tmp_path / "loaded.cc", LOADED, "-shared", "-fPIC")
    assert recorder.run(loader, library).returncode == 0
    assert count_calls(recorder.only(), "malloc", 4321) == 2000
    assert count_calls(recorder.only(), "malloc", SIZE_MAX // 4) == 2
    assert compile_raw(recorder.only())["repaired_inversions"] == 0


def test_extensions_of_cxx_in_python(recorder):
    code = "import matplotlib.ft2font, numpy, scipy.spatial; print('fine')"
    done = recorder.run("/usr/bin/python3", "-c", code)
    if done.returncode:
        pytest.skip("matplotlib or scipy is not installed")
    assert (done.stdout, done.stderr) == (b"fine\n", b"")
    assert_clean(compile_raw(recorder.only()))


SEEKER = """
#include <dlfcn.h>
#include <stddef.h>
int main(void)
{
    void *(*make)(size_t) = (void *(*)(size_t)) dlsym(RTLD_DEFAULT, "_Znwm");
    void (*drop)(void *) = (void (*)(void *)) dlsym(RTLD_DEFAULT, "_ZdlPv");
    void *(*try)(size_t, void *) =
        (void *(*)(size_t, void *)) dlsym(RTLD_DEFAULT, "_ZnwmRKSt9nothrow_t");
    drop(make(4321));
    drop(make(0));
    return try((size_t) -1 / 4, &make) != NULL;
}
"""


def test_operators_serve_where_there_is_no_library_of_cxx(recorder, tmp_path):
    seeker = compile_source(tmp_path / "seeker.c", SEEKER)
    assert recorder.run(seeker).returncode == 0
    assert count_calls(recorder.only(), "malloc", 4321) == 1
    assert_clean(compile_raw(recorder.only()))
