"""What shows that the gate can be trusted, on made-up pairs: the record, the collecting, the tables
and the chart that follow from it."""

import json
import math
import os
import re
from contextlib import contextmanager

import numpy
import pytest
from places import load_script

from frontend.failure import BAD_INPUT, Failure
from frontend.figures import paired_samples
from frontend.gate import gate_subjects
from frontend.gate.gate_verdict import PASS, UNKNOWN, WORSE
from studies import gate_power, gate_proof
from studies.gate_power import BEGIN, END, QUICK, STANDARD, Proof
from studies.gate_proof import FAT, SAME, Record

ROWS = (*gate_subjects.QUICK, "lua", "redis")
CONTEXT = {"date": "2026-01-02T03:04:05", "commit": "0123456789abcdef", "cpu": "Imaginary 9000"}
PAGE = f"# Measuring\n\n{BEGIN}\nold\n{END}\n\ntail\n"


def series(seed, rows, rounds=40, slower=0.0, noise=0.01):
    """Made-up pairs as a record keeps them."""
    random = numpy.random.default_rng(seed)
    drawn = {
        row: {
            "logs": [round(x, 5) for x in random.normal(math.log1p(slower), noise, 2 * rounds)],
            "noise": [round(x, 5) for x in random.normal(0, noise, 2 * rounds)],
        }
        for row in rows
    }
    return {"rows": drawn, "seconds": 1.5 * rounds}


def made_up_data():
    """A whole record."""
    found = {SAME: series(1, ROWS)}
    found.update({str(p): series(p, gate_subjects.QUICK, 20, p / 100) for p in gate_proof.SLOWER})
    gates = {name: [[0, 30.5, 12]] * 3 for name, *_ in gate_proof.PLANNED}
    gates["5 % slower, time"] = [[1, 60.1, 24], [1, 61.2, 24], [77, 120.3, 48]]
    loops = {str(p): p * 3 for p in gate_proof.SLOWER}
    return {"context": CONTEXT, "loops": loops, "series": found, "gates": gates}


@pytest.fixture
def record(tmp_path):
    """A Record of made-up pairs and gates."""
    record = Record(tmp_path / "proof.json")
    record.data = made_up_data()
    record.write()
    return record


@pytest.fixture
def few_gates(monkeypatch):
    """As few resampled gates as tell anything."""
    monkeypatch.setattr(gate_power, "ALARM_GATES", 20)
    monkeypatch.setattr(gate_power, "POWER_GATES", 10)
    monkeypatch.setattr(gate_power, "CURVE_GATES", 4)
    monkeypatch.setattr(gate_power, "CURVE_PAIRS", (12, 24))


@pytest.fixture
def page(tmp_path):
    """A page with markers."""
    path = tmp_path / "method.md"
    path.write_text(PAGE)
    return path


@pytest.fixture
def prove_gate(capfd, monkeypatch, tmp_path):
    """A function that runs the script: (status, stdout, stderr)."""
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    script = load_script("scripts/studies/prove_gate")

    def run(*words):
        try:
            status = script.main([str(word) for word in words])
        except SystemExit as end:
            status = end.code
        return status, *capfd.readouterr()

    return run


# The record


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"a": [1, 2.5, -3], "b": {"c": [], "d": {}}},
        {"gates": {"x": [[0, 1.5, 12], [77, 2, 48]], "y": [], "z": [[]]}},
        {"text": ["always [madvise] never", "ends in [", "a, b", "["], "more": "]"},
        made_up_data(),
    ],
)
def test_compact_text_says_the_same(data):
    text = gate_proof.compact(json.dumps(data, indent=1))
    assert json.loads(text) == data


def test_compact_text_has_a_list_of_numbers_on_a_line():
    text = gate_proof.compact(json.dumps({"a": {"logs": [1, 2, 3], "noise": [4]}}, indent=1))
    assert [line.strip() for line in text.splitlines()] == [
        *("{", '"a": {', '"logs": [1, 2, 3],', '"noise": [4]', "}", "}")
    ]


def test_a_record_is_read_as_it_was_written(record):
    again = Record(record.path)
    assert again.data == record.data == made_up_data()
    assert max(map(len, record.path.read_text().splitlines())) > 200
    assert os.listdir(record.path.parent) == ["proof.json"]


