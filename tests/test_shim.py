"""Google Benchmark behind its C header: what benchmarks in C are given, that its flags work, that
it costs nothing, and whose malloc it says it measures."""

import json
import os
import subprocess

import pytest

from places import BUILD

SHIMMED = BUILD / "tests" / "subjects" / "shimmed"
QUICKLY = "--benchmark_min_time=0.001"
# Measured: 0.07 to 0.15; what a machine that is busy may add.
EMPTY_MOST_NS = 0.6


def run(*words, program=SHIMMED, **environment):
    """A finished run of a program of benchmarks."""
    command = [str(program), QUICKLY, *words]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=60
    )


def document(*words, **options):
    """What it prints as JSON."""
    done = run("--benchmark_format=json", *words, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def benchmarks():
    """{name: entry} of all benchmarks of the program."""
    return {entry["name"]: entry for entry in document()["benchmarks"]}


def test_lists_of_arguments_are_combined(benchmarks):
    for a in (2, 3):
        for b in (10, 100):
            assert benchmarks[f"product/{a}/{b}"]["product"] == a * b


def test_a_range_holds_its_ends_and_the_powers_between(benchmarks):
    found = {n: e["argument"] for n, e in benchmarks.items() if n.startswith("ranged")}
    assert found == {"ranged/8": 8, "ranged/64": 64, "ranged/500": 500}


def test_threads_are_numbered_and_their_counters_added_up(benchmarks):
    one, three = (benchmarks[f"threaded/real_time/threads:{n}"] for n in (1, 3))
    assert (one["threads"], one["indexes"], one["seen"]) == (1, 0, 1)
    assert (three["threads"], three["indexes"], three["seen"]) == (3, 0 + 1 + 2, 3 * 3)


def test_setup_and_teardown_surround_each_run(benchmarks):
    entry = benchmarks["visited/threads:2"]
    assert entry["visits"] == 2  # one in each of the two threads
    assert entry["setups"] >= 2 and entry["setups"] % 2 == 0


def test_manual_time_is_the_time(benchmarks):
    entry = benchmarks["manual/iterations:7/manual_time"]
    assert entry["iterations"] == 7
    assert entry["real_time"] == pytest.approx(500)


def test_counters_are_totals_or_rates(benchmarks):
    entry = benchmarks["counted"]
    assert entry["total"] == 12
    assert entry["each_iteration"] == pytest.approx(1)
    assert entry["each_second"] * entry["cpu_time"] == pytest.approx(1e9, rel=0.01)


def test_iterations_run_are_iterations_told(benchmarks):
    entry = benchmarks["batched"]
    assert entry["iterations"] % 1000 == 0
    assert entry["each_iteration"] == pytest.approx(1)


def test_paused_time_does_not_count(benchmarks):
    assert benchmarks["paused/iterations:5/real_time"]["real_time"] < 1e6  # the pause is 2e6


def test_a_failed_benchmark_has_no_time(benchmarks):
    entry = benchmarks["failing"]
    assert entry["error_occurred"] and entry["error_message"] == "as it should"
    assert entry["real_time"] == 0


def test_flags_work():
    done = run("--benchmark_list_tests", "--benchmark_filter=ranged")
    assert done.stdout.split() == ["ranged/8", "ranged/64", "ranged/500"]
    found = document("--benchmark_filter=counted", "--benchmark_repetitions=3")["benchmarks"]
    kinds = [entry["run_type"] for entry in found]
    assert kinds.count("iteration") == 3 and kinds.count("aggregate") == 4
    assert "counted" in run("--benchmark_filter=counted").stdout
    assert run("--benchmark_filter=counted", "--benchmark_format=csv").stdout.startswith("name,")
    assert document("--benchmark_filter=counted", "--benchmark_context=a=b")["context"]["a"] == "b"


def test_min_time_decides_the_iterations():
    runs = [run_of_counted(f"--benchmark_min_time={s}") for s in ("0.0001", "0.02")]
    assert runs[1]["iterations"] > 5 * runs[0]["iterations"]


def run_of_counted(*words):
    return document("--benchmark_filter=^counted$", *words)["benchmarks"][0]


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["--nix"], "unrecognized command-line flag: --nix"),
        (["--benchmark_filter=nix"], "Failed to match any benchmarks"),
        (["--allocator"], "--allocator: a PATH is needed"),
        (["--allocator", "/nowhere.so"], "/nowhere.so: No such file"),
    ],
)
def test_wrong_usage(words, complaint):
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "") and complaint in done.stderr


def test_another_malloc_than_was_asked_for_is_refused():
    done = run("--allocator", str(BUILD / "libspan.so"))
    assert done.returncode == 1 and done.stdout == ""
    assert "malloc comes from" in done.stderr and "libspan.so" in done.stderr


@pytest.mark.parametrize("is_asked_for", (True, False))
def test_context_tells_whose_malloc_it_was(is_asked_for):
    library = BUILD / "libspan.so"
    words = ["--allocator", str(library)] if is_asked_for else []
    context = document("--benchmark_filter=counted", *words, LD_PRELOAD=str(library))["context"]
    file = os.stat(library)
    assert context["malloc_device"] == str(file.st_dev)
    assert context["malloc_inode"] == str(file.st_ino)
    assert os.path.samefile(context["malloc_path"], library)


def test_the_loop_itself_costs_next_to_nothing():
    words = ("--benchmark_filter=^empty$", "--benchmark_repetitions=9")
    found = document(*words, program=BUILD / "micro-glibc")["benchmarks"]
    times = [entry["cpu_time"] for entry in found if entry["run_type"] == "iteration"]
    assert 0 < min(times) <= EMPTY_MOST_NS


def test_every_linked_program_calls_its_own_allocator():
    for name in ("span", "span-fast"):
        library = str(BUILD / f"lib{name}.so")
        words = ("--allocator", library, "--benchmark_filter=^pair/64$")
        found = document(*words, program=BUILD / f"micro-{name}")["benchmarks"]
        assert [entry["name"] for entry in found] == ["pair/64"]
        assert found[0]["cpu_time"] > 0


def test_first_calls_are_timed_in_fresh_processes_and_threads():
    found = document("--benchmark_filter=first_call", program=BUILD / "micro-glibc")["benchmarks"]
    times = {entry["name"].split("/")[0]: entry["real_time"] for entry in found}
    assert set(times) == {"first_call_of_thread", "first_call_of_process"}
    assert times["first_call_of_process"] > 1000  # a new heap has page faults
