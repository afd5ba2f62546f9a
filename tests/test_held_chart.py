"""The chart of what memory is held for, and what the page has of it."""

import made_up_results
import pytest
from matplotlib import pyplot
from test_charts_layout import faults_of

from frontend.charts import canvas, charts, held_chart
from frontend.figures import digest, results
from frontend.page import report

MIB = 1 << 20
NAMES = ("span", "span-fast", "glibc", "jemalloc")
HELD = {"rss": 12, "live": 5, "used": 6, "cached": 1, "free": 2, "empty": 4}  # MiB


@pytest.fixture(autouse=True)
def closed_figures():
    """Figures that a test drew do not stay."""
    with pyplot.rc_context(canvas.STYLE):
        yield
    pyplot.close("all")


def made(held_of, traces=("git",), allocators=NAMES):
    """Results in which each entry holds what held_of(its allocator, its round) tells."""
    entries = made_up_results.make(traces=traces, allocators=allocators, rounds=3)
    for entry in entries.benchmarks:
        held = held_of(results.split_name(entry["name"])[2], entry["repetition_index"])
        entry.update({} if held is None else {"held": held})
    return entries


def in_bytes(**more):
    """HELD with other figures, in bytes."""
    return {key: size * MIB for key, size in {**HELD, **more}.items()}


def test_it_is_the_round_that_needs_most():
    measured = made(lambda name, i: in_bytes(rss=12 + i % 2, live=5 + i % 2))
    held = held_chart.of_row(measured.rows[0])
    assert (held.rss, held.live, held.overhead) == (13 * MIB, 6 * MIB, 0)
    assert (held.cached, held.free, held.empty) == (MIB, 2 * MIB, 4 * MIB)


@pytest.mark.parametrize("held", [None, 7, [], {}, {**HELD, "live": "x"}, {"rss": 1}])
def test_what_is_none_is_left_out(held):
    measured = made(lambda name, i: held)
    assert all(held_chart.of_row(row) is None for row in measured.rows)
    assert not [
        name
        for name in charts.charts(measured, digest.digest(measured, "replay"))
        if name.startswith("held")
    ]


def test_a_bar_for_each_that_tells():
    measured = made(lambda name, i: in_bytes() if name != "jemalloc" else None)
    summary = digest.digest(measured, "replay")
    assert list(held_chart.held_of(summary, "git")) == ["span", "span-fast", "glibc"]
    figure = held_chart.held_figure(summary, "git")
    axes = figure.axes[-1]
    assert [len(bars) for bars in axes.containers] == [1] * 15
    ends = [bars[0].get_x() + bars[0].get_width() for bars in axes.containers]
    assert ends[:5] == pytest.approx([5, 6, 7, 9, 13])
    assert [line.get_xdata()[0] for line in axes.lines[-3:]] == pytest.approx([12] * 3)


@pytest.mark.parametrize("size", [0, 1, 900])
def test_no_text_covers_another_or_leaves(size):
    measured = made(lambda name, i: in_bytes(rss=size, live=size, used=size))
    figure = held_chart.held_figure(digest.digest(measured, "replay"), "git")
    assert list(faults_of(figure)) == []


def test_the_page_has_it(tmp_path):
    path = tmp_path / "results.json"
    results.write(path, made(lambda name, i: in_bytes()))
    page = report.write_report([path], tmp_path).read_text()
    assert 'data-chart="held-git"' in page and "headers and rounding" in page