def test_a_record_makes_its_folder(tmp_path):
    Record(tmp_path / "a" / "b" / "proof.json").write()
    assert Record(tmp_path / "a" / "b" / "proof.json").data["gates"] == {}


def test_a_record_that_is_not_there_is_empty(tmp_path):
    assert Record(tmp_path / "new.json").data["series"] == {}


@pytest.mark.parametrize("name, what", [("bad.json", "no JSON"), ("folder", "Is a directory")])
def test_a_damaged_record_is_a_failure(tmp_path, name, what):
    (tmp_path / "bad.json").write_text('{"series": ')
    (tmp_path / "folder").mkdir()
    with pytest.raises(Failure, match=f"{name}: {what}") as caught:
        Record(tmp_path / name)
    assert caught.value.status == BAD_INPUT


# Measuring


@pytest.fixture
def made_up_libraries(made_up_build, shared_objects, made_up_trace, monkeypatch):
    """Libraries and subjects without building anything; head takes 12 ns where base takes 10."""
    path = shared_objects / "liballocator.so"

    @contextmanager
    def libraries(loops):
        yield {name: path for name in (SAME, FAT, *loops)}

    trace = made_up_trace(ns={"head0": 12, "head1": 12})
    subjects = gate_subjects.resolve([trace])
    monkeypatch.setattr(gate_proof, "libraries", libraries)
    monkeypatch.setattr(gate_subjects, "standard", lambda is_quick: subjects)
    return trace, path


def test_rounds_are_added_to_those_that_there_are(made_up_libraries, tmp_path, monkeypatch):
    monkeypatch.setattr(gate_proof, "SLICE", 2)
    record = Record(tmp_path / "proof.json")
    record.data["loops"] = {"5": 20}
    gate_proof.collect(record, "5", 3, is_quick=True)
    first = Record(record.path).data["series"]["5"]
    assert first["rows"]["made"] == {"logs": [round(math.log(1.2), 5)] * 6, "noise": [0.0] * 6}
    gate_proof.collect(record, "5", 3, is_quick=True)
    assert Record(record.path).data["series"]["5"] == first
    gate_proof.collect(record, "5", 4, is_quick=True)
    second = Record(record.path).data["series"]["5"]
    assert len(second["rows"]["made"]["logs"]) == 8 and second["seconds"] > first["seconds"]


def test_calibration_finds_the_loops_of_each_slowdown(made_up_libraries, tmp_path, monkeypatch):
    monkeypatch.setattr(gate_proof, "CALIBRATION_LOOPS", (10, 20))
    monkeypatch.setattr(gate_proof, "CALIBRATION_PAIRS", 2)
    record = Record(tmp_path / "proof.json")
    gate_proof.calibrate(record)
    found = Record(record.path).data
    assert found["calibration"] == {str(n): round(math.log(1.2), 5) for n in (10, 20)}
    slope = (10 + 20) * math.log(1.2) / (10**2 + 20**2)
    assert found["loops"] == {
        str(p): max(1, round(math.log1p(p / 100) / slope)) for p in gate_proof.SLOWER
    }
    assert "cpu" in found["context"]


def test_loops_are_read_off_a_line_through_all_that_was_measured():
    assert gate_proof.loops_for(0.05, {10: 0.02, 20: 0.04}) == 25
    assert gate_proof.loops_for(0.05, {10: 0.03, 20: 0.035, 40: 0.08}) == 25
    assert gate_proof.loops_for(0.00001, {10: 0.01}) == 1
    with pytest.raises(Failure):
        gate_proof.loops_for(0.05, {10: 0.0, 20: -0.01})


def test_whole_gates_are_run_and_what_burns_meanwhile_ends(
    made_up_libraries, tmp_path, monkeypatch
):
    trace, path = made_up_libraries
    burners = []
    burn = gate_proof.burn
    monkeypatch.setattr(gate_proof, "burn", lambda: burners.append(burn()) or burners[-1])
    options = f"--metrics time --pairs 12 --workloads {trace}"
    status, seconds, pairs, ratio = gate_proof.run_gate(path, path, options, True, str(tmp_path))
    assert (status, pairs) == (1, 24) and seconds > 0 and ratio > 1
    assert len(burners) == 1 and burners[0].poll() is not None


