"""The verb replay on a made-up build: what it writes, what it refuses, what it calls failed."""

import json
import os
from collections import Counter

import made_up_results
import pytest

from frontend.figures import replay_details, results
from frontend.measuring import campaign

USUAL = ("-a", "span,glibc", "-n", "2", "--no-null")
WITH_NULL = ("-a", "span,glibc", "-n", "2")


@pytest.fixture
def replay(made_up_build, spanbench, tmp_path):
    """A function that replays and returns (status, Results or None, stdout, stderr)."""

    def run(*words):
        path = tmp_path / "out.json"
        status, out, err = spanbench("replay", *words, "-o", path)
        return status, results.read(path) if path.exists() else None, out, err

    return run


def test_every_sample_is_kept_and_warm_ups_apart(replay, made_up_trace):
    status, measured, _, _ = replay(made_up_trace(), *WITH_NULL)
    assert status == 0
    counted = [(e["name"], e["repetition_index"]) for e in measured.benchmarks]
    names = ["replay/made/span", "replay/made/glibc", "replay/made/null"]
    assert counted == [(name, i) for name in names for i in range(2)]
    assert len(measured.context["warmups"]) == 3


def test_figures_are_those_of_the_replayer(replay, made_up_trace):
    trace = made_up_trace(ns={"span": 30, "glibc": 20, "null": 5}, rss={"span": 3 << 20})
    _, measured, _, _ = replay(trace, *WITH_NULL)
    entry = measured.row("replay", "made", "span").samples[0]
    assert entry["real_time"] == pytest.approx(0.03) and entry["time_unit"] == "ms"
    assert (entry["iterations"], entry["repetitions"]) == (1, 2)
    assert (entry["ops"], entry["ns_per_op"], entry["net_ns_per_op"]) == (1000, 30, 25)
    assert (entry["peak_rss"], entry["peak_live"], entry["waste"]) == (3 << 20, 1 << 19, 0.5)
    assert entry["checksum"] == "good"


def test_results_that_cannot_be_written_are_shown_all_the_same(
    made_up_build, made_up_trace, spanbench
):
    status, out, err = spanbench("replay", made_up_trace(), *USUAL, "-o", "/dev/full")
    assert status == 1 and "glibc" in out
    assert err.splitlines()[-1] == "spanbench: /dev/full: No space left on device"
    assert not os.path.exists("/dev/full.curves")


def test_null_is_timed_and_nothing_else(replay, made_up_trace):
    _, measured, _, _ = replay(made_up_trace(), *WITH_NULL)
    null = measured.row("replay", "made", "null").samples[0]
    assert "ns_per_op" in null and "peak_rss" not in null


def test_without_the_floor_there_is_no_net(replay, made_up_trace):
    _, measured, _, _ = replay(made_up_trace(), *USUAL)
    assert measured.allocators() == ["span", "glibc"]
    assert "net_ns_per_op" not in measured.benchmarks[0]


def test_context_tells_the_circumstances(replay, made_up_trace):
    _, measured, _, _ = replay(made_up_trace(), *USUAL)
    context = measured.context
    for key in (
        "date host_name executable num_cpus mhz_per_cpu cpu_scaling_enabled caches load_avg"
        " library_build_type commit dirty compiler flags libc kernel cpu governor thp aslr"
        " load_before command touch thread_order"
    ).split():
        assert key in context, key
    assert context["spanbench"] == "9.8.7"
    assert set(context["allocators"]["span"]) == {"path", "build_id", "version", "settings"}
    assert context["traces"]["made"]["ops"] == 1000
    assert len(context["traces"]["made"]["sha256"]) == 64
    assert context["command"].startswith("spanbench replay ")


def test_table_has_ratios_intervals_and_true_coverage(replay, made_up_trace):
    a = made_up_trace("one", ns={"span": 30, "glibc": 20}, rss={"span": 3 << 20, "glibc": 1 << 20})
    b = made_up_trace("two", ns={"span": 20, "glibc": 20}, rss={"span": 1 << 20, "glibc": 1 << 20})
    _, _, out, _ = replay(a, b, *USUAL)
    span = [line for line in out.splitlines() if " span " in f" {line} "]
    assert "1.50 [1.50, 1.50]" in span[0] and "3.00" in span[0]
    assert "1.00 [1.00, 1.00]" in span[1]
    assert "1.22 [1.22, 1.22]" in span[2] and "1.50 one" in span[2] and "1.73" in span[2]
    assert "50 % (n = 2)" in out
    assert max(map(len, out.splitlines())) <= 100


