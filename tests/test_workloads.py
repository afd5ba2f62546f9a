"""The synthetic workloads as whole commands: what each does, as our own recorder saw it; that it
does the same again; and what the programs refuse."""

import json
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest
from places import BUILD, REPO
from raw_recording import read_records

MIB = 1 << 20
KEPT_BACK = 65536  # live bytes that each thread may not have told yet
PROFILE = REPO / "workloads" / "profiles" / "python3.profile"
PROGRAM = BUILD / "workload-glibc"
RECORDER = BUILD / "librecord.so"

# Options that make a run short, and still do all that the workload does.
SHORT = {
    "larson": "--ops 20000 --size 50",
    "xmalloc": "--ops 5000",
    "cache-scratch": "--ops 1000 --threads 3",
    "cache-thrash": "--ops 1000",
    "mstress": "--ops 40000 --size 100",
    "mleak": "--ops 400",
    "threadtest": "--ops 40000",
    "linux-scalability": "--ops 2000",
    "batch-lifo": "--ops 4000 --size 500",
    "batch-fifo": "--ops 4000 --size 500",
    "replace-10k": "--ops 20000 --size 1000",
    "replace-log": "--ops 40000 --size 100",
    "replace-pareto": "--ops 40000 --size 1000",
    "replace-large": "--ops 2000 --size 20",
    "heap-shuffle": "--ops 20000 --size 2000",
    "large-blocks": "--ops 20",
    "calloc-large": "--ops 10",
    "large-traffic": "--ops 20000 --size 16",
    "vector": "--ops 2000",
    "string-builder": "--ops 20000",
    "rope": "--ops 3000 --size 1000",
    "tree": "--ops 3000 --size 1000",
    "phases": "--ops 1 --size 1",
    "sawtooth": "--ops 5000 --size 1",
    "ramp": "--size 1",
    "ripples": "--ops 20000 --size 4",
    "cfrac-like": "--ops 20000",
    "espresso-like": "--ops 20000",
    "realloc-pingpong": "--ops 5000",
    "aligned": "--ops 5000 --size 100",
    "profile": f"--ops 20000 --size 1023 --profile {PROFILE}",
    "robson": "--size 1",
    "first-fit-bad": "--size 4",
    "best-fit-bad": "--size 4",
    "page-pins": "--size 1",
    "stress": "--ops 5000",
}
WITH_THREADS = {
    *("larson", "xmalloc", "cache-scratch", "cache-thrash", "mstress", "threadtest"),
    *("linux-scalability", "stress"),
}
MAKES_THREADS = {"larson", "mstress", "mleak", "stress"}
ADVERSARIES = ("robson", "first-fit-bad", "best-fit-bad", "page-pins")
VARYING = {"robson", "page-pins", "stress"}


def run(name, *options, allocator=None, **environment):
    """Runs a workload in the program that is linked with the C library: the finished process."""
    command = [str(PROGRAM), "--allocator", str(allocator or libc_path()), *options, name]
    together = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, env=together, timeout=60)


@cache
def libc_path():
    """The C library that the program runs on."""
    listing = subprocess.run(["ldd", str(PROGRAM)], capture_output=True, text=True).stdout
    return next(word for word in listing.split() if word.startswith("/") and "/libc.so" in word)


@cache
def figures(name, *options):
    """What a run that must succeed prints."""
    done = run(name, *(SHORT[name].split()), *options)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@cache
def listed():
    """{name: facts} as the program lists its workloads."""
    listing = subprocess.run([str(PROGRAM), "--list"], capture_output=True, text=True, check=True)
    return {facts["name"]: facts for facts in json.loads(listing.stdout)}