def test_a_gate_that_cannot_run_says_why(made_up_libraries, tmp_path):
    _, path = made_up_libraries
    (tmp_path / "gate.json").write_text("of another gate")
    with pytest.raises(Failure, match="nothing: neither a trace of the corpus"):
        gate_proof.run_gate(path, path, "--workloads nothing", False, str(tmp_path))


def test_gates_are_run_until_there_are_enough(made_up_libraries, tmp_path, monkeypatch):
    done = []
    planned = (("same, x", SAME, "--x", False), ("fat, y", FAT, "--y", True))
    monkeypatch.setattr(gate_proof, "PLANNED", planned)
    monkeypatch.setattr(gate_proof, "run_gate", lambda *words: done.append(words) or [0, 1.5, 12])
    record = Record(tmp_path / "proof.json")
    gate_proof.run_gates(record, 1, "same")
    gate_proof.run_gates(record, 3, "")
    assert {name: len(found) for name, found in Record(record.path).data["gates"].items()} == {
        "same, x": 3,
        "fat, y": 3,
    }
    assert [words[2] for words in done] == ["--x"] * 3 + ["--y"] * 3


# Resampling


def test_blocks_of_neighbours_are_taken_from_all_rows_together(record):
    rows = {"a": gate_power.Pairs(numpy.arange(40.0), numpy.arange(40.0) + 100)}
    rows["b"] = gate_power.Pairs(numpy.arange(40.0) + 1000, numpy.arange(40.0))
    random, block, seen = numpy.random.default_rng(1), 2 * gate_power.BLOCK, set()
    for _ in range(20):
        found = gate_power.resampled(rows, 24, 0.5, random)
        logs = found["a"].logs - 0.5
        assert len(logs) == 24
        assert list(found["b"].logs - 1000.5) == list(logs) == list(found["a"].noise - 100)
        for start in range(0, 24, block):
            assert set(numpy.diff(logs[start : start + block]) % 40) == {1}
        seen.update(logs)
    assert seen == set(range(40))


def test_resampled_gates_pass_fail_and_cannot_tell(record):
    rows = Proof(record.data).rows(QUICK)
    looks = gate_power.standard_looks(QUICK)

    def verdicts(shift, noise=1.0):
        loud = {row: gate_power.Pairs(p.logs * noise, p.noise * noise) for row, p in rows.items()}
        return gate_power.simulate(loud, looks, shift, 20)

    assert verdicts(0.0) == [(PASS, 12)] * 20
    assert verdicts(math.log1p(0.10)) == [(WORSE, 24)] * 20
    loud = verdicts(0.0, noise=200)
    assert gate_power.share_of(UNKNOWN, loud)[0] > 0 and max(n for _, n in loud) >= 48
    assert verdicts(0.0) == verdicts(0.0)  # the seed is the same


def test_a_gate_of_so_many_pairs_takes_no_more_where_it_can_decide(record):
    rows = Proof(record.data).rows(QUICK)
    gates = gate_power.simulate(rows, gate_power.looks_of(24, QUICK), math.log1p(0.1), 10)
    assert gates == [(WORSE, 24)] * 10


# Tables and the chart


def cells_of(text, *words):
    """The cells of the first line of a table that has all the words."""
    line = next(x for x in text.splitlines() if x.startswith("|") and all(w in x for w in words))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_has_tables_between_its_markers_and_a_chart(record, page, few_gates):
    gate_power.write(record, page)
    text = page.read_text()
    head, tail = PAGE.split(f"{BEGIN}\nold\n{END}")
    assert text.startswith(head + BEGIN) and text.endswith(END + tail) and "\nold\n" not in text
    assert "80 pairs of each of 7 rows, and 40 of each slower one" in text
    assert "Imaginary 9000" in text and "commit 0123456789, 2026-01-02" in text
    assert cells_of(text, "resampled, --quick, time")[1].startswith(
        "0 of 20 (0 %, 95 %: 0 to 16.8)"
    )
    assert cells_of(text, "resampled, 10 % added")[1:3] == [
        "10 %",
        "10 of 10 (100 %, 95 %: 69.2 to 100)",
    ]
    assert float(cells_of(text, "15 loops burnt")[1].removesuffix(" %")) == pytest.approx(
        5, abs=0.2
    )
    assert cells_of(text, "real: 5 % slower, time")[2].startswith("2 of 3 (66.7 %")
    assert cells_of(text, "real: 5 % slower, time")[3] == "1 of 3 (33.3 %)"
    assert cells_of(text, "| standard | 10 % |")[2:5] == ["100 %", "24", "0:18"]
    chart = (record.path.parent / f"{gate_power.CHART}.svg").read_text()
    assert "<svg" in chart and "minutes of timing" in chart
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) < 2


