"""Charts: which are drawn and from what, what they say, that they are the same twice, and that the
colours can be told apart."""

import xml.etree.ElementTree as xml
from itertools import combinations

import made_up_results
import numpy
import pytest
from matplotlib import colors, pyplot
from matplotlib.text import Text

from frontend.charts import blocks_chart, bound_chart, canvas, charts, curve_chart, frontier_chart
from frontend.charts import heat_chart, palette, ratio_chart, threads_chart
from frontend.failure import Failure
from frontend.figures import digest, results

FEW = {"traces": ("git", "lua"), "allocators": ("span", "glibc", "jemalloc", "null"), "rounds": 3}
# Severe deuteranopia and protanopia on linear RGB (Machado, Oliveira and Fernandes, 2009).
DEFICIENCIES = {
    "none": numpy.eye(3),
    "deuteranopia": numpy.array(
        [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]
    ),
    "protanopia": numpy.array(
        [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]
    ),
}


@pytest.fixture
def read(tmp_path):
    """A function that makes result files up and reads them."""

    def make(**options):
        return results.read(made_up_results.write(tmp_path / "made", **{**FEW, **options}))

    return make


@pytest.fixture(autouse=True)
def closed_figures():
    """Figures that a test drew do not stay."""
    yield
    pyplot.close("all")


def summary_of(source, kind="replay"):
    return digest.digest(source, kind)


