"""Sweeps of the allocator's tuning constants: other values, the page, and the whole command."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from places import BUILD, REPO, load_script

from frontend.failure import Failure
from frontend.figures import results
from studies import sweep, sweep_page, tuning

SCRIPT = REPO / "scripts" / "studies" / "sweep_constants"
ALLOCATOR = REPO / "allocator"
PAGE = REPO / "docs" / "constants.md"
TRACE = REPO / "workloads" / "traces" / "sqlite3.trace"
HEADER = """/* NAME = 3 in a comment */
enum {
    NAME = 4, /* why */
    NAME_MAX = 8,
    SIZE = 256 * 1024,
    KEPT = SPAN_FAST ? 16 : 1,
};
enum { ALONE = 2 };
    use(NAME = 5);
"""


@pytest.fixture
def sources(tmp_path):
    """A folder with a header that defines constants."""
    (tmp_path / "made.h").write_text(HEADER)
    return tmp_path


@pytest.mark.parametrize(
    "name, line, new",
    [
        ("NAME", "    NAME = 4, /* why */", "    NAME = 7, /* why */"),
        ("SIZE", "    SIZE = 256 * 1024,", "    SIZE = 7,"),
        ("KEPT", "    KEPT = SPAN_FAST ? 16 : 1,", "    KEPT = 7,"),
        ("ALONE", "enum { ALONE = 2 };", "enum { ALONE = 7 };"),
    ],
)
def test_one_constant_is_replaced_and_nothing_else(sources, name, line, new):
    with sweep.changed(sources, {name: 7}):
        assert (sources / "made.h").read_text() == HEADER.replace(line, new)
    assert (sources / "made.h").read_text() == HEADER


def test_several_are_replaced_together_and_put_back_even_after_an_error(sources):
    with pytest.raises(Failure), sweep.changed(sources, {"NAME": 7, "ALONE": 9}):
        text = (sources / "made.h").read_text()
        assert "NAME = 7," in text and "ALONE = 9 }" in text
        raise Failure("stop")
    assert (sources / "made.h").read_text() == HEADER


@pytest.mark.parametrize("name, other, times", [("NONE", "", 0), ("NAME", HEADER, 2)])
def test_a_constant_must_be_defined_once(sources, name, other, times):
    (sources / "other.c").write_text(other)
    with pytest.raises(Failure, match=f"{name} is defined {times} times in enums, not once"):
        tuning.find(name, sources)


@pytest.mark.parametrize(
    "expression, build, value",
    [
        ("8", "span", 8),
        ("32 * 1024", "span-fast", 32768),
        ("SPAN_FAST ? 16 : 1", "span-fast", 16),
        ("SPAN_FAST ? 16 : 1", "span", 1),
    ],
)
def test_present_values_are_read_from_the_sources(expression, build, value):
    assert tuning.number(expression, build) == value


def test_an_expression_that_is_not_understood_is_told():
    with pytest.raises(Failure, match="sizeof"):
        tuning.number("sizeof(size_t)", "span")


def test_values_around_the_present_one():
    constant = tuning.Constant("NAME", further={99: "off"})
    assert tuning.values_to_try(constant, 16) == [4, 8, 32, 64, 99]
    assert tuning.values_to_try(constant, 2) == [1, 4, 8, 99]
    assert tuning.values_to_try(tuning.Constant("NAME", values=(1, 2, 4)), 2) == [1, 4]


def test_labels():
    constant = tuning.Constant("NAME", is_bytes=True, further={9: "off"}, along={9: {"SIZE": 1}})
    shown = [tuning.label(constant, value) for value in (9, 1000, 4096, 3 << 20)]
    assert shown == ["off (with SIZE 1)", "1000", "4 KiB", "3 MiB"]


def test_every_constant_of_the_table_is_in_the_allocator():
    planned = sweep.plan([], tuning.BUILDS, ALLOCATOR)
    assert {one.constant.name for one in planned} == {one.name for one in tuning.CONSTANTS}
    assert all(len(one.values) > 2 and one.now not in one.values[1:] for one in planned)
    for constant in tuning.CONSTANTS:
        for along in constant.along.values():
            assert all(tuning.find(name, ALLOCATOR) for name in along)


def made_up(times, peaks=None, rounds=6, failing=None):
    """Results of a sweep of one constant; {value: ratio of time}, the present one first."""
    peaks = peaks or {}
    tried = [{"allocator": f"span-fast:KEPT={v}", "value": v, "label": f"{v} KiB"} for v in times]
    described = {"build": "span-fast", "constant": "KEPT", "file": "made.h", "values": tried}
    entries = []
    for trace, scale in (("lua", 10), ("perl", 20)):
        for value, ratio in times.items():
            name = f"sweep/{trace}/span-fast:KEPT={value}"
            for i in range(rounds):
                if (trace, value) == failing:
                    entries.append(results.failed(name, (i, rounds), "killed by signal 11"))
                    continue
                figures = {"ns_per_op": scale * ratio, "peak_rss": 1000 * peaks.get(value, 1)}
                entries.append(results.sample(name, (i, rounds), (1.0, 1.0), figures))
    made = {"command": "scripts/studies/sweep_constants", "traces": 2, "rounds": rounds}
    made["touch"] = "page"
    made.update(cpu="Imaginary 9000", date="2026-01-02T03")
    facts = {"sweeps": [described], "made": {"span-fast": made}}
    return results.Results(facts, entries, Path("made.json"))


def test_one_build_is_swept_anew_and_the_other_stays():
    old, new = made_up({8: 1, 4: 1.2}), made_up({8: 1, 4: 1.1})
    other = json.loads(json.dumps(old.context).replace("span-fast", "span"))
    old.context["sweeps"] += other["sweeps"]
    old.context["made"] |= other["made"]
    counted = {"lua": {"instructions": 1, "minor_faults": 1}}
    old.context["counts"] = {"span:KEPT=8": counted, "span-fast:KEPT=8": counted}
    old.benchmarks += [
        {**e, "name": e["name"].replace("span-fast", "span")} for e in list(old.benchmarks)
    ]
    new.context["made"]["span-fast"]["date"] = "2027-01-02T03"
    both = sweep.merged(old, new, is_whole=True)
    assert [s["build"] for s in both.context["sweeps"]] == ["span-fast", "span"]
    assert both.context["counts"] == {"span:KEPT=8": counted}
    fast, plain = sweep_page.page(both).split("## libspan\n")
    assert "2027-01-02" in fast and "| 4 KiB | 1.10" in fast
    assert "2026-01-02" in plain and "| 4 KiB | 1.20" in plain
    assert len(both.benchmarks) == len(old.benchmarks)


def test_one_constant_is_swept_anew_and_the_others_stay():
    old, new = made_up({8: 1, 4: 1.2}), made_up({8: 1, 4: 1.1})
    other = json.loads(json.dumps(old.context["sweeps"]).replace("KEPT", "OTHER"))
    old.context["sweeps"] += other
    old.benchmarks += [
        {**e, "name": e["name"].replace("KEPT", "OTHER")} for e in list(old.benchmarks)
    ]
    new.context["made"]["span-fast"]["date"] = "2027-01-02T03"
    both = sweep.merged(old, new, is_whole=False)
    page = sweep_page.page(both)
    assert page.count("| 4 KiB | 1.10") == page.count("| 4 KiB | 1.20") == 1
    assert ", 2026-01-02." in page
    assert page.count("- KEPT: swept by itself, 6 rounds; ") == 1
    assert page.count("2027-01-02") == 1 and "- OTHER: swept" not in page
    again = sweep.merged(both, made_up({8: 1, 4: 1.3}), is_whole=True)
    assert "swept by itself" not in sweep_page.page(again)
    assert [s["constant"] for s in again.context["sweeps"]] == ["KEPT"]


def rows_of(page):
    """{value: cells} of the table's rows."""
    lines = [
        line.split(" | ") for line in page.splitlines() if line.startswith("|") and " KiB" in line
    ]
    return {line[2].strip("*"): [cell.strip("| ") for cell in line] for line in lines}


