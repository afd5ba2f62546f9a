"""What advise makes of figures: what fits the time, which allocator is advised, how it is told."""

import json
from pathlib import Path

import pytest

from frontend.advising import advice, advice_checks, advice_lines, advice_plan
from frontend.advising.advice import Advice, Asked, Offer
from frontend.allocators.registry import Allocator
from frontend.figures.decision import BETTER, SAME, UNKNOWN, WORSE, Decision, runs_needed
from frontend.measuring import budget

GLIBC = Allocator("glibc", "glibc", Path("/lib/libc.so.6"))
QUICK = Allocator("quick", "", Path("/lib/quick one.so"))
ASKED = Asked("prog", 1_234_567, 2.0, 48.2, 3 << 20, 1, 1, 1.0)


def decided(median, verdict):
    return Decision(median, median * 0.99, median * 1.01, 0.96875, 6, verdict)


def offer(name, time, memory, share=None):
    allocator = Allocator(name, "", Path(f"/lib/{name}.so"))
    return Offer(allocator, decided(*time), decided(*memory), None, share)


def advised(*offers, kind=advice.REAL, **facts):
    """The Advice on some Offers, chosen."""
    told = Advice(["prog", "a b"], GLIBC, ASKED, kind, 2.5, 10 << 20, rounds=6, **facts)
    told.offers = list(offers)
    told.page = Path("/tmp/x/report.html")
    advice.choose(told)
    return told


def chosen(*offers, **facts):
    told = advised(*offers, **facts)
    return told.chosen.name if told.chosen else None, told.is_trade


# What is advised


@pytest.mark.parametrize(
    "time, memory, wanted",
    [
        ((0.90, BETTER), (1.00, SAME), ("a", False)),
        ((0.90, BETTER), (0.95, BETTER), ("a", False)),
        ((0.90, BETTER), (1.02, UNKNOWN), ("a", False)),
        ((0.99, SAME), (0.90, BETTER), ("a", False)),
        ((0.98, UNKNOWN), (0.90, BETTER), (None, False)),
        ((0.98, UNKNOWN), (1.00, SAME), (None, False)),
        ((1.00, SAME), (1.00, SAME), (None, False)),
        ((1.10, WORSE), (1.10, WORSE), (None, False)),
        ((0.90, BETTER), (1.05, WORSE), ("a", True)),
        ((0.90, BETTER), (1.20, WORSE), (None, False)),
        ((1.05, WORSE), (0.70, BETTER), ("a", True)),
        ((1.05, WORSE), (0.99, BETTER), (None, False)),
    ],
)
def test_who_is_advised(time, memory, wanted):
    assert chosen(offer("a", time, memory)) == wanted


def test_a_gain_for_nothing_goes_before_a_trade():
    trade = offer("trade", (0.80, BETTER), (1.05, WORSE))
    free = offer("free", (0.95, BETTER), (1.00, SAME))
    assert chosen(trade, free) == ("free", False)


def test_of_trades_the_cheapest_is_advised():
    quick = offer("quick", (0.80, BETTER), (1.20, WORSE))
    lean = offer("lean", (0.82, BETTER), (1.05, WORSE))
    assert chosen(quick, lean) == ("lean", True)


def test_who_poisons_is_no_candidate():
    found = [Allocator(n, n, QUICK.path) for n in ("span", "span-fast", "glibc", "jemalloc-junk")]
    assert [one.name for one in advice_checks.unpoisoned(found)] == ["span-fast", "glibc"]
    assert [one.name for one in advice_checks.unpoisoned(found[:1])] == ["span"]


@pytest.mark.parametrize("share, wanted", [(0.005, None), (0.0093, None), (0.0099, "a")])
def test_time_in_malloc_that_cannot_matter_is_no_gain(share, wanted):
    """Of a replay's saving, 4.2 times may be real; 2 % of the program must be in reach."""
    quick = offer("a", (0.50, BETTER), (1.00, SAME), share)
    assert chosen(quick, kind=advice.REPLAY)[0] == wanted


def test_a_trade_by_a_replay_goes_by_the_time_of_the_program():
    """Half of the time in malloc may be a tenth of the program's."""
    quick = offer("a", (0.50, BETTER), (1.20, WORSE), 0.20)
    assert chosen(quick, kind=advice.REPLAY) == (None, False)


def test_what_a_wide_interval_leaves_open_is_not_called_slight():
    wide = Decision(0.97, 0.60, 1.30, 0.96875, 6, UNKNOWN)
    assert Offer(QUICK, wide, decided(1.0, SAME), None, 0.2).verdicts() == (UNKNOWN, SAME)
    assert Offer(QUICK, wide, decided(1.0, SAME), None, 0.0118).verdicts() == (SAME, SAME)


