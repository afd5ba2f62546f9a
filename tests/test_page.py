"""The page in a browser, a headless Chromium: it asks for nothing and complains about nothing,
shows every chart, sorts, tells figures, and fits a phone, a dark room and paper."""

import json
import re
from functools import partial
from pathlib import Path

import browser as chromium
import made_up_results
import pytest

from frontend.charts import charts
from frontend.page import report

pytestmark = pytest.mark.skipif(
    chromium.find() is None, reason="no Chromium or Selenium: `scripts/deps browser` installs them"
)
WIDTHS = (390, 820, 1400)
ALLOCATORS = ("span", "glibc", "jemalloc", "mimalloc", "glibc-perturb", "head")
REPLAYS = {"traces": ("git", "lua", "jq"), "allocators": ALLOCATORS, "rounds": 7}
# Made-up traces as workloads and as benchmarks by size.
WORKLOADS = {"git": "busy/threads:1", "lua": "busy/threads:2", "jq": "foe"}
SIZES = {"git": "pair/16", "lua": "pair/64", "jq": "pair/256", "perl": "pair/1024"}
SIZES |= {"cc1": "pair/4096", "redis": "replace"}
CHARTS = """frontier time memory limits latency blocks-git blocks-lua blocks-jq curve-git curve-lua
    curve-jq run-heat run-threads run-bounds micro-size micro-calls exec-frontier exec-time
    exec-memory
    """.split()
JS_LINES = 100
READABLE = 4.5  # least contrast of text that WCAG 2 (AA) asks for


