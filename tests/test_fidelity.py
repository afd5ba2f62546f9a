"""How far predictions are from what is real, on made-up rounds: the ratio and its interval, the
record that goes on where it was, the tables and the chart that follow from it."""

import random
import re
from importlib import import_module
from types import SimpleNamespace

import numpy
import pytest
from places import REPO, load_script

from frontend.figures import digest, paired_samples, results
from frontend.measuring.campaign import Figures
from studies import fidelity, fidelity_page
from studies.fidelity import REFERENCE, RIVALS, Record
from studies.fidelity_page import BEGIN, END

PAGE = f"# Method\n\n{BEGIN}\nold\n{END}\n\ntail\n"
CONTEXT = {"date": "2026-01-02T03:04:05", "commit": "0123456789abcdef", "cpu": "Imaginary 9000"}
# Of each program's second: saved really, by the replay, by the model.
SAVED = {"cc1": (0.2, 0.4, 0.22), "perl": (-0.1, 0.1, -0.08), "z3": (0.01, 0.02, 0.03)}


def rounds_of(saved, count, seed):
    """Made-up times of a reference and of who saves so much, [real, plain, modelled] each."""
    draw = random.Random(seed)
    before, after = [], []
    for _ in range(count):
        speed = draw.uniform(0.7, 1.4)  # of the machine in this round
        before.append([speed * 1e9 * share for share in (1, 0.5, 0.6)])
        less = [speed * 1e9 * (share + draw.gauss(0, 0.002)) for share in saved]
        after.append([b - s for b, s in zip(before[-1], less)])
    return before, after


@pytest.fixture
def record(tmp_path):
    """A Record of three programs and two allocators."""
    made = Record(tmp_path / "fidelity.json")
    made.data["context"] = CONTEXT
    for name, saved in SAVED.items():
        before, after = rounds_of(saved, 9, name)
        for ours, theirs in zip(before, after):
            made.add(name, {REFERENCE: (ours, run_of(ours)), RIVALS[0]: (theirs, run_of(theirs))})
    return made


def run_of(times):
    """The Figures of a real run of so many ns."""
    return Figures(times[0], times[0] / 2, {"peak_rss": 1 << 20})


def command():
    """The command as a module."""
    return load_script("scripts/studies/measure_fidelity")


def test_every_other_of_the_timed_programs_is_judged(monkeypatch):
    monkeypatch.syspath_prepend(REPO / "workloads")
    timed = sorted(program.name for program in import_module("programs").TIMED)
    assert fidelity.FITTED == tuple(timed[::2])


def test_ratio_covers_what_is_true_and_is_endless_where_nothing_was_saved():
    draw = numpy.random.default_rng(7)
    covered = 0
    for _ in range(40):
        before = draw.normal(10, 1, 12)
        found = paired_samples.ratio(2 * before + draw.normal(0, 1, 12), before, 0.95)
        covered += found.low < 2 < found.high
        assert found.high - found.low < 0.6 and found.median == pytest.approx(2, abs=0.2)
    assert covered >= 36
    doubtful = paired_samples.ratio(before, [1.0, -0.9] * 6, 0.95)
    assert numpy.isinf(doubtful.low) or numpy.isinf(doubtful.high)


def test_pairs_tell_what_is_real_and_what_was_predicted(record):
    pairs = {pair.program: pair for pair in fidelity_page.pairs_of(record)}
    cc1 = pairs["cc1"]
    assert (cc1.real.median, cc1.plain.median) == (pytest.approx(0.2, 0.3), pytest.approx(0.4, 0.3))
    assert cc1.ratio.median == pytest.approx(1.1, abs=0.05)
    assert cc1.plain_ratio.median == pytest.approx(2, abs=0.1)
    assert cc1.ratio.low < 1.1 < cc1.ratio.high
    assert pairs["perl"].ratio.median == pytest.approx(0.8, abs=0.05)
    assert pairs["perl"].plain_ratio.median < 0
    assert pairs["z3"].ratio is None  # too little is saved
    assert [pairs[name].is_fitted for name in SAVED] == [True, False, False]