def test_page_tells_what_values_cost():
    page = sweep_page.page(made_up({8: 1, 2: 1.25, 4: 1.01, 16: 0.99}, {16: 1.10, 2: 0.5}))
    rows = rows_of(page)
    assert list(rows) == ["2 KiB", "4 KiB", "8 KiB", "16 KiB"]
    assert rows["2 KiB"][:2] == ["KEPT", "made.h"]
    assert rows["2 KiB"][3:5] == ["1.25 (1.25–1.25)", "1.25 perl"]
    assert rows["2 KiB"][5:] == ["", "", "0.50", "0.50 perl", "25 % slower, 50 % less memory"]
    assert rows["4 KiB"][-1] == "the same"
    assert rows["8 KiB"][2] == "**8 KiB**" and rows["8 KiB"][-1] == "not on an edge"
    assert rows["16 KiB"][7] == "1.10" and rows["16 KiB"][-1] == "10 % more memory"
    for part in (
        "Imaginary 9000",
        "2 traces",
        "6 rounds",
        "2026-01-02",
        "`scripts/studies/sweep_const",
    ):
        assert part in page
    assert "BUILD_ARENAS" in page and page.count("\n## ") == 2


@pytest.mark.parametrize("ratio, told", [(1.08, "8 % slower"), (0.9, "10 % faster")])
def test_a_neighbour_that_differs_makes_an_edge(ratio, told):
    page = sweep_page.page(made_up({8: 1, 2: 1, 4: ratio, 16: 1.02}))
    rows = rows_of(page)
    assert rows["8 KiB"][-1] == f"**on an edge**: 4 KiB is {told}"
    assert "Of 1 constant: 1 on an edge (KEPT), 0 open." in page


