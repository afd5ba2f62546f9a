"""The chart of latencies and what the page has of them: figures from counts that are known, lines
that end where calls run out, layout, and results without latencies."""

import re

import made_up_results
import numpy
import pytest
from matplotlib import pyplot
from matplotlib.text import Text
from test_charts_layout import faults_of

from frontend.charts import canvas, charts, latency_chart
from frontend.figures import digest, latency_counts, results
from frontend.page import report

EIGHT = ("span", "span-fast", "glibc", "jemalloc", "mimalloc", "tcmalloc", "tbb", "jemalloc-junk")
TRACES = ("git", "lua", "a-trace-with-a-name-that-is-much-longer-than-usual", "jq", "perl")


@pytest.fixture(autouse=True)
def closed_figures():
    """Figures that a test drew do not stay."""
    with pyplot.rc_context(canvas.STYLE):
        yield
    pyplot.close("all")


@pytest.fixture
def made(tmp_path):
    """A function that makes result files with latencies up and reads them."""

    def make(traces=TRACES[:2], allocators=("span", "glibc"), **options):
        options = {"rounds": 3, "has_latencies": True, **options}
        names = (*allocators, "null")
        path = made_up_results.write(tmp_path / "made", traces=traces, allocators=names, **options)
        return results.read(path)

    return make


def figure_of(source):
    """The chart of some results."""
    return charts.latency_charts(source, digest.digest(source, "replay"))["latency"]()


def texts(figure):
    """Everything that is written on a figure."""
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_percentiles_are_those_of_the_counts():
    found = latency_chart.from_counts([(10.0, 900), (50.0, 90), (700.0, 9), (9000.0, 1)])
    assert found.calls == 1000
    at = [found.at(nines) for nines in (0, 0.5, 0.999, 1.001, 1.5, 2.001, 3.001, 4)]
    assert at == [10, 10, 10, 50, 50, 700, 9000, 9000]


LAST_NINES = [(10**7, 4), (10**5, 4), (10**4, 3), (1000, 2), (1, 0.3)]  # by how many calls


@pytest.mark.parametrize("calls, last", LAST_NINES)
def test_a_line_ends_where_ten_calls_are_left(calls, last):
    found = {"a": latency_chart.from_counts([(5.0, calls)])}
    found["b"] = latency_chart.from_counts([(5.0, 10 * calls)])
    assert latency_chart.last_nines(found) == pytest.approx(last, abs=0.01)


def test_steps_keep_both_ends_and_lose_nothing():
    found = latency_chart.from_counts([(10.0, 5000), (20.0, 4990), (90.0, 10)])
    points = latency_chart.line_of(found, 3)
    assert points[0] == (0, 10) and points[-1] == (3, 20) and len(points) == 4
    places = numpy.linspace(0, 3, latency_chart.POINTS)
    line = numpy.interp(places, *zip(*points))
    assert line == pytest.approx([found.at(x) for x in places])


def test_the_lines_are_all_rounds_and_all_kinds(made):
    source = made(allocators=("span", "glibc", "jemalloc"))
    axes = figure_of(source).axes
    assert [a.get_title("left") for a in axes] == ["git", "lua"]
    summary = digest.digest(source, "replay")
    for subject, panel in zip(("git", "lua"), axes):
        found = latency_chart.latencies_of(source, summary, subject)
        assert list(found) == ["span", "glibc", "jemalloc"]  # and not the floor
        for line, (name, latencies) in zip(panel.lines, found.items()):
            counts = latency_counts.read(source.latency_path(subject, name)).values()
            assert latencies.calls == sum(n for _, n in counts) == 20000
            x, y = line.get_xydata()[-1]
            assert x == panel.get_xlim()[1] == latency_chart.last_nines(found)
            assert y == latencies.at(x)