def texts(figure):
    """Everything that is written on a figure."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_each_chart_is_drawn_as_svg_and_png(read, tmp_path):
    files = charts.draw_all(read(), tmp_path / "out")
    stems = ["time", "memory", "frontier", "blocks-git", "blocks-lua"]
    stems += ["curves", "curve-git", "curve-lua"]
    assert [f.name for f in files] == [f"{s}.{x}" for s in stems for x in ("svg", "png")]
    for file in files:
        if file.suffix == ".svg":
            assert xml.parse(file).getroot().tag.endswith("svg")
        else:
            assert file.read_bytes().startswith(b"\x89PNG")
        assert file.stat().st_size < 300_000


def test_charts_are_the_same_twice(read, tmp_path):
    source = read()
    first = charts.draw_all(source, tmp_path / "a", only=("time", "curves"))
    second = charts.draw_all(source, tmp_path / "b", only=("time", "curves"))
    assert [f.name for f in first] == ["time.svg", "time.png", "curves.svg", "curves.png"]
    assert [f.read_bytes() for f in first] == [f.read_bytes() for f in second]


def test_exec_has_charts_of_its_own(read, tmp_path):
    names = {f.name for f in charts.draw_all(read(kind="exec"), tmp_path, None, ("svg",))}
    assert {"exec-time.svg", "exec-memory.svg", "exec-frontier.svg"} <= names
    assert not any("curve" in name for name in names)


@pytest.fixture
def workloads(read):
    """A function that makes results of workloads up: `scaled` with one to three threads, and `foe`,
    which has a bound. Under span all takes twice as long as under glibc, and twice the memory."""

    def make(failing=()):
        source = read(kind="run", allocators=("span", "glibc"))
        entries = []
        for subject, ns in (("scaled/threads:1", 20), ("scaled/threads:2", 10), ("foe", 50)):
            for name, factor in (("span", 2), ("glibc", 1)):
                figures = {"ns_per_op": ns * factor, "peak_rss": 4 * factor << 20, "ops": 100}
                figures |= {"bound": 3 << 20, "peak_live": 2 << 20} if subject == "foe" else {}
                key = f"run/{subject}/{name}"
                is_failing = (subject, name) in failing
                entry = results.failed(key, (0, 1), "killed") if is_failing else None
                entries.append(entry or results.sample(key, (0, 1), (1.0, 1.0), figures))
        source.benchmarks = entries
        return source

    return make


def test_workloads_have_charts_of_their_own(workloads, tmp_path):
    names = [f.stem for f in charts.draw_all(workloads(), tmp_path, None, ("svg",))]
    assert names == ["run-heat", "run-threads", "run-bounds"]


def test_the_heat_map_compares_with_the_best_of_each_row(workloads):
    shown = texts(heat_chart.heat_figure(summary_of(workloads(), "run")))
    assert shown.count("2.00") == 6 and shown.count("1") == 6
    assert {"20.0", "10.0", "50.0", "4.00", "span", "glibc", "foe"} <= set(shown)
    shown = texts(heat_chart.heat_figure(summary_of(workloads({("foe", "span")}), "run")))
    assert shown.count("×") == 2 and shown.count("2.00") == 4


def test_small_memory_is_not_compared(workloads):
    source = workloads()
    for entry in source.benchmarks:
        entry["peak_rss"] //= 64
    shown = texts(heat_chart.heat_figure(summary_of(source, "run")))
    assert shown.count("≤ 1") == 3 and shown.count("2.00") == 3


def test_throughput_is_of_all_threads_and_from_zero(workloads):
    summary = summary_of(workloads({("scaled/threads:2", "span")}), "run")
    (axes,) = threads_chart.threads_figure(summary).axes
    drawn = {(tuple(line.get_xdata()), tuple(line.get_ydata())) for line in axes.lines}
    marks = {((x,), (y,)) for x, y in ((1, 50), (2, 100), (1, 25))}
    assert drawn == {((1, 2), (50, 100)), *marks}
    assert axes.get_ylim()[0] == 0 and "× span failed" in texts(axes)


def test_the_bound_stands_beside_the_need(workloads):
    summary = summary_of(workloads(), "run")
    assert (summary.bound, summary.live) == ({"foe": 3 << 20}, {"foe": 2 << 20})
    figure = bound_chart.bound_figure(summary)
    drawn = [tuple(line.get_xdata()) for line in figure.axes[0].lines]
    assert (3, 3) in drawn and (2, 2) in drawn and (8,) in drawn and (4,) in drawn
    assert figure.axes[0].get_xlim()[0] == 0 and "span 8.00" in texts(figure)


def test_captions_say_machine_commit_samples_and_date(read):
    summary = summary_of(read())
    for name, draw in charts.charts(read(), summary).items():
        if name.startswith("blocks"):  # is about the trace alone
            continue
        caption = " ".join(texts(draw())).replace("\n", " ")
        for part in ("Imaginary 9000", "0123456789 (dirty)", "n = 3", "75 %", "2026-01-02"):
            assert part in caption
        assert "touch page" in caption


def test_a_failed_row_is_a_named_gap(read):
    summary = summary_of(read(failing={("git", "span")}))
    figure = ratio_chart.ratio_figure(summary, summary.time)
    assert "× span failed" in texts(figure)
    assert "11 of 12" not in " ".join(texts(figure))
    assert any(text.endswith(", 1 of 2") for text in texts(figure))
    assert summary.cells["git", "span"].time is None


def test_a_missing_row_is_not_called_failed(read):
    source = read()
    source.benchmarks = [e for e in source.benchmarks if e["name"] != "replay/git/span"]
    summary = summary_of(source)
    assert "× span not run" in texts(ratio_chart.ratio_figure(summary, summary.time))


def test_without_the_reference_there_are_no_ratios(read):
    source = read(failing={("git", "glibc")})
    figure = ratio_chart.ratio_figure(summary_of(source), digest.RSS)
    assert "× glibc failed: no ratios" in texts(figure)


def test_null_is_a_floor_and_no_rival(read):
    summary = summary_of(read())
    assert "null" not in summary.rivals and set(summary.floor) == {"git", "lua"}
    for draw in charts.charts(read(), summary).values():
        assert "null" not in texts(draw())
    assert any("null" in text for text in texts(ratio_chart.ratio_figure(summary, summary.time)))


def test_absolute_panels_and_curves_start_at_zero(read):
    source = read()
    summary = summary_of(source)
    figure = ratio_chart.ratio_figure(summary, summary.time)
    assert figure.axes[1].get_xlim()[0] == 0
    curves = curve_chart.curves_of(source, summary, "git")
    assert curve_chart.curve_figure(summary, "git", curves).axes[0].get_ylim()[0] == 0


def test_a_row_shows_its_median_and_interval(read):
    summary = summary_of(read())
    axes = ratio_chart.ratio_figure(summary, summary.time).axes[0]
    drawn = [tuple(line.get_xdata()) for line in axes.lines]
    estimate = summary.cells["git", "span"].time_ratio
    assert (estimate.low, estimate.high) in drawn and (estimate.median,) in drawn


@pytest.mark.parametrize(
    "options", [{"rounds": 1}, {"traces": ("git",)}, {"allocators": ("span",)}]
)
def test_little_data_is_drawn_too(read, tmp_path, options):
    assert charts.draw_all(read(**options), tmp_path, formats=("svg",))


def test_nothing_but_failures_is_drawn_too(read, tmp_path):
    failing = {(t, a) for t in FEW["traces"] for a in FEW["allocators"]}
    assert charts.draw_all(read(failing=failing), tmp_path, formats=("svg",))


def test_unwritable_folder_is_one_line(read, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match="Not a directory|File exists"):
        charts.draw_all(read(), tmp_path / "file")


def bars(axes):
    """{left edge: height} of a histogram."""
    return {bar.get_x(): round(bar.get_height(), 3) for bar in axes.patches}


def test_blocks_are_shown_as_shares_of_classes(read):
    summary = summary_of(read())
    figure = blocks_chart.blocks_figure(summary, "git")
    sizes, lifetimes = figure.axes
    assert bars(sizes) == {5: 60, 6: 30, 13: 10}
    assert bars(lifetimes) == {0: 44.444, 1: 33.333, 2: 22.222}
    shown = texts(figure)
    assert "half of the blocks have at most 31 bytes" in shown
    assert "half of the blocks live for at most 1 allocation" in shown
    assert "n = 1,000 requests, 900 frees" in shown
    assert sizes.get_ylim()[0] == 0 and {"0", "16"} & set(shown)


def test_traces_of_which_no_blocks_are_known_have_no_chart_of_them(read):
    source = read()
    del source.context["traces"]["git"]["sizes"], source.context["traces"]["lua"]
    summary = summary_of(source)
    assert [name for name in charts.charts(source, summary) if "blocks" in name] == ["blocks-git"]
    assert len(blocks_chart.blocks_figure(summary, "git").axes) == 1


def titles(svg):
    """What the marks of a chart say under the pointer."""
    return [title.text for title in xml.fromstring(svg).iter("{http://www.w3.org/2000/svg}title")]


def test_marks_tell_their_figures(read):
    summary = summary_of(read())
    said = titles(canvas.svg_bytes(ratio_chart.ratio_figure(summary, digest.RSS)))
    cell = summary.cells["git", "span"]
    told = digest.told_text(cell.rss_ratio, "glibc's peak RSS")
    assert f"git, span\n{told}" in said
    low, median, high = (f"{end:.0f}" for end in digest.ends(cell.rss))
    coverage = digest.coverage_remark(cell.rss)
    assert f"git, span\npeak RSS {median} MiB ({low}–{high}){coverage}" in said
    assert any(text.startswith("geometric mean, jemalloc\n") for text in said)
    said = titles(canvas.svg_bytes(frontier_chart.frontier_figure(summary)))
    assert any(text.startswith("lua, jemalloc\n") and "time per op" in text for text in said)
    assert len(said) == len(summary.allocators) + 4


def test_tips_are_text_and_no_ids():
    figure = pyplot.figure()
    (mark,) = figure.add_subplot().plot(1, 1, "o")
    canvas.tip(mark, 'a "<b>" & c\nd')
    svg = canvas.svg_bytes(figure).decode()
    assert titles(svg) == ['a "<b>" & c\nd'] and canvas.TIP not in svg


def test_waste_is_shaded_between_live_bytes_and_what_is_resident(read):
    source = read()
    summary = summary_of(source)
    curves = curve_chart.curves_of(source, summary, "git")
    main, *small = curve_chart.curve_figure(summary, "git", curves).axes
    assert [axes.get_ylim() for axes in small] == [main.get_ylim()] * len(curves)
    for axes, (name, curve) in zip(small, curves.items()):
        live, waste = (area.get_paths()[0].vertices for area in axes.collections)
        assert waste[:, 1].max() * digest.MIB == pytest.approx(max(curve["rss"]))
        assert live[:, 1].max() * digest.MIB == pytest.approx(max(curve["live"]))
        assert texts(axes)[:2] == [name, f"{100 * summary.waste['git', name]:.0f} %"]


def test_slices_tell_the_memory_at_their_middle():
    curve = {"op": [0, 100, 200], "rss": [1 << 20, 3 << 20, 5 << 20], "live": [0, 2 << 20, 0]}
    other = {**curve, "rss": [0, 4 << 20, 4 << 20]}
    text = curve_chart.slice_text({"a": curve, "b": other}, 150)
    assert text == "after 150 operations, MiB\nb 4.0\na 3.0\nlive bytes 2.0"


def test_what_lies_far_out_does_not_squeeze_the_rest(read):
    source = read()
    for entry in source.benchmarks:
        if entry["name"] == "replay/git/span":
            entry["ns_per_op"] *= 50
    summary = summary_of(source)
    figure = ratio_chart.ratio_figure(summary, summary.time)
    greatest = max(digest.ends(summary.cells[s, "glibc"].time)[2] for s in ("git", "lua"))
    assert figure.axes[1].get_xlim() == (0, pytest.approx(2 * greatest))
    shown = digest.number_text(summary.cells["git", "span"].time.median)
    assert f"{shown} →" in texts(figure)


def test_thinning_keeps_the_peak_and_both_ends():
    op = numpy.arange(100_000)
    values = numpy.zeros(100_000)
    values[0], values[54_321], values[-1] = 1, 99, 2
    thin_op, thinned = curve_chart.thin(op, values, 500)
    assert len(thin_op) <= 502 and (thin_op[0], thin_op[-1]) == (0, 99_999)
    assert thinned.max() == 99 and thin_op[thinned.argmax()] == 54_321


def test_thinning_keeps_a_step_steep():
    values = numpy.repeat([5, 1], [900, 100])
    for line in (values, values[::-1], -values):
        thin_op, thinned = curve_chart.thin(numpy.arange(1000), line, 10)
        places = [int(op) for op, a, b in zip(thin_op, thinned, thinned[1:]) if a != b]
        assert places == [int(numpy.flatnonzero(numpy.diff(line))[0])]


def test_labels_are_a_step_apart_and_in_order():
    places = curve_chart.spread([5, 5, 5, 90, 100], 10, 100)
    assert all(b - a >= 10 - 1e-9 for a, b in zip(sorted(places), sorted(places)[1:]))
    assert places[3] < places[4] <= 100 and min(places) >= 0


def test_names_on_the_frontier_chart_do_not_overlap(read):
    summary = summary_of(read(allocators=tuple(made_up_results.ALLOCATORS), rounds=5))
    figure = frontier_chart.frontier_figure(summary)
    names = [t for t in figure.findobj(Text) if t.get_text() in summary.allocators]
    assert len(names) == len(summary.allocators)
    boxes = [name.get_window_extent(figure.canvas.get_renderer()) for name in names]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_ticks_of_ratios_fit_and_hold_one():
    for low, high in ((0.93, 1.07), (0.6, 1.3), (0.3, 2.5), (0.5, 9), (0.01, 60)):
        ticks = canvas.ratio_ticks(low, high)
        assert 1 in ticks and 3 <= len(ticks) <= canvas.MOST_TICKS
        assert all(low <= tick <= high for tick in ticks)


def test_frontier_holds_what_nothing_beats():
    points = {"fast": (0.5, 2), "lean": (2, 0.5), "both": (1, 1), "beaten": (1.1, 1.2)}
    assert digest.frontier(points) == ["fast", "both", "lean"]
    assert digest.frontier({"a": (1, 1), "b": (1, 2)}) == ["a"]


def lab(colour, deficiency):
    """CIE L*a*b* of a colour as people with a deficiency see it."""
    rgb = numpy.array(colors.to_rgb(colour))
    linear = numpy.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    seen = numpy.clip(DEFICIENCIES[deficiency] @ linear, 0, 1)
    to_xyz = [[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]]
    xyz = numpy.array(to_xyz) @ seen / (0.9505, 1, 1.089)
    f = numpy.where(xyz > 0.008856, numpy.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return numpy.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
@pytest.mark.parametrize("shade", ("colour", "dark"))
def test_usual_allocators_are_told_apart_by_the_colour_blind(deficiency, shade):
    usual = ("span", "glibc", "jemalloc", "mimalloc", "tcmalloc")
    seen = {name: lab(getattr(palette.style(name), shade), deficiency) for name in usual}
    for a, b in combinations(usual, 2):
        assert numpy.linalg.norm(seen[a] - seen[b]) > 20, (a, b)


def test_known_allocators_differ_in_colour_and_marker():
    looks = [(s.colour, s.marker, s.is_twin) for s in palette.KNOWN.values()]
    assert len(set(looks)) == len(looks)
    assert len({s.colour for s in palette.KNOWN.values()}) == len(looks)


def test_unknown_names_keep_a_look_that_no_known_one_has():
    known = {style.colour for style in palette.KNOWN.values()}
    for name in ("je1", "span@abc", "mesh"):
        assert palette.style(name) == palette.style(name)
        assert palette.style(name).colour not in known
    looks = {palette.style(f"unknown{i}") for i in range(60)}
    assert len(looks) > 8


def test_twins_wear_their_parents_marker():
    for twin, parent in (("glibc-perturb", "glibc"), ("jemalloc-junk", "jemalloc")):
        assert palette.style(twin).is_twin and not palette.style(parent).is_twin
        assert palette.style(twin).marker == palette.style(parent).marker
        assert palette.style(twin).face == palette.PAPER