def test_rounds_that_do_not_agree_are_told():
    measured = made_up({8: 1, 16: 1.05})
    for entry in measured.benchmarks:
        if entry["name"].endswith("=16") and entry["repetition_index"] == 0:
            entry["ns_per_op"] /= 2
    rows = rows_of(sweep_page.page(measured))
    assert rows["16 KiB"][-1] == "5 % slower (?)"
    assert rows["8 KiB"][-1] == "cannot tell: 16 KiB is 5 % slower (?)"


@pytest.mark.parametrize(
    "instructions, faults, told",
    [
        (1000, 100, "not on an edge"),
        (1020, 101, "not on an edge"),
        (1040, 100, "cannot tell: 16 KiB is 5 % slower (?)"),
        (1000, 104, "cannot tell: 16 KiB is 5 % slower (?)"),
    ],
)
def test_what_was_counted_settles_a_doubt(instructions, faults, told):
    measured = made_up({8: 1, 16: 1.05})
    for entry in measured.benchmarks:
        if entry["name"].endswith("=16") and entry["repetition_index"] == 0:
            entry["ns_per_op"] /= 2
    counts = {8: (1000, 100), 16: (instructions, faults)}
    measured.context["counts"] = {
        f"span-fast:KEPT={v}": {t: dict(zip(sweep.COUNTED, pair)) for t in ("lua", "perl")}
        for v, pair in counts.items()
    }
    rows = rows_of(sweep_page.page(measured))
    assert rows["16 KiB"][5:7] == [f"{instructions / 1000:.2f}", f"{faults / 100:.2f}"]
    assert rows["8 KiB"][-1] == told


@pytest.mark.parametrize("faults, told", [(100, "not on"), (101, "**on an edge**")])
def test_what_is_sure_is_taken_back_by_equal_counts_only(faults, told):
    measured = made_up({8: 1, 16: 1.05})
    measured.context["counts"] = {
        f"span-fast:KEPT={value}": {
            trace: {"instructions": 1000, "minor_faults": count} for trace in ("lua", "perl")
        }
        for value, count in ((8, 100), (16, faults))
    }
    assert rows_of(sweep_page.page(measured))["8 KiB"][-1].startswith(told)


def test_one_round_proves_no_edge():
    rows = rows_of(sweep_page.page(made_up({8: 1, 4: 1.5}, rounds=1)))
    assert rows["8 KiB"][-1] == "cannot tell: 4 KiB is 50 % slower (?)"


def test_failed_rows_are_kept_and_no_edge_is_denied():
    measured = made_up({8: 1, 4: 1, 16: 1}, failing=("lua", 4))
    page = sweep_page.page(measured)
    rows = rows_of(page)
    assert rows["4 KiB"][-1] == "**failed**" and rows["8 KiB"][-1] == "cannot tell"
    assert "- KEPT 4 KiB on lua: killed by signal 11" in page
    assert sweep_page.has_failures(measured)


