"""A replay of a trace with call sites names who made its worst calls, and whose blocks live when
most memory is wasted; one without sites says nothing of it."""

import json
import re
import shutil
import subprocess

import made_up_results
import pytest
from page_pieces import piece
from places import BUILD

from frontend.figures import replay_details
from frontend.page import report_tables

SLOW = BUILD / "tests" / "subjects" / "slow_library.so"  # sleeps in a free of 7777 bytes
FREE_NS = 2e6
PROGRAM = """
#include <stdlib.h>
static void *volatile kept[3000];
__attribute__((noinline)) void make_many(int i) { kept[i] = malloc(3000); }
__attribute__((noinline)) void make_some(int i) { kept[i] = malloc(1000); }
__attribute__((noinline)) void make_one(void) { kept[2998] = calloc(1, 100); }
__attribute__((noinline)) void make_least(void) { kept[2999] = malloc(10); }
__attribute__((noinline)) void drop(void *p) { free(p); kept[0] = 0; }
int main(void)
{
    make_least();
    for (int i = 0; i < 2000; i++)
        make_many(i);
    for (int i = 0; i < 2000; i += 2)
        free(kept[i]);
    for (int i = 2000; i < 2010; i++)
        make_some(i);
    make_one();
    drop(malloc(7777));
    return 0;
}
"""
LIVES = [("make_many", 3000 * 1000), ("make_some", 10 * 1000), ("make_one", 100)]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    if not (BUILD / "librecord-sites.so").exists():
        pytest.skip(f"{BUILD / 'librecord-sites.so'}: not built")
    monkeypatch.setenv("SPANBENCH_BUILD", str(BUILD))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(name="recorded")
def fixture_recorded(spanbench, tmp_path):
    """A function that records the program, as x.trace."""

    def run(*options):
        (tmp_path / "prog.c").write_text(PROGRAM)
        command = ["gcc", "-g", "-O1", "-fno-builtin", "prog.c", "-o", "prog"]
        subprocess.run(command, check=True, cwd=tmp_path)
        status, _, err = spanbench("record", *options, "-o", "x.trace", "--", tmp_path / "prog")
        assert status == 0, err

    return run


@pytest.fixture(name="replayed")
def fixture_replayed(spanbench):
    """A function that replays x.trace under an allocator whose free of 7777 bytes sleeps: the one
    entry, what was printed, and what was said."""

    def run():
        words = ("-a", f"slow={SLOW};SLOW_EVERY=100000", "--no-null", "-n", "1")
        words += ("--pass", "latency,memory", "-o", "out.json")
        status, out, err = spanbench("replay", "x.trace", *words)
        assert status == 0, err
        with open("out.json", encoding="utf-8") as file:
            (entry,) = json.load(file)["benchmarks"]
        return entry, " ".join(out.split()), err

    return run


def slow_calls(entry):
    """The calls of the one that sleeps; none where it was preempted as well."""
    return [call for call in entry["worst"] if call["size"] == 7777 and call["kind"] == "free"]


def test_worst_calls_and_owners_are_named(recorded, replayed, spanbench):
    recorded("--sites")
    entry, out, _ = replayed()
    assert all(call["site"] for call in entry["worst"])
    for call in slow_calls(entry):
        assert call["ns"] > 0.99 * FREE_NS and call["site"] == "drop (prog.c:8)"
        assert re.search(r"free of 7,777 bytes .* drop \(prog\.c:8\)", out)
    assert slow_calls(entry) or entry["preempted"]
    moment = entry["peak_waste"]
    assert moment["bytes"] == moment["rss"] - moment["live"]
    (told,) = json.loads(moments(f"live {moment['op']}\n").stdout)["moments"]
    assert told["live"] == moment["live"]
    functions = [owner["site"].split(" (")[0] for owner in moment["sites"]]
    if moment["op"] > 3012:  # all blocks are made, whichever of the last calls it was
        assert list(zip(functions, (owner["live"] for owner in moment["sites"]))) == LIVES
        assert moment["live"] - sum(live for _, live in LIVES) in (10, 10 + 7777)
    text = f"most waste of slow on x: {replay_details.mib_text(moment['bytes'])} (operation "
    assert text + f"{moment['op']:,}, " in out and f" of {moment['sites'][0]['site']}" in out
    status, out, err = spanbench("report", "out.json", "-o", "page")
    assert status == 0, err
    with open(out.strip(), encoding="utf-8") as file:
        page = file.read()
    assert "most of it by" in page and "make_many (prog.c:4)" in page
    assert '<th scope="col">site</th>' in page