def test_without_output_only_the_table_is_left(made_up_build, spanbench, made_up_trace, tmp_path):
    before = sorted(os.listdir(tmp_path))
    status, out, _ = spanbench("replay", made_up_trace("x"), *USUAL)
    assert status == 0 and "span" in out
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "x.trace"])


def test_curves_lie_beside_the_results(replay, made_up_trace, tmp_path):
    _, measured, _, _ = replay(made_up_trace(), *USUAL)
    assert measured.context["curves"] == "out.curves"
    assert sorted(os.listdir(tmp_path / "out.curves")) == ["made.glibc.csv", "made.span.csv"]
    assert measured.curve("made", "span")["rss"] == [0, 4096]


def test_a_file_of_the_users_is_replayed(replay, made_up_trace, shared_objects):
    library = shared_objects / "liballocator.so"
    status, measured, _, _ = replay(made_up_trace(), "-a", f"glibc,mine={library}", "-n", "1")
    assert status == 0
    assert measured.context["allocators"]["mine"]["path"] == str(library)


@pytest.mark.parametrize(
    "fault, message",
    [
        ("crash", "speed pass: killed by signal 11 (SIGSEGV)"),
        ("crash in memory", "memory pass: killed by signal 11 (SIGSEGV)"),
        ("sleep", "speed pass: timed out after 3 s"),
        ("refuse", "malloc comes from /lib/other.so, not from"),
        ("imposter", "malloc comes from /lib/imposter.so, not"),
        ("checksum", "checksum bad, where glibc has good"),
        ("lazy", "ops 999, where glibc has 1000"),
    ],
)
def test_what_fails_is_a_failed_row_and_never_a_time(replay, made_up_trace, fault, message):
    trace = made_up_trace(faults={"span": fault})
    limit = (
        ("--timeout", "3") if fault == "sleep" else ()
    )  # glibc's must end in it on a busy machine
    status, measured, out, err = replay(trace, *USUAL, *limit)
    row = measured.row("replay", "made", "span")
    assert status == 1
    assert row.samples == [] and message in row.error
    assert row.failures[0]["real_time"] == 0
    assert "failed" in out and "spanbench: replay/made/span: " in err and message in err
    assert len(measured.row("replay", "made", "glibc").samples) == 2


def test_a_floor_that_fails_is_told_in_one_line_and_no_failure(replay, made_up_trace):
    traces = [made_up_trace(name, faults={"null": "crash"}) for name in ("one", "two")]
    status, measured, out, err = replay(*traces, made_up_trace("three"), *WITH_NULL)
    assert status == 0 and " failed" in out
    line = "the floor (null) failed, no net time of 2 of 3: one: speed pass: killed by signal 11"
    assert line in err and err.count("null") == 1
    assert "net_ns_per_op" not in measured.row("replay", "one", "span").samples[0]
    assert "net_ns_per_op" in measured.row("replay", "three", "span").samples[0]


def test_a_floor_that_was_asked_for_fails_as_others_do(replay, made_up_trace):
    trace = made_up_trace(faults={"null": "crash"})
    status, _, _, err = replay(trace, "-a", "glibc,null", "-n", "1")
    assert status == 1 and "replay/made/null: speed pass" in err and "floor" not in err


@pytest.mark.parametrize("text, complaint", [("text", "not a trace"), (None, "No such file")])
def test_a_bad_trace_is_refused_before_any_work(replay, made_up_trace, tmp_path, text, complaint):
    bad = tmp_path / "bad.trace"
    if text:
        bad.write_text(text)
    status, measured, out, err = replay(made_up_trace(), bad, *USUAL)
    assert (status, measured, out) == (2, None, "")
    assert str(bad) in err and complaint in err and err.count("\n") == 1


