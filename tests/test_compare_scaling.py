"""What the verb compare costs on large result files: work that grows with the number of rows and no
faster, counted in calls of functions, since seconds depend on who else is at work."""

import cProfile
import gc
import pstats
import subprocess
import sys

import made_up_results
import pytest
from places import REPO

from frontend.figures import decision, results

ALLOCATORS = ("span", "glibc")
MOST_CALLS = 245  # a row costs 233; it were 309 when the figures of rows were read for each mean
MOST_CALLS_ALONE = 80  # of a row that only one side has, which is read and named: 67
MOST_CALLS_OF_TEN = (
    1010  # of a row of ten runs in both files: 962, nearly all to read twenty entries
)
MOST_CALLS_PAIRED = 735  # of a row of ten runs in one file, two of which make a pair: 700


@pytest.fixture
def make_pair(tmp_path):
    """A function that writes result files of as many rows, one run each unless it is told
    otherwise, and returns their paths; the traces of B begin `offset` later."""

    def write(rows, rounds=1, sides=("a", "b"), offset=0):
        paths = []
        for side in sides:
            first = offset if side == "b" else 0
            traces = [f"trace{i}" for i in range(first, first + rows // len(ALLOCATORS))]
            made = made_up_results.make(traces, ALLOCATORS, rounds=rounds)
            made.context.update(date=side)
            paths.append(tmp_path / f"{side}{rows}.json")
            results.write(paths[-1], made)
        return paths

    return write


def calls_of(run, *words, expected=77):
    """How many calls of functions a command line makes; one run of each tells nothing."""
    profile = cProfile.Profile()
    profile.enable()
    status, _, err = run(*words)
    profile.disable()
    assert status == expected, err
    return pstats.Stats(profile).total_calls


def calls_of_a_row(run, make, *words, **expected):
    """How many calls a row more costs; `make` gives the files that so many rows are in."""
    files = [make(rows) for rows in (200, 600)]
    run("compare", *files[0], *words)  # loads modules and fills caches
    small, large = (calls_of(run, "compare", *paths, *words, **expected) for paths in files)
    return (large - small) / 400


def test_the_work_of_a_row_is_bounded_and_the_same_in_any_file(spanbench, make_pair):
    files = {rows: make_pair(rows) for rows in (200, 400, 1600)}
    spanbench("compare", *files[200])  # loads modules and fills caches
    calls = {rows: calls_of(spanbench, "compare", *pair) for rows, pair in files.items()}
    small, large = (calls[400] - calls[200]) / 200, (calls[1600] - calls[400]) / 1200
    assert large <= MOST_CALLS
    assert large <= 1.1 * small


def test_a_row_that_one_side_has_alone_costs_little(spanbench, make_pair):
    def apart(rows):
        return make_pair(rows, offset=rows // len(ALLOCATORS) - 50)  # 100 rows are in both

    assert calls_of_a_row(spanbench, apart) <= MOST_CALLS_ALONE


def test_a_row_of_ten_runs_costs_ten_times_as_much_at_most(spanbench, make_pair):
    def unpaired(rows):
        return make_pair(rows, rounds=10)

    assert calls_of_a_row(spanbench, unpaired, expected=0) <= MOST_CALLS_OF_TEN


def test_a_row_of_pairs_costs_little(spanbench, make_pair):
    def paired(rows):
        return make_pair(rows, rounds=10, sides="a")

    words = ("--base", "glibc", "--head", "span", "--json")  # no row is drawn
    assert calls_of_a_row(spanbench, paired, *words, expected=1) <= MOST_CALLS_PAIRED


def test_one_run_of_each_needs_no_scipy(make_pair):
    program = "import sys; from frontend.cli import main; status = main(sys.argv[1:])\n"
    program += "print(status, 'scipy' in sys.modules)"
    words = [sys.executable, "-c", program, "compare", *make_pair(4)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=REPO / "scripts")
    assert done.stdout.splitlines()[-1] == "77 False", done.stderr


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