def test_what_failed_is_not_advised():
    assert chosen(Offer(QUICK, error="killed by signal 11")) == (None, False)


# What fits the time


def test_three_are_run_for_real_while_they_fit():
    assert advice_plan.plan(100, 0.1, True, 7).rivals == 3
    assert advice_plan.plan(100, 0.1, True, 2).rivals == 2
    # (1 + rivals) * 7 runs and a quarter in reserve, in 60 % of the time
    assert [advice_plan.plan(100, s, True, 7).rivals for s in (1.7, 1.8, 2.2, 2.3)] == [3, 2, 2, 1]
    assert [advice_plan.plan(100, s, True, 7).rivals for s in (3.4, 3.5)] == [1, 0]


def test_what_replays_took_too_long_is_taken_from_the_rivals():
    assert [advice_plan.rivals_that_fit(s, 1.0, 3) for s in (35, 34, 18, 17)] == [3, 2, 1, 0]


def test_what_was_ended_is_not_run_for_real():
    plan = advice_plan.plan(100, 0.1, False, 7)
    assert (plan.rivals, plan.replay_s, plan.replay_rounds) == (0, 100, 6)


def test_replays_that_only_rank_take_less():
    plan = advice_plan.plan(100, 0.1, True, 7)
    assert plan.replay_rounds == 3 and plan.replay_s <= advice_plan.RANKING_S


def test_so_many_operations_fit(monkeypatch):
    monkeypatch.setattr(budget, "processors", lambda: 1)
    plan = advice_plan.Plan(0, 0, 60.0, 6)
    fitting = plan.ops_that_fit(1e-6, 4)
    assert fitting == int(60 / (1.5 * 1e-6 * 4 * (1 + 6 * 2.3)))
    assert plan.ops_that_fit(2e-6, 4) == pytest.approx(fitting / 2, abs=1)
    assert plan.ops_that_fit(1.0, 4) == advice_plan.FEWEST_OPS


def test_the_limit_that_is_named_lets_the_program_run(monkeypatch):
    for run_s in (5.0, 20.0, 300.0):
        limit_s = advice_plan.limit_for(run_s, 10.0)
        assert run_s <= advice_plan.RECORDED_SHARE * limit_s + 1e-9
        assert advice_plan.plan(limit_s - run_s - 10.0 + 1e-6, run_s, True, 7).rivals >= 1


def test_time_is_kept_back_for_the_page(monkeypatch):
    monkeypatch.setattr(advice_plan, "loop_s", lambda: 0.1)
    clock = advice_plan.Clock(120.0)
    assert clock.page_s == pytest.approx(15.0) and 104 < clock.left_s() <= 105
    assert clock.told() == "at most 2:00 left"
    monkeypatch.setattr(advice_plan, "loop_s", lambda: 9.0)
    clock.keep_back()
    assert clock.page_s == pytest.approx(40.0)


# How it is told


def test_five_lines_of_real_runs():
    told = advised(
        offer("quick", (0.93, BETTER), (1.00, SAME)), offer("slow", (1.2, WORSE), (0.994, UNKNOWN))
    )
    assert advice_lines.lines(told) == [
        "asks    prog: 1,234,567 calls in 2 s (620,000 a second), 48 bytes a request on average, "
        "at most 3.0 MiB live, 1 thread",
        "time    quick -7.0 % [-7.9, -6.1] faster; slow +20 % [+19, +21] slower; of 2.5 s with "
        "glibc (6 real runs each, intervals of 97 %)",
        "memory  quick 0 % [-1.0, +1.0] no difference; slow -0.6 % [-1.6, +0.4] cannot tell; of "
        "10.0 MiB peak RSS with glibc",
        "type    LD_PRELOAD=/lib/quick.so prog 'a b'",
        "page    /tmp/x/report.html",
    ]


def test_replays_say_that_they_are_no_real_runs():
    quick = offer("quick", (0.50, BETTER), (1.00, SAME), 0.62)
    told = advised(quick, kind=advice.REPLAY, cut=(1000, 50_000), malloc_share=0.62)
    line = advice_lines.lines(told)[1]
    assert "of 2.5 s in malloc with glibc, 62 % of the program's time" in line
    assert (
        "Replays only, of the first 2.0 % of its calls (6 replays each, intervals of 97 %): a"
        in line
    )
    assert line.endswith(": a real saving is mostly 0.34 to 4.2 times the replay's")


