"""Charts without eyes: with few and with many traces and allocators, long names, failures and
figures that lie far out, no text covers another or a mark, and none leaves the figure."""

import math
import random
import warnings

import made_up_results
import numpy
import pytest
from matplotlib import pyplot
from matplotlib.text import Text

from frontend.charts import canvas, charts, far_out, frontier_chart, lettering, limit_chart
from frontend.charts import ratio_chart
from frontend.figures import digest, results

TWO = ("span", "glibc")
TEN = ("span", "span-fast", "glibc", "jemalloc", "mimalloc", "tcmalloc", "tbb", "scudo")
TEN += ("glibc-perturb", "jemalloc-junk")
LONG = ("span@0123456789abcdef", "glibc", "an-allocator-with-a-name-that-is-longer-than-usual")
FOURTEEN = (*made_up_results.TRACES, "clang++", "a-name-longer-than-usual")
LONG_TRACES = ("postgres-17-pgbench-select-only-with-a-scale-of-one-hundred", "a $b$ c_d^e", "x")
TRACES = {1: FOURTEEN[-1:], 2: FOURTEEN[-2:], 14: FOURTEEN}
WORKLOADS = ("larson/threads:1", "larson/threads:2", "larson/threads:4", "xmalloc/threads:1")
WORKLOADS += ("xmalloc/threads:2", "foe", "robson", "churn", "web-server-sessions", "frag")
BOUNDED = ("foe", "robson")
CALLS = ("tier_8", "tier_64", "realloc_grow/4096", "threads_pingpong/threads:4", "batch_lifo/1024")
CALLS += tuple(f"malloc_free/{1 << i}" for i in range(4, 21, 2))
FAR = 33  # times what a figure would be
BLANK = 0.14  # of the height of a line above and below its letters


def case(kind, subjects, allocators, far=(), failing=(), factor=FAR):
    """Names of a case: what is measured, which (subject, allocator) lies far out, which fails."""
    return pytest.param(
        (kind, subjects, allocators, frozenset(far), frozenset(failing), factor),
        id=f"{kind}-{len(subjects)}-{len(allocators)}-{len(far)}far-{len(failing)}failed-{factor}",
    )


def first_of(subjects, allocators, count):
    """So many pairs of subjects and the first allocator."""
    return [(subject, allocators[0]) for subject in subjects[:count]]


CASES = [
    *(case("replay", subjects, names) for subjects in TRACES.values() for names in (TWO, TEN)),
    *(
        case("replay", subjects, names, first_of(subjects, names, 1))
        for subjects in TRACES.values()
        for names in (TWO, TEN)
    ),
    case("replay", FOURTEEN, TEN, [(FOURTEEN[0], "span"), (FOURTEEN[0], "tbb")]),
    case("replay", FOURTEEN, TEN, first_of(FOURTEEN, TEN, 3), factor=1 / 400),
    case("replay", FOURTEEN, TEN, (), [(FOURTEEN[1], name) for name in TEN if name != "span"]),
    case("replay", TRACES[1], TWO, (), [(FOURTEEN[-1], "glibc")]),
    case("replay", LONG_TRACES, LONG, first_of(LONG_TRACES, LONG, 1)),
    case("exec", TRACES[1], TEN),
    case("exec", FOURTEEN, TWO),
    *(case("run", WORKLOADS[:count], names) for count in (2, 10) for names in (TWO, TEN)),
    case("run", ("foe",), TEN),
    case("run", WORKLOADS, LONG, [("foe", "glibc")]),
    case(
        "run", WORKLOADS, TEN, [("foe", "span")], [("larson/threads:4", "tbb"), ("robson", "tbb")]
    ),
    *(case("micro", CALLS[:count], names) for count in (1, 2, len(CALLS)) for names in (TWO, TEN)),
    case("micro", CALLS, TEN, [("tier_8", "span"), ("tier_8", "tbb")], [("tier_64", "scudo")]),
    case("micro", (*CALLS, *LONG_TRACES[:1]), LONG, [("tier_8", LONG[0]), ("tier_8", LONG[2])]),
]


