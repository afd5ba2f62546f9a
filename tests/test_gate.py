"""The verb gate as whole commands, on made-up programs that tell base from head by the names of
their copies (base0.so, head0.so, ...), and on the true ones."""

import json
import os
import re
import shutil
import subprocess

import pytest
from places import ALLOCATORS, BUILD, REPO

from frontend.failure import Failure
from frontend.figures import results
from frontend.gate import gate_sides, revisions
from frontend.measuring import building

LOOPS = 20
MEMORY = "minor_faults,peak_rss"
MADE_UP = ("--metrics", f"{MEMORY},time", "--pairs", "12")
MIB = 1 << 20


@pytest.fixture
def library(shared_objects):
    """A library that can be base and head."""
    return shared_objects / "liballocator.so"


@pytest.fixture
def folder(tmp_path):
    """Where a gate writes."""
    return tmp_path / "a gate"


@pytest.fixture
def gate(made_up_build, spanbench, library, folder):
    """A function that runs a gate of the library against itself: (status, stdout, stderr)."""

    def run(*words):
        return spanbench("gate", "--base", library, "--head", library, *words, "-o", folder)

    return run


def facts_of(folder):
    """What gate.json says of the verdict."""
    return results.read(folder / "gate.json").context["gate"]


def line_of(out, *words):
    """The first line of a table that has all the words."""
    return next(line for line in out.splitlines() if all(word in line for word in words))


def test_equal_sides_pass(gate, made_up_trace, folder):
    status, out, err = gate(*MADE_UP, "--workloads", made_up_trace())
    assert status == 0, err
    assert out.splitlines()[-1].startswith("no regression (")
    assert out.splitlines()[-1].endswith("time in the mean has grown by no more than 0.0 %")
    assert line_of(out, "time", "mean").split()[-1] == "pass"
    assert "Time: 12 pairs, intervals cover 99.51 %." in out
    assert facts_of(folder)["verdict"] == "pass"
    assert sorted(os.listdir(folder)) == ["gate.json", "gate.md"]


def test_a_slower_head_fails_after_a_second_look(gate, made_up_trace, folder):
    trace = made_up_trace(ns={"head0": 12, "head1": 12})
    status, out, _ = gate(*MADE_UP, "--workloads", trace)
    assert status == 1
    assert "1.200 [1.200, 1.200]" in line_of(out, "time", "mean")
    assert out.splitlines()[-1].startswith("regression: head is slower or fatter than base")
    mean = facts_of(folder)["findings"][2]
    assert (mean["metric"], mean["row"], mean["verdict"]) == ("time", "mean", "worse")
    assert mean["pairs"] == 24 and mean["ratio"] == pytest.approx(1.2)


def test_a_little_slower_passes_and_the_verdict_says_by_how_much(gate, made_up_trace):
    little = made_up_trace(ns={"head0": 10.05, "head1": 10.05})
    status, out, _ = gate(*MADE_UP, "--workloads", little)
    assert status == 0
    assert out.splitlines()[-1].endswith("time in the mean has grown by no more than 0.5 %")


def test_a_faster_head_is_better(gate, made_up_trace):
    status, out, _ = gate(*MADE_UP, "--workloads", made_up_trace(ns={"head0": 8, "head1": 8}))
    assert status == 0 and line_of(out, "time", "mean").split()[-1] == "better"
    assert "time in the mean has fallen" in out.splitlines()[-1]


def test_one_slow_copy_is_the_machine(gate, made_up_trace):
    """As where one copy of a file happens to lie badly: nothing can be told below that."""
    slow = made_up_trace(ns={"head0": 10, "head1": 12})
    status, out, _ = gate(*MADE_UP, "--most", "4", "--workloads", slow)
    assert status == 77 and "cannot tell" in line_of(out, "time", "mean")


def test_noise_cannot_tell_and_says_how_many_pairs_would(gate, made_up_trace, folder):
    noisy = made_up_trace(ns={"head0": [9, 14], "head1": [13, 8]})
    words = ("--metrics", "time", "--pairs", "12", "--most", "12", "--workloads", noisy)
    status, out, _ = gate(*words)
    assert status == 77
    verdict = line_of(out, "time", "mean").split("cannot tell ")[1]
    assert int(verdict.strip().strip("()").removesuffix(" pairs")) > 12
    assert out.splitlines()[-1].startswith("cannot tell: the runs vary too much")
    assert gate(*words, "--detect", "900")[0] == 0


