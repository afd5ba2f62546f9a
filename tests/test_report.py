"""The page: whole in one file, with every row that lost or failed, and sentences that follow from
the numbers."""

import os
import re
import subprocess
import sys
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import made_up_results
import pytest
from page_pieces import flat, piece, remarks, verdict
from places import REPO

from frontend.charts import charts, palette
from frontend.figures import digest, results
from frontend.measuring import traces
from frontend.page import readme_tables, report, report_figures, report_verdict

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
        return flat((tmp_path / "out" / "report.html").read_text())

    return make


@pytest.fixture
def words_of(page_of, monkeypatch):
    """The same with the first chart alone, for tests of what stands beside the charts."""
    monkeypatch.setattr(charts, "draw_all", partial(charts.draw_all, only=("frontier",)))
    return page_of


@pytest.fixture(scope="module")
def plain_page(tmp_path_factory):
    """The page of one file without failures."""
    folder = tmp_path_factory.mktemp("plain")
    report.main_report([made_up_results.write(folder, **FEW)], folder)
    return flat((folder / "report.html").read_text())


def estimate(median, low, high):
    """An Estimate, by way of three values that have it."""
    return digest.stats.Estimate(median, low, high, 0.98, 7)


def summary_of(times, counted=2, kind="replay", rss=None):
    """A Digest with given geometric means of time and of memory, or as much memory for all."""
    cells = {
        name: digest.Cell(time_ratio=time, rss_ratio=(rss or {}).get(name, estimate(1, 1, 1)))
        for name, time in times.items()
    }
    return digest.Digest(
        kind=kind,
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
    targets = re.findall(r'(?:src|href)="([^"]*)"', plain_page)
    outside = [target for target in targets if not target.startswith(("#", "data:"))]
    assert outside and all(re.fullmatch(r"results\.json|curves(/[\w.-]+csv)?", t) for t in outside)
    assert not any(word in plain_page for word in ("<script ", "@import", "url(http", "<img"))


def test_page_opens_with_two_computed_sentences_then_the_frontier(plain_page, tmp_path):
    head = plain_page[plain_page.index("<h1>") : plain_page.index("<figure")]
    opening = re.search(r'<div class="verdict">(.*?)</div>', head, re.S).group(1).strip()
    assert opening.count("<p>") == 2 and opening.count("</p>") == 2
    summary = digest.digest(results.read(made_up_results.write(tmp_path, **FEW)), "replay")
    assert opening == verdict(summary)
    assert "fastest over 2 traces" in opening and "equally lean over 2 traces" in opening
    first = re.search(r'<figure data-chart="([^"]*)"', plain_page).group(1)
    assert first == "frontier" and plain_page.index("<figure") < plain_page.index("<table")


def test_workloads_have_a_part_of_the_page(page_of, monkeypatch):
    told = {"git": {"summary": "keeps <many> blocks"}}
    plain = made_up_results.context
    monkeypatch.setattr(
        made_up_results, "context", lambda *names: {**plain(*names), "workloads": told}
    )
    page = page_of({"kind": "run", "failing": {("git", "span")}})
    assert ">Synthetic workloads</h2>" in page and 'data-chart="run-heat"' in page
    assert "geometric mean</th>" not in page and "killed by signal 11" in page
    assert "<dt>git</dt><dd>keeps &lt;many&gt; blocks</dd>" in page and "<dt>lua</dt>" not in page


def test_every_chart_says_how_to_read_it(page_of):
    page = page_of({}, {"kind": "run"}, {"kind": "micro"}, {"kind": "exec"})
    figures = re.findall(r'<figure data-chart="([^"]*)">(.*?)</figure>', page, re.S)
    expected = {"frontier", "time", "memory", "blocks-git", "curve-git", "run-heat", "micro-calls"}
    assert expected | {"exec-time", "exec-memory", "exec-frontier"} <= {name for name, _ in figures}
    for name, text in figures:
        assert text.count("<svg") == 1 and text.count("<details>") == 1, name
        assert "Do not " in text, name


def test_letters_and_marks_are_defined_once_for_all_charts(plain_page):
    body = plain_page[plain_page.index("<body>") :]
    assert body.count("<defs>") == 1 and body.index("<defs>") < body.index("<figure")
    assert "xlink" not in body and "<metadata" not in body
    assert report_figures.compact_path("M 0 1.256 \nL 2 3 \nz\n") == "M0 1.256L2 3z"


def test_charts_of_one_name_keep_their_definitions_apart():
    one = '<defs><path id="m1" d="M0 0"/></defs><use href="#m1"/>'
    two = '<defs><clipPath id="p2"><rect x="1"/></clipPath></defs><g clip-path="url(#p2)"/>'
    shared = report_figures.share_definitions(one + two + one)
    assert shared.count('<path id="d0"') == 1 and shared.count('<use href="#d0"/>') == 2
    assert '<clipPath id="d1"><rect x="1"/></clipPath>' in shared and "url(#d1)" in shared


def test_references_within_the_page_resolve(plain_page):
    ids = set(re.findall(r' id="([^"]+)"', plain_page))
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', plain_page))
    assert "<nav" in plain_page
    assert used and {a or b for a, b in used} <= ids


def test_page_is_dark_where_wanted_and_prints(plain_page):
    page = plain_page
    assert "prefers-color-scheme: dark" in page and "@media print" in page
    body = page[page.index("<body>") :]
    for colour in palette.colours():
        assert colour not in body
        assert f"{report_figures.variable(colour)}: {colour};" in page
        assert f"{report_figures.variable(colour)}: {palette.dark_of(colour)};" in page


def test_every_row_that_failed_or_lost_is_there(words_of, tmp_path):
    page = words_of({"failing": {("git", "jemalloc")}})
    assert "<b>jemalloc</b> on git: killed by signal 11 (SIGSEGV)" in page
    assert '<td class="failed">failed</td>' in page
    assert "jemalloc</b> on git" in page and "1 of 2" in page
    source = results.read(tmp_path / "made0" / "results.json")
    lost = digest.digest(source, "replay").cells["lua", "span"].time_ratio
    assert f'<span class="worse">{lost.median:.2f}</span>' in page
    assert "Of 2 rows, slower: span 2." in page


def test_there_is_a_section_a_trace_and_the_context(plain_page):
    page = plain_page
    for trace in FEW["traces"]:
        assert f">{trace}</h3>" in page and f"{trace} 1.2.3" in page
        assert f"<code>{trace} --input x</code>" in page
        assert f'aria-label="{trace}: memory over operations"' in page
        assert f'aria-label="{trace}: sizes and lifetimes of blocks"' in page
        assert f'<a href="curves/{trace}.span.csv">span</a>' in page
    assert "540,000 operations" in page and "peak live 81.0 MiB" in page
    for part in (made_up_results.COMMIT, "Imaginary 9000", "ab" * 20, "/usr/lib/libjemalloc.so"):
        assert part in page
    assert "What a replay can and cannot tell" in page


def test_a_trace_has_a_table_of_its_figures(plain_page, tmp_path):
    summary = digest.digest(results.read(made_up_results.write(tmp_path, **FEW)), "replay")
    section = plain_page[plain_page.index(">git</h3>") : plain_page.index(">lua</h3>")]
    rows = re.findall(r'<tr><th scope="row">(.*?)</tr>', section)
    assert [row.partition("<")[0] for row in rows] == ["span", "glibc", "jemalloc"]
    for row, name in zip(rows, ("span", "glibc", "jemalloc")):
        cell = summary.cells["git", name]
        for part in (cell.time.median, cell.rss.median):
            assert f'<td data-sort="{part:.6g}">{digest.number_text(part)}<small>(' in row
        assert f">{100 * summary.waste['git', name]:.0f} %</td>" in row


def test_files_without_blocks_and_curves_are_told_without(page_of, monkeypatch):
    monkeypatch.setattr(made_up_results, "BLOCKS", {})
    monkeypatch.setattr(made_up_results, "write_curve", lambda *_: None)
    page = page_of({})
    names = re.findall(r'<figure data-chart="([^"]*)"', page)
    assert names == ["frontier", "time", "memory"] and "as CSV" not in page
    assert ">git</h3>" in page and "How to read this" in page


def test_base_and_head_are_reported_though_nobody_knows_them(page_of):
    names = ("span-base", "span-head", "span-fast-base", "span-fast-head")
    page = page_of({"allocators": names})
    heads = re.findall(r'<th scope="col">([^<]*)</th>', page)
    assert set(names[1:]) < set(heads) and "Time per op, ratio to span-base" in page
    assert "is fastest over 2 traces" in page or "not settled" in page
    assert len(re.findall("<figure", page)) == 7


def test_raw_data_are_linked_from_where_the_page_lies(words_of):
    page = words_of({})
    assert '<a href="../made0/results.json">results.json</a>' in page
    assert '<a href="../made0/curves">curves</a>' in page


def test_what_files_say_is_escaped(page_of, tmp_path, monkeypatch):
    wild = {**made_up_results.context(FEW["traces"], ()), "cpu": "<script>alert(1)</script>"}
    wild["traces"]["git"]["command"] = "</code><b>&amp;"
    monkeypatch.setattr(made_up_results, "context", lambda *_: wild)
    page = page_of({})
    assert "<script>alert" not in page and "&lt;script&gt;" in page
    assert "<code>&lt;/code&gt;&lt;b&gt;&amp;amp;</code>" in page


def test_markup_stands_in_templates_which_escape_what_they_are_given():
    assert report.templates().autoescape is True
    modules = set(Path(report.__file__).parent.glob("*.py"))
    drawn = {Path(report_figures.__file__), Path(readme_tables.__file__)}  # SVG and Markdown
    assert drawn < modules and len(modules - drawn) >= 4
    for path in modules - drawn:
        assert not re.search(r"</?[a-z]+[ />]|\bescape\b", path.read_text()), path


def test_two_files_make_one_page_with_both_answers_side_by_side(page_of, tmp_path):
    page = page_of({}, {"kind": "exec"})
    assert "Replayed traces" in page and "Real programs" in page
    assert "Replay and real program, side by side" in page
    folders = {f.parent.name for f in (tmp_path / "out").rglob("*time.svg")}
    assert folders == {"1-results", "2-results"}
    tags = Tags()
    tags.feed(page)
    assert len(tags.ids) == len(set(tags.ids))


def test_two_files_of_a_kind_are_told_apart(page_of):
    page = page_of({}, {"rounds": 3})
    for i in (0, 1):
        assert page.count(f"Replayed traces, made{i}/results.json</") == 2
    tags = Tags()
    tags.feed(page)
    assert len(tags.ids) == len(set(tags.ids))


def test_results_say_of_a_trace_what_the_page_shows(tmp_path):
    (tmp_path / "a.trace").write_bytes(b"")
    info = {**made_up_results.BLOCKS, "ops": 3, "by_kind": {"malloc": 2}, "slots": 1}
    told = traces.describe(traces.Trace("a", tmp_path / "a.trace", info))
    assert {key: told[key] for key in ("sizes", "lifetimes", "by_kind", "ops")} == {
        key: info[key] for key in ("sizes", "lifetimes", "by_kind", "ops")
    }


# Ratios of seven rounds, about 1.
CALM = (0.98, 0.99, 0.995, 1.0, 1.005, 1.01, 1.02)
WILD = (0.5, 2.0, 0.7, 1.0, 1.4, 1.3, 0.8)


def digest_of(times, rounds=CALM, kind="replay", failing=()):
    """The Digest of {allocator: time of each subject}; those of a rival vary by the ratios of the
    rounds, in an order of its own."""
    entries = []
    for place, (name, by_subject) in enumerate(times.items()):
        for subject, ns in zip("abcd", by_subject):
            row = f"{kind}/{subject}/{name}"
            if (subject, name) in failing:
                entries.append(results.failed(row, (0, 1), "killed"))
                continue
            for i in range(len(rounds)):
                factor = 1 if name == "glibc" else rounds[(i * (place + 1)) % len(rounds)]
                figures = {"ns_per_op": ns * factor}
                entries.append(results.sample(row, (i, len(rounds)), (1, 1), figures))
    return digest.digest(results.Results({}, entries), kind)


def test_verdict_names_the_best_and_how_sure():
    text = verdict(digest_of({"glibc": (10, 10), "fast": (5, 5)}))
    assert "<b>fast</b> at 0.50 (0.49–0.51) of glibc's time per op is fastest over 2 traces" in text
    assert ": next is <b>glibc</b> at 1, and fast is ahead on 2 of 2.</p>" in text


def test_verdict_on_two_rivals_is_that_on_their_own_pairs():
    """Both are twice as fast as a reference that varies; between the two all rounds agree."""
    summary = digest_of({"glibc": (10,), "a": (5,), "b": (6,)}, WILD)
    for name, factor in (("a", 1.0), ("b", 1.1)):
        row = summary.rows["a", name]
        times = zip(row.samples, (3, 9, 4, 5, 8, 6, 2))
        row.samples = [{**entry, "ns_per_op": factor * ns} for entry, ns in times]
    again = [e for row in summary.rows.values() for e in row.samples]
    text = verdict(digest.digest(results.Results({}, again), "replay"))
    assert "is fastest over 1 trace: next is <b>b</b> at" in text
    assert ", and a is at 0.91 (0.91–0.91) of that" in text


def test_verdict_counts_on_how_many_rows_the_best_is_ahead():
    text = verdict(digest_of({"glibc": (10, 10), "fast": (3, 12)}))
    assert "next is <b>glibc</b> at 1, and fast is ahead on 1 of 2." in text


def test_verdict_does_not_tell_apart_what_the_rounds_do_not():
    text = verdict(digest_of({"glibc": (10,), "a": (5,), "b": (5.2,)}, WILD))
    assert "Who is fastest over 1 trace is not settled: <b>a</b> at 0." in text
    assert re.search(
        r"and <b>b</b> at 0.5\d \(.*\) of glibc.s time per op cannot be told apart; about [\d,]+ "
        r"rounds",
        text,
    )
    everybody = {"glibc": (10,), "a": (9.9,), "b": (9.8,), "c": (9.7,)}
    text = verdict(digest_of(everybody, WILD))
    assert text.count("<b>") == 4 and "about " in text


def test_too_few_rounds_have_no_verdict():
    text = verdict(digest_of({"glibc": (10,), "a": (5,)}, (1.0,)))
    assert "<b>a</b> at 0.50 of glibc's time per op looks fastest over 1 trace" in text
    assert "but 1 round cannot settle it; about 6 rounds would tell." in text
    five = verdict(digest_of({"glibc": (10,), "a": (5,)}, CALM[:5]))
    assert "but 5 rounds cannot settle it; about 6 rounds would tell." in five
    alone = verdict(digest_of({"a": (5,)}))
    assert alone.count("cannot be told: fewer than two allocators") == 2


def test_a_short_coverage_is_not_read_as_a_share():
    """Not "0.50 (0.40–0.60) 75 % of glibc's time"."""
    text = verdict(digest_of({"glibc": (10,), "a": (5,), "b": (6,)}, CALM[:3]))
    assert re.search(r"at 0\.49 \(0\.\d+–0\.\d+, an interval of 75 %\) of glibc's time", text), text
    assert ") 75 %" not in text and "on 1 of 1" not in text


def test_verdict_leaves_out_who_failed_and_the_twins():
    times = {"glibc": (10, 10), "glibc-perturb": (1, 1), "broken": (1, 1), "slow": (20, 20)}
    summary = digest_of(times, failing={("b", "broken")})
    text = verdict(summary)
    assert "<b>glibc</b> is fastest over 2 traces" in text
    assert "next is <b>slow</b> at 2.00" in text
    text = remarks(summary)
    assert "Left out of the verdict, since rows are missing: broken." in text


def test_span_is_compared_with_its_twins():
    times = {"glibc": estimate(1, 1, 1), "span": estimate(1.2, 1.1, 1.3)}
    text = remarks(summary_of({**times, "jemalloc-junk": estimate(0.9, 0.8, 1)}))
    assert "span 1.20 and 1.00; jemalloc-junk 0.90 and 1.00." in text


def test_where_a_mean_says_nothing_rows_are_counted():
    times = {"x": (10, 10, 9), "y": (20, 10.05, 5)}
    text = verdict(digest_of(times, kind="run"))
    assert "<b>x</b> and <b>y</b> are each fastest most often, on 1 of 3 workloads" in text
    assert "on 2 of them the best is shown to be ahead of the next, on 1 both are equal (" in text
    assert "Who is leanest is not told here: peak RSS was not compared." in text
    noisy = verdict(digest_of({"x": (10, 10), "y": (20, 10.5)}, WILD, "micro"))
    assert "<b>x</b> is fastest most often, on " in noisy and "of 2 benchmarks" in noisy


def test_what_is_equal_everywhere_is_nobodys_win():
    times = {"x": (10, 12), "y": (10, 12)}
    text = verdict(digest_of(times, (1.0,) * 7, kind="run"))
    assert "Nobody is fastest: on all of 2 workloads the best two are equal" in text


def test_twins_win_no_rows():
    times = {"glibc-perturb": (1,), "x": (10,), "y": (20,)}
    text = verdict(digest_of(times, kind="run"))
    assert "<b>x</b> is fastest most often, on 1 of 1 workloads" in text


def test_the_kind_whose_means_say_most_leads():
    kinds = [summary_of({}, kind=kind) for kind in ("micro", "run", "exec", "replay")]
    assert [report_verdict.lead(kinds[:i]).kind for i in (1, 2, 3, 4)] == [
        "micro",
        "run",
        "exec",
        "replay",
    ]


def test_a_short_interval_says_what_it_covers(words_of):
    page = words_of({"rounds": 2})
    assert page.count(") 50 %</small>") > 10
    assert '<span class="worse">' not in page and "2 rounds cannot settle it" in page


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


def test_a_folder_that_may_not_be_written_to_is_told_before_any_chart(tmp_path):
    path = made_up_results.write(tmp_path / "in", **FEW)
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o555)
    # The administrator may write to it nevertheless, unless he gives up the right.
    caps = "-dac_override,-dac_read_search"
    plain = ["setpriv", "--bounding-set", caps, "--inh-caps", caps] if not os.geteuid() else []
    if plain and subprocess.run([*plain, "true"], capture_output=True, check=False).returncode:
        pytest.skip("may not give up rights")
    line = [*plain, REPO / "scripts" / "spanbench", "report", path, "-o", folder]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"spanbench: {folder / 'report.html'}: Permission denied\n"


