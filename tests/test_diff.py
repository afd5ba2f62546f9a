"""The verb diff, and record --times: on real programs, to the operation, and what it says where the
program varies by itself."""

import json
import subprocess

import pytest
from places import BUILD

from frontend.inspecting.differing import Change, Side, judge, sizes_of

# Makes as many blocks as it is told (of 40 bytes, or its second argument), frees half of them; with
# a file, one more in each further run.
PROGRAM = """
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static void *idle(void *p) { return p; }
int main(int argc, char **argv)
{
    int n = atoi(argv[1]), size = argc > 2 ? atoi(argv[2]) : 40, runs = 0;
    FILE *counter = argc > 3 ? fopen(argv[3], "a") : NULL;
    if (counter) {
        setvbuf(counter, NULL, _IONBF, 0);
        runs = (int)ftell(counter);
        fputc('x', counter);
    }
#ifdef THREADED
    pthread_t thread;
    pthread_create(&thread, NULL, idle, NULL);
    pthread_join(thread, NULL);
#endif
    (void)idle;
    for (int i = 0; i < n + runs; i++) {
        void *volatile p = malloc(size);
        if (i % 2)
            free(p);
    }
    return 0;
}
"""


@pytest.fixture(name="program", scope="module")
def built_programs(tmp_path_factory):
    """The folder with ./plain and ./threaded."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "p.c").write_text(PROGRAM)
    for name, flags in (("plain", ()), ("threaded", ("-DTHREADED",))):
        command = ["cc", "-O0", *flags, "p.c", "-o", name, "-pthread"]
        subprocess.run(command, cwd=folder, check=True)
    return folder


@pytest.fixture(name="record")
def recording(spanbench, tmp_path, monkeypatch):
    """A function that records a command into NAME.trace."""
    if not ((BUILD / "librecord.so").exists() and (BUILD / "trace").exists()):
        pytest.skip(f"{BUILD}: not built")
    monkeypatch.setenv("SPANBENCH_BUILD", str(BUILD))
    monkeypatch.chdir(tmp_path)

    def run(name, *command, options=()):
        status, _, err = spanbench("record", *options, "-o", f"{name}.trace", "--", *command)
        assert status == 0, err

    return run


def changed(spanbench, *options):
    """({metric: [a, b]} of what has changed, {size: [a, b]}) of a.trace and b.trace."""
    status, out, err = spanbench("diff", "--json", "a.trace", "b.trace", *options)
    assert status == 0, err
    told = json.loads(out)
    metrics = {m["metric"]: [m["a"], m["b"]] for m in told["metrics"] if m["changed"]}
    return metrics, {s["size"]: [s["a"], s["b"]] for s in told["sizes"]}


def test_the_same_program_does_the_same(record, spanbench):
    for name in ("a", "b"):
        record(name, "sort", "/etc/passwd")
    assert changed(spanbench) == ({}, {})
    limits = [f"--limit={metric}=0" for metric in ("ops", "bytes_requested", "peak_live", "malloc")]
    status, out, _ = spanbench("diff", "a.trace", "b.trace", *limits)
    assert status == 0 and out.count(": pass") == 4 and "25 metrics as before" in out


def test_one_block_more_is_seen(record, spanbench, program):
    record("a", program / "plain", "100")
    record("b", program / "plain", "101")
    metrics, sizes = changed(spanbench)
    count = metrics["malloc"][0][0]
    assert metrics["malloc"] == [[count], [count + 1]] and "free" not in metrics
    assert metrics["final_live"][1][0] - metrics["final_live"][0][0] == 40
    assert sizes == {40: [[100], [101]]}
    status, out, _ = spanbench("diff", "a.trace", "b.trace", "--limit", "malloc=0")
    assert status == 1 and "malloc: may grow by 0 %" in out and ": fail" in out
    assert spanbench("diff", "a.trace", "b.trace", "--limit", "malloc=5")[0] == 0
    assert spanbench("diff", "b.trace", "a.trace", "--limit", "malloc=0")[0] == 0


def test_sizes_that_appear_and_vanish(record, spanbench, program):
    record("a", program / "plain", "100", "40")
    record("b", program / "plain", "100", "48")
    _, sizes = changed(spanbench)
    assert sizes == {40: [[100], [0]], 48: [[0], [100]]}
    out = spanbench("diff", "a.trace", "b.trace")[1]
    assert "appears +100" in out and "vanishes -100" in out and "+4,800" in out


def test_a_real_program_that_asks_for_more(record, spanbench):
    rows = "with recursive r(i) as (select 1 union all select i + 1 from r where i < {}) "
    rows += "select count(*), group_concat(hex(i)) from r"
    record("a", "sqlite3", ":memory:", rows.format(1000))
    record("b", "sqlite3", ":memory:", rows.format(1500))
    metrics, _ = changed(spanbench)
    assert metrics["bytes_requested"][0] < metrics["bytes_requested"][1]
    assert spanbench("diff", "a.trace", "b.trace", "--limit", "bytes_requested=1")[0] == 1
    assert spanbench("diff", "a.trace", "b.trace", "--limit", "bytes_requested=500")[0] == 0


def test_what_changed_most_comes_first(record, spanbench, program):
    record("a", program / "plain", "100")
    record("b", program / "plain", "300")
    out = spanbench("diff", "a.trace", "b.trace")[1]
    rows = [line.split() for line in out.splitlines() if line.rstrip().endswith("%")]
    shares = [abs(float(row[-2].replace(",", ""))) for row in rows]
    assert len(shares) > 5 and shares == sorted(shares, reverse=True)


def test_record_times_keeps_every_run(record, spanbench, tmp_path, program):
    record("a", "bash", "-c", "sort /etc/passwd; true", options=("--times", "3"))
    names = sorted(path.name for path in (tmp_path / "a.trace.d").iterdir() if path.is_file())
    assert names[-2:] == ["run-2.trace", "run-3.trace"] and len(names) > 2
    record("a", program / "plain", "5")
    assert not (tmp_path / "a.trace.d").exists()


def test_a_command_that_leaves_no_trace_is_run_once(record, spanbench, program, tmp_path):
    record("x", program / "plain", "1")  # skips where nothing is built
    command = ["cc", "-static", program / "p.c", "-o", tmp_path / "static", "-pthread"]
    subprocess.run(command, check=True)
    words = (tmp_path / "static", "5", "40", tmp_path / "counter")
    status, _, err = spanbench("record", "--times", "3", "-o", "a.trace", "--", *words)
    assert status == 1 and err.count("nothing recorded") == 1
    assert (tmp_path / "counter").read_text() == "x" and not (tmp_path / "a.trace.d").exists()


def test_what_varies_by_itself_is_not_reported(record, spanbench, program, tmp_path):
    for name in ("a", "b"):
        command = (program / "plain", "100", "40", tmp_path / "counter")
        record(name, *command, options=("--times", "3"))
    assert (tmp_path / "counter").read_text() == "x" * 6
    metrics, sizes = changed(spanbench)
    assert "malloc" not in metrics and not sizes
    status, out, _ = spanbench("diff", "a.trace", "b.trace", "--limit", "malloc=1")
    assert status == 77 and "cannot tell (it varies by itself by as much)" in out
    assert "vary by themselves: ops, allocations" in out
    assert spanbench("diff", "a.trace", "b.trace", "--limit", "malloc=10")[0] == 0


def test_a_change_beyond_that_is(record, spanbench, program, tmp_path):
    for name, blocks in (("a", "100"), ("b", "150")):
        command = (program / "plain", blocks, "40", tmp_path / f"{name}.counter")
        record(name, *command, options=("--times", "3"))
    assert "malloc" in changed(spanbench)[0]
    assert spanbench("diff", "a.trace", "b.trace", "--limit", "malloc=10")[0] == 1


def test_threads_recorded_once_cannot_be_told(record, spanbench, program):
    record("a", program / "threaded", "100")
    record("b", program / "threaded", "200")
    status, out, _ = spanbench("diff", "a.trace", "b.trace", "--limit", "malloc=5")
    assert status == 77 and "record --times 3" in out
    assert spanbench("diff", "a.trace", "a.trace", "--limit", "malloc=5")[0] == 0


def test_threads_recorded_thrice_can(record, spanbench, program):
    for name, blocks in (("a", "100"), ("b", "200")):
        record(name, program / "threaded", blocks, options=("--times", "3"))
    assert spanbench("diff", "a.trace", "b.trace", "--limit", "malloc=5")[0] == 1


def test_usage(record, spanbench, program):
    record("a", program / "plain", "5")
    for words, complaint in (
        (("--limit", "peak_life=5"), "peak_life: no such metric; did you mean peak_live"),
        (("--limit", "foo=5"), "foo: no such metric (known: ops, "),
        (("--limit", "peak_live"), "not METRIC=PERCENT"),
        (("--limit", "peak_live=-5"), "not METRIC=PERCENT"),
        (("--limit", "peak_live=nan"), "not METRIC=PERCENT"),
    ):
        status, out, err = spanbench("diff", "a.trace", "a.trace", *words)
        assert (status, out) == (2, "") and complaint in err
    assert spanbench("diff", "a.trace", "none.trace")[0] == 2


def test_other_programs_are_told(record, spanbench, program):
    record("a", program / "plain", "5")
    record("b", "sort", "/etc/passwd")
    assert "not the same program" in spanbench("diff", "a.trace", "b.trace")[2]


def test_recordings_of_other_tools_are_told(record, spanbench, program, tmp_path):
    """What only one tool sees is no change of the program."""
    record("a", program / "plain", "5")
    (tmp_path / "log").write_text("1: malloc 0x10 100\n1: free 0x10\n")
    assert spanbench("import", tmp_path / "log", "-o", "b.trace")[0] == 0
    told = (
        "a.trace is a recording of spanbench, b.trace of memory_replay: what only one of them sees"
    )
    assert told in spanbench("diff", "a.trace", "b.trace")[2]
    for same in ("a.trace", "b.trace"):
        assert "a recording of" not in spanbench("diff", same, same)[2]


@pytest.mark.parametrize(
    "a, b, is_change, verdict",
    [
        ((100,), (100,), False, "pass"),
        ((100,), (110,), True, "pass"),
        ((100,), (111,), True, "fail"),
        ((100,), (50,), True, "pass"),
        ((0,), (0,), False, "pass"),
        ((0,), (1,), True, "fail"),
        ((100, 104), (105, 106), False, "pass"),
        ((100, 104), (108, 112), False, "cannot tell"),
        ((100, 104), (113, 114), True, "cannot tell"),
        ((100, 104), (130, 131), True, "fail"),
    ],
)
def test_a_limit_of_ten_percent(a, b, is_change, verdict):
    change = Change("malloc", a, b)
    side = Side("x", ({"threads": 1, "losses": {}, "origin": {}},))
    assert change.is_change == is_change
    assert judge(change, 10, side, side).verdict == verdict


def test_a_recording_with_losses_cannot_tell():
    whole = Side("w", ({"threads": 1, "losses": {}, "origin": {}},))
    cut = Side("c", ({"threads": 1, "losses": {"lost_ops": 7}, "origin": {}},))
    found = judge(Change("malloc", (1,), (1,)), 10, whole, cut)
    assert (found.verdict, found.reason) == ("cannot tell", "c: 7 calls were not recorded")
    one = Side("c", ({"threads": 1, "losses": {"lost_ops": 1}, "origin": {}},))
    assert one.incomplete() == "c: 1 call was not recorded"


def test_an_import_that_lacks_calls_cannot_tell(spanbench, tmp_path, monkeypatch):
    if not (BUILD / "trace").exists():
        pytest.skip(f"{BUILD / 'trace'}: not built")
    monkeypatch.setenv("SPANBENCH_BUILD", str(BUILD))
    (tmp_path / "ltrace.txt").write_text("malloc(5) = 0x10\n")
    trace = tmp_path / "x.trace"
    assert spanbench("import", tmp_path / "ltrace.txt", "-o", trace)[0] == 0
    status, out, err = spanbench("diff", trace, trace, "--limit", "ops=1")
    assert status == 77 and "cannot tell" in out, err
    assert f"{trace}: only calls through the PLT of the traced files are seen" in out


def test_sizes_go_by_their_bytes():
    def side(counts):
        return Side("x", ({"all_sizes": [{"size": s, "count": n} for s, n in counts.items()]},))

    found = sizes_of(side({8: 100, 4096: 1, 0: 5, 16: 7}), side({8: 300, 4096: 3, 16: 7}))
    assert [change.name for change in found] == [4096, 8, 0]
