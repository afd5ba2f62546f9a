"""What recording costs: the tables that follow from made-up runs, and each way of running on a
small program."""

import shutil

import pytest
from places import BUILD, load_script

from studies import recording_cost
from studies.recording_cost import LOOP_WAYS, PLAIN, RECORDED, SITES, Absent, Run

PROGRAM = [str(BUILD / "tests" / "subjects" / "every_call")]
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


def command():
    """The command as a module."""
    return load_script("scripts/studies/measure_recording")


def test_what_is_added_is_a_difference_within_rounds():
    ways = {PLAIN: [10, 20, 30] * 3, RECORDED: [22, 32, 42] * 3, SITES: [30, 40, 50] * 3}
    head, row = recording_cost.loop_table({1: ways})
    recorded, sites, more = (f"+{n}.0 ns ({n}.0 to {n}.0)" for n in (12, 20, 8))
    assert row == [1, "20.0 ns", recorded, sites, more]
    assert len(head) == len(row)


def test_programs_have_factors_and_bytes_of_a_call():
    runs = {
        PLAIN: [Run(0.5), Run(0.4), Run(9.0)],
        "spanbench": [Run(0.55, 1500)] * 3,
        "heaptrack": [Run(2.0, 9000)],
        "mtrace": "libc_malloc_debug.so.0 is not installed",
        "ltrace": [Run(10.0, 4000, False, 100)],  # ended: a tenth of the calls
    }
    *_, row = recording_cost.program_table([("gawk", 1000, runs)])
    assert row == ["gawk", "1,000", "0.50 s", "1.10, 1.5 B", "4.00, 9.0 B", "–", "200, 40.0 B"]
    assert recording_cost.cell([Run(0.7, 90, True, 3)], 0.5, 1000) == "–"  # it saw three calls


@pytest.mark.parametrize("way", LOOP_WAYS)
def test_the_loop_runs_in_each_way(way, monkeypatch):
    monkeypatch.setattr(recording_cost, "LOOP_CALLS", 20000)
    assert 0 < recording_cost.loop_ns(way, 2) < 1e6


def test_ways_take_turns():
    assert [recording_cost.turned("abc", n)[0] for n in range(4)] == list("abca")


@pytest.mark.parametrize("way", recording_cost.RECORDERS)
def test_each_recorder_leaves_something(way, tmp_path):
    try:
        run = recording_cost.RECORDERS[way](PROGRAM, tmp_path, ENVIRONMENT)
    except Absent as reason:
        pytest.skip(str(reason))
    assert run.is_whole and run.seconds > 0 and (run.bytes > 0) == (way != PLAIN)


def test_a_recorder_that_takes_too_long_is_ended_and_its_calls_are_counted(tmp_path, monkeypatch):
    if not shutil.which("ltrace"):
        pytest.skip("ltrace is not installed")
    monkeypatch.setattr(recording_cost, "LTRACE_S", 2.0)
    loop = [str(BUILD / "tests" / "subjects" / "tight_loop"), "1", "100000000"]
    run = recording_cost.ltrace_run(loop, tmp_path, ENVIRONMENT)
    assert not run.is_whole and 1.9 < run.seconds < 60 and run.ops > 10
    assert 20 < run.bytes / run.ops < 200


def test_a_recorder_that_is_missing_is_told(tmp_path):
    with pytest.raises(Absent, match="^heaptrack is not installed$"):
        recording_cost.heaptrack_run(PROGRAM, tmp_path, {"PATH": str(tmp_path)})


def test_bad_input_is_one_line(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    assert command().main(["--page", str(page)]) == 2
    assert "page.md: needs <!-- cost:begin -->" in capsys.readouterr().err
    assert command().main(["zzz"]) == 2
    assert "zzz: no such program (" in capsys.readouterr().err