def test_page_has_table_and_chart(record, tmp_path):
    page, chart = tmp_path / "page.md", tmp_path / "chart"
    page.write_text(PAGE)
    fidelity_page.write(record, page, chart)
    text = page.read_text()
    assert text.startswith("# Method\n\n") and text.endswith("\n\ntail\n") and "old" not in text
    assert "| all, with the model | 2 |" in text and "| perl (judged) | span-fast |" in text
    assert "n = 9 interleaved rounds" in text and "Busy" not in text
    # cc1, which is fitted, is predicted to save twice as much by the replay: half of it is right.
    assert re.search(r"judged programs, replay, times 0\.[45]\d \| 1 \| -0\.[45]\d \|", text)
    assert re.search(r"judged programs, with the model, times 0\.9\d \| 1 \| 0\.7\d \|", text)
    assert "perl, span-fast" in (tmp_path / "chart.svg").read_text()
    record.data["context"]["load_before"] = 3.0
    assert "**Busy machine** (load 3.0 before)" in fidelity_page.text_of(record)


def test_one_round_has_no_intervals_and_no_ratios(tmp_path):
    record = Record(tmp_path / "fidelity.json")
    before, after = rounds_of(SAVED["cc1"], 1, 1)
    sides = ((REFERENCE, before[0]), (RIVALS[0], after[0]))
    record.add("cc1", {name: (times, run_of(times)) for name, times in sides})
    assert "| cc1 | span-fast |" in fidelity_page.text_of(record)


class MadeUpBench:
    """Takes note of what is asked for, and may be interrupted."""

    def __init__(self, most=100):
        self.warmed, self.timed, self.most = [], [], most

    def warm_up(self, command, allocator):
        self.warmed.append((command.name, allocator.name))

    def round_of(self, command, trace, allocator):
        if len(self.timed) == self.most:
            raise KeyboardInterrupt
        self.timed.append((command.name, allocator.name))
        return [3, 2, 1], run_of([3])


def test_an_interrupted_run_goes_on_where_it_was(tmp_path):
    path = tmp_path / "fidelity.json"
    commands, allocators = ([SimpleNamespace(name=n) for n in names] for names in ("ab", "xyz"))
    traces = {"a": None, "b": None}
    with pytest.raises(KeyboardInterrupt):
        fidelity.run_rounds(Record(path), commands, traces, allocators, 2, MadeUpBench(8))
    record = Record(path)
    assert [record.rounds(name) for name in "abc"] == [1, 1, 0]
    bench = MadeUpBench()
    fidelity.run_rounds(record, commands, traces, allocators, 2, bench)
    assert sorted(bench.timed) == sorted(bench.warmed)
    assert sorted(set(bench.timed)) == [(c, a) for c in "ab" for a in "xyz"]
    assert Record(path).data["programs"]["b"] == {name: [[3, 2, 1]] * 2 for name in "xyz"}


def test_real_runs_are_a_result_file_of_programs(record, tmp_path):
    record.write_runs(tmp_path / "exec.json")
    measured = results.read(tmp_path / "exec.json")
    assert measured.kinds() == ["exec"] and measured.subjects("exec") == list(SAVED)
    row = measured.row("exec", "perl", REFERENCE)
    times = record.data["programs"]["perl"][REFERENCE]
    assert row.by_round("real_time") == {i: ns[0] / 1e6 for i, ns in enumerate(times)}
    assert row.by_round("peak_rss") == dict.fromkeys(range(9), 1 << 20)
    assert measured.context["commit"] == CONTEXT["commit"] and measured.context["rounds"] == 9
    assert digest.digest(measured, "exec").rivals == [RIVALS[0]]


def test_bad_input_is_one_line(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    runs = ["--real", str(tmp_path / "exec.json")]
    main, words = command().main, ["--page-only", *runs, "--page", str(page), "-o"]
    assert main([*words, str(tmp_path / "f.json")]) == 2
    assert "page.md: needs <!-- fidelity:begin --> and" in capsys.readouterr().err
    page.write_text(PAGE)
    (tmp_path / "f.json").write_text("{")
    assert main([*words, str(tmp_path / "f.json")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main([*words, str(tmp_path / "g.json")]) == 2
    assert "nothing has been measured yet" in capsys.readouterr().err
    assert main(["zzz", *words, str(tmp_path / "g.json")]) == 2
    assert "zzz: no such program" in capsys.readouterr().err
