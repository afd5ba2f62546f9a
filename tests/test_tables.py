"""Tables on terminals of any width and in pipes: whatever has no room, no number is ever cut."""

import argparse
import io
import re
import sys
import types

import made_up_results
import pytest
from rich.text import Text

from frontend.comparing import compare_table, comparing
from frontend.figures import digest, fitting, metrics, replay_tables, stats, table
from frontend.figures.decision import Decision
from frontend.gate import gate_page
from frontend.gate.gate_verdict import Finding
from frontend.inspecting import diff_page, differing, info_page
from frontend.verbs import allocators, run

WIDTHS = (40, 60, 80, 120)
NUMBER = re.compile(r"\d[\d,.]*")
LONG = ("git", "redis")
MADE_UP = {"traces": LONG, "allocators": ("span-fast", "glibc", "jemalloc", "tcmalloc", "null")}
RATIO = Decision(1.23456, 1.11111, 12.34567, 0.5, 2, "worse")
FACTS = {"summary": "does 12,345 things", "size": 1234567, "size_is": "blocks", "ops": 7654321}


def replays():
    """The tables of replays: rows, means."""
    table.show(made_up_results.make(rounds=2, **MADE_UP))


def programs():
    """The tables of real programs."""
    table.show(made_up_results.make(rounds=2, kind="exec", **MADE_UP))


def workloads():
    """The table of workloads."""
    table.show(made_up_results.make(rounds=7, kind="run", **MADE_UP))


def micros():
    """The tables of micro-benchmarks."""
    table.show(made_up_results.make(rounds=2, kind="micro", **MADE_UP))


def comparison():
    """What compare prints."""
    time = metrics.TIME["replay"]
    row = comparing.Comparison("replay/git-log/12/span", "time", time, 123456.0, 98765.0, RATIO)
    mean = comparing.Comparison("replay: all", "time", time, ratio=RATIO, rows=1234)
    manner = comparing.Manner(is_paired=False)
    compare_table.show(compare_table.Page(["A: a.json"], [mean], [row], [], manner, True))


def gate():
    """What the gate prints."""
    ratio = stats.Estimate(1.0517, 1.0412, 1.0631, 0.995, 12)
    findings = [
        Finding(
            "span-fast",
            "replay-of-git-log",
            "peak_rss",
            "worse",
            ratio,
            123456789,
            234567890,
            limit=0.02,
        ),
        Finding("span-fast", "mean", "time", "cannot tell", ratio, remark="1,234 pairs"),
    ]
    sides = {"base": "main", "head": "the working tree"}
    gate_page.show(gate_page.Page(sides, findings, [], "worse", 0.03))


def the_list():
    """The list of workloads."""
    names = ("steady", "some-longer-name")
    known = {name: {**FACTS, "threads": 128} for name in names}
    run.show_table(known)


def found_allocators():
    """The list of allocators."""
    allocators.run(argparse.Namespace(json=False), [])


def trace():
    """What info prints."""
    classes = [{"from": 1048576, "to": 2097151, "count": 1234567890}]
    kinds = {"malloc": 1234567890}
    table.console().print(info_page.kinds_table({"by_kind": kinds, "ops": 1234567890}))
    table.console().print(info_page.shares_table("lifetime in allocations", "blocks", classes))


def sites():
    """What info --sites prints."""
    site = {"text": "lgetfilecon_raw (lgetfilecon.c:36)", "ops": 1836, "bytes": 24261, "blocks": 9}
    site |= {"peak_live": 20582, "final_live": 20582, "freed": 8, "mean_lifetime_ops": 123456.0}
    info_page.show_sites("a.trace", [types.SimpleNamespace(**site)])


def changes():
    """The tables of diff."""
    changed = [differing.Change("mean_lifetime_bytes", (166016586,), (1973991,))]
    table.console().print(diff_page.changes_table(changed))
    calls = differing.Change("lgetfilecon_raw (lgetfilecon.c:36)", (21369,), (1234,))
    size = differing.Change(calls.name, (166016586,), (1973991,))
    table.console().print(diff_page.sites_table([(calls, size)]))


EVERY = (replays, programs, workloads, micros, comparison, gate, the_list, found_allocators, trace)
EVERY += (sites, changes)


@pytest.fixture
def printed(monkeypatch, capsys):
    """A function that gives what a function prints on a terminal of a width, None: in a pipe."""

    def call(show, width):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: width is not None, raising=False)
        monkeypatch.setenv("COLUMNS", str(width or 20))
        monkeypatch.setenv("LINES", "50")  # without it rich takes a dumb terminal for 80 wide
        monkeypatch.setenv("TERM", "dumb")
        show()
        return capsys.readouterr().out

    return call