@pytest.mark.parametrize(
    "words, complaint",
    [
        (("-n", "0"), "--repeats: 0: not a whole number above zero"),
        (("-a", "nix"), "nix: no such allocator"),
        (("-o", "/nowhere/x.json"), "/nowhere/x.json: No such file"),
    ],
)
def test_usage_is_checked_before_any_work(
    made_up_build, spanbench, made_up_trace, words, complaint
):
    status, out, err = spanbench("replay", made_up_trace(), *words)
    assert (status, out) == (2, "") and complaint in err


def test_serial_is_accepted_and_options_may_stand_between_files(replay, made_up_trace):
    status, measured, _, _ = replay(
        made_up_trace("a"), "-n", "1", made_up_trace("b"), "--threads", "serial", "-a", "glibc"
    )
    assert (status, measured.subjects("replay")) == (0, ["a", "b"])
    assert measured.context["thread_order"] == "serial"


def test_threads_of_the_trace_are_the_default(replay, made_up_trace):
    alone, several = made_up_trace("alone", threads=1), made_up_trace("several", threads=3)
    _, measured, out, _ = replay(alone, several, *USUAL)
    assert measured.context["thread_order"] == "original"
    threads = {row.subject: set(row.values("threads")) for row in measured.rows}
    assert threads == {"alone": {1}, "several": {3}}
    assert "Traces of several threads: on the recorded threads." in out
    _, measured, out, _ = replay(several, *USUAL, "--threads", "serial")
    assert {row.values("threads")[0] for row in measured.rows} == {1}
    assert "Traces of several threads: all calls on one thread." in out


def test_traces_of_one_name_are_refused(replay, made_up_trace, tmp_path):
    (tmp_path / "d").mkdir()
    other = tmp_path / "d" / "made.trace"
    other.write_text(json.dumps({"ops": 1}))
    status, _, _, err = replay(made_up_trace(), other, *USUAL)
    assert status == 2 and "has the name of" in err


def test_missing_build_is_told(made_up_build, spanbench, made_up_trace):
    (made_up_build / "launch").unlink()
    status, _, err = spanbench("replay", made_up_trace())
    assert status == 2 and "launch: not built; run make" in err