def test_it_says_what_it_shows(made):
    shown = texts(figure_of(made(failing={("lua", "span")})))
    for text in ("90", "99", "99.9", "percentile", "1 us", "span", "glibc", "× span failed"):
        assert text in shown, text
    caption = " ".join(shown)
    assert "the clock moves in steps of 10 ns" in caption and "n = 3 rounds" in caption
    assert "commit 0123456789" in caption and "Imaginary 9000" in caption
    assert "medians" not in caption


def test_durations_of_zero_lie_at_the_lower_edge(made):
    source = made(traces=("git",))
    for name in ("span", "glibc"):
        counts = {("malloc", 0): (0.0, 6000), ("malloc", 9): (10.0, 4000)}
        latency_counts.write(source.latency_path("git", name), counts)
    (axes,) = figure_of(source).axes
    low = axes.get_ylim()[0]
    assert 0 < low < 10
    for line in axes.lines:
        assert line.get_ydata()[0] == low and line.get_ydata()[-1] == 10


def test_without_any_duration_it_is_drawn(made):
    source = made(traces=("git",))
    for name in ("span", "glibc"):
        latency_counts.write(source.latency_path("git", name), {("free", 0): (0.0, 3)})
    assert list(faults_of(figure_of(source))) == []


def test_results_without_latencies_have_no_chart_and_no_part(made, tmp_path):
    source = made(has_latencies=False)
    assert "latency" not in charts.charts(source, digest.digest(source, "replay"))
    page = page_of(source, tmp_path)
    assert "Latency of single calls" not in page and "worst calls" not in page


def test_counts_of_nothing_are_no_line(made):
    source = made(traces=("git",))
    latency_counts.write(source.latency_path("git", "span"), {})
    (axes,) = figure_of(source).axes
    assert len(axes.lines) == 1


@pytest.mark.parametrize("allocators", [("span", "glibc"), EIGHT], ids=len)
@pytest.mark.parametrize("count", (1, 2, 5))
def test_no_text_covers_another_or_leaves(made, count, allocators):
    source = made(traces=TRACES[:count], allocators=allocators, failing={("lua", "glibc")})
    assert list(faults_of(figure_of(source))) == []


def test_it_is_the_same_twice_and_small(made, tmp_path):
    source = made(traces=TRACES, allocators=EIGHT)
    files = [charts.draw_all(source, tmp_path / x, ("latency",), ("svg",))[0] for x in "ab"]
    svg = files[0].read_bytes()
    assert svg == files[1].read_bytes() and len(svg) < 300_000
    assert b"<title>99" in svg and b"of the calls take at most\n" in svg


def page_of(source, folder):
    """The page of some results, of whose charts only this one is drawn."""
    with pytest.MonkeyPatch.context() as patch:
        draw = charts.draw_all
        patch.setattr(charts, "draw_all", lambda s, d: draw(s, d, ("latency",), ("svg",)))
        return report.write_report([source.path], folder / "page").read_text(encoding="utf-8")


def test_the_page_has_curves_percentiles_and_the_worst(made, tmp_path):
    page = page_of(made(failing={("lua", "span")}), tmp_path)
    assert page.count('data-chart="latency"') == 1 and "One call in sixteen is timed" in page
    assert '<a href="../made/curves/git.span.latency.csv">span</a>' in page
    assert page.count("The worst calls of each allocator") == 2
    git, lua = (section.split("</section>")[0] for section in page.split('class="trace"')[1:])
    worst = re.findall(r'<tr><th scope="row">span</th><td data-sort="[^"]*">[\d.]+ [mu]s', git)
    assert len(worst) == 10
    assert "of 3</td>" in git and "p99.99" in git and ">max<" in git
    assert "glibc</th><td" in lua and 'span</th><td data-sort="' not in lua


def test_worst_calls_that_are_none_are_left_out(made, tmp_path):
    source = made(traces=("git",))
    for entry in source.benchmarks:
        entry["worst"] = [None, {"ns": 5, "kind": "<b>"}, 7]
    results.write(source.path, source)
    assert "The worst calls of" not in page_of(source, tmp_path)