@pytest.mark.parametrize(
    "one, wanted",
    [
        (offer("a", (1.0, SAME), (1.0, SAME)), "keep glibc: no other is better"),
        (offer("a", (0.9, UNKNOWN), (1.0, SAME)), "keep glibc: cannot tell that any is better"),
        (
            offer("a", (0.9, BETTER), (1.05, WORSE)),
            "LD_PRELOAD=/lib/a.so prog 'a b'"
            "    # costs memory; where that matters more than time, keep glibc",
        ),
    ],
)
def test_what_to_type(one, wanted):
    assert advice_lines.type_line(advised(one)) == wanted


def test_what_would_tell_is_a_command():
    wide = Decision(0.97, 0.93, 1.01, 0.96875, 6, UNKNOWN)
    told = advised(Offer(QUICK, wide, decided(1.0, SAME)), offer("b", (0.9, BETTER), (1.0, SAME)))
    rounds = runs_needed(wide)
    assert rounds > 6 and advice_lines.open_text(told) == (
        f"about {rounds} rounds would tell how glibc, quick differ in time: "
        f"spanbench exec -n {rounds} -a glibc -a 'quick=/lib/quick one.so' -- prog 'a b'"
    )
    told.kind = advice.REPLAY
    assert advice_lines.open_text(told) is None
    assert advice_lines.open_text(advised(offer("b", (0.9, BETTER), (1.0, SAME)))) is None


def test_settings_are_part_of_the_line():
    tuned = Allocator("je", "jemalloc", Path("/lib/je.so"), {"MALLOC_CONF": "narenas:1,tcache:no"})
    line = advice_lines.command_line(tuned, ["a", "b;c"])
    assert line == "MALLOC_CONF=narenas:1,tcache:no LD_PRELOAD=/lib/je.so a 'b;c'"
    tuned = Allocator("g2", "glibc", Path("/lib/libc.so.6"), {"GLIBC_TUNABLES": "a=1 2"})
    assert advice_lines.command_line(tuned, ["a"]) == "GLIBC_TUNABLES='a=1 2' a"
    assert advice_lines.command_line(QUICK, ["a"]) == "LD_PRELOAD='/lib/quick one.so' a"


def test_a_failed_allocator_is_told_in_its_place():
    told = advised(Offer(QUICK, error="crash"), offer("b", (1.0, SAME), (1.0, SAME)))
    assert advice_lines.time_parts(told)[0] == "quick failed"
    assert advice_lines.time_parts(told)[1].startswith("b 0 %")


def test_calls_that_take_no_time_need_no_more_runs():
    unsure = ((0.99, UNKNOWN), (1.0, SAME))
    told = advised(offer("quick", *unsure), malloc_share=0.3)
    assert "rounds would tell" in advice_lines.open_text(told)
    told = advised(offer("quick", *unsure), malloc_share=0.004)
    text = advice_lines.open_text(told)
    assert text.startswith(
        "prog's calls take about 0.4 % of its time: faster ones alone do not change it by 2 %"
    )
    told.asked = Asked("prog", 9, 2.0, 48.2, 3 << 20, 1, 10, 0.1)  # the others' calls count as well
    assert "rounds would tell" in advice_lines.open_text(told)


@pytest.mark.parametrize(
    "name, verdict, line",
    [
        (
            "a",
            UNKNOWN,
            "keep liba.so, which it is linked with: cannot tell that any is better than",
        ),
        ("a", BETTER, "keep liba.so, which it is linked with"),
        ("b", BETTER, "LD_PRELOAD=/lib/b.so prog 'a b'"),
    ],
)
def test_who_is_linked_with_an_allocator_is_not_told_to_keep_glibc(name, verdict, line):
    one = offer(name, (0.9, verdict), (1.0, SAME))
    path = Path("/lib/liba.so.2") if name == "a" else one.allocator.path
    one = Offer(Allocator(name, "", path), one.time, one.memory)
    assert advice_lines.type_line(advised(one, linked_with="liba.so")).startswith(line)
    told = advised(one, linked_with="liba.so")
    assert advice_lines.to_json(told)["linked_with"] == "liba.so"


def test_json_holds_the_same_facts():
    told = advised(offer("quick", (0.93, BETTER), (1.0, SAME)), notes=["mind this"])
    facts = json.loads(json.dumps(advice_lines.to_json(told)))
    assert facts["asked"]["calls"] == 1_234_567 and facts["asked"]["calls_per_second"] == 617283.5
    assert (facts["source"], facts["rounds"], facts["advice"]) == ("real runs", 6, "quick")
    assert facts["line"] == "LD_PRELOAD=/lib/quick.so prog 'a b'"
    assert facts["allocators"][0]["time"]["ratio"] == 0.93
    assert facts["allocators"][0]["memory"]["verdict"] == SAME
    assert facts["notes"] == ["mind this"] and facts["page"] == "/tmp/x/report.html"