@pytest.mark.parametrize("show", EVERY)
def test_every_number_is_whole_at_any_width(printed, show):
    wide = printed(show, None)
    assert "…" not in wide and "No room" not in wide
    whole = {number.strip(",.") for number in NUMBER.findall(wide)}
    for width in WIDTHS:
        narrow = printed(show, width)
        assert "…" not in narrow
        cut = {number.strip(",.") for number in NUMBER.findall(narrow)} - whole
        assert not cut, f"{width} columns: {cut}"


def test_small_ratios_keep_two_figures():
    small = stats.Estimate(0.0317, 0.0287, 0.1049, 0.95, 12)
    assert digest.figure_text(small) == "0.032 (0.029–0.10)"
    assert digest.told_text(small, "all") == "0.032 (0.029–0.10) of all"
    assert table.interval_text(small) == "0.032 [0.029, 0.10]"


def test_columns_that_no_row_fills_are_left_out(capsys):
    made = made_up_results.make(rounds=2, **MADE_UP)
    table.show(made)
    assert "peak MiB" in capsys.readouterr().out
    for entry in made.benchmarks:
        for key in ("peak_rss", "waste"):
            entry.pop(key, None)
    table.show(made)
    shown = capsys.readouterr().out
    assert "ns/op" in shown and "time / glibc" in shown
    assert "peak MiB" not in shown and "waste" not in shown


@pytest.mark.parametrize("show", (sites, changes))
def test_tables_of_a_trace_fit_a_narrow_terminal(printed, show):
    assert max(map(len, printed(show, None).splitlines())) > 60
    for width in (60, 80):
        lines = printed(show, width).splitlines()
        assert max(len(line.rstrip()) for line in lines) <= width


def test_a_number_and_its_unit_stay_in_one_line(printed):
    for width in WIDTHS:
        shown = printed(sites, width)
        assert "23.7 KiB" in shown and len(re.findall("[KMG]i?B", shown)) == shown.count(" KiB")


@pytest.mark.parametrize("columns", (20, 60, 100))
def test_the_curve_of_live_bytes_fits_the_terminal(columns):
    info = {"peak_live": 100, "live_curve": [{"peak": i} for i in range(101)]}
    line = info_page.curve_text(info, columns).plain.splitlines()[1]
    assert len(line) == min(columns, 2 + info_page.CURVE_COLUMNS) and line.endswith("█")


@pytest.mark.parametrize("width", WIDTHS)
def test_what_is_left_out_is_named(width):
    shown = fitting.FittedTable("name", spare=("b", "a"))
    for head in ("a", "b", "ratio"):
        shown.add_column(head, justify="right")
    shown.add_row("some/long-name/of/a/row", "1,234,567.8", "9,876,543.2", "0.57 [0.33, 0.99]")
    out = io.StringIO()
    fitting.UncutConsole(width=width, file=out).print(shown)
    text = out.getvalue()
    missing = re.findall(r"No room for: ([ab, ]*\b)", text)
    for head, number in (("a", "1,234,567.8"), ("b", "9,876,543.2")):
        assert (number in text) != (missing != [] and head in missing[0].split(", "))
    assert all(part in text for part in ("0.57", "0.33", "0.99"))
    assert max(map(len, text.splitlines())) <= width


def test_a_table_that_has_no_room_at_all_is_wide_rather_than_cut():
    shown = fitting.FittedTable("name")
    shown.add_column("figure", justify="right")
    shown.add_row("x" * 30, "123,456,789,012.345")
    out = io.StringIO()
    fitting.UncutConsole(width=20, file=out).print(shown)
    assert "x" * 30 in out.getvalue() and "123,456,789,012.345" in out.getvalue()


@pytest.mark.parametrize(
    "text, pieces",
    [
        ("0.57 [0.33, 0.99] 50 %", ["0.57 ", "[0.33, ", "0.99] ", "50 %"]),
        ("1,234,567", ["1,234,567"]),
        ("replay/git-log/1,024", ["replay/", "git-", "log/", "1,024"]),
        ("-0.5", ["-0.5"]),
        ("a-1", ["a-1"]),
    ],
)
def test_a_text_is_broken_between_words_only(text, pieces):
    assert fitting.pieces(text) == pieces
    assert fitting.break_text(Text(text), 1).plain.split("\n") == [p.strip() for p in pieces]


def test_a_saving_of_nothing_has_no_sign():
    nothing = stats.Estimate(-0.2, -0.3, 0.4, 0.95, 9)
    assert replay_tables.saving_text(nothing, 1) == "0 [0, 0]"
    assert replay_tables.saving_text(nothing, -1) == "0 [0, 0]"