def test_what_was_not_measured_yet_is_left_out(record, page, few_gates):
    record.data["series"] = {SAME: record.data["series"][SAME]}
    record.data["gates"] = {}
    gate_power.write(record, page)
    text = page.read_text()
    assert "real" not in text and "loops burnt" not in text
    assert cells_of(text, "| --quick | 10 % |")[4] == "not measured"


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}\n{BEGIN}\n"])
def test_a_page_without_markers_is_refused_and_left(record, page, text, prove_gate):
    page.write_text(text)
    status, out, err = prove_gate("page", "-o", record.path, "--page", page)
    assert (status, out) == (2, "")
    assert err == f"prove_gate: {page}: needs {BEGIN} and {END}, each once, in this order\n"
    assert page.read_text() == text


def test_a_record_without_pairs_is_refused(tmp_path, page, prove_gate):
    status, _, err = prove_gate("page", "-o", tmp_path / "new.json", "--page", page)
    assert status == 2 and page.read_text() == PAGE
    assert err == "prove_gate: the record holds no pairs of one and the same library\n"


@pytest.mark.parametrize(
    "words, message",
    [
        (("dance",), "dance: no such step (there are calibrate, same"),
        (("page", "--page", "nowhere.md"), "nowhere.md: No such file or directory"),
        (("same", "-o", "bad.json/x.json"), "bad.json: File exists"),
        (("page", "-o", "bad.json", "--page", "page.md"), "bad.json: no JSON"),
    ],
)
def test_wrong_usage_is_one_line(prove_gate, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "page.md").write_text(PAGE)
    words = words if "-o" in words else (*words, "-o", "new.json")
    status, out, err = prove_gate(*words)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"prove_gate: {message}")


def test_the_script_writes_the_page(record, page, few_gates, prove_gate):
    texts = []
    for _ in range(2):
        assert prove_gate("page", "-o", record.path, "--page", page) == (0, "", "")
        texts.append(page.read_text())
    assert re.search(r"\| resampled, standard, time \| 0 of 20", texts[0])
    assert texts[0] == texts[1]


def test_shares_come_with_their_intervals():
    assert gate_power.share_text((0, 0)) == "none run"
    assert gate_power.share_text((3, 2000)) == "3 of 2000 (0.15 %, 95 %: 0.0309 to 0.438)"
    assert gate_power.share_text((1, 20), has_interval=False) == "1 of 20 (5 %)"
    assert [gate_power.minutes(s) for s in (65, 59.9, 3600)] == ["1:05", "0:59", "60:00"]


def test_a_gate_that_did_not_end_well_counts_as_a_regression(record):
    record.data["gates"]["x"] = [[0, 1, 12], [1, 1, 12], [77, 1, 12], [-9, 1, 12]]
    verdicts = [verdict for verdict, _, _ in gate_power.real(Proof(record.data), "x")]
    assert verdicts == [PASS, WORSE, UNKNOWN, WORSE]


def test_what_whole_gates_found_is_told_where_they_say_it(record):
    record.data["gates"]["x"] = [[0, 1, 12], [1, 1, 12, 1.05], [1, 1, 12, 1.07], [1, 1, 12, None]]
    assert gate_power.real_effect(Proof(record.data), "x") == "6.0 %"
    record.data["gates"]["x"] = [[0, 1, 0]]
    assert gate_power.real_effect(Proof(record.data), "x") == ""


def test_time_a_pair_is_that_of_its_extent(record):
    proof = Proof(record.data)
    assert [proof.seconds_a_pair(extent) for extent in (QUICK, STANDARD)] == [0.75, 0.75]
    assert set(proof.rows(QUICK)) == set(gate_subjects.QUICK) and set(proof.rows(STANDARD)) == set(
        ROWS
    )
    assert paired_samples.effect(proof.rows(STANDARD)["lua"].logs).n == 80
