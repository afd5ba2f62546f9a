"""The verb synth: what it makes has the statistics of its original, at any length and number of
threads; a profile stands for the trace that it is of, and a hostile one is refused in one line."""

import json
import os
import subprocess

import pytest
from places import BUILD, REPO

TRACES = REPO / "workloads" / "traces"
SEGMENT_PEAK = 4


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Everything happens in a folder of its own, with the programs that were built."""
    if not (BUILD / "trace").exists():
        pytest.skip(f"{BUILD / 'trace'}: not built")
    monkeypatch.setenv("SPANBENCH_BUILD", str(BUILD))
    monkeypatch.chdir(tmp_path)


def info_of(path):
    """What `trace info` says, which reads and so verifies every block."""
    done = subprocess.run([BUILD / "trace", "info", path], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def synth(*words, status=0):
    """Runs `trace synth`; what it said."""
    command = [BUILD / "trace", "synth", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == status, done.stderr
    return done.stderr


def made_of(name, *words):
    """What a trace of the corpus and one synthesised from it hold."""
    source = TRACES / f"{name}.trace"
    assert synth(source, *words, "-o", "made.trace") == ""
    return info_of(source), info_of("made.trace")


def shares(buckets):
    """{from: share of all} of a histogram."""
    whole = sum(bucket["count"] for bucket in buckets)
    return {bucket["from"]: bucket["count"] / whole for bucket in buckets}


def apart(old, new, name):
    """Half the sum by which the shares of two histograms differ: 0 is the same, 1 the opposite."""
    before, after = shares(old[name]), shares(new[name])
    return sum(abs(before.get(k, 0) - after.get(k, 0)) for k in {*before, *after}) / 2


@pytest.mark.parametrize("name", ["perl", "redis", "lua", "rsvg-convert", "ruby"])
def test_sizes_and_lifetimes_are_the_originals(name):
    old, new = made_of(name)
    assert new["ops"] == old["ops"] and new["threads"] == old["threads"]
    assert apart(old, new, "sizes") < 0.01
    assert apart(old, new, "lifetimes") < 0.12
    for kind, count in old["by_kind"].items():
        assert abs(new["by_kind"][kind] - count) <= 0.02 * count + 20, kind
    assert new["null_frees"] == pytest.approx(old["null_frees"], rel=0.02, abs=20)


@pytest.mark.parametrize("name", ["perl", "jq", "z3", "python3"])
def test_live_bytes_follow_the_originals_phases(name):
    old, new = made_of(name)
    assert new["peak_live"] == pytest.approx(old["peak_live"], rel=0.1)
    assert new["slots"] == pytest.approx(old["slots"], rel=0.1)
    curves = [[point["live"] for point in info["live_curve"]] for info in (old, new)]
    curves = [curve[:: len(curve) // 20] for curve in curves]
    off = [abs(a - b) for a, b in zip(*curves)]
    assert sum(off) / len(off) < 0.06 * old["peak_live"]


@pytest.mark.parametrize("name", ["rsvg-convert", "git-log", "bash"])
def test_a_peak_of_large_buffers_is_reached(name):
    """In the original it is one moment, of several threads in rsvg-convert."""
    old, new = made_of(name)
    assert new["peak_live"] == pytest.approx(old["peak_live"], rel=0.1)


def test_blocks_grow_as_they_did():
    old, new = (info["reallocs"] for info in made_of("lua"))
    assert new["grow"] == pytest.approx(old["grow"], rel=0.05)
    assert new["bytes_grown"] == pytest.approx(old["bytes_grown"], rel=0.1)


def test_as_many_blocks_cross_threads():
    old, new = made_of("redis")
    assert new["handoffs"] == pytest.approx(old["handoffs"], rel=0.1)
    assert made_of("redis", "--threads", 1)[1]["handoffs"] == 0


def test_any_number_of_threads(spanbench):
    synth(TRACES / "redis.trace", "--profile-only", "-o", "p.json")
    for threads in range(1, 17):
        synth("p.json", "--ops", 5000, "--threads", threads, "-o", "made.trace")
        info = info_of("made.trace")
        assert (info["ops"], info["threads"]) == (5000, threads)
        assert (info["handoffs"] > 0) == (threads > 1)
    assert spanbench("check", "made.trace", "-a", "glibc")[0] == 0


@pytest.mark.parametrize(
    "words, said",
    [
        (["--ops", 100, "--threads", 64], "1 thread, not 64; for more, raise --ops (100)"),
        (["--ops", 2, "--threads", 1048576], "1 thread, not 1,048,576; for more, raise --ops (2)"),
        (["--ops", 1000, "--threads", 64], "calls on only 13 of 64 threads; for more, raise --ops"),
    ],
)
def test_threads_without_calls_are_told(words, said):
    line = synth(TRACES / "jq.trace", *words, "-o", "made.trace")
    assert line.startswith(f"made.trace: {said}") and line.count("\n") == 1
    threads = info_of("made.trace")["threads"]
    assert threads == (64 if said.startswith("calls") else 1)


@pytest.mark.parametrize(
    "words", [["--ops", 1, "--threads", 1], ["--ops", 20000, "--threads", 64], ["--ops", 100]]
)
def test_nothing_is_said_where_every_thread_makes_calls(words):
    assert synth(TRACES / "jq.trace", *words, "-o", "made.trace") == ""


def test_exactly_as_many_operations(spanbench):
    synth(TRACES / "ruby.trace", "--profile-only", "-o", "p.json")
    for ops in (*range(1, 40), 100, 4321):
        synth("p.json", "--ops", ops, "-o", "made.trace")
        assert info_of("made.trace")["ops"] == ops
        if ops in (1, 2, 7, 4321):
            assert spanbench("check", "made.trace", "-a", "glibc")[0] == 0


def test_a_long_trace_repeats_the_phases_and_holds_as_much():
    old, new = made_of("php", "--ops", 2000000)
    assert new["ops"] == 2000000
    assert new["peak_live"] == pytest.approx(old["peak_live"], rel=0.15)
    assert apart(old, new, "sizes") < 0.02


def test_a_short_trace_is_the_original_on_a_smaller_scale():
    old, new = made_of("jq", "--ops", 100000)
    assert new["peak_live"] == pytest.approx(old["peak_live"] * 1e5 / old["ops"], rel=0.2)


def test_the_profile_stands_for_the_trace(spanbench):
    source = TRACES / "cmake.trace"
    assert synth(source, "--profile-only", "-o", "p.json") == ""
    profile = json.loads(open("p.json", encoding="utf-8").read())
    assert profile["spanbench_profile"] == 1
    assert len(profile["sizes"]) < 1000 and max(r[SEGMENT_PEAK] for r in profile["segments"]) > 0
    assert "cmake" not in open("p.json", encoding="utf-8").read()
    for words in ([], ["--ops", "50000", "--threads", "3", "--seed", "9"]):
        synth(source, *words, "-o", "a.trace")
        assert spanbench("synth", "p.json", *words, "-o", "b.trace") == (0, "", "")
        first, second = (open(name, "rb").read() for name in ("a.trace", "b.trace"))
        assert first == second
    assert b"cmake" not in first and str(REPO).encode() not in first


def test_the_seed_decides():
    for seed, name in ((1, "a"), (1, "b"), (2, "c")):
        synth(TRACES / "php.trace", "--ops", 5000, "--seed", seed, "-o", name)
    a, b, c = (open(name, "rb").read() for name in "abc")
    assert a == b != c


GOOD = """{"spanbench_profile": 1,
"totals": [[10,1,0,16,0]],
"sizes": [[8,8,8]],
"symbols": [[0,0,0,0,0,0]],
"segments": [[10,5,0,0,8,0,0,0,0,0,0]],
"begun": [[0,0,5]],
"fates": [], "switches": [], "handovers": [], "after_one": [], "after_two": [], "growth": []
}
"""


def test_a_profile_by_hand(spanbench):
    with open("p.json", "w", encoding="utf-8") as file:
        file.write(GOOD)
    synth("p.json", "-o", "made.trace")
    info = info_of("made.trace")
    assert info["ops"] == 10 and info["top_sizes"] == [{"size": 8, "count": 5}]
    assert spanbench("check", "made.trace", "-a", "glibc")[0] == 0


def test_a_profile_of_a_giant_makes_a_dwarf():
    with open("p.json", "w", encoding="utf-8") as file:
        file.write(GOOD.replace("[[10,1,0,16,0]]", "[[1000000000000,1,0,16,0]]"))
    synth("p.json", "--ops", "10", "-o", "made.trace")
    assert info_of("made.trace")["ops"] == 10


HOSTILE = {
    '{"spanbench_profile": 1': "line 1: the object does not end",
    "{}": "line 1: a name in quotes is missing",
    '{"a": 1}': "line 1: does not begin as a profile does",
    '{"spanbench_profile": 2}': "line 1: a profile of another version",
    '{"spanbench_profile": 1, "x": []}': "line 1: a name that no profile has",
    '{"spanbench_profile": 1, "\\u0041": []}': "no name of a profile's",
    '{"spanbench_profile": 1, "totals": [[1,1,1]]}': "a row has not as many numbers as it should",
    '{"spanbench_profile": 1, "totals": [[-1,1,1,1,1]]}': "a whole number is missing",
    '{"spanbench_profile": 1, "totals": [[99999999999999999999,1,1,1,1]]}': "a number is too large",
    '{"spanbench_profile": 1}': "totals: not one row",
    GOOD + "x": "line 9: something follows the object",
    GOOD.replace("[[0,0,5]]", "[]"): "no block is made",
    GOOD.replace("[[0,0,5]]", "[[0,1,5]]"): "begun: a value is out of range",
    GOOD.replace("[[0,0,5]]", "[[1,0,5]]"): "begun: a value is out of range",
    GOOD.replace("[[0,0,5]]", "[[0,0,5],[0,0,5]]"): "begun: rows are not in ascending order",
    GOOD.replace("[[0,0,5]]", "[[0,0,99999999999999]]"): "begun: a value is out of range",
    GOOD.replace("[[8,8,8]]", "[[8,8,99999999999999]]"): "sizes: a value is out of range",
    GOOD.replace("[[8,8,8]]", "[[9,8,8]]"): "sizes: a mean is not in its range",
    GOOD.replace("[0,0,0,0,0,0]]", "[0,3,0,0,0,0]]"): "symbols: a call that begins no block",
    GOOD.replace("[0,0,0,0,0,0]]", "[16,0,0,0,0,0]]"): "symbols: a value is out of range",
    GOOD.replace("[10,1,0,16,0]", "[0,1,0,16,0]"): "totals: a value is out of range",
    GOOD.replace("[10,1,0,16,0]", "[10,1,11,16,0]"): "totals: a value is out of range",
    GOOD.replace("[10,1,0,16,0]", "[10,1,0,9999,0]"): "totals: a value is out of range",
    GOOD.replace('"fates": []', '"begun": []'): "a table comes twice",
    GOOD.replace('"fates": []', '"fates": ' + "[" * 100000): "a whole number is missing",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_profile_is_one_line(text):
    with open("p.json", "w", encoding="utf-8") as file:
        file.write(text)
    said = synth("p.json", "-o", "made.trace", status=2)
    assert said.startswith("p.json: ") and said.count("\n") == 1
    assert HOSTILE[text] in said


def test_a_damaged_profile_makes_a_valid_trace_or_is_refused():
    synth(TRACES / "php.trace", "--profile-only", "-o", "p.json")
    with open("p.json", "rb") as file:
        whole = file.read()
    for part in range(40):
        text = bytearray(whole)
        at = part * len(text) // 40
        digit = next(i for i in range(at, len(text)) if 48 <= text[i] <= 57)
        text[digit] = 48 + (text[digit] - 48 + 1 + part % 8) % 10
        with open("p.json", "wb") as file:
            file.write(text)
        command = [BUILD / "trace", "synth", "p.json", "--ops", "3000", "-o", "made.trace"]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        assert done.returncode in (0, 2), done.stderr
        assert done.stderr.count(b"\n") == (done.returncode == 2)
        assert done.returncode == 2 or info_of("made.trace")["ops"] == 3000


@pytest.mark.parametrize(
    "words, said",
    [
        (["--ops", "0"], "--ops 0: want a whole number from 1 to "),
        (["--ops", "-3"], "--ops -3: want"),
        (["--ops", "1e6"], "--ops 1e6: want"),
        (["--threads", "9999999"], "--threads 9999999: want a whole number from 1 to 1048576"),
        (["--seed", "x"], "--seed x: want"),
    ],
)
def test_bad_numbers_are_one_line(words, said):
    line = synth(TRACES / "php.trace", *words, "-o", "made.trace", status=2)
    assert line.startswith(said) and line.count("\n") == 1


def test_files_that_are_missing_or_damaged():
    assert "none.trace: No such file" in synth("none.trace", "-o", "made.trace", status=2)
    data = (TRACES / "php.trace").read_bytes()
    with open("cut.trace", "wb") as file:
        file.write(data[: len(data) // 2])
    line = synth("cut.trace", "-o", "made.trace", status=2)
    assert line.startswith("cut.trace: ") and line.count("\n") == 1
    assert "no/p.json" in synth(TRACES / "php.trace", "--profile-only", "-o", "no/p.json", status=2)


@pytest.mark.parametrize("option", ["--ops", "--threads", "--seed"])
def test_a_profile_alone_is_of_no_size(option):
    words = (TRACES / "php.trace", "--profile-only", option, "1", "-o", "p.json")
    said = synth(*words, status=2)
    assert said == "--profile-only takes no --ops, --threads or --seed\n"
    assert not os.path.exists("p.json")


def test_a_pipe_to_which_nobody_writes_is_not_waited_for(spanbench):
    os.mkfifo("pipe")
    status, _, said = spanbench("synth", "pipe", "-o", "made.trace")
    assert (status, said) == (2, "spanbench: pipe: no regular file\n")
