"""The page: whole in one file, with every row that lost or failed, and sentences that follow from
the numbers."""

import re
from functools import partial
from html.parser import HTMLParser

import made_up_results
import pytest

from frontend import charts, digest, palette, report, results

FEW = {"traces": ("git", "lua"), "allocators": ("span", "glibc", "jemalloc", "null"), "rounds": 7}
VOID = {"meta", "br", "link", "img", "hr", "input"}


class Tags(HTMLParser):
    """Collects what is not closed and all ids."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.wrong = [], [], []

    def handle_starttag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.fixture(scope="module", autouse=True)
def only_svg():
    """The page needs no PNG, and they take half of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(charts, "draw_all", partial(charts.draw_all, formats=("svg",)))
        yield


@pytest.fixture
def page_of(tmp_path):
    """A function that writes the page of some made-up files and returns it."""

    def make(*files):
        paths = [
            made_up_results.write(tmp_path / f"made{i}", **{**FEW, **options})
            for i, options in enumerate(files)
        ]
        assert report.main_report(paths, tmp_path / "out") == 0
        return (tmp_path / "out" / "report.html").read_text()

    return make


@pytest.fixture(scope="module")
def plain_page(tmp_path_factory):
    """The page of one file without failures."""
    folder = tmp_path_factory.mktemp("plain")
    report.main_report([made_up_results.write(folder, **FEW)], folder)
    return (folder / "report.html").read_text()


def estimate(median, low, high):
    """An Estimate, by way of three values that have it."""
    return digest.stats.Estimate(median, low, high, 0.98, 7)


def summary_of(times, counted=2):
    """A Digest with given geometric means of time and as much memory for all."""
    cells = {
        name: digest.Cell(time_ratio=time, rss_ratio=estimate(1, 1, 1))
        for name, time in times.items()
    }
    return digest.Digest(
        kind="replay",
        context={},
        subjects=["a", "b"],
        allocators=list(times),
        reference="glibc",
        cells={},
        overall=cells,
        counted=dict.fromkeys(times, counted),
        rounds=7,
    )


def test_page_is_one_file_and_well_formed(plain_page):
    tags = Tags()
    tags.feed(plain_page)
    assert (tags.open, tags.wrong) == ([], [])
    assert len(tags.ids) == len(set(tags.ids))
    assert not re.search(r'(src|href)="(?!#)', plain_page.replace("xlink:href", "href"))
    assert not any(word in plain_page for word in ("<script", "@import", "url(http"))


def test_workloads_have_a_part_of_the_page(page_of):
    page = page_of({"kind": "run", "failing": {("git", "span")}})
    assert "<h2>Synthetic workloads</h2>" in page and "run-heat-" in page
    assert "geometric mean</b>" not in page and "killed by signal 11" in page


def test_references_within_the_page_resolve(plain_page):
    ids = set(re.findall(r' id="([^"]+)"', plain_page))
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', plain_page))
    assert used and {a or b for a, b in used} <= ids


def test_page_is_dark_where_wanted_and_prints(plain_page):
    page = plain_page
    assert "prefers-color-scheme: dark" in page and "@media print" in page
    body = page[page.index("<body>") :]
    for colour in palette.colours():
        assert colour not in body
        assert f"{report.variable(colour)}: {colour};" in page
        assert f"{report.variable(colour)}: {palette.dark_of(colour)};" in page


def test_every_row_that_failed_or_lost_is_there(page_of, tmp_path):
    page = page_of({"failing": {("git", "jemalloc")}})
    assert "<b>jemalloc</b> on git: killed by signal 11 (SIGSEGV)" in page
    assert '<td class="failed">failed</td>' in page
    source = results.read(tmp_path / "made0" / "results.json")
    lost = digest.digest(source, "replay").cells["lua", "span"].time_ratio
    assert f'<span class="worse">{lost.median:.2f}</span>' in page


def test_there_is_a_section_a_trace_and_the_context(plain_page):
    page = plain_page
    for trace in FEW["traces"]:
        assert f"<h3>{trace}</h3>" in page and f"{trace} 1.2.3" in page
        assert f'aria-label="{trace}: memory over operations"' in page
    assert "540,000 operations" in page and "peak live 81.0 MiB" in page
    for part in (made_up_results.COMMIT, "Imaginary 9000", "ab" * 20, "/usr/lib/libjemalloc.so"):
        assert part in page
    assert "What a replay can and cannot tell" in page


def test_what_files_say_is_escaped(page_of, tmp_path, monkeypatch):
    wild = {**made_up_results.context(FEW["traces"], ()), "cpu": "<script>alert(1)</script>"}
    monkeypatch.setattr(made_up_results, "context", lambda *_: wild)
    page = page_of({})
    assert "<script" not in page and "&lt;script&gt;" in page