def test_no_pass_stands_beside_a_figure_that_has_doubled(gate, made_up_trace, folder):
    trace = made_up_trace(rss={"head0": 40 * MIB, "base0": 20 * MIB, "head1": 40 * MIB})
    status, out, _ = gate("--metrics", "peak_rss", "--workloads", trace)
    doubled = [line for line in out.splitlines() if "2.0000" in line]
    assert status == 1 and len(doubled) == 2  # the row and the mean
    assert all(line.split()[-1] == "worse" for line in doubled)
    told = [line for line in (folder / "gate.md").read_text().splitlines() if "2.0000" in line]
    assert len(told) == 2 and all(line.endswith("| **worse** |") for line in told)


def test_a_fatter_head_fails(gate, made_up_trace, folder):
    fat = made_up_trace(rss={"base0": 100 * MIB, "head0": 110 * MIB})
    status, out, _ = gate("--metrics", MEMORY, "--workloads", fat)
    assert status == 1
    assert line_of(out, "peak RSS", "made").split()[-6:] == "100 MiB 110 MiB 1.1000 worse".split()
    assert "Further figures within their limits: 1." in out
    worse = [f for f in facts_of(folder)["findings"] if f["verdict"] == "worse"]
    assert [(f["metric"], f["base"], f["head"]) for f in worse] == [
        ("peak_rss", 100 * MIB, 110 * MIB)
    ]


def test_a_limit_can_be_wider(gate, made_up_trace):
    fat = made_up_trace(rss={"base0": 100 * MIB, "head0": 110 * MIB})
    words = ("--metrics", MEMORY, "--workloads", fat)
    assert gate(*words, "--limit", "peak_rss=9.9")[0] == 1
    assert gate(*words, "--limit", "peak_rss=10.1")[0] == 0


def test_a_lean_head_is_better_and_the_worst_is_first(gate, made_up_trace):
    lean = made_up_trace("lean", rss={"base0": 100 * MIB, "head0": 50 * MIB})
    fat = made_up_trace("fat", page_faults={"base0": 1000, "head0": 2000})
    status, out, _ = gate("--metrics", MEMORY, "--workloads", lean, fat)
    assert status == 1
    verdicts = [line.split()[-1] for line in out.splitlines() if "0.50" in line or "2.00" in line]
    assert verdicts == ["worse", "better"]


@pytest.mark.parametrize("metrics", [MEMORY, "time", f"time,{MEMORY}"])
@pytest.mark.parametrize(
    "fault, message",
    [("crash", "killed by signal 11 (SIGSEGV)"), ("refuse", "malloc comes from /lib/other.so")],
)
def test_a_head_that_fails_is_one_line(gate, made_up_trace, folder, metrics, fault, message):
    bad = made_up_trace("bad", faults={"head0": fault})
    status, out, _ = gate("--metrics", metrics, "--pairs", "12", "--workloads", bad)
    assert status == 1
    assert len([line for line in out.splitlines() if message in line]) == 1
    assert "failed: there are rows without figures" in out.splitlines()[-1]
    rows = results.read(folder / "gate.json").rows
    assert [message in row.error for row in rows if row.failures] == [True]
    assert "- **replay/bad" in (folder / "gate.md").read_text()


@pytest.mark.parametrize("fault", ["imposter", "refuse"])
def test_a_failure_names_the_file_that_was_asked_for(gate, made_up_trace, library, folder, fault):
    trace = made_up_trace(faults={name: fault for name in ("head0", "head1")})
    status, out, err = gate(*MADE_UP, "--workloads", trace)
    told = out + err + (folder / "gate.md").read_text() + (folder / "gate.json").read_text()
    assert status == 1 and f"not from {library}" in told.replace("not /", "not from /")
    assert "head0" not in told and "base0" not in told