def test_a_stack_is_named_as_info_names_it(recorded, replayed, spanbench):
    recorded("--sites=4")
    entry, _, _ = replayed()
    _, out, _ = spanbench("info", "--sites", "--json", "x.trace")
    stacks = {
        " < ".join(f["function"] + (f" ({f['line']})" if f["line"] else "") for f in s["frames"])
        for s in json.loads(out)["sites"]
        if all(f["function"] for f in s["frames"])
    }
    named = [call["site"] for call in entry["worst"] if "+0x" not in call["site"]]
    assert named and set(named) <= stacks


def test_the_address_is_shown_where_the_program_is_gone(recorded, replayed, tmp_path):
    recorded("--sites")
    (tmp_path / "prog").unlink()
    entry, out, err = replayed()
    assert all(call["site"].startswith("prog+0x") for call in slow_calls(entry))
    assert entry["peak_waste"]["sites"][0]["site"].startswith("prog+0x")
    assert "of prog+0x" in out and f"no names: {tmp_path / 'prog'}: is gone" in err


def test_nothing_is_said_without_sites(recorded, replayed):
    recorded()
    entry, out, err = replayed()
    assert not any("site" in call for call in entry["worst"])
    assert "sites" not in entry["peak_waste"] and entry["peak_waste"]["bytes"] > 0
    assert "most waste" not in out and "worst call" in out and "made by" not in out
    assert "no names" not in err


def moments(lines, path="x.trace"):
    """`trace moments` as a finished process."""
    command = [BUILD / "trace", "moments", path]
    return subprocess.run(command, input=lines, capture_output=True, text=True, check=False)


def test_moments_count_what_lives(recorded):
    recorded("--sites")
    done = moments("live 0\nop 1\nlive 2\nop 3\nlive 2002\nlive 2002\nlive 3013\n")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["moments"]
    assert [answer["op"] for answer in told] == [0, 1, 2, 3, 2002, 2002, 3013]
    assert told[0]["live"] == 0 and told[0]["sites"] == [] and told[1]["frames"] == []
    assert [(answer["live"], len(answer["sites"])) for answer in (told[2], told[4])] == [
        (10, 1),
        (10 + 2000 * 3000, 2),
    ]
    assert told[4] == told[5] and told[3]["frames"] == told[4]["sites"][0]["frames"]
    assert [owner["live"] for owner in told[6]["sites"]] == [live for _, live in LIVES]
    assert told[6]["live"] == 10 + sum(live for _, live in LIVES)


@pytest.mark.parametrize(
    "lines, complaint",
    [
        ("op 5\nop 4\n", "the numbers decrease"),
        ("op five\n", "op N or live N is needed"),
        ("dead 5\n", "op N or live N is needed"),
        ("live 1000000\n", "behind the trace's end"),
    ],
)
def test_lines_that_make_no_sense(recorded, lines, complaint):
    recorded("--sites")
    done = moments(lines)
    assert done.returncode == 2 and complaint in done.stderr and done.stderr.count("\n") == 1


def test_moments_need_sites(recorded):
    recorded()
    done = moments("op 1\n")
    assert (
        done.returncode == 2 and "x.trace: has no call sites" in done.stderr and done.stdout == ""
    )


def test_files_may_hold_anything():
    call = {"ns": 9.0, "op": 7, "thread": 0, "kind": "malloc", "size": 8, "faults": 1}
    (row,) = made_up_results.make(traces=("git",), allocators=("glibc",), rounds=4).rows
    moments_told = [
        {"bytes": 5, "op": 3, "rss": 9, "live": 4, "sites": [{"site": "<a>", "live": 4}, 7, {}]},
        {"bytes": 9, "op": 3, "rss": 9, "live": 0, "sites": "none"},
        {"bytes": "5"},
        [],
    ]
    for entry, moment in zip(row.samples, moments_told):
        entry["worst"] = [{**call, "site": "<b>"}]
        entry["peak_waste"] = moment
    assert replay_details.wasteful_moment(row) == replay_details.Moment(5, 3, 4, (("<a>", 4),))
    assert replay_details.worst_calls(row)[0].site == "<b>"
    worst = piece("macros", "table", report_tables.worst_table({"glibc": row}))
    assert '<td class="name">&lt;b&gt;</td>' in worst
    waste = piece("macros", "table", report_tables.waste_table({"glibc": row}))
    assert '<td class="name">&lt;a&gt;, ' in waste


@pytest.mark.skipif(not shutil.which("strip"), reason="strip: not installed")
def test_a_stripped_program_has_addresses(recorded, replayed, tmp_path):
    recorded("--sites")
    subprocess.run(["strip", "--keep-section=.note.gnu.build-id", tmp_path / "prog"], check=True)
    entry, _, _ = replayed()
    assert entry["peak_waste"]["sites"][0]["site"].startswith("prog+0x")