def test_two_files_make_one_page_with_both_answers_side_by_side(page_of, tmp_path):
    page = page_of({}, {"kind": "exec"})
    assert "Replayed traces" in page and "Real programs" in page
    assert "Replay and real program, side by side" in page
    folders = {f.parent.name for f in (tmp_path / "out").rglob("*time.svg")}
    assert folders == {"1-results", "2-results"}
    tags = Tags()
    tags.feed(page)
    assert len(tags.ids) == len(set(tags.ids))


def test_verdict_names_the_best_and_how_sure():
    apart = {"glibc": estimate(1, 1, 1), "fast": estimate(0.5, 0.45, 0.55)}
    text = report.verdict(summary_of(apart))
    assert "<b>fast</b> at 0.50 (0.45–0.55) of glibc's time is fastest over 2 traces" in text
    assert "are apart: next is <b>glibc</b> at 1." in text


def test_verdict_does_not_tell_apart_what_overlaps():
    close = {"a": estimate(0.5, 0.45, 0.55), "b": estimate(0.52, 0.47, 0.6)}
    text = report.verdict(summary_of({"glibc": estimate(1, 1, 1), **close}))
    assert "Who is fastest over 2 traces is not settled: the intervals (98 %) of <b>a</b>" in text
    assert "<b>b</b> at 0.52 (0.47–0.60) overlap." in text


def test_too_few_rounds_have_no_verdict():
    single = digest.stats.Estimate(0.5, None, None, 0.0, 1)
    text = report.verdict(summary_of({"glibc": estimate(1, 1, 1), "a": single}))
    assert "Too few rounds to say who is fastest in time over 2 traces" in text


def test_verdict_leaves_out_who_failed_and_the_twins():
    times = {"glibc": estimate(1, 1, 1), "glibc-perturb": estimate(0.1, 0.1, 0.1)}
    summary = summary_of({**times, "broken": estimate(0.1, 0.1, 0.1)})
    summary.counted["broken"] = 1
    summary.allocators.append("slow")
    summary.overall["slow"] = digest.Cell(time_ratio=estimate(2, 1.9, 2.1))
    summary.counted["slow"] = 2
    text = report.verdict(summary)
    assert "<b>glibc</b> is fastest over 2 traces" in text
    assert "next is <b>slow</b> at 2.00" in text
    assert "Left out of the verdict, since rows are missing: broken." in text


def test_verdict_compares_span_with_its_twins():
    times = {"glibc": estimate(1, 1, 1), "span": estimate(1.2, 1.1, 1.3)}
    text = report.verdict(summary_of({**times, "jemalloc-junk": estimate(0.9, 0.8, 1)}))
    assert "span 1.20 and 1.00; jemalloc-junk 0.90 and 1.00." in text


def test_a_ratio_that_is_written_as_one_is_no_verdict():
    assert digest.verdict(estimate(1.003, 1.001, 1.004)) == ""
    assert digest.verdict(estimate(1.05, 0.99, 1.1)) == ""
    assert digest.verdict(estimate(1.05, 1.01, 1.1)) == "worse"
    assert digest.verdict(estimate(0.9, 0.8, 0.95)) == "better"


def test_geometric_means_hold_only_whole_pairs(tmp_path):
    path = made_up_results.write(tmp_path, **{**FEW, "failing": {("git", "span")}})
    summary = digest.digest(results.read(path), "replay")
    lua = summary.cells["lua", "span"].time_ratio
    assert summary.counted == {"span": 1, "glibc": 2, "jemalloc": 2}
    assert summary.overall["span"].time_ratio.median == pytest.approx(lua.median)


def test_report_verb_writes_the_page(spanbench, tmp_path):
    path = made_up_results.write(tmp_path / "in", **FEW)
    status, _, _ = spanbench("report", path, "-o", tmp_path / "out")
    assert status == 0 and (tmp_path / "out" / "report.html").exists()


@pytest.mark.parametrize("text", ["{}", "no JSON", '{"context": {}, "benchmarks": []}'])
def test_a_file_without_results_is_one_line(spanbench, tmp_path, text):
    (tmp_path / "r.json").write_text(text)
    status, _, err = spanbench("report", tmp_path / "r.json")
    assert status == 2 and err.count("\n") == 1 and "r.json" in err


def test_an_unwritable_output_is_one_line(spanbench, tmp_path):
    path = made_up_results.write(tmp_path / "in", **FEW)
    (tmp_path / "file").write_text("")
    status, _, err = spanbench("report", path, "-o", tmp_path / "file")
    assert status == 2 and err == f"spanbench: {tmp_path / 'file'}: File exists\n"
