"""The verb compare, on made-up result files: equal, worse, noisy, failed, missing rows, of other
machines, damaged."""

import json

import made_up_results
import numpy
import pytest

from frontend.comparing import comparability, comparing
from frontend.comparing.comparing import BETTER, FAILED, WORSE
from frontend.figures import results

MIB = 1 << 20
TRACES = ("sqlite3", "cc1", "lua", "jq")


@pytest.fixture
def make_file(tmp_path):
    """A function that writes a result file of replays by span and glibc and returns its path.
    `time` and `rss` are {allocator: ratio}, `noise` is the sigma of times."""

    def write(name="a.json", n=10, time=(), rss=(), noise=0.01, facts=(), traces=TRACES, seed=1):
        time, rss = dict(time), dict(rss)
        random = numpy.random.default_rng([seed, len(name), *name.encode()])
        entries = []
        for trace in traces:
            for allocator in ("span", "glibc"):
                for i in range(n):
                    ns = 50 * time.get(allocator, 1.0) * numpy.exp(random.normal(0, noise))
                    figures = {"ns_per_op": ns, "ops": 1000, "checksum": "00ff"}
                    figures["peak_rss"] = int(40 * MIB * rss.get(allocator, 1.0)) + 4096 * (i % 3)
                    row = f"replay/{trace}/{allocator}"
                    entries.append(results.sample(row, (i, n), (ns / 1000, ns / 1000), figures))
        context = made_up_results.context(TRACES, ("span", "glibc"))
        context.update({"date": f"2026-01-02 {name}", **dict(facts)})
        results.write(tmp_path / name, results.Results(context, entries))
        return tmp_path / name

    return write


@pytest.fixture
def change():
    """A function that changes a JSON file by a function of its document."""

    def apply(path, do):
        document = json.loads(path.read_text())
        do(document)
        path.write_text(json.dumps(document))
        return path

    return apply


def line_of(out, *words):
    """The first line of a table that has all the words."""
    return next(line for line in out.splitlines() if all(word in line for word in words))


def test_equal_builds_differ_in_nothing(make_file, spanbench):
    status, out, err = spanbench("compare", make_file("a.json"), make_file("b.json"))
    assert (status, err) == (0, "")
    assert line_of(out, "replay: all", "time").split()[-2:] == ["no", "difference"]
    assert "16 rows: 16 no difference." in out
    assert "not paired" in out


def test_a_slower_build_is_named_and_the_worst_comes_first(make_file, spanbench):
    slower = make_file("b.json", time={"span": 1.10})
    status, out, _ = spanbench("compare", make_file("a.json"), slower)
    assert status == 1
    assert line_of(out, "replay: span", "time").split()[-1] == WORSE
    assert line_of(out, "replay: glibc", "time").split()[-1] != WORSE
    rows = [line.split() for line in out.splitlines() if line.startswith(" replay/")]
    assert {row[0] for row in rows} == {f"replay/{trace}/span" for trace in TRACES}
    assert {row[-1] for row in rows} == {WORSE}
    ratios = [float(row[-4]) for row in rows]
    assert ratios == sorted(ratios, reverse=True) and 1.05 < ratios[-1] < 1.15


def test_a_faster_build_is_better(make_file, spanbench):
    status, out, _ = spanbench(
        "compare", make_file("a.json", time={"span": 1.2}), make_file("b.json")
    )
    assert status == 0
    assert line_of(out, "replay: span", "time").split()[-1] == BETTER


def test_a_fatter_build_fails_by_a_hard_limit(make_file, spanbench):
    fatter = make_file("b.json", n=3, rss={"span": 1.10})
    words = ("compare", make_file("a.json", n=3), fatter, "--metric", "peak_rss")
    status, out, _ = spanbench(*words)
    assert status == 1
    assert line_of(out, "replay/cc1/span", "peak RSS").split()[-1] == WORSE
    assert spanbench(*words, "--margin", "15")[0] == 0