def write(folder, kind, names=None, **options):
    """Writes results of a kind, its subjects renamed, replays with least limits; its path."""
    path = made_up_results.write(folder / kind, kind=kind, **options)
    document = json.loads(path.read_text())
    for entry in document["benchmarks"] if names else ():
        _, subject, allocator = entry["name"].split("/")
        entry["name"] = f"{kind}/{names[subject]}/{allocator}"
        if names[subject] == "foe":
            entry["bound"] = 300 << 20
    for entry in document["benchmarks"] if kind == "replay" else ():
        if "peak_rss" in entry:
            entry["least_limit"] = entry["peak_rss"] * 1.03
    path.write_text(json.dumps(document))
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The path of a page that holds every chart there is, and a failed row."""
    folder = tmp_path_factory.mktemp("page")
    few = {"allocators": ALLOCATORS[:4], "rounds": 3}
    paths = [
        write(folder, "replay", failing={("lua", "mimalloc")}, has_latencies=True, **REPLAYS),
        write(folder, "run", WORKLOADS, traces=tuple(WORKLOADS), **few),
        write(folder, "micro", SIZES, traces=tuple(SIZES), **few),
        write(folder, "exec", traces=("git", "lua"), **few),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(charts, "draw_all", partial(charts.draw_all, formats=("svg",)))
        report.main_report(paths, folder / "out")
    return folder / "out" / report.PAGE_NAME


@pytest.fixture(scope="module")
def window():
    """A browser for all tests here."""
    with chromium.Browser() as running:
        yield running


@pytest.fixture
def shown(window, page):
    """The browser with the page in a wide window, freshly loaded."""
    window.media()
    window.open(page, 1400)
    return window


def test_it_asks_for_nothing_and_complains_about_nothing(shown, page):
    shown.ask("document.querySelector('th button').click()")
    assert [url for url in shown.asked() if not url.startswith("data:")] == [page.as_uri()]
    assert shown.complaints() == []


def test_a_complaint_would_be_seen(window, tmp_path):
    (tmp_path / "bad.html").write_text("<script>console.debug(1); nix()</script><img src='x.png'>")
    window.open(tmp_path / "bad.html")
    sources = {source for source, _ in window.complaints()}
    assert sources == {"console-api", "javascript", "network"}
    assert len(window.asked()) >= 2


def test_every_chart_is_there_and_drawn(shown):
    found = shown.ask(
        """[...document.querySelectorAll("figure")].map((figure) => {
        const svg = figure.querySelector("svg"), box = svg.getBoundingClientRect();
        const lost = [...svg.querySelectorAll("use")].filter(
            (use) => !document.querySelector(use.getAttribute("href")));
        return [figure.dataset.chart, box.width, box.height, lost.length,
                [...svg.querySelectorAll("use")].filter((u) => u.getBBox().width > 0).length];
    })"""
    )
    assert sorted(name for name, *_ in found) == sorted(CHARTS)
    for name, width, height, lost, drawn in found:
        assert width >= 700 and height >= 150 and lost == 0 and drawn > 50, name


def column(shown, table, index):
    """The texts of a column of a table of the page."""
    cell = f"row.cells[{index}].firstChild?.textContent ?? ''"
    rows = f"document.querySelectorAll('table')[{table}].tBodies[0].rows"
    return shown.ask(f"[...{rows}].map((row) => {cell})")


def head(table, index):
    """The expression for the head of a column."""
    return f"document.querySelectorAll('table')[{table}].tHead.rows[0].cells[{index}]"


def test_a_click_sorts_by_number_and_back(shown):
    before = column(shown, 0, 2)
    shown.ask(f"{head(0, 2)}.querySelector('button').click()")
    assert column(shown, 0, 2) == sorted(before, key=float)
    assert shown.ask(f"{head(0, 2)}.getAttribute('aria-sort')") == "ascending"
    shown.ask(f"{head(0, 2)}.querySelector('button').click()")
    assert column(shown, 0, 2) == sorted(before, key=float, reverse=True)
    assert shown.ask(f"{head(0, 2)}.getAttribute('aria-sort')") == "descending"
    shown.ask(f"{head(0, 0)}.querySelector('button').click()")
    assert column(shown, 0, 0) == sorted(REPLAYS["traces"])
    assert shown.ask(f"{head(0, 2)}.getAttribute('aria-sort')") is None


def test_rows_go_whole_and_the_means_stay_at_the_foot(shown):
    pairs = set(zip(column(shown, 0, 0), column(shown, 0, 3)))
    shown.ask(f"{head(0, 3)}.querySelector('button').click()")
    assert set(zip(column(shown, 0, 0), column(shown, 0, 3))) == pairs
    foot = shown.ask("document.querySelector('table').tFoot.textContent")
    assert foot.startswith("geometric mean")


def test_what_failed_is_last_either_way(shown):
    place = 1 + ALLOCATORS.index("mimalloc")
    for _ in range(2):
        shown.ask(f"{head(0, place)}.querySelector('button').click()")
        assert column(shown, 0, place)[-1] == "failed"
        assert column(shown, 0, 0)[-1] == "lua"


def test_tables_sort_by_the_keyboard(shown):
    shown.ask(f"{head(0, 2)}.querySelector('button').focus()")
    shown.press("Enter")
    assert shown.ask(f"{head(0, 2)}.getAttribute('aria-sort')") == "ascending"


def middle_of(shown, expression):
    """Where an element is in the window, after it was scrolled to and that was told to the page."""
    return shown.ask(
        f"""(async () => {{
        const mark = {expression};
        mark.scrollIntoView({{ block: "center", behavior: "instant" }});
        for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
        const box = mark.getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2];
    }})()"""
    )


def chart(name):
    """The expression for a chart."""
    return f"document.querySelector('figure[data-chart=\"{name}\"] svg')"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("frontier", r"^git, span\n.* of glibc's time per op\n.* of glibc's peak RSS$"),
        ("time", r"of glibc's time per op$| ns \("),
        ("blocks-git", r"16–31 bytes\n600 blocks, 60 %"),
        ("curve-git", r"after \d+k? operations, MiB\n[\w-]+ [\d.]+\n"),
        ("run-heat", r"busy/threads:1, span\ntime per op [\d.]+ ns .*\n[\d.]+ times the best"),
    ],
)
def test_what_is_under_the_pointer_tells_its_figure(shown, name, says):
    x, y = middle_of(shown, f"{chart(name)}.querySelector('[data-tip]')")
    assert shown.ask("document.getElementById('tip').hidden")
    shown.move(x, y)
    assert not shown.ask("document.getElementById('tip').hidden")
    assert re.search(says, shown.ask("document.getElementById('tip').textContent"), re.S)
    box = shown.ask(
        "(({x, y, right, bottom}) => [x, y, right, bottom])"
        "(document.getElementById('tip').getBoundingClientRect())"
    )
    assert min(box[:2]) >= 0 and box[2] <= 1400 and box[3] <= 900
    shown.move(1, 1)
    assert shown.ask("document.getElementById('tip').hidden")


def test_close_to_a_mark_is_enough(shown):
    mark = f"{chart('frontier')}.querySelector('[data-tip]')"
    x, y = middle_of(shown, mark)
    half = shown.ask(f"{mark}.getBoundingClientRect().width / 2")
    shown.move(x - half - 3, y)
    assert not shown.ask("document.getElementById('tip').hidden")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_is_no_wider_than_the_window(shown, width):
    shown.resize(width)
    assert shown.ask("innerWidth") == width
    assert shown.ask("document.documentElement.scrollWidth") == width
    beyond = shown.ask(
        """[...document.querySelectorAll("main *")].filter((part) =>
        !part.closest(".wide") && part.getBoundingClientRect().right > innerWidth + 0.5
    ).map((part) => part.outerHTML.slice(0, 80))"""
    )
    assert beyond == []


@pytest.mark.parametrize("width", WIDTHS)
def test_reading_is_open_where_there_is_room(window, page, width):
    window.media()
    window.open(page, width)
    is_open = window.ask("document.querySelector('figure details').open")
    assert is_open == (width == 1400)
    beside, chart_right = window.ask(
        """[
        document.querySelector("figcaption").getBoundingClientRect().left,
        document.querySelector("figure .wide").getBoundingClientRect().right]"""
    )
    assert (beside >= chart_right) == is_open


def luminance(colour):
    """The relative luminance of "rgb(1, 2, 3)"."""
    shades = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shades]
    return sum(weight * s for weight, s in zip((0.2126, 0.7152, 0.0722), linear))


def colour_of(shown, selector, key="color"):
    """A computed colour of the first element of a selector."""
    return shown.ask(f"getComputedStyle(document.querySelector('{selector}')).{key}")


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_text_can_be_read_in_either_scheme(shown, scheme, is_dark):
    shown.media("", scheme)
    paper = luminance(colour_of(shown, "body", "backgroundColor"))
    assert (paper < 0.1) == is_dark
    for part in ("body", ".small", "a", ".worse", ".better", ".failed", "td small", "summary"):
        ink = luminance(colour_of(shown, part))
        low, high = sorted((ink, paper))
        assert (high + 0.05) / (low + 0.05) >= READABLE, part


def test_on_paper_it_is_light_whole_and_still(shown, tmp_path):
    shown.media("print", "dark")
    assert luminance(colour_of(shown, "body", "backgroundColor")) > 0.9
    assert colour_of(shown, "nav", "display") == "none"
    assert colour_of(shown, "figure .wide", "overflowX") == "visible"
    shown.pdf(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert shown.ask("[...document.querySelectorAll('details')].every((part) => part.open)")


def test_links_within_the_page_lead_somewhere(shown):
    lost = shown.ask(
        """[...document.querySelectorAll("a[href^='#']")].filter(
        (link) => !document.getElementById(link.getAttribute("href").slice(1))).length"""
    )
    count = shown.ask("document.querySelectorAll(\"a[href^='#']\").length")
    assert lost == 0 and count > 8


def test_the_links_to_raw_data_lead_to_files(shown, page):
    targets = shown.ask(
        """[...document.querySelectorAll("a:not([href^='#'])")].map(
        (link) => link.getAttribute("href"))"""
    )
    assert len(targets) > len(ALLOCATORS)
    for target in targets:
        assert (page.parent / target).exists(), target


def test_the_script_stays_small():
    script = Path(report.__file__).parent / "templates" / "page.js"
    assert len(script.read_text(encoding="utf-8").splitlines()) < JS_LINES


@pytest.mark.parametrize("width", (390, 1400))
def test_a_narrow_screen_says_above_a_chart_that_it_scrolls(shown, width):
    shown.resize(width)
    said = shown.ask("getComputedStyle(document.querySelector('figure'), '::before').content")
    assert ("scrolls sideways" in said) == (width == 390)