@pytest.fixture(autouse=True)
def closed_figures():
    """Figures that a test drew do not stay; matplotlib's warnings are failures."""
    with warnings.catch_warnings(), pyplot.rc_context(canvas.STYLE):
        warnings.simplefilter("error")
        yield
    pyplot.close("all")


def made_of(folder, kind, subjects, allocators, far, failing, factor):
    """Results of a case."""
    options = {"rounds": 5, "failing": failing, "kind": kind}
    options["has_latencies"] = len(subjects) < len(FOURTEEN)  # which take their time
    if kind in ("replay", "exec"):
        names = allocators if kind == "exec" else (*allocators, "null")
        path = made_up_results.write(folder, traces=subjects, allocators=names, **options)
        source = results.read(path)
        for entry in source.benchmarks if kind == "replay" else ():
            if "peak_rss" in entry:
                entry["least_limit"] = entry["peak_rss"] * 1.03
    else:
        source = made_up_results.make(traces=subjects[:1], allocators=allocators)
        pairs = [(subject, name) for subject in subjects for name in allocators]
        source.benchmarks = [e for p in pairs for e in entries_of(kind, *p, p in failing)]
    for entry in source.benchmarks:
        if results.split_name(entry["name"])[1:] in far:
            for key in {"ns_per_op", "real_time", "peak_rss", "least_limit"} & set(entry):
                entry[key] *= factor
    return source


def entries_of(kind, subject, name, is_failing):
    """Five entries of a workload or of a micro-benchmark."""
    if is_failing:
        return [results.failed(f"{kind}/{subject}/{name}", (0, 1), "killed")]
    ratio = made_up_results.ratios_of(subject, name)
    size = random.Random(subject).uniform(5, 300)
    figures = {"ns_per_op": size * ratio[0], "ops": 100}
    if kind == "run":
        figures["peak_rss"] = int((4 + size / 10) * ratio[1] * made_up_results.MIB)
    if subject in BOUNDED:
        figures |= {"bound": 3 << 20, "peak_live": 2 << 20}
    draw = random.Random(f"{subject}/{name}")
    return [
        results.sample(
            f"{kind}/{subject}/{name}",
            (i, 5),
            (1.0, 1.0),
            {**figures, "ns_per_op": figures["ns_per_op"] * draw.uniform(0.95, 1.05)},
        )
        for i in range(5)
    ]


def figures_of(source):
    """(name, figure) of all charts, of those of single traces the first."""
    kind = source.kinds()[0]
    drawn = set()
    for name, draw in charts.charts(source, digest.digest(source, kind)).items():
        sort = name.split("-")[0]
        if kind != "replay" or sort not in drawn or sort in ("time", "memory", "frontier"):
            drawn.add(sort)
            yield name, draw()


def texts_of(figure):
    """The texts that are seen, with their outlines in pixels; a leader is no part of a text."""
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    unseen = {label for axes in figure.axes for label in labels_beyond(axes)}
    seen = [t for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible()]
    return [(t, outline(Text.get_window_extent(t, renderer), t)) for t in seen if t not in unseen]


