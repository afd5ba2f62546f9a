"""The verb micro: what becomes of Google Benchmark's figures, the table, the charts, and what is
refused; on a made-up build, and once on the real programs."""

import json
import subprocess

import pytest

from frontend.charts import charts
from frontend.figures import results, table
from frontend.page import report
from frontend.verbs import micro
from places import BUILD, REPO

USUAL = ("-a", "span,glibc", "-n", "2")
PAIRS = [f"pair/{size}" for size in (8, 64, 512, 4096, 32768)]


@pytest.fixture
def measure(made_up_build, spanbench, tmp_path):
    """A function that runs the verb and returns (status, Results or None, stdout, stderr)."""

    def run(*words):
        path = tmp_path / "out.json"
        status, out, err = spanbench("micro", *USUAL, *words, "-o", path)
        return status, results.read(path) if path.exists() else None, out, err

    return run


def benchmark(name="pair/8", **facts):
    """An entry as Google Benchmark prints it."""
    entry = {"name": name, "run_name": name, "run_type": "iteration", "time_unit": "ns"}
    entry.update(repetitions=1, repetition_index=0, threads=1, iterations=10)
    return {**entry, "real_time": 4.0, "cpu_time": 3.0, **facts}


def run_of(allocator, *benchmarks, index=0):
    """One run of all benchmarks, the way a campaign keeps it."""
    entry = results.sample(f"micro/all/{allocator}", (index, 2), (0, 0), {})
    return {**entry, "document": {"benchmarks": list(benchmarks)}}


def spread_one(**facts):
    """The entry that becomes of one benchmark."""
    (entry,) = micro.spread([run_of("span", benchmark(**facts))], ["span"])
    return entry


def test_an_entry_keeps_figures_and_gets_our_name():
    entry = spread_one(name="aligned/64/8", bytes_per_second=5.0, threads=2)
    assert entry["name"] == entry["run_name"] == "micro/aligned/64/8/span"
    assert (entry["real_time"], entry["cpu_time"], entry["time_unit"]) == (4.0, 3.0, "ns")
    assert (entry["iterations"], entry["threads"], entry["bytes_per_second"]) == (10, 2, 5.0)


@pytest.mark.parametrize("unit, factor", [("ns", 1), ("us", 1e3), ("ms", 1e6), ("s", 1e9)])
def test_times_become_nanoseconds(unit, factor):
    entry = spread_one(time_unit=unit)
    assert entry["real_time"] == pytest.approx(4 * factor) and entry["time_unit"] == "ns"


@pytest.mark.parametrize(
    "name, subject, ns",
    [
        ("pair/8", "pair/8", 3),
        ("first/iterations:30/manual_time", "first", 4),
        ("free/64/real_time/threads:2", "free/64/threads:2", 4),
        ("pair/8/process_time", "pair/8", 3),
    ],
)
def test_the_manner_leaves_the_name_and_chooses_the_clock(name, subject, ns):
    entry = spread_one(name=name)
    assert results.split_name(entry["name"]) == ("micro", subject, "span")
    assert entry["ns_per_op"] == ns


def test_repetitions_and_rounds_are_counted_together():
    pair = [benchmark(repetitions=2, repetition_index=i) for i in range(2)]
    mean = benchmark("pair/8_mean", run_type="aggregate")
    runs = [run_of("span", *pair, mean, index=i) for i in range(2)]
    entries = micro.spread(runs, ["span"])
    assert [(e["repetition_index"], e["repetitions"]) for e in entries] == [
        (0, 4),
        (1, 4),
        (2, 4),
        (3, 4),
    ]


def test_entries_are_in_order_of_benchmark_and_allocator():
    both = (benchmark("a"), benchmark("b"))
    entries = micro.spread([run_of("glibc", *both), run_of("span", *both)], ["span", "glibc"])
    names = [entry["name"] for entry in entries]
    assert names == ["micro/a/span", "micro/a/glibc", "micro/b/span", "micro/b/glibc"]