def test_a_few_pages_are_no_difference(make_file, change, spanbench):
    def shrink(extra):
        def apply(document):
            for entry in document["benchmarks"]:
                entry["peak_rss"] = 100_000 + extra

        return apply

    a, b = change(make_file("a.json"), shrink(0)), change(make_file("b.json"), shrink(20_000))
    out = spanbench("compare", a, b, "--metric", "peak_rss", "--all")[1]
    assert line_of(out, "replay/cc1/span").endswith("no difference ")


def test_noise_cannot_tell_and_says_how_many_runs_would(make_file, spanbench):
    noisy = [make_file(name, n=5, noise=0.3) for name in ("a.json", "b.json")]
    status, out, err = spanbench("compare", *noisy, "--metric", "time")
    assert status == 77 and "cannot tell" in line_of(out, "replay: all")
    assert "time: cannot tell; 5 runs of each, about" in err


@pytest.mark.parametrize("n, needed", [(1, "at least 4 runs"), (3, "3 runs of each, about")])
def test_too_few_runs_cannot_tell(make_file, spanbench, n, needed):
    few = [make_file("a.json", n=n), make_file("b.json", n=n, time={"span": 2.0})]
    status, _, err = spanbench("compare", *few, "--metric", "time")
    assert status == 77 and needed in err


def test_alarms_of_equal_builds_are_rare(make_file):
    def alarms(seed):
        a, b = (results.read(make_file(f"{x}.json", noise=0.05, seed=seed)) for x in "ab")
        pairs = [(row.name, row, b.row(row.kind, row.subject, row.allocator)) for row in a.rows]
        comparer = comparing.Comparer(pairs, comparing.Manner(is_paired=False, margin=0.001))
        found = [row for row in comparer.rows(["time"]) if row.verdict in (WORSE, BETTER)]
        return any(row.is_sure for row in found)

    assert sum(map(alarms, range(60))) <= 8  # 3 are expected; 9 have a chance of 0.4 %


def test_two_allocators_of_one_run_are_paired(make_file, change, spanbench):
    def drift(document):
        for entry in document["benchmarks"]:
            entry["ns_per_op"] *= 3 ** entry["repetition_index"]

    one = change(make_file("a.json", time={"span": 1.05}), drift)
    words = ("compare", one, "--base", "glibc", "--head", "span", "--metric", "time")
    status, out, _ = spanbench(*words)
    assert status == 1 and "within a round" in out
    assert line_of(out, "replay/cc1 ", "time").split()[-1] == WORSE
    assert spanbench("compare", one, one, *words[2:])[:2] == (status, out)


def test_a_machine_that_changed_is_told_and_can_be_taken_out(make_file, spanbench):
    slow = {"span": 1.2, "glibc": 1.2}
    words = ("compare", make_file("a.json"), make_file("b.json", time=slow), "--metric", "time")
    status, out, _ = spanbench(*words)
    assert status == 1 and "glibc: the same builds in both" in out
    status, out, _ = spanbench(*words, "--relative-to", "glibc")
    assert status == 0 and "the same builds" not in out
    assert line_of(out, "replay: all").endswith("no difference ")
    assert "4 rows: " in out


def test_what_others_are_relative_to_must_be_the_same(make_file, change, spanbench):
    def rebuild(document):
        document["context"]["allocators"]["span"]["build_id"] = "cd" * 20

    a, b = make_file("a.json"), change(make_file("b.json"), rebuild)
    status, _, err = spanbench("compare", a, b, "--relative-to", "span")
    assert status == 2 and "--relative-to span: not known to be the same" in err


def test_missing_rows_are_named_in_one_line(make_file, spanbench):
    b = make_file("b.json", traces=("cc1", "lua"))
    status, out, _ = spanbench("compare", make_file("a.json"), b)
    assert status == 0
    assert "replay/sqlite3/span, replay/sqlite3/glibc" in line_of(out, "only in A:")
    assert "only in B" not in out