@pytest.mark.parametrize("count", range(1, 8))
def test_each_has_each_place_and_each_predecessor_equally_often(count):
    names = "abcdefg"[:count]
    cycle = 2 * count if count % 2 else count
    first = campaign.WARM_UP
    orders = [campaign.balanced(names, first + i) for i in range(cycle)]
    assert all(sorted(order) == list(names) for order in orders)
    for place in range(count):
        assert set(Counter(order[place] for order in orders).values()) == {cycle // count}
    pairs = Counter(pair for order in orders for pair in zip(order, order[1:]))
    assert len(pairs) == count * (count - 1)
    assert set(pairs.values()) <= {cycle // count}


def test_order_changes_with_round_and_subject():
    assert campaign.in_turn(["t", "u"], ["a", "b"], 0) == [("t", ["a", "b"]), ("u", ["b", "a"])]
    assert campaign.in_turn(["t", "u"], ["a", "b"], 1) == [("t", ["b", "a"]), ("u", ["a", "b"])]


def test_decay_has_a_table_of_its_own(replay, made_up_trace, spanbench):
    status, measured, out, _ = replay(made_up_trace(), *USUAL, "--pass", "speed", "--decay")
    assert status == 0
    span, glibc = (measured.row("replay", "made", name).samples[0] for name in ("span", "glibc"))
    times = [span[key] >> 20 for key in ("rss_after_100ms", "rss_after_1s", "rss_after_5s")]
    assert times == [3, 2, 1]
    assert glibc["rss_after_trim"] == 1 << 19 and "rss_after_trim" not in span
    lines = [line.split() for line in out.splitlines()]
    assert ["glibc", "1.00", "0.00", "3.00", "2.00", "1.00", "0.50"] in lines
    assert "rss_after_5s" not in replay(made_up_trace(), *USUAL)[1].benchmarks[0]


@pytest.mark.parametrize("mode", ["default", "never"])
def test_huge_pages_are_left_or_turned_off(replay, made_up_trace, mode):
    status, measured, out, _ = replay(made_up_trace(), *USUAL, "--thp", mode)
    assert status == 0 and measured.context["thp_mode"] == mode
    assert measured.benchmarks[0]["huge_bytes"] == 2 << 20
    assert "huge: of it in huge pages" in out


def alter(program, old, new):
    """Puts other words in the place of some that are in a program once."""
    text = program.read_text()
    assert text.count(old) == 1
    program.write_text(text.replace(old, new))


def test_huge_pages_that_cannot_be_turned_off_fail_the_row(replay, made_up_trace, made_up_build):
    alter(made_up_build / "replay-span", "=> thp_is_disabled()", r"=> \0")
    status, _, _, err = replay(made_up_trace(), *USUAL, "--thp", "never")
    assert status == 1
    assert "span: speed pass: the system did not turn huge pages off" in err
    assert "replay/made/glibc" not in err


def test_a_modelled_program_has_a_predicted_saving(replay, made_up_trace):
    trace = made_up_trace(ns={"span": 60, "glibc": 100}, duration_ns=400_000)
    status, measured, out, _ = replay(trace, *WITH_NULL, "--model", "program")
    assert status == 0 and measured.context["model"] == "program"
    assert measured.context["predicted_against"] == "span"
    span, glibc, null = (measured.row("replay", "made", n) for n in ("span", "glibc", "null"))
    assert span.values("model_time_ns") == [120_000] * 2
    assert (span.values("ns_per_op"), glibc.values("ns_per_op")) == ([60] * 2, [100] * 2)
    assert span.values("predicted_saving") == [0, 0] and not null.values("predicted_saving")
    assert span.values("model_in_calls_ns") == [30_000] * 2
    assert glibc.values("predicted_saving_in_calls") == pytest.approx([-0.05, -0.05])
    assert glibc.values("predicted_saving") == pytest.approx([-0.2, -0.2])
    assert "-20.0 % [-20.0, -20.0] 50 %" in out and "saved / span ms" in out
    plain = replay(trace, *USUAL)
    assert plain[1].context["model"] == "none" and "Predicted" not in plain[2]
    assert "predicted_saving" not in plain[1].benchmarks[0]


def test_time_of_several_threads_is_no_part_of_wall_time(replay, made_up_trace):
    facts = {"threads": 2, "ns": {"span": 60_000, "glibc": 100_000}, "duration_ns": 400_000_000}
    _, measured, out, _ = replay(made_up_trace(**facts), *USUAL, "--model", "program")
    for entry in measured.benchmarks:
        assert "predicted_saving" in entry and entry["model_in_calls_ns"] > 0
        assert "predicted_saving_in_calls" not in entry
    assert "-80 [-80, -80] 50 %" in out and "-20 [-20, -20]" not in out


def test_without_times_in_the_trace_there_is_no_share(replay, made_up_trace):
    trace = made_up_trace(ns={"span": 60_000, "glibc": 100_000}, duration_ns=0)
    status, measured, out, _ = replay(trace, *USUAL, "--model", "program")
    assert status == 0 and "predicted_saving" not in measured.benchmarks[0]
    assert "-80 [-80, -80] 50 %" in out and "-20 [-20, -20] 50 %" in out
    assert "No share of made: the trace has no times." in out


def test_a_model_that_does_other_work_fails_the_row(replay, made_up_trace, made_up_build):
    broken = '(exists $options{"--model"} ? "bad" : "good")'
    alter(made_up_build / "replay-span", ': "good"', f": {broken}")
    status, _, _, err = replay(made_up_trace(), *USUAL, "--model", "program")
    assert status == 1
    assert "replay/made/span: the model pass did other operations than the speed pass" in err


@pytest.mark.parametrize(
    "words, complaint",
    [
        (("--touch", "none", "-a", "glibc"), "--touch none: a program writes to its blocks"),
        (("--touch", "first"), "--touch first: a program writes to its blocks"),
        (("-a", "null"), "-a null: runs no program, so --model predicts nothing"),
    ],
)
def test_what_contradicts_the_model_is_refused(replay, made_up_trace, words, complaint):
    status, measured, out, err = replay(made_up_trace(), "--model", "program", *words)
    assert (status, measured, out) == (2, None, "") and err.count("\n") == 1
    assert complaint in err


def test_a_trace_that_does_not_tell_what_was_touched_is_named(replay, made_up_trace):
    status, measured, _, err = replay(made_up_trace(), *USUAL, "--touch", "recorded")
    assert status == 0 and measured.context["touch"] == "recorded"
    line = "made: the trace does not tell what was touched: a byte in each page was written"
    assert err.count(line) == 1
    told = made_up_trace("told", knows_present=True)
    assert "does not tell" not in replay(told, *USUAL, "--touch", "recorded")[3]
    assert "does not tell" not in replay(made_up_trace(), *USUAL)[3]


def test_pauses_are_told(replay, made_up_trace):
    status, measured, out, _ = replay(made_up_trace(), *USUAL, "--pauses", "recorded")
    entry = measured.benchmarks[0]
    assert status == 0 and measured.context["pauses"] == "recorded"
    assert (entry["pauses"], entry["paused_ns"]) == (3, 40000000)
    assert "The recorded pauses were made, 40 ms a run; no time contains them." in out


def test_threads_have_figures_of_their_own(replay, made_up_trace, spanbench, tmp_path):
    trace = made_up_trace(threads=2, ns={"span": 60, "glibc": 100})
    status, measured, _, _ = replay(trace, *WITH_NULL)
    assert status == 0
    span, null = (measured.row("replay", "made", name).samples[0] for name in ("span", "null"))
    assert span["in_calls_ns"] == 15_000 and span["calls_preempted"] == 1
    assert span["per_thread"] == [
        {"thread": i, "ops": 9, "cpu_ns": 60_000, "wait_ns": 7, "in_calls_ns": 7500}
        for i in range(2)
    ]
    assert span["other_threads"]["in_calls_ns"] == 7500 and span["other_threads"]["threads"] == 5
    assert null["per_thread"][0]["in_calls_ns"] == 1250  # the harness's own share
    status, out, _ = spanbench("report", tmp_path / "out.json", "-o", tmp_path / "page")
    assert status == 0
    with open(out.strip(), encoding="utf-8") as file:
        page = file.read()
    assert "Thread by thread" in page and ">5 others</td>" in page
    threads = page.partition("Thread by thread")[2].partition("</table>")[0]
    assert threads.count(">null</th>") == 3


@pytest.mark.parametrize(
    "words, has_calls, has_threads",
    [
        ((), True, True),
        (("--pass", "speed"), False, True),
        (("--pass", "speed,calls"), True, True),
        (("--threads", "serial"), False, False),
        (("--threads", "serial", "--pass", "calls"), True, False),
    ],
)
def test_when_the_time_inside_calls_is_taken(replay, made_up_trace, words, has_calls, has_threads):
    status, measured, _, _ = replay(made_up_trace(threads=2), *USUAL, *words)
    entry = measured.benchmarks[0]
    assert status == 0 and ("in_calls_ns" in entry) == has_calls
    assert ("per_thread" in entry) == has_threads
    assert has_calls or "in_calls_ns" not in str(entry)


def test_a_trace_of_one_thread_has_no_figures_by_thread(replay, made_up_trace):
    entry = replay(made_up_trace(), *USUAL)[1].benchmarks[0]
    assert "per_thread" not in entry and "in_calls_ns" not in entry


def test_figures_of_threads_may_be_anything():
    made = made_up_results.make(traces=("git",), allocators=("glibc",), rounds=4)
    told = [
        [{"thread": 1, "ops": 5, "wait_ns": 4}, 7, {"thread": "x", "ops": 1}, {"ops": 1}],
        [{"thread": 1, "ops": 5, "wait_ns": 8, "cpu_ns": "9"}],
        "none",
        None,
    ]
    for entry, threads in zip(made.rows[0].samples, told):
        entry["per_thread"] = threads
        entry["other_threads"] = threads
    found = replay_details.thread_figures(made.rows[0])
    assert found == [replay_details.ThreadFigures("1", 5, None, 6, None)]
