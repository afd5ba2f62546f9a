"""What the verb compare costs on large result files: work that grows with the number of rows and no
faster, counted in calls of functions, since seconds depend on who else is at work."""

import cProfile
import gc
import pstats

import made_up_results
import pytest

from frontend.figures import decision, results

ALLOCATORS = ("span", "glibc")
MOST_CALLS = 285  # a row costs 261; it were 309 when the figures of rows were read for each mean


@pytest.fixture
def make_pair(tmp_path):
    """A function that writes two result files of as many rows, one run each, and returns their
    paths."""

    def write(rows):
        paths = []
        for side in ("a", "b"):
            traces = [f"trace{i}" for i in range(rows // len(ALLOCATORS))]
            made = made_up_results.make(traces, ALLOCATORS, rounds=1)
            made.context.update(date=side)
            paths.append(tmp_path / f"{side}{rows}.json")
            results.write(paths[-1], made)
        return paths

    return write


def calls_of(run, *words):
    """How many calls of functions a command line makes."""
    profile = cProfile.Profile()
    profile.enable()
    status, _, err = run(*words)
    profile.disable()
    assert status == 77, err  # one run of each tells nothing
    return pstats.Stats(profile).total_calls


def test_the_work_of_a_row_is_bounded_and_the_same_in_any_file(spanbench, make_pair):
    files = {rows: make_pair(rows) for rows in (200, 400, 1600)}
    spanbench("compare", *files[200])  # loads modules and fills caches
    calls = {rows: calls_of(spanbench, "compare", *pair) for rows, pair in files.items()}
    small, large = (calls[400] - calls[200]) / 200, (calls[1600] - calls[400]) / 1200
    assert large <= MOST_CALLS
    assert large <= 1.1 * small


def test_each_figure_of_a_row_is_read_once(spanbench, make_pair, monkeypatch):
    read, usable = [], decision.usable
    monkeypatch.setattr(
        decision, "usable", lambda row, key: read.append((row.name, key)) or usable(row, key)
    )
    spanbench("compare", *make_pair(20))
    assert len(read) == 2 * 2 * 20  # of both files, the time and the peak
    assert len(set(read)) == 2 * 20


def test_nothing_is_collected_while_the_objects_pile_up(spanbench, make_pair):
    files = make_pair(2000)
    gc.collect()
    before = [generation["collections"] for generation in gc.get_stats()]
    spanbench("compare", *files)
    assert gc.isenabled()
    made = [after["collections"] - b for after, b in zip(gc.get_stats(), before)]
    assert made[2] == 0 and sum(made) < 20  # some of the parser of the line and of capturing