def run_process(*options, **environment):
    """Runs the command: (status, stdout, stderr)."""
    environment = {**os.environ, "SPANBENCH_BUILD": str(BUILD), **environment}
    command = [SCRIPT, *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def run(monkeypatch, capfd):
    """A function that does what the command does, in this process: (status, stdout, stderr)."""
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    monkeypatch.setenv("SPANBENCH_BUILD", str(BUILD))
    script = load_script(SCRIPT)

    def run(*options):
        try:
            status = script.main([str(word) for word in options])
        except SystemExit as end:
            status = end.code
        return status, *capfd.readouterr()

    return run


def test_page_is_written_anew_from_results(tmp_path, run):
    results.write(tmp_path / "made.json", made_up({8: 1, 4: 1}))
    page = tmp_path / "made.md"
    command = ("--page-only", "-o", tmp_path / "made.json", "--page", page)
    assert run(*command) == (0, "", "")
    assert page.read_text() == sweep_page.page(results.read(tmp_path / "made.json"))
    results.write(tmp_path / "made.json", made_up({8: 1, 4: 1}, failing=("lua", 4)))
    assert run(*command)[0] == 1


def test_results_of_something_else_are_refused(tmp_path, run):
    results.write(tmp_path / "other.json", results.Results({}, []))
    status, _, err = run("--page-only", "-o", tmp_path / "other.json", "--page", tmp_path / "p.md")
    assert status == 2 and "other.json: holds no sweep of constants" in err
    assert not (tmp_path / "p.md").exists()


@pytest.mark.parametrize(
    "options, complaint",
    [
        (["NOT_THERE"], "NOT_THERE: no such constant"),
        (["CACHE_DELAY", "--build", "span"], "CACHE_DELAY: decides nothing in span"),
        (["CACHE_DELAY", "-t", "/none.trace"], "/none.trace: No such file"),
        (["CACHE_DELAY", "-o", "/none/out.json"], "/none/out.json: No such file"),
        (["-n", "0"], "0: not a whole number above zero"),
    ],
)
def test_usage_is_checked_before_any_work(options, complaint, run):
    status, out, err = run(*options)
    assert status == 2 and complaint in err and out == ""


def test_one_constant_is_swept_with_one_trace(tmp_path):
    """One of a single source, which alone is compiled for each value."""
    output = tmp_path / "out.json"
    options = (
        "CACHE_CLASS_SHARE",
        "--build",
        "span-fast",
        "-n",
        1,
        "-t",
        TRACE,
        "-o",
        output,
        "--no-count",
    )
    status, page, err = run_process(*options, TMPDIR=str(tmp_path))
    assert status == 0, err
    assert list(tmp_path.iterdir()) == [output]
    document = json.loads(output.read_text())
    tried = [one["value"] for one in document["context"]["sweeps"][0]["values"]]
    assert len(tried) == 5 and len(document["benchmarks"]) == 5
    names = {f"sweep/sqlite3/span-fast:CACHE_CLASS_SHARE={value}" for value in tried}
    assert {entry["name"] for entry in document["benchmarks"]} == names
    assert all(e["ns_per_op"] > 0 and e["peak_rss"] > 0 for e in document["benchmarks"])
    assert "| CACHE_CLASS_SHARE | thread_cache.c | " in page
    assert "span-fast CACHE_CLASS_SHARE, constant 1 of 1" in err


def test_a_value_that_does_not_compile_is_told(tmp_path):
    sweep.copy_tree(tmp_path)
    place = tuning.find("HEAP_WALK_MAX", tmp_path / "allocator")
    place.path.write_text(place.path.read_text() + "\n#error made up\n")
    broken = sweep.plan(["HEAP_WALK_MAX"], ["span"], tmp_path / "allocator")[0]
    with pytest.raises(Failure, match="HEAP_WALK_MAX=.*: does not build: .*made up") as caught:
        sweep.build(broken, 4, tmp_path)
    assert caught.value.status == 1


@pytest.mark.parametrize("words", [("--build", "span"), ("BIN_WALK_MAX", "--page", PAGE)])
def test_the_page_of_the_project_is_not_written_from_a_part(tmp_path, words, run):
    before = PAGE.read_text()
    status, _, err = run(*words, "-o", tmp_path / "missing.json")
    assert status == 2 and "missing.json: missing, and " in err
    assert PAGE.read_text() == before
