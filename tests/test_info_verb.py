"""The verb info on real traces: its page, its plot and its score."""

import json
import re
import xml.etree.ElementTree as xml

import pytest
from places import BUILD, REPO

REDIS = REPO / "workloads" / "traces" / "redis.trace"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """The programs that were built, in a folder of its own."""
    if not (BUILD / "trace").exists():
        pytest.skip(f"{BUILD / 'trace'}: not built")
    monkeypatch.setenv("SPANBENCH_BUILD", str(BUILD))
    monkeypatch.chdir(tmp_path)


def test_the_page_tells_what_json_tells(spanbench):
    status, out, _ = spanbench("info", REDIS)
    info = json.loads(spanbench("info", "--json", REDIS)[1])
    assert status == 0 and isinstance(info["ops"], int)
    for figure in (info["ops"], info["handoffs"], info["peak"]["op"], info["reallocs"]["grow"]):
        assert f"{figure:,}" in out
    for word in ("commonest sizes", "lifetime in bytes requested", "resizes of a block"):
        assert word in out
    top = info["top_sizes"][0]
    assert re.search(rf"^ +{top['size']} +{top['count']:,} +", out, re.MULTILINE)


def test_the_matrix_says_who_frees_whose(spanbench):
    out = spanbench("info", REDIS)[1]
    pairs = json.loads(spanbench("info", "--json", REDIS)[1])["frees_by_owner"]
    table = out[out.index("freed or resized by") :].splitlines()
    rows = {words[0]: words[1:] for words in map(str.split, table) if words and words[0].isdigit()}
    order = ["0", "1", "3", "2"]  # by operations
    for pair in pairs:
        cell = rows[str(pair["owner"])][order.index(str(pair["by"]))]
        assert cell == f"{pair['count']:,}"


def test_the_curve_of_the_page_has_its_top_once(spanbench, short_trace):
    out = spanbench("info", short_trace)[1]
    line = out[out.index("the top is") :].splitlines()[1].strip()
    assert len(line) == 72 and line[0] != "█" and "█" in line and line[-1] in " ▁"


def test_traces_without_blocks_have_a_page(spanbench, tmp_path):
    spanbench("cut", REDIS, "--ops", "0:0", "-o", tmp_path / "e.trace")
    status, out, _ = spanbench("info", tmp_path / "e.trace")
    assert status == 0 and "no block was freed" in out and "live bytes: none" in out
    assert spanbench("info", tmp_path / "e.trace", "--plot", "e.svg")[0] == 0


def test_the_plot(spanbench, tmp_path):
    status, out, err = spanbench("info", REDIS, "--plot", "redis.svg")
    assert (status, out) == (0, "") and "redis.svg: written" in err
    text = (tmp_path / "redis.svg").read_text()
    assert xml.fromstring(text).tag.endswith("svg")
    info = json.loads(spanbench("info", "--json", REDIS)[1])
    assert f"at operation {info['peak']['op']:,}" in text
    assert f"16 - 31 bytes: {info['sizes'][4]['count']:,}" in text


@pytest.mark.parametrize(
    "plot, complaint", [("x.pdf", "x.pdf: not named .svg or .png"), ("/nowhere/x.svg", "No such")]
)
def test_a_plot_that_cannot_be_drawn(spanbench, plot, complaint):
    status, out, err = spanbench("info", REDIS, "--plot", plot)
    assert (status, out) == (2, "") and complaint in err


def test_the_score(spanbench, short_trace):
    if not (BUILD / "replay-glibc").exists():
        pytest.skip(f"{BUILD / 'replay-glibc'}: not built")
    status, out, _ = spanbench("info", "--json", "--score", "-a", "glibc", short_trace)
    (score,) = json.loads(out)["scores"]
    assert status == 0 and score["allocator"] == "glibc"
    assert 0 < score["utilisation"] < 1.5 and score["kops"] > 0
    assert score["index"] == pytest.approx(60 * min(1, score["utilisation"]) + 40)
    assert "utilisation" in spanbench("info", "--score", "-a", "glibc", short_trace)[1]