def test_a_module_that_is_missing_is_one_line(spanbench, tmp_path, monkeypatch):
    path = made_up_results.write(tmp_path / "in", **FEW)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "frontend.page.report")
    status, _, err = spanbench("report", path, "-o", tmp_path / "out")
    assert status == 2 and err.count("\n") == 1
    assert err.startswith("spanbench: the Python module jinja2 is not installed; ")


def test_one_round_of_one_trace_shows_nothing_and_has_no_mean(tmp_path):
    path = made_up_results.write(tmp_path / "one", **{**FEW, "traces": ("git",), "rounds": 1})
    text = report.write_report([path], tmp_path / "page").read_text()
    assert "1 round cannot show that any is slower." in text and "1 interleaved round," in text
    assert "In bold" not in text and "geometric mean</th>" not in text
    path = made_up_results.write(tmp_path / "two", **FEW)
    text = report.write_report([path], tmp_path / "page").read_text()
    assert "In bold: slower" in text and "geometric mean</th>" in text


def modelled(rounds=7):
    """Results of replays with the model: the rival saves a fifth of a second of two."""
    made = made_up_results.make(("git",), ("glibc", "jemalloc", "null"), rounds)
    made.context.update(model="program", predicted_against="glibc")
    made.context["traces"]["git"]["duration_ns"] = 2_000_000_000
    for entry in made.benchmarks:
        if not entry["name"].endswith("null"):
            is_rival = entry["name"].endswith("jemalloc")
            entry["model_time_ns"] = 700_000_000 if is_rival else 900_000_000
    return digest.digest(made, "replay")


def test_predictions_stand_beside_the_replay():
    text = piece("parts", "predictions", modelled(), [])
    assert "Predicted against glibc" in text and "when it was recorded." in text
    assert text.count("<tr>") == 2  # the head and jemalloc
    assert 'data-sort="200"' in text and 'data-sort="10"' in text and "10.0 %" in text
    ratio = modelled().cells["git", "jemalloc"].time_ratio.median
    assert f'data-sort="{ratio:.6g}"' in text


def test_the_share_is_of_the_program_itself_where_the_page_has_it():
    real = digest.digest(made_up_results.make(("git",), ("glibc",), 7, kind="exec"), "exec")
    ms = real.cells["git", "glibc"].time.median
    text = piece("parts", "predictions", modelled(), [real])
    assert f'data-sort="{100 * 200 / ms:.6g}"' in text and "here or when" in text


def test_without_a_model_nothing_is_predicted(words_of):
    assert "What the programs would save" not in words_of({})