def test_a_benchmark_that_fails_is_a_failed_row_alone():
    bad = benchmark("b", error_occurred=True, error_message="no memory")
    entries = micro.spread([run_of("span", benchmark("a"), bad)], ["span"])
    assert ["error_occurred" in entry for entry in entries] == [False, True]
    assert entries[1]["error_message"] == "no memory" and entries[1]["real_time"] == 0


def test_a_run_that_fails_has_failed_in_every_benchmark():
    runs = [run_of("glibc", benchmark("a"), benchmark("b"))]
    runs.append(results.failed("micro/all/span", (0, 1), "killed"))
    failed = [e["name"] for e in micro.spread(runs, ["glibc", "span"]) if "error_occurred" in e]
    assert failed == ["micro/a/span", "micro/b/span"]
    (alone,) = micro.spread(runs[1:], ["span"])
    assert alone["name"] == "micro/all/span" and alone["error_message"] == "killed"


def test_every_repetition_is_kept_and_warm_ups_apart(measure):
    status, measured, _, _ = measure("--benchmark_repetitions=3")
    assert status == 0
    assert measured.subjects("micro") == [*PAIRS, "elsewhere/64", "few", "inside"]
    assert measured.row("micro", "pair/64", "span").values("ns_per_op") == [12.0] * 6
    assert measured.row("micro", "elsewhere/64", "glibc").values("ns_per_op") == [12.0] * 6
    assert measured.row("micro", "inside", "glibc") is None
    assert len(measured.context["warmups"]) == 3 * (7 + 8)


def test_context_is_merged(measure):
    _, measured, _, _ = measure("--benchmark_context=answer=42")
    context = measured.context
    assert (context["answer"], context["rounds"], context["spanbench"]) == ("42", 2, "9.8.7")
    assert context["library_build_type"] == "release"  # of what is measured
    assert not any(key.startswith("malloc_") for key in context)


def test_flags_are_passed_on_after_our_own(measure):
    _, measured, _, _ = measure("--benchmark_min_time=0.5", "--benchmark_repetitions=1")
    told = measured.context["told"]
    times = [word for word in told if word.startswith("--benchmark_min_time=")]
    assert times[-1] == "--benchmark_min_time=0.5" and "--benchmark_repetitions=1" in told


def test_table_has_nanoseconds_and_ratios(measure):
    _, _, out, _ = measure()
    lines = {line.split()[0]: line.split() for line in out.splitlines() if line.strip()}
    assert lines["pair/64"] == ["pair/64", "6.00", "12.0", "(2.00)"]
    assert lines["inside"] == ["inside", "6.00"]
    assert "50 % (n = 2)" in out and max(map(len, out.splitlines())) <= 100


def test_table_of_many_allocators_is_cut_into_several(capfd):
    names = ["glibc", *(f"allocator-{i}" for i in range(5))]
    runs = [run_of(name, benchmark(cpu_time=12345678.0)) for name in names]
    table.show(results.Results({}, micro.spread(runs, names)))
    out = capfd.readouterr().out
    assert out.count("pair/8") == 2 and out.count("12,345,678 (1.00)") == 5
    assert "…" not in out


def test_a_benchmark_of_one_allocator_stands_where_that_one_does(capfd):
    names = ["glibc", *(f"allocator-{i}" for i in range(5))]
    runs = [run_of(name, benchmark()) for name in names]
    runs[1]["document"]["benchmarks"].append(benchmark("inside"))
    table.show(results.Results({}, micro.spread(runs, names)))
    assert capfd.readouterr().out.count("inside") == 1


@pytest.mark.parametrize(
    "fault, message",
    [
        ("crash", "killed by signal 11 (SIGSEGV)"),
        ("imposter", "malloc comes from"),
        ("error", "no memory"),
    ],
)
def test_what_fails_is_a_failed_row_and_never_a_time(measure, fault, message):
    status, measured, out, err = measure(f"--benchmark_context=span={fault}", "--timeout", "5")
    row = measured.row("micro", "pair/8", "span")
    assert (status, row.samples) == (1, []) and message in row.error
    assert "failed" in out
    lines = [line for line in err.splitlines() if message in line]
    assert len(lines) == 1 and "micro/pair/8/span and " in lines[0]
    assert len(measured.row("micro", "pair/8", "glibc").samples) == 2