def test_rows_that_nobody_shares_are_refused(make_file, spanbench):
    words = make_file("a.json", traces=("cc1",)), make_file("b.json", traces=("lua",))
    assert spanbench("compare", *words)[0] == 2


def test_a_row_that_fails_only_in_b_is_worse_than_any_time(make_file, change, spanbench):
    def fail(document):
        document["benchmarks"][0] = results.failed("replay/sqlite3/span", (0, 10), "killed")

    good, bad = make_file("a.json"), change(make_file("b.json"), fail)
    status, out, _ = spanbench("compare", good, bad)
    assert status == 1 and line_of(out, "replay/sqlite3/span").split()[-1] == FAILED
    assert spanbench("compare", bad, good)[0] == 0


@pytest.mark.parametrize(
    "key",
    [
        "kernel",
        "libc",
        "compiler",
        "cpu",
        "governor",
        "thp",
        "touch",
        "thp_mode",
        "pauses",
        "model",
    ],
)
def test_other_circumstances_are_refused_by_name(make_file, spanbench, key):
    words = ("compare", make_file("a.json"), make_file("b.json", facts={key: "other"}))
    status, out, err = spanbench(*words)
    assert (status, out) == (2, "") and err.count("\n") == 1
    assert f"{key}: " in err and "in A, other in B" in err
    status, out, err = spanbench(*words, "--anyway")
    assert status == 0 and f"not measured alike: {key}: " in out


def test_what_older_results_do_not_tell_was_the_default(make_file, spanbench):
    newer = make_file("b.json", facts={"thp_mode": "default", "pauses": "none", "model": "none"})
    assert spanbench("compare", make_file("a.json"), newer)[0] == 0


def test_every_difference_is_named(make_file, spanbench):
    other = {"kernel": "7.0", "library_build_type": "debug", "flags": "gcc -O0"}
    err = spanbench("compare", make_file("a.json"), make_file("b.json", facts=other))[2]
    assert "kernel: 6.1.0-13-amd64 in A, 7.0 in B" in err
    assert "library_build_type: not told in A, debug in B" in err and "flags: " in err


def test_other_traces_and_other_work_are_refused(make_file, change, spanbench):
    def alter(document):
        document["context"]["traces"]["cc1"]["ops"] = 7
        for entry in document["benchmarks"]:
            entry["checksum"] = "ff00"

    err = spanbench("compare", make_file("a.json"), change(make_file("b.json"), alter))[2]
    assert "ops of cc1: 470000 in A, 7 in B" in err
    assert "checksum of replay/lua: 00ff in A, ff00 in B" in err


@pytest.mark.parametrize(
    "name, key, is_refused",
    [("span", "version", False), ("glibc", "version", True), ("span", "settings", True)],
)
def test_only_our_own_builds_may_change(make_file, change, spanbench, name, key, is_refused):
    def alter(document):
        document["context"]["allocators"][name][key] = "other"

    status, _, err = spanbench("compare", make_file("a.json"), change(make_file("b.json"), alter))
    assert status == (2 if is_refused else 0)
    assert (f"{key} of {name}" in err) == is_refused


def test_long_flags_are_told_by_the_words_that_differ():
    flags = " ".join(f"-DX{i}=1" for i in range(40))
    line = comparability.difference("flags", f"{flags} -O2", f"{flags} -O0 -g")
    assert line == "flags: -O2 in A, -O0 -g in B"


def test_workloads_whose_calls_vary_may_do_other_work():
    row = results.Row("run", "robson", "span", [{"ops": 5}, {"ops": 5}])
    other = results.Row("run", "robson", "span", [{"ops": 6}, {"ops": 6}])
    facts = {"workloads": {"robson": {"varies": True}}}
    measured = results.Results(facts, [])
    assert comparability.differences(measured, measured, [(row, other)]) == []
    facts["workloads"]["robson"]["varies"] = False
    assert comparability.differences(measured, measured, [(row, other)]) == [
        "ops of run/robson: 5 in A, 6 in B"
    ]