def labels_beyond(axes):
    """Labels of ticks that lie beyond the limits of their axis, which are not drawn."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        slack = 1e-6 * (high - low)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low - slack <= tick.get_loc() <= high + slack:
                yield from (tick.label1, tick.label2)


def outline(box, text):
    """The corners of a text, without what is empty above and below its letters."""
    angle = math.radians(text.get_rotation())
    along, across = abs(math.cos(angle)), abs(math.sin(angle))
    # The box around a slanted rectangle gives its sides: width = w cos + h sin, height likewise.
    sides = numpy.array([[along, across], [across, along]])
    width, height = numpy.linalg.solve(sides, (box.width, box.height))
    lines = text.get_text().count("\n") + 1
    height -= 2 * BLANK * height / lines
    corners = numpy.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (width / 2, height / 2)
    turn = numpy.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return corners @ turn + ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)


def close_pairs(ones, others):
    """Places (i, j) of those whose upright boxes overlap: of all pairs, the few that are looked at
    closely."""
    if not (ones and others):
        return []
    (low, high), (low_2, high_2) = (
        (outlines.min(axis=1), outlines.max(axis=1))
        for outlines in (numpy.stack(ones), numpy.stack(others))
    )
    overlaps = (high[:, None] > low_2) & (high_2 > low[:, None])
    return numpy.argwhere(overlaps.all(axis=2)).tolist()


def are_apart(one, other):
    """Whether two convex outlines share no more than a pixel: some side of one parts them."""
    for a, b in ((one, other), (other, one)):
        sides = numpy.roll(a, -1, axis=0) - a
        for normal in sides[:, ::-1] * (1, -1):
            normal = normal / (math.hypot(*normal) or 1)
            left, right = a @ normal, b @ normal
            if min(left.max(), right.max()) - max(left.min(), right.min()) <= 1:
                return True
    return False


def marks_of(figure):
    """Outlines in pixels of all marks but the faint ones."""
    for axes in figure.axes:
        for line in axes.lines:
            if line.get_marker() not in (None, "None", "") and line.get_alpha() is None:
                reach = line.get_markersize() / 2 * figure.dpi / 72
                for point in line.get_transform().transform(line.get_xydata()):
                    yield numpy.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * reach + point


def faults_of(figure):
    """What covers what, and what leaves the figure."""
    found, marks = texts_of(figure), list(marks_of(figure))
    texts, corners = [text.get_text() for text, _ in found], [place for _, place in found]
    width, height = figure.get_size_inches() * figure.dpi
    for text, place in zip(texts, corners):
        low, high = place.min(axis=0), place.max(axis=0)
        if low.min() < -0.5 or high[0] > width + 0.5 or high[1] > height + 0.5:
            yield f"{text!r} leaves the figure"
    close = close_pairs(corners, marks)
    for i in sorted({i for i, j in close if not are_apart(corners[i], marks[j])}):
        yield f"{texts[i]!r} covers a mark"
    for i, j in close_pairs(corners, corners):
        if i < j and not are_apart(corners[i], corners[j]):
            yield f"{texts[i]!r} covers {texts[j]!r}"


@pytest.mark.parametrize("made", CASES)
def test_no_text_covers_another_or_a_mark_or_leaves(made, tmp_path):
    drawn = dict(figures_of(made_of(tmp_path, *made)))
    assert drawn
    faults = {name: list(faults_of(figure)) for name, figure in drawn.items()}
    assert {name: found for name, found in faults.items() if found} == {}


def test_faults_of_layout_are_seen():
    figure = pyplot.figure(figsize=(2, 2))
    axes = figure.add_axes([0, 0, 1, 1])
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    for x, text in ((0.4, "one"), (0.45, "two"), (0.95, "leaves")):
        axes.text(x, 0.5, text)
    axes.plot(0.1, 0.1, "o")
    axes.text(0.09, 0.09, "three")
    axes.text(0.1, 0.8, "four", rotation=60)
    axes.text(0.18, 0.8, "five", rotation=60)
    wanted = {"'leaves' leaves the figure", "'three' covers a mark", "'one' covers 'two'"}
    assert set(faults_of(figure)) == wanted


def edge_of(values):
    """Which of some ratios an axis holds."""
    low, high = far_out.near(values)
    return [value for value in values if low <= value <= high]


def test_few_figures_far_out_do_not_squeeze_the_rest():
    usual = [0.7, 0.8, 0.9, 1.1, 1.3, 1.5, 0.95, 1.05]
    assert edge_of([*usual, 33]) == usual
    assert edge_of([*usual, 33, 28]) == usual
    assert edge_of([*usual, 33, 1000]) == usual
    assert edge_of([*usual, 0.01]) == usual and edge_of([*usual, 0.01, 40]) == usual
    assert edge_of([0.95, 33]) == [0.95]


@pytest.mark.parametrize(
    "values",
    [[33], [0.02], [0.7, 2.5], [0.9, 1.1, 2.9], [20, 33, 25], [0.1, 0.3, 1, 3, 10]],
)
def test_figures_that_are_not_few_or_not_far_stay(values):
    assert edge_of(values) == values


def test_what_lies_beyond_is_told_at_the_edge(tmp_path):
    far = (FOURTEEN[0], "span")
    source = made_of(tmp_path, "replay", FOURTEEN, TEN, {far}, (), FAR)
    summary = digest.digest(source, "replay")
    figure = ratio_chart.ratio_figure(summary, summary.time)
    assert figure.axes[0].get_xlim()[1] < 4
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert far_out.arrowed(far_out.figure(summary.cells[far].time_ratio.median), 1) in shown
    figure = frontier_chart.frontier_figure(summary)
    assert figure.axes[0].get_xlim()[1] < 4
    caption = " ".join(text.get_text() for text in figure.texts)
    assert f"up to {far_out.figure(summary.cells[far].time_ratio.median)} in time" in caption


def test_a_mean_beyond_the_frontier_s_panel_has_its_figures(tmp_path):
    source = made_of(tmp_path, "replay", TRACES[1], TEN, {(TRACES[1][0], "span")}, (), FAR)
    summary = digest.digest(source, "replay")
    mean = summary.overall["span"]
    shown = [t.get_text() for t in frontier_chart.frontier_figure(summary).axes[0].texts]
    figures = (far_out.figure(e.median) for e in (mean.time_ratio, mean.rss_ratio))
    assert f"span ({', '.join(figures)})" in shown


@pytest.mark.parametrize("keys", (("peak_rss",), ("peak_rss", "least_limit")))
@pytest.mark.parametrize("names", (TWO, TEN))
def test_a_peak_far_out_leaves_the_limits_of_the_rest_apart(tmp_path, names, keys):
    source = made_of(tmp_path, "replay", TRACES[1], names, (), (), FAR)
    for entry in source.benchmarks:
        if entry["name"].endswith("/span"):
            entry.update({key: FAR * entry[key] for key in keys})
    figure = limit_chart.limit_figure(digest.digest(source, "replay"))
    (axes,) = figure.axes
    assert axes.get_xlim()[1] < 60  # MiB, of which the others need about 35
    (shown,) = (t.get_text() for t in axes.texts if t.get_text().startswith("span "))
    assert ", peak 1," in shown and shown.endswith(" →")
    assert shown.startswith("span 1,") == ("least_limit" in keys)
    assert list(faults_of(figure)) == []


def test_the_name_of_what_failed_hides_the_lines_behind_it(tmp_path):
    failing = {(FOURTEEN[1], "tbb")}
    summary = digest.digest(made_of(tmp_path, "replay", FOURTEEN, TEN, (), failing, FAR), "replay")
    texts = ratio_chart.ratio_figure(summary, digest.RSS).axes[0].texts
    (gap,) = (text for text in texts if text.get_text() == "× tbb failed")
    assert gap.get_bbox_patch() is not None


@pytest.mark.parametrize("count", (1, 14))
def test_a_tall_chart_has_its_axis_at_both_ends(tmp_path, count):
    source = made_of(tmp_path, "replay", TRACES[count], TEN, (), (), FAR)
    summary = digest.digest(source, "replay")
    figure = ratio_chart.ratio_figure(summary, summary.time)
    for axes in figure.axes:
        ticks = axes.xaxis.get_major_ticks()
        assert all(tick.label2.get_visible() == (count == 14) for tick in ticks)


@pytest.mark.parametrize("ops", ([0], [0, 0]))
def test_a_trace_without_calls_is_drawn_without_warnings(tmp_path, ops):
    source = made_of(tmp_path, "replay", TRACES[1], TWO, (), (), FAR)
    for entry in source.benchmarks:
        entry.update(ops=0, peak_live=0, waste=0, peak_rss=0, least_limit=0)
    curves = (tmp_path / "curves").iterdir()
    for path in (path for path in curves if not path.name.endswith(".latency.csv")):
        path.write_text("op,rss,live\n" + "".join(f"{op},0,0\n" for op in ops))
    source.context["traces"][TRACES[1][0]].update(ops=0, sizes=[], lifetimes=[])
    for _, figure in figures_of(source):
        assert list(faults_of(figure)) == []
        canvas.svg_bytes(figure)


def test_words_are_cut_in_their_middle():
    text = "a-name-that-is-longer-than-usual"
    assert lettering.fitted(text, 9, 10) == text
    cut = lettering.fitted(text, 1, 10)
    assert lettering.width_of(cut, 10) <= 1 < lettering.width_of(text, 10)
    head, _, tail = cut.partition("…")
    assert text.startswith(head) and text.endswith(tail) and head and tail