def test_a_revisions_library_is_named_without_its_temporary_folder(tmp_path):
    side = gate_sides.Side("main (0123456789)", {"span": tmp_path / "libspan.so"})
    assert gate_sides.label(side, "span") == "libspan.so of main (0123456789)"
    copies = gate_sides.Allocator("span-head", "", tmp_path / "head0span.so")
    copies = {"span": {(gate_sides.HEAD, 0): copies}}

    class Links:
        """Links that name what they are given."""

        def link(self, path):
            return f"/tmp/link-{path.name}"

    names = gate_sides.labels(None, side, copies, Links())
    told = f"{tmp_path}/head0span.so, /tmp/link-head0span.so"
    assert gate_sides.relabelled(told, names) == ", ".join(["libspan.so of main (0123456789)"] * 2)


def test_a_row_that_fails_spares_the_others(gate, made_up_trace, folder):
    bad, good = made_up_trace("bad", faults={"head1": "crash"}), made_up_trace("good")
    status, _, _ = gate(*MADE_UP, "--workloads", bad, good)
    assert status == 1
    timed = {f["row"] for f in facts_of(folder)["findings"] if f["metric"] == "time"}
    assert timed == {"mean", "good"}


@pytest.mark.parametrize("metrics", ["time", "peak_rss", f"{MEMORY},time"])
def test_a_head_that_does_other_work_fails(gate, made_up_trace, metrics):
    other = made_up_trace(faults={"head0": "checksum"})
    status, out, _ = gate("--metrics", metrics, "--pairs", "12", "--workloads", other)
    assert status == 1
    lines = [line for line in out.splitlines() if "checksum bad" in line]
    assert len(lines) == 1 and lines[0].endswith("where the other side has good")


def test_results_are_entries_as_all_others_are(gate, made_up_trace, folder):
    gate(*MADE_UP, "--workloads", made_up_trace(rss={"head0": 2 * MIB}))
    found = results.read(folder / "gate.json")
    assert [row.name for row in found.rows] == ["replay/made/base", "replay/made/head"]
    assert found.allocators("replay") == ["base", "head"]
    base, head = found.rows
    assert (base.values("peak_rss"), head.values("peak_rss")) == ([MIB] * 12, [2 * MIB] * 12)
    assert sorted(base.by_round("ns_per_op")) == list(range(12))
    assert base.by_round("copy") == {i: i % 2 for i in range(12)}
    assert [entry["checksum"] for entry in base.samples] == ["good"] * 12
    assert base.samples[0]["real_time"] == pytest.approx(0.01)
    assert {"compiler", "libc", "kernel", "cpu", "touch"} <= set(found.context)
    assert found.context["traces"]["made"]["ops"] == 1000
    assert set(found.context["allocators"]) == {"base", "head"}


def test_figures_alone_are_an_entry_a_side(gate, made_up_trace, folder):
    gate("--metrics", MEMORY, "--workloads", made_up_trace())
    rows = results.read(folder / "gate.json").rows
    assert [row.name for row in rows] == ["replay/made/base", "replay/made/head"]
    assert [row.values("minor_faults") for row in rows] == [[3], [3]]


@pytest.mark.parametrize("metrics", ["peak_rss", "peak_rss,time"])
def test_workloads_are_rows_of_their_own_kind(gate, made_up_trace, folder, metrics):
    words = ("--metrics", metrics, "--pairs", "12", "--workloads", "steady", made_up_trace())
    assert gate(*words)[0] == 0
    names = sorted(row.name for row in results.read(folder / "gate.json").rows)
    assert names == [
        f"{row}/{side}" for row in ("replay/made", "run/steady") for side in ("base", "head")
    ]


def test_threads_that_work_together_have_time_alone(gate, folder):
    assert gate("--metrics", f"{MEMORY},time", "--pairs", "12", "--workloads", "crowd")[0] == 0
    assert {f["metric"] for f in facts_of(folder)["findings"]} == {"time"}
    status, _, err = gate("--metrics", MEMORY, "--workloads", "crowd")
    assert status == 2 and err.startswith("spanbench: nothing is left to measure: threads that")