def test_json_can_be_printed(made_up_build, spanbench):
    words = ("--benchmark_filter=pair/8$", "--benchmark_format=json")
    status, out, _ = spanbench("micro", *USUAL, *words)
    names = [entry["name"] for entry in json.loads(out)["benchmarks"]]
    assert status == 0 and names == ["micro/pair/8/span"] * 2 + ["micro/pair/8/glibc"] * 2


def test_listing_runs_nothing(made_up_build, spanbench):
    words = ("--benchmark_list_tests", "--benchmark_filter=pair|inside")
    status, out, err = spanbench("micro", *USUAL, *words)
    assert (status, out.split(), err) == (0, [*PAIRS, "inside"], "")


def test_an_allocator_without_the_benchmark_is_left_out(measure):
    status, measured, _, _ = measure("--benchmark_filter=inside")
    assert (status, measured.allocators()) == (0, ["span"])


@pytest.mark.parametrize(
    "words, complaint",
    [
        (("--benchmark_filter=nix",), "--benchmark_filter=nix: chooses no benchmark"),
        (("--benchmark_nix",), "unrecognized command-line flag"),
        (("--benchmark_out=x.json",), "--benchmark_out=x.json: use -o"),
        (("--benchmark_format=csv",), "only json and console"),
        (("-a", "null"), "null: its blocks overlap"),
        (("-n", "0"), "-n/--runs/--repeats: 0: not a whole number above zero"),
        (("-o", "/nowhere/x.json"), "/nowhere/x.json: No such file"),
        (("pair",), "pair: one word too many"),
    ],
)
def test_usage_is_checked_before_any_work(made_up_build, spanbench, words, complaint):
    status, out, err = spanbench("micro", *words)
    assert (status, out) == (2, "") and complaint in err


def test_charts_and_page_are_drawn(measure, tmp_path):
    _, measured, _, _ = measure()
    files = charts.draw_all(measured, tmp_path / "charts", formats=("svg",))
    assert [file.name for file in files] == ["micro-size.svg", "micro-calls.svg"]
    assert report.main_report([measured.path], tmp_path / "page") == 0
    page = (tmp_path / "page" / "report.html").read_text()
    assert page.count("<figure") == 2
    for part in ("How to read this", "Micro-benchmarks", "elsewhere/64", "2 interleaved rounds"):
        assert part in page
    assert "not run" not in page and "Rows that failed" not in page
    assert "Pieces of single allocators" in page
    assert '<th scope="row">inside</th><td data-sort="6">6.00<' in page


def test_failures_are_named_in_charts_and_page(measure, tmp_path):
    _, measured, _, _ = measure("--benchmark_context=span=crash")
    report.main_report([measured.path], tmp_path / "page")
    page = (tmp_path / "page" / "report.html").read_text()
    assert "Rows that failed" in page and "killed by signal 11" in page


def test_the_quick_selection_exists():
    listed = subprocess.run(
        [str(BUILD / "micro-span"), "--benchmark_list_tests"], capture_output=True, text=True
    ).stdout.split()
    assert set(micro.QUICK) <= set(listed)
    pairs = [name for name in listed if name.startswith("pair/")]
    assert {"pair/8", "pair/4194304"} <= set(pairs) and len(pairs) >= 14


def test_real_programs_from_end_to_end(tmp_path):
    words = ["-a", "span,glibc", "-n", "1", "--benchmark_min_time=0.0005"]
    words += ["--benchmark_filter=^(pair/64|replace|tier_refill/.*)$"]
    command = [str(REPO / "scripts" / "spanbench"), "micro", *words, "-o", str(tmp_path / "o.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    measured = results.read(tmp_path / "o.json")
    assert measured.subjects("micro") == ["pair/64", "tier_refill", "replace"]
    assert measured.allocators() == ["span", "glibc"]
    assert all(row.values("ns_per_op")[0] > 0 for row in measured.rows)
    assert "pair/64" in done.stdout