def test_markdown_is_for_pull_requests(make_file, spanbench, tmp_path):
    words = ("compare", make_file("a.json"), make_file("b.json", time={"span": 1.3}), "--markdown")
    status, out, _ = spanbench(*words, "-")
    assert status == 1 and out.startswith("A: ")
    assert "| replay/cc1/span | time per op, ns |" in out and "**worse** |" in out
    assert spanbench(*words, tmp_path / "c.md")[0] == 1
    assert (tmp_path / "c.md").read_text() == out
    assert spanbench(*words, "/proc/c.md")[0] == 2


def test_a_metric_that_no_row_has_is_refused(make_file, spanbench):
    words = make_file("a.json"), make_file("b.json"), "--metric", "instructions"
    status, _, err = spanbench("compare", *words)
    assert status == 2 and "--metric instructions: no row has it in both" in err


def test_one_count_of_instructions_decides(make_file, change, spanbench):
    def count(number):
        def apply(document):
            for entry in document["benchmarks"]:
                entry["instructions"] = number

        return apply

    a = change(make_file("a.json", n=1), count(1_000_000_000))
    b = change(make_file("b.json", n=1), count(1_030_000_000))
    status, out, _ = spanbench("compare", a, b, "--metric", "instructions")
    assert status == 1 and "1.030 [1.030, 1.030]" in out


@pytest.mark.parametrize(
    "words", [(), ("--base", "span"), ("--base", "none", "--head", "span"), ("--margin", "-1")]
)
def test_wrong_options_are_status_2(make_file, spanbench, words):
    assert spanbench("compare", make_file("a.json"), *words)[0] == 2


@pytest.mark.parametrize("text", ["", "{}", '{"context": {}, "benchmarks": [7]}'])
def test_damaged_files_are_status_2(make_file, spanbench, tmp_path, text):
    (tmp_path / "b.json").write_text(text)
    status, out, err = spanbench("compare", make_file("a.json"), tmp_path / "b.json")
    assert (status, out) == (2, "") and err.startswith(f"spanbench: {tmp_path}/b.json: ")


def test_odd_contexts_and_figures_are_no_crash(make_file, change, spanbench):
    def spoil(document):
        document["context"].update(traces=[], allocators="none")
        for entry in document["benchmarks"]:
            entry["ns_per_op"] = "fast"

    b = change(make_file("b.json"), spoil)
    assert spanbench("compare", make_file("a.json"), b)[0] == 2
    assert spanbench("compare", make_file("a.json"), b, "--anyway")[0] in (0, 1, 77)


def test_a_row_that_is_worse_by_itself_among_many_is_marked_and_no_alarm(make_file, spanbench):
    """Four runs of a side tell one row apart, not one of eight."""
    a, b = make_file("a.json", n=4, noise=0.002), make_file("b.json", n=4, noise=0.002)
    document = json.loads(b.read_text())
    for entry in document["benchmarks"]:
        if entry["name"] == "replay/cc1/span":
            entry["ns_per_op"] *= 1.04
    b.write_text(json.dumps(document))
    status, out, _ = spanbench("compare", a, b, "--metric", "time")
    assert line_of(out, "replay/cc1/span").split()[-2:] == [WORSE, "*"]
    assert status == 0 and "*: by itself" in out


def test_a_mean_that_is_worse_by_itself_cannot_tell(make_file, change, spanbench):
    def more_kinds(document):
        for kind in ("run", "micro"):
            document["benchmarks"] += [
                {**entry, "name": entry["name"].replace("replay", kind)}
                for entry in document["benchmarks"]
                if entry["name"].startswith("replay")
            ]

    a = change(make_file("a.json", n=4), more_kinds)
    b = change(make_file("b.json", n=4, time={"span": 1.1, "glibc": 1.1}), more_kinds)
    status, out, err = spanbench("compare", a, b, "--metric", "time", "--anyway")
    assert line_of(out, "replay: all").split()[-2:] == [WORSE, "*"]
    assert status == 77 and "time: cannot tell; 4 runs of each, about 5 would tell: +" in err