def test_the_summary_is_a_markdown_table(gate, made_up_trace, folder):
    slow = made_up_trace(ns={"head0": 12, "head1": 12}, rss={"head0": 90 * MIB})
    gate(*MADE_UP, "--workloads", slow)
    lines = (folder / "gate.md").read_text().splitlines()
    assert lines[0].startswith("### spanbench gate: regression")
    heads, rule, *rows = [line for line in lines if line.startswith("|")]
    assert heads == "| figure | row | base | head | head / base | verdict |"
    assert rule == "| --- | --- | ---: | ---: | ---: | --- |"
    assert rows[0].startswith("| peak RSS | made | 1.00 MiB | 90.0 MiB | 90.0000 | **worse** |")
    assert any(row == "| time | mean |  |  | 1.200 [1.200, 1.200] | **worse** |" for row in rows)
    assert "Linux" in lines[-1]


# A stored baseline


@pytest.fixture
def tree(made_up_build, monkeypatch, library):
    """The library stands for what the working tree would build."""

    def build(tree, builds, folder, what):
        return {name: library for name in builds}

    monkeypatch.setattr(gate_sides.revisions, "build", build)


@pytest.fixture
def stored(tree, spanbench, made_up_trace, tmp_path):
    """A baseline of a made-up trace, and the words of a gate against it."""
    path = tmp_path / "stored.json"
    trace = made_up_trace(rss={"head0span": 100 * MIB})
    words = ("--metrics", MEMORY, "--workloads", trace)
    assert spanbench("gate", "--save", path, *words) == (
        0,
        f"{path}: 2 rows\n",
        "spanbench: 2 runs for the figures that hardly vary\n",
    )
    return path, ("gate", "--base", path, *words, "-o", tmp_path / "a gate")


def test_a_baseline_holds_figures_and_what_they_depend_on(stored):
    found = results.read(stored[0])
    assert [row.name for row in found.rows] == ["replay/made/span", "replay/made/span-fast"]
    assert found.rows[0].values("peak_rss") == [100 * MIB]
    assert {"compiler", "flags", "libc", "kernel", "cpu", "valgrind"} <= set(found.context)


def test_the_same_figures_as_stored_pass(stored, spanbench, folder):
    path, words = stored
    status, out, err = spanbench(*words)
    assert (status, err) == (0, "spanbench: 2 runs for the figures that hardly vary\n")
    assert f"the working tree against {path}" in " ".join(out.split())
    rows = [row.name for row in results.read(folder / "gate.json").rows]
    assert "replay/made/span-base" in rows and "replay/made/span-fast-head" in rows


def test_time_is_not_measured_against_a_baseline(stored, spanbench, folder):
    words = [f"{MEMORY},time" if word == MEMORY else word for word in stored[1]]
    assert spanbench(*words)[0] == 0
    assert {f["metric"] for f in facts_of(folder)["findings"]} == set(MEMORY.split(","))


def test_more_than_stored_fails(stored, spanbench, made_up_trace):
    made_up_trace(rss={"head0span": 103 * MIB})
    status, out, _ = spanbench(*stored[1])
    assert status == 1 and line_of(out, "peak RSS", "span made").split()[-1] == "worse"


@pytest.mark.parametrize("key", ["compiler", "flags", "kernel", "libc", "cpu", "valgrind"])
def test_a_baseline_of_other_tools_or_machines_cannot_tell(stored, spanbench, key):
    path, words = stored
    document = json.loads(path.read_text())
    here = document["context"][key]
    document["context"][key] = "gcc 2.95"
    path.write_text(json.dumps(document))
    assert spanbench(*words) == (
        77,
        "",
        f"spanbench: {path}: cannot tell: {key}: gcc 2.95 there, {here} here\n",
    )


def test_the_head_of_a_gate_can_be_a_baseline(stored, spanbench, made_up_trace, folder, tmp_path):
    _, words = stored
    assert spanbench(*words)[0] == 0
    first = tmp_path / "first.json"
    shutil.move(folder / "gate.json", first)
    again = [first if word == stored[0] else word for word in words]
    assert spanbench(*again)[0] == 0
    made_up_trace(rss={"head0span": 110 * MIB})
    assert spanbench(*again)[0] == 1


def test_rows_of_the_baseline_that_are_not_measured_are_left_out(
    stored, spanbench, made_up_trace, folder
):
    status, _, err = spanbench(*stored[1], "--build", "span")
    assert status == 0, err
    names = [row.name for row in results.read(folder / "gate.json").rows]
    assert sorted(names) == ["replay/made/span-base", "replay/made/span-head"]