def record(name, options, folder):
    """Runs a workload under the recorder: (the finished process, the raw file in the folder)."""
    environment = {"LD_PRELOAD": str(RECORDER), "SPANBENCH_RECORD_DIR": folder}
    done = run(name, *SHORT[name].split(), *options, allocator=RECORDER, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    (raw,) = Path(folder).glob("*.raw")
    return done, raw


def records(name):
    """The calls of a workload in their order, as raw_recording has them."""
    with tempfile.TemporaryDirectory() as folder:
        _, raw = record(name, (), folder)
        return read_records(raw)


@cache
def recorded(name, *options):
    """(what the run printed, what `trace info` says of its recording)."""
    with tempfile.TemporaryDirectory() as folder:
        done, raw = record(name, options, folder)
        trace = [str(BUILD / "trace")]
        compiled = str(Path(folder) / "x.trace")
        subprocess.run(
            [*trace, "compile", "--json", str(raw), "-o", compiled],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        info = subprocess.run([*trace, "info", compiled], capture_output=True, text=True).stdout
    return json.loads(done.stdout), json.loads(info)


def kinds(info):
    """{kind: calls} of the kinds that occur, thread starts and ends left out."""
    return {k: n for k, n in info["by_kind"].items() if n and not k.startswith("thread")}


def blocks(info):
    """How many blocks were made."""
    made = kinds(info)
    return sum(made.values()) - made.get("free", 0) - made.get("realloc", 0)


def share(classes, low, high):
    """The share of the classes of a histogram that lie within low to high."""
    inside = sum(c["count"] for c in classes if low <= c["from"] and c["to"] <= high)
    return inside / sum(c["count"] for c in classes)


def spread(info):
    """(smallest, largest) size that may have been asked for."""
    return info["sizes"][0]["from"], info["sizes"][-1]["to"]


# What holds for all


def test_there_is_a_short_form_of_each():
    assert list(listed()) == list(SHORT)
    assert tuple(n for n, facts in listed().items() if facts["has_bound"]) == ADVERSARIES
    assert {n for n, facts in listed().items() if facts["varies"]} == VARYING


@pytest.mark.parametrize("name", SHORT)
def test_calls_and_live_bytes_are_what_the_recorder_saw(name):
    # A long realloc has no one point in time, so the peaks of stress agree on one thread only.
    told, info = recorded(name, *(("--threads", "1") if name == "stress" else ()))
    threads = info["threads"] - 1
    calls = sum(kinds(info).values()) - info["null_frees"]
    of_threads = 2 * threads  # the C library makes and frees a block for each
    assert told["ops"] <= calls <= told["ops"] + of_threads
    slack = 0 if threads == 0 else told["threads"] * KEPT_BACK
    assert (
        told["peak_live"] - slack <= info["peak_live"] <= told["peak_live"] + slack + 512 * threads
    )
    assert info["final_live"] == 0 and info["losses"] == {}
    assert told["refused"] == info["failed"] == 0


@pytest.mark.parametrize("name", SHORT)
def test_work_follows_from_seed_and_options(name):
    first = figures(name)
    again, other = (json.loads(run(name, *SHORT[name].split(), "--seed", s).stdout) for s in "12")
    work = ("ops", "checksum")
    if name not in VARYING:
        assert [first[key] for key in work] == [again[key] for key in work]
    unseeded = VARYING | {"first-fit-bad", "best-fit-bad", "cache-scratch", "cache-thrash"}
    unseeded |= {"threadtest", "linux-scalability", "realloc-pingpong"}
    if name not in unseeded:
        assert first["checksum"] != other["checksum"]


@pytest.mark.parametrize("name", ("replace-log", "tree", "phases", "aligned", "espresso-like"))
def test_one_thread_makes_the_same_calls_in_the_same_order(name):
    _, first = recorded(name)
    _, again = recorded(name, "--seed", "1")
    for key in ("by_kind", "sizes", "lifetimes", "top_sizes", "peak_live", "slots"):
        assert first[key] == again[key]


@pytest.mark.parametrize("name", sorted(set(SHORT) - {"xmalloc"}))
def test_any_number_of_threads_will_do(name):
    one, three = figures(name, "--threads", "1"), figures(name, "--threads", "3")
    assert (one["threads"], three["threads"]) == (1, 3)
    if name not in VARYING:
        assert three["ops"] == pytest.approx(3 * one["ops"], rel=0.25)


@pytest.mark.parametrize("name", sorted(set(SHORT) - WITH_THREADS - MAKES_THREADS))
def test_a_workload_of_one_thread_is_a_process_of_one_thread(name):
    _, info = recorded(name)
    assert (info["threads"], info["handoffs"]) == (1, 0)


@pytest.mark.parametrize("build", ("span", "span-fast"))
@pytest.mark.parametrize("name", SHORT)
def test_all_run_on_both_builds_of_span(build, name):
    command = [str(BUILD / f"workload-{build}"), "--allocator", str(BUILD / f"lib{build}.so")]
    done = subprocess.run([*command, *SHORT[name].split(), name], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    told, reference = json.loads(done.stdout), figures(name)
    if name not in VARYING:
        assert (told["ops"], told["checksum"]) == (reference["ops"], reference["checksum"])


def test_time_may_decide_instead_of_calls():
    done = run("replace-10k", "--seconds", "1")
    told = json.loads(done.stdout)
    assert 0.9e9 < told["real_time_ns"] < 3e9 and told["ops"] > 100_000


# What each is about


def test_larson_hands_blocks_from_dead_threads_to_new_ones():
    _, info = recorded("larson")
    generations = (info["threads"] - 2) / 2
    assert generations >= 4
    assert info["handoffs"] >= 2 * 50 * (generations - 1) * 0.9


def test_all_blocks_of_xmalloc_are_freed_by_another_thread():
    told, info = recorded("xmalloc")
    assert info["handoffs"] == told["ops"] / 2 == kinds(info)["malloc"]


def test_cache_scratch_hands_one_block_to_each_thread_and_cache_thrash_none():
    assert recorded("cache-scratch")[1]["handoffs"] == 2
    told, info = recorded("cache-thrash")
    assert info["handoffs"] == 0 and told["peak_live"] <= 2 * 16


def test_objects_of_mstress_wander_and_threads_come_and_go():
    _, info = recorded("mstress")
    assert info["threads"] > 6
    assert info["handoffs"] > 100
    assert spread(info)[1] > 100_000


def test_mleak_is_as_many_threads_as_twenties_of_blocks():
    told, info = recorded("mleak")
    assert info["threads"] - 1 == told["ops"] / 40 and info["slots"] <= 21


def test_threads_of_threadtest_and_linux_scalability_share_nothing():
    _, batches = recorded("threadtest")
    _, pairs = recorded("linux-scalability")
    assert (batches["handoffs"], pairs["handoffs"]) == (0, 0)
    assert batches["slots"] > 10_000 and pairs["slots"] <= 3
    assert share(pairs["lifetimes"], 0, 1) > 0.99


def test_batches_are_freed_backwards_or_in_order():
    for name, order in (("batch-lifo", -1), ("batch-fifo", 1)):
        calls = [(r.kind, r.address) for r in records(name) if r.kind in ("malloc", "free")]
        made = [address for kind, address in calls[:500] if kind == "malloc"]
        freed = [address for kind, address in calls[500:1000] if kind == "free"]
        assert len(made) == 500 and freed == made[::order]


@pytest.mark.parametrize(
    "name, slots", [("10k", 1000), ("log", 100), ("pareto", 1000), ("large", 20)]
)
def test_replacement_keeps_its_working_set(name, slots):
    _, info = recorded(f"replace-{name}")
    assert info["slots"] == slots and set(kinds(info)) == {"malloc", "free"}


def test_sizes_of_replacement_are_distributed_as_told():
    names = ("10k", "log", "pareto", "large")
    sizes = {name: recorded(f"replace-{name}")[1]["sizes"] for name in names}
    assert share(sizes["large"], 128 << 10, (1 << 20) - 1) == 1
    assert share(sizes["10k"], 16, 511) > 0.99
    assert share(sizes["10k"], 256, 511) == pytest.approx(256 / 497, abs=0.03)
    assert [share([c], c["from"], c["to"]) for c in sizes["log"]] == [1] * 11
    for low in (16, 256, 16384):
        assert share(sizes["log"], low, 2 * low - 1) == pytest.approx(1 / 11, abs=0.02)
    assert share(sizes["pareto"], 16, 31) == pytest.approx(0.5, abs=0.02)
    assert 0 < share(sizes["pareto"], 4096, 65535) < 0.01


def test_heap_shuffle_renews_half_of_its_blocks():
    told, info = recorded("heap-shuffle")
    assert (
        info["slots"] == 2000 and blocks(info) == 2000 + 9 * 1000 == told["ops"] / 2 - 1000 + 1000
    )


def test_large_blocks_are_large_and_calloc_large_calls_nothing_else():
    _, plain = recorded("large-blocks")
    _, zeroed = recorded("calloc-large")
    assert set(kinds(plain)) == {"malloc", "free"} and set(kinds(zeroed)) == {"calloc", "free"}
    for info in (plain, zeroed):
        assert info["slots"] <= 4 and all(
            5 * MIB <= t["size"] <= 25 * MIB for t in info["top_sizes"]
        )


def test_large_traffic_is_large_blocks_below_a_level_and_some_small_ones():
    told, info = recorded("large-traffic")
    large = [line for line in info["sizes"] if line["from"] >= 65536]
    small = [line for line in info["sizes"] if line["from"] < 65536]
    assert max(line["to"] for line in large) < 4 * MIB
    assert sum(line["count"] for line in large) > 100
    assert max(line["to"] for line in small) < 1024
    assert sum(line["count"] for line in small) > 10 * sum(line["count"] for line in large)
    assert 4 * MIB < told["peak_live"] <= 16 * MIB + 1000 * 512


def test_buffers_grow_by_realloc_and_ropes_do_not():
    _, vector = recorded("vector")
    _, builder = recorded("string-builder")
    _, rope = recorded("rope")
    assert vector["slots"] == 1 and vector["realloc_share"] > 0.7
    assert all(t["size"] & (t["size"] - 1) == 0 for t in vector["top_sizes"])
    assert builder["slots"] == 100 and builder["realloc_share"] > 0.9
    assert rope["slots"] == 1000 and rope["realloc_share"] == 0


def test_a_tree_grows_and_is_torn_down():
    told, info = recorded("tree")
    assert info["slots"] == 1000 and told["ops"] == 4000
    assert spread(info) == (32, 127)


def test_phases_are_of_rows_and_of_words():
    _, info = recorded("phases")
    assert share(info["sizes"], 16, 511) + share(info["sizes"], 4096, 65535 + 1) == 1
    assert info["peak_live"] == pytest.approx(MIB, rel=0.07)


def test_sawtooth_rises_again_and_ramp_rises_once():
    saw, saw_info = recorded("sawtooth")
    ramp, ramp_info = recorded("ramp")
    for info in (saw_info, ramp_info):
        assert MIB <= info["peak_live"] <= MIB + 16384
    assert blocks(saw_info) > 3 * saw_info["slots"]
    assert blocks(ramp_info) == ramp_info["slots"]


def test_ripples_stay_near_their_level():
    _, info = recorded("ripples")
    assert 4 * MIB <= info["peak_live"] <= 4 * MIB + 2**16
    low, high = spread(info)
    assert 16 <= low and high < 2**16 and blocks(info) > 5 * info["slots"]


def test_memory_is_not_lost_in_gaps_over_time():
    """Of span-fast, which once took half as much again as was live."""
    program, library = BUILD / "workload-span-fast", BUILD / "libspan-fast.so"
    command = [program, "--allocator", library, "--ops", "500000", "ripples"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    told = json.loads(done.stdout)
    assert told["peak_rss"] < 1.2 * told["peak_live"]


def test_numbers_of_cfrac_are_tiny_and_die_young():
    _, info = recorded("cfrac-like")
    assert spread(info) == (8, 63) and share(info["lifetimes"], 0, 15) > 0.8
    assert info["slots"] <= 512 + 6


def test_sets_of_espresso_come_in_widths():
    _, info = recorded("espresso-like")
    assert share(info["sizes"], 16, 255) > 0.9 and 0.01 < info["realloc_share"] < 0.2


def test_pingpong_goes_back_and_forth():
    _, info = recorded("realloc-pingpong")
    assert info["slots"] == 200 and info["realloc_share"] > 0.9
    borders = {2**power for power in range(6, 21)}
    for top in info["top_sizes"]:
        assert top["size"] - 16 in borders or top["size"] + 16 in borders


def test_every_block_of_aligned_is_aligned():
    _, info = recorded("aligned")
    assert set(kinds(info)) == {"posix_memalign", "free"} and info["slots"] == 100


def test_a_profile_decides_sizes_and_lifetimes(tmp_path):
    path = tmp_path / "p.profile"
    path.write_text("# made up\nsize 100 100 3\nsize 2000 2047 1  # rare\n\nlifetime 9 9 1\n")
    told, info = recorded("profile", "--profile", str(path))
    sizes = {t["size"]: t["count"] for t in info["top_sizes"]}
    assert sizes[100] / blocks(info) == pytest.approx(0.75, abs=0.02)
    assert all(size == 100 or 2000 <= size <= 2047 for size in sizes)
    assert share(info["lifetimes"], 8, 15) > 0.99 and info["slots"] == 10
    assert told["ops"] == 2 * blocks(info)


def test_the_profile_that_is_shipped_is_like_its_trace():
    _, info = recorded("profile")
    assert share(info["sizes"], 32, 63) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("name", ADVERSARIES)
def test_theory_is_not_beaten(name):
    told = figures(name)
    assert told["bound"] > told["peak_live"] * 0.99
    assert told["peak_rss"] > told["bound"] * 0.99


@pytest.mark.parametrize("name", ["large-blocks", "calloc-large", "sawtooth"])
def test_peak_mapped_holds_what_is_live(name):
    told = figures(name)
    assert told["peak_live"] <= told["peak_mapped"] < 4 * told["peak_live"]


def test_bounds_are_those_of_the_literature():
    assert figures("robson")["bound"] == 5 * MIB - 16 * 255
    assert figures("page-pins")["bound"] == 2 * MIB - MIB / 64
    told, info = recorded("robson")
    assert told["peak_live"] == MIB and spread(info) == (16, 8191)


def test_stress_makes_every_kind_of_call_in_threads_that_end():
    _, info = recorded("stress")
    every = "malloc calloc realloc free aligned_alloc memalign posix_memalign"
    assert set(kinds(info)) == set(every.split())
    assert info["handoffs"] > 500 and info["threads"] == 8


def test_stress_goes_on_when_calls_fail():
    told = figures("stress", "--address-space", "40", "--ops", "20000")
    assert told["refused"] > 10 and told["ops"] > 50_000


# What is refused


@pytest.mark.parametrize(
    "words, message",
    [
        ("nonsense", "nonsense: no such workload; --list tells which there are"),
        ("", "one WORKLOAD is needed; --list tells which there are"),
        ("--threads 0 larson", "--threads 0: a number from 1 to 256 is needed"),
        ("--ops many larson", "--ops many: a number from 1 to"),
        ("--threads 1 xmalloc", "--threads 1: xmalloc needs at least 2"),
        ("--size 3 xmalloc", "--size: xmalloc has none"),
        ("--size 1 heap-shuffle", "--size 1: heap-shuffle needs at least 2"),
        ("--ops 5 --seconds 5 larson", "--seconds and --ops: only one of them can be given"),
        ("--wrong larson", "unknown option or missing value; --help tells more"),
        ("profile", "profile: --profile FILE is needed"),
        ("--profile /none/x profile", "/none/x: No such file or directory"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(words, message):
    command = [str(PROGRAM), "--allocator", str(libc_path()), *words.split()]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "has no sizes"),
        ("size 1 2 3\n", "has no lifetimes"),
        ("size 1 2 3\nlifetime 1 2\n", "line 2: want size or lifetime, and FROM TO COUNT"),
        ("size 2 1 3\n", "line 1: want size or lifetime, and FROM TO COUNT"),
        ("size 1 2 -3\n", "line 1: "),
        ("size 1 2 3 4\n", "line 1: "),
        ("colour 1 2 3\n", "line 1: "),
        ("size 1 99999999999999999999999999 3\n", "line 1: "),
        ("size 1 1 1\n" * 300, "line 257: "),
        ("#" * 70000, "File too large"),
    ],
)
def test_bad_profiles_are_told(tmp_path, text, message):
    path = tmp_path / "bad.profile"
    path.write_text(text)
    done = run("profile", "--profile", str(path))
    assert done.returncode == 2 and f"{path}: " in done.stderr and message in done.stderr


def test_another_malloc_is_found_out():
    done = run("larson", allocator=BUILD / "libspan.so")
    assert done.returncode == 1 and "comes from" in done.stderr


@pytest.mark.parametrize("name", ["replace-10k", "mstress", "tree", "realloc-pingpong", "stress"])
def test_overlapping_blocks_are_found_out(name):
    null = BUILD / "libnull.so"
    done = run(name, *SHORT[name].split(), allocator=null, LD_PRELOAD=str(null))
    assert done.returncode != 0


def test_a_call_that_fails_ends_the_run():
    done = run("large-blocks", "--address-space", "20")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("large-blocks: malloc of ") and "returned NULL" in done.stderr
