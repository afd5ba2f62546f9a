"""The verbs cut, filter, merge, strip and record --strip on the real programs: what they say, what
they leave, and that what they write can be read."""

import json
import os
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest
from places import BUILD, REPO

TRACES = REPO / "workloads" / "traces"
TEXT = """1: malloc 0x10 100
1: malloc 0x20 200
2: free 0x10
2: calloc 0x30 3 10
1: realloc 0x40 0x20 300
2: free 0x40
1: free 0x30
"""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Everything happens in a folder of its own, with the programs that were built."""
    if not (BUILD / "trace").exists():
        pytest.skip(f"{BUILD / 'trace'}: not built")
    monkeypatch.setenv("SPANBENCH_BUILD", str(BUILD))
    monkeypatch.chdir(tmp_path)
    command = [BUILD / "trace", "import", "-", "-o", "x.trace"]
    subprocess.run(command, input=TEXT.encode(), check=True, capture_output=True)


def info_of(path):
    """What `trace info` says, which reads and so verifies every block."""
    done = subprocess.run([BUILD / "trace", "info", path], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["redis", "python3", "git-repack"])
def test_parts_of_recordings_are_valid(spanbench, name):
    source = TRACES / f"{name}.trace"
    ops = info_of(source)["ops"]
    third = ops // 3
    for start in (0, third, 2 * third):
        status, _, err = spanbench("cut", source, "--ops", f"{start}:{start + third}", "-o", "p")
        part = info_of("p")
        made = part["losses"].get("made_at_start", 0)
        starts = part["by_kind"]["thread_start"]
        assert status == 0 and part["ops"] - made - starts <= third <= part["ops"] - made
        assert ("made first" in err) == bool(start)
    assert spanbench("filter", source, "--sizes", "1K:", "-o", "p")[0] == 0
    assert info_of("p")["sizes"][0]["from"] == 1024


def test_a_cut_says_what_it_changed(spanbench):
    status, out, err = spanbench("cut", "x.trace", "--threads", "1", "-o", "p")
    assert (status, out) == (0, "")
    assert "p: frees of blocks that are not there, left out: 2" in err
    assert "blocks that leave before their end, freed there: 1" in err
    assert info_of("p")["by_kind"]["calloc"] == 1
    assert info_of("p")["origin"]["excerpt"] == "cut --threads 1"


def test_cuts_of_consecutive_ranges_are_replayed(spanbench):
    for program in ("replay-glibc", "launch"):
        if not (BUILD / program).exists():
            pytest.skip(f"{BUILD / program}: not built")
    source = TRACES / "redis.trace"
    ops = info_of(source)["ops"]
    for i in range(3):
        part = f"part{i}.trace"
        spanbench("cut", source, "--ops", f"{i * ops // 3}:{(i + 1) * ops // 3}", "-o", part)
        words = ("-a", "glibc", "-n", "1", "--no-null", "--json")
        status, out, err = spanbench("replay", part, *words)
        assert status == 0, err
        (entry,) = json.loads(out)["benchmarks"]
        info = info_of(part)
        calls = sum(n for kind, n in info["by_kind"].items() if "thread" not in kind)
        assert entry["ops"] in (calls, info["ops"]) and entry["skipped_ops"] == info["failed"]
        assert entry["peak_live"] == info["peak_live"]


@pytest.mark.parametrize(
    "words",
    [
        ("cut", "--ops", "0:0"),
        ("cut", "--ops", "9999:"),
        ("cut", "--time", "5:7"),
        ("cut", "--threads", "7"),
        ("filter", "--threads", "7-9"),
        ("filter", "--sizes", "5000:"),
        ("filter", "--kinds", "valloc"),
    ],
)
def test_a_part_without_operations_is_told(spanbench, words):
    status, out, err = spanbench(*words, "x.trace", "-o", "p")
    assert (status, out) == (0, "") and err.endswith(" no operation was chosen\n")
    assert err.startswith("spanbench: p: ") and err.count("\n") == 1
    info = info_of("p")
    assert info["ops"] == info["losses"].get("made_at_start", 0) + info["threads"]


def test_parts_of_parts_are_told_in_order(spanbench):
    spanbench("cut", "x.trace", "--ops", "0:8", "-o", "p")
    spanbench("filter", "p", "--sizes", "100:", "-o", "p")
    assert info_of("p")["origin"]["excerpt"] == "cut --ops 0:8; filter --sizes 100:"


def test_merge(spanbench):
    assert spanbench("merge", "x.trace", "x.trace", "-o", "m")[0] == 0
    one, two = info_of("x.trace"), info_of("m")
    for key in ("ops", "threads", "bytes_requested", "handoffs", "final_slots"):
        assert two[key] == 2 * one[key], key
    assert two["origin"]["merged"] == "2" and two["origin"]["input"] == "x.trace; x.trace"


def test_more_traces_than_files_may_be_open():
    def limit():
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (32, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        )

    command = [BUILD / "trace", "merge", *["x.trace"] * 100, "-o", "m"]
    done = subprocess.run(command, capture_output=True, check=False, preexec_fn=limit)
    assert (done.returncode, done.stderr) == (0, b"")
    assert info_of("m")["ops"] == 100 * info_of("x.trace")["ops"]


@pytest.mark.parametrize(
    "words, complaint",
    [
        (("cut", "x.trace", "--ops", "7"), "--ops 7: want FROM:TO"),
        (("cut", "x.trace", "--ops", "7:5"), "--ops 7:5: want FROM:TO"),
        (("cut", "x.trace", "--ops=-1:5"), "--ops -1:5: want FROM:TO"),
        (("cut", "x.trace", "--ops", "1.5:"), "--ops 1.5:: want FROM:TO"),
        (("cut", "x.trace", "--ops", "0:99999999999999999999"), "want FROM:TO"),
        (("cut", "x.trace", "--time", "a:b"), "--time a:b: want FROM:TO, seconds"),
        (("cut", "x.trace", "--time", "18446744073.9:"), "18446744073.9:: want FROM:TO"),
        (("cut", "x.trace", "--threads", "1,"), "--threads 1,: want numbers"),
        (("cut", "x.trace", "--threads", "9999999"), "want numbers"),
        (("filter", "x.trace", "--sizes", "5:4"), "--sizes 5:4: want MIN:MAX"),
        (("filter", "x.trace", "--sizes", "1Q:"), "--sizes 1Q:: want MIN:MAX"),
        (("filter", "x.trace", "--kinds", "free"), "--kinds free: want calls"),
        (("filter", "x.trace", "--kinds", ""), "want calls"),
        (("cut", "none"), "none: No such file or directory"),
        (("merge", "x.trace", "none"), "none: No such file or directory"),
        (("strip", __file__), "not a trace"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(spanbench, tmp_path, words, complaint):
    status, out, err = spanbench(*words, "-o", "p")
    assert (status, out) == (2, "")
    assert complaint in err and err.count("\n") == 1
    assert not (tmp_path / "p").exists()


def test_an_output_that_cannot_be_written(spanbench):
    for words in (("cut", "x.trace"), ("merge", "x.trace"), ("strip", "x.trace")):
        status, _, err = spanbench(*words, "-o", "/nowhere/p")
        assert status == 2 and "/nowhere/p: No such file or directory" in err


def test_a_damaged_block_ends_it(spanbench, tmp_path):
    data = bytearray((tmp_path / "x.trace").read_bytes())
    data[data.index(b"BLCK") + 60] ^= 1
    (tmp_path / "x.trace").write_bytes(data)
    for verb in ("cut", "filter", "merge", "strip"):
        status, _, err = spanbench(verb, "x.trace", "-o", "p")
        assert status == 2 and "x.trace: block 0: damaged (checksum)" in err
        assert not (tmp_path / "p").exists()


def test_strip_leaves_nothing_that_identifies(spanbench, tmp_path):
    status, out, _ = spanbench("strip", TRACES / "redis.trace", "-o", "s.trace")
    before, after = info_of(TRACES / "redis.trace"), info_of("s.trace")
    assert status == 0 and out.splitlines() == [f"{k}={v}" for k, v in after["origin"].items()]
    assert "command" in before["origin"] and "pid" in before["origin"]
    assert not {"command", "pid", "host", "input"} & set(after["origin"])
    assert before["origin"]["command"].encode() not in (tmp_path / "s.trace").read_bytes()
    for key in ("ops", "by_kind", "peak_live", "handoffs", "duration_ns", "losses"):
        assert after[key] == before[key]


def test_strip_takes_the_path_of_an_import(spanbench, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "calls.txt").write_text(TEXT)
    spanbench("import", tmp_path / "home" / "calls.txt", "-o", "i.trace")
    spanbench("strip", "i.trace", "-o", "i.trace")
    assert b"home" not in (tmp_path / "i.trace").read_bytes()
    assert info_of("i.trace")["origin"]["source"] == "imported"


def test_record_strip(spanbench, tmp_path):
    if not (BUILD / "librecord.so").exists():
        pytest.skip(f"{BUILD / 'librecord.so'}: not built")
    command = ("bash", "-c", "sort /etc/passwd >&-; sort secret-file; true")
    status, _, _ = spanbench("record", "--strip", "-o", "r.trace", "--", *command)
    traces = [tmp_path / "r.trace", *(tmp_path / "r.trace.d").iterdir()]
    assert status == 0 and len(traces) >= 3
    for trace in traces:
        assert b"secret" not in trace.read_bytes() and b"/etc" not in trace.read_bytes()
        assert info_of(trace)["origin"]["program"] in ("bash", "sort")
    spanbench("record", "-o", "r.trace", "--", *command)
    assert b"secret" in traces[0].read_bytes()


def test_an_empty_file_is_not_said_to_be_another_tools(spanbench, tmp_path):
    empty = tmp_path / "empty"
    empty.touch()
    for words in (("info", empty), ("cut", "--ops", "0:1", empty, "-o", tmp_path / "x")):
        status, out, err = spanbench(*words)
        assert (status, out, err) == (2, "", f"spanbench: {empty}: not a trace (0 bytes)\n")


@pytest.mark.parametrize(
    "words",
    [
        ("cut", "--ops", "0:9"),
        ("filter", "--sizes", "1:"),
        ("merge",),
        ("strip",),
        ("synth",),
        ("export", "--to", "csv"),
    ],
)
def test_a_file_of_another_tool_is_told_how_to_be_imported(spanbench, tmp_path, words):
    foreign = tmp_path / "my.mtrace"
    foreign.write_text("= Start\n@ ./a:[0x1] + 0x7f0 0x10\n")
    status, out, err = spanbench(*words, foreign, "-o", tmp_path / "made")
    hint = f"another tool's file needs: spanbench import {foreign} -o OUT"
    assert (status, out) == (2, "") and not (tmp_path / "made").exists()
    assert err == f"spanbench: {foreign}: not a trace (its first bytes are not a trace's); {hint}\n"


def test_what_cannot_be_imported_is_told_as_by_all_verbs(spanbench, tmp_path):
    (tmp_path / "in").write_text("no format has this\n")
    status, _, err = spanbench("import", tmp_path / "in", "-o", tmp_path / "made")
    assert status == 2 and len(err.splitlines()) == 1
    assert err.startswith(f"spanbench: {tmp_path / 'in'}: ")


# A command that is ended before it is done


def start_endless(*words):
    """A command line, started in a group of its own, that has begun to write."""
    line = [REPO / "scripts" / "spanbench", *words]
    kind = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = subprocess.Popen(line, text=True, start_new_session=True, **kind)
    if "-" in words:
        started.stdin.write("1: malloc 0x10 5\n1: free 0x10\n" * 5000)
        started.stdin.flush()
    until = time.monotonic() + 60
    while not list(Path().glob("out*.tmp")) and time.monotonic() < until:
        time.sleep(0.02)
    return started


ENDLESS = (
    ("synth", "--ops", "4000000000", "x.trace", "-o", "out.trace"),
    ("import", "--from", "memory_replay", "-", "-o", "out.trace"),
)


@pytest.mark.parametrize("words", ENDLESS, ids=lambda words: words[0])
@pytest.mark.parametrize(
    "number, is_ours_alone, status",
    [(signal.SIGINT, False, 130), (signal.SIGINT, True, 130), (signal.SIGTERM, True, 143)],
)
def test_a_signal_ends_it_at_once_and_leaves_nothing(words, number, is_ours_alone, status):
    with start_endless(*words) as started:
        (os.kill if is_ours_alone else os.killpg)(started.pid, number)
        assert started.wait(30) == status
        assert "Traceback" not in started.stderr.read()
    assert sorted(os.listdir()) == ["x.trace"]


@pytest.mark.parametrize(
    "words",
    [
        ("synth", "--ops", "1000000", "x.trace", "-o", "out.trace"),
        ("export", "--to", "csv", REPO / "workloads" / "traces" / "jq.trace", "-o", "out.csv"),
        ("export", "--to", "wl", REPO / "workloads" / "traces" / "jq.trace", "-o", "out.wl"),
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_a_limit_on_the_size_of_files_is_told(words):
    command = 'ulimit -f 4; exec "$@"'
    line = ["sh", "-c", command, "sh", REPO / "scripts" / "spanbench", *words]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr == f"spanbench: {words[-1]}: File too large\n"
    assert sorted(os.listdir()) == ["x.trace"]


def test_a_profile_is_written_whole_or_not_at_all():
    Path("p.json").write_text("mine")
    words = ("synth", "--profile-only", REPO / "workloads" / "traces" / "jq.trace", "-o", "p.json")
    line = ["sh", "-c", 'ulimit -f 4; exec "$@"', "sh", REPO / "scripts" / "spanbench", *words]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (2, "spanbench: p.json: File too large\n")
    assert sorted(os.listdir()) == ["p.json", "x.trace"] and Path("p.json").read_text() == "mine"