def test_a_baseline_without_the_row_has_nothing_in_common(stored, spanbench, made_up_trace):
    words = [made_up_trace("other") if str(w).endswith(".trace") else w for w in stored[1]]
    status, _, err = spanbench(*words)
    assert status == 2
    expected = "spanbench: nothing could be compared: base and head have no figure in common"
    assert err.splitlines()[-1] == expected


def test_a_baseline_is_not_saved_from_a_head_that_fails(tree, spanbench, made_up_trace, tmp_path):
    path, bad = tmp_path / "stored.json", made_up_trace(faults={"head0span": "crash"})
    status, out, err = spanbench("gate", "--save", path, "--metrics", MEMORY, "--workloads", bad)
    assert (status, out) == (1, "") and not path.exists()
    assert err.splitlines()[-1].startswith("spanbench: replay/made/span-head: killed by signal 11")


# Usage


def one_line(done, *parts):
    """Whether a command has failed for its usage with one line that has the parts."""
    status, out, err = done
    assert (status, out) == (2, ""), err
    assert err.count("\n") == 1 and re.match("spanbench( gate)?: ", err), err
    assert all(part in err for part in parts), err
    return True


@pytest.mark.parametrize(
    "words, message",
    [
        ((), "--base REV|FILE.json|PATH.so is needed"),
        (("--base", "LIBRARY"), "is a library, so --head must name one too (PATH.so)"),
        (("--base", "HEAD", "--head", "LIBRARY"), "is a library, so --base must name one too"),
        (("--base", "nowhere.so", "--head", "LIBRARY"), "nowhere.so: No such file or directory"),
        (("--base", "LIBRARY", "--head", "TEXT.so"), "text.so: "),
        (("--base", "no-such-revision"), "no-such-revision: no such revision"),
        (("--base", "HEAD", "--workloads", "nothing"), "nothing: neither a trace of the corpus"),
        (("--base", "HEAD", "--workloads", "no/x.trace"), "no/x.trace: No such file or directory"),
        (("--base", "HEAD", "--workloads", "TRACE", "TRACE"), "made: is named twice"),
        (("--base", "HEAD", "--metrics", "time,speed"), "--metrics: speed: not one of"),
        (("--base", "HEAD", "--metrics", ""), "--metrics: '': not one of"),
        (("--base", "HEAD", "--limit", "time=2"), "--limit: time=2: METRIC=PERCENT is needed"),
        (("--base", "HEAD", "--limit", "peak_rss"), "--limit: peak_rss: METRIC=PERCENT is needed"),
        (("--base", "HEAD", "-o", "TEXT.so/x"), "text.so/x: Not a directory"),
        (("--base", "HEAD", "-o", "TEXT.so"), "text.so: File exists"),
        (("--base", "nowhere.json"), "nowhere.json: No such file or directory"),
        (("--base", "BROKEN"), "broken.json: no JSON"),
        (("--base", "EMPTY"), "empty.json: no result file: context is missing"),
        (("--base", "HEAD", "--save", "x.json"), "--save compares nothing"),
        (("--save", "x.json", "--head", "LIBRARY"), "a baseline is that of a revision or"),
        (("--save", "no/x.json"), "no/x.json: No such file or directory"),
        (("--save", "x.json", "--metrics", "time"), "nothing is left to measure"),
    ],
)
def test_wrong_usage_is_one_line(
    made_up_build, spanbench, made_up_trace, library, tmp_path, monkeypatch, words, message
):
    monkeypatch.chdir(tmp_path)
    names = {"LIBRARY": library, "TEXT.so": "text.so", "TEXT.so/x": "text.so/x"}
    names.update(TRACE=made_up_trace(), BROKEN="broken.json", EMPTY="empty.json")
    for name, text in {"text.so": "text", "broken.json": "{", "empty.json": "{}"}.items():
        (tmp_path / name).write_text(text)
    usual = {"--metrics": "peak_rss", "--workloads": names["TRACE"], "-o": "out"}
    rest = [word for pair in usual.items() if pair[0] not in words for word in pair]
    assert one_line(spanbench("gate", *(names.get(w, w) for w in words), *rest), message)


@pytest.mark.parametrize(
    "option, value",
    [
        ("--limit", "peak_rss=x"),
        ("--limit", "peak_rss=-1"),
        ("--detect", "0"),
        ("--detect", "nan"),
        ("--pairs", "0"),
        ("--most", "many"),
        ("--build", "glibc"),
    ],
)
def test_wrong_values_name_their_option(spanbench, option, value):
    done = spanbench("gate", "--base", "HEAD", option, value)
    assert one_line(done, option, "see spanbench gate -h", value.partition("=")[2] or value)


def test_without_valgrind_it_says_what_can_be_done_without(
    gate, made_up_trace, monkeypatch, tmp_path
):
    monkeypatch.setenv("PATH", str(tmp_path))
    trace = made_up_trace()
    rest = "go without: --metrics minor_faults,peak_rss,peak_mapped,time"
    assert one_line(gate("--workloads", trace), "valgrind: not installed", rest)
    alone = gate("--metrics", "instructions", "--workloads", trace)
    assert one_line(alone, "valgrind: not installed") and "without" not in alone[2]
    assert gate("--metrics", MEMORY, "--workloads", trace)[0] == 0


# True programs


def test_true_libraries_differ_by_their_instructions(spanbench, short_trace, tmp_path):
    if not shutil.which("valgrind"):
        pytest.skip("valgrind: not installed")
    building.make(REPO, tmp_path / "b", [f"loops-{LOOPS}/libspan-fast.so"], "the slower one")
    burdened = tmp_path / "b" / f"loops-{LOOPS}" / "libspan-fast.so"
    words = ("--metrics", "instructions,peak_rss", "--workloads", short_trace)
    words += ("-o", tmp_path / "out")
    status, out, err = spanbench("gate", "--base", ALLOCATORS["fast"], "--head", burdened, *words)
    assert status == 1, err
    assert line_of(out, "instructions", "short").split()[-1] == "worse"
    assert "peak RSS" not in "".join(line for line in out.splitlines() if "worse" in line)
    same = spanbench("gate", "--base", burdened, "--head", burdened, *words)
    assert same[0] == 0, same
    assert {
        f["ratio"] for f in facts_of(tmp_path / "out")["findings"] if f["metric"] == "instructions"
    } == {1.0}


@pytest.fixture
def clone(tmp_path):
    """A clone of this repository, with the scripts as they are here."""
    folder = tmp_path / "a clone"
    command = ["git", "clone", "--quiet", "--shared", REPO, folder]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip(f"{REPO}: no repository")
    shutil.rmtree(folder / "scripts")
    shutil.copytree(REPO / "scripts", folder / "scripts")
    return folder


def test_a_revision_is_built_in_a_worktree_that_does_not_stay(clone, short_trace, tmp_path):
    place = tmp_path / "temporary"
    place.mkdir()
    environment = {**os.environ, "SPANBENCH_BUILD": str(BUILD), "TMPDIR": str(place)}
    environment["CFLAGS"] = "-O0"
    environment.pop("MAKEFLAGS", None)
    listed = ["git", "-C", clone, "worktree", "list"]
    before = subprocess.run(listed, capture_output=True, check=True).stdout
    command = [clone / "scripts" / "spanbench", "gate", "--base", "HEAD", "--build", "span"]
    command += ["--metrics", "peak_rss", "--workloads", short_trace, "-o", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    commit = subprocess.run(
        ["git", "-C", clone, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout[:10]
    assert facts_of(tmp_path / "out")["base"] == f"HEAD ({commit})"
    assert facts_of(tmp_path / "out")["head"] == "the working tree"
    assert [f["row"] for f in facts_of(tmp_path / "out")["findings"]] == ["short"]
    assert subprocess.run(listed, capture_output=True, check=True).stdout == before
    assert os.listdir(place) == []


def test_what_git_itself_says_is_no_missing_revision(monkeypatch):
    monkeypatch.setenv("GIT_DIR", "/none")
    with pytest.raises(Failure, match="^HEAD: git: fatal: not a git repository"):
        revisions.commit_of("HEAD")


def test_a_copy_that_finds_no_place_names_its_own_file(tmp_path):
    (tmp_path / "a.so").write_bytes(b"1")
    with pytest.raises(Failure, match="^/dev/full: No space left on device$"):
        gate_sides.copy_file(tmp_path / "a.so", "/dev/full")
