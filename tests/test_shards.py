"""Shares of a comparison, and their results joined: on a made-up build, and on a real one by the
recipes of the docs."""

import json
import os
import re
import shutil
import subprocess
from argparse import ArgumentTypeError

import made_up_results
import pytest
from places import BUILD, REPO

from frontend.comparing import merging
from frontend.figures import results
from frontend.measuring import shards
from frontend.measuring.shards import Shard

NAMES = ("b", "e", "a", "d", "c")


@pytest.fixture
def measured(made_up_build, made_up_trace, spanbench, tmp_path):
    """A function that replays a few made-up traces with more options; the path of the results."""
    paths = [made_up_trace(name, ns={"span": 20, "glibc": 10}) for name in NAMES]

    def measure(name, *options):
        path = tmp_path / f"{name}.json"
        words = ("replay", *paths, "-a", "span,glibc", "-n", 2, *options, "-o", path)
        status, _, err = spanbench(*words)
        assert status == 0, err
        return path

    return measure


@pytest.fixture
def written(tmp_path):
    """A function that writes made-up results of span and glibc; of a shard if that is given."""

    def write(name, traces, index=None):
        made = made_up_results.make(traces=traces, allocators=("span", "glibc"), rounds=2)
        made.context.update(flags="-O2", host_name="here")
        for facts in made.context["traces"].values():
            facts["sha256"] = "f0"
        for entry in made.benchmarks:
            entry["checksum"] = "good"
        if index:
            made.context["shard"] = {"index": index, "count": 2}
        results.write(tmp_path / f"{name}.json", made)
        return tmp_path / f"{name}.json"

    return write


@pytest.fixture
def halves(written):
    """The files of two shards, of five traces in all."""
    return [
        written("first", ("cc1", "jq", "lua"), 1),
        written("second", ("gawk", "perl"), 2),
    ]


@pytest.fixture
def doubles(written):
    """Two files of the same two traces."""
    return [written(name, ("cc1", "jq")) for name in ("first", "second")]


def rewritten(path, change):
    """The file after a function has changed its document in place."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path


# Shares


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_every_subject_is_in_one_share_and_none_in_two(count):
    shares = [Shard(k, count).of(list("abcdefg")) for k in range(1, count + 1)]
    assert sorted(sum(shares, [])) == list("abcdefg")
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_the_order_in_which_a_shell_names_files_does_not_matter():
    paths = ["x/B.trace", "y/a.trace", "x/c.trace", "z/A.trace"]
    for k in (1, 2, 3):
        ours, theirs = (Shard(k, 3).of_paths(list(order)) for order in (paths, sorted(paths)))
        assert sorted(ours) == sorted(theirs)
    assert Shard(1, 3).of_paths(paths) == ["x/c.trace", "z/A.trace"]


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "-1/3", "1/3/4", "a/b", "1 / 3", ""])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(ArgumentTypeError, match="not a share K/N"):
        shards.kind(text)


def test_a_share_that_would_be_empty_is_refused(made_up_build, made_up_trace, spanbench):
    status, _, err = spanbench("replay", made_up_trace("one"), "--shard", "2/2")
    assert (status, err) == (2, "spanbench: --shard 2/2: more shards than traces (1)\n")


def test_two_traces_of_one_name_are_refused_though_in_other_shares(
    made_up_build, made_up_trace, spanbench, tmp_path
):
    (tmp_path / "other").mkdir()
    other = shutil.copy(made_up_trace("one"), tmp_path / "other")
    status, _, err = spanbench("replay", made_up_trace("one"), other, "--shard", "1/2")
    assert status == 2 and "has the name of" in err


# Merging


def test_three_shards_are_what_one_run_would_have_been(measured, spanbench, tmp_path):
    whole = results.read(measured("whole"))
    parts = [measured(f"shard-{k}", "--shard", f"{k}/3") for k in (1, 2, 3)]
    (tmp_path / "away").mkdir()
    merged = tmp_path / "away" / "all.json"
    status, out, err = spanbench("merge-results", parts[2], parts[0], parts[1], "-o", merged)
    assert (status, err) == (0, "") and "geometric mean" in out and "5 of 5" in out
    joined = results.read(merged)
    assert sorted(row.name for row in joined.rows) == sorted(row.name for row in whole.rows)
    assert joined.subjects("replay") == sorted(NAMES)
    for row in joined.rows:
        entries = whole.row(row.kind, row.subject, row.allocator).samples
        keys = ("repetition_index", "ops", "checksum", "real_time")
        assert [[e.get(k) for k in keys] for e in row.samples] == [
            [e.get(k) for k in keys] for e in entries
        ]
    assert joined.context["traces"] == whole.context["traces"]
    assert len(joined.context["warmups"]) == len(whole.context["warmups"])
    for name in NAMES:
        assert joined.curve(name, "span") == whole.curve(name, "span") is not None


def test_the_context_of_each_shard_is_kept(halves, spanbench):
    machines = [{"cpu": "Here 1", "host_name": "a"}, {"cpu": "There 2", "host_name": "b"}]
    for path, facts in zip(halves, machines):
        rewritten(path, lambda document: document["context"].update(facts))
    status, out, err = spanbench("merge-results", *halves, "--json")
    assert status == 0 and "the machines differ in cpu: compare ratios, not times" in err
    context = json.loads(out)["context"]
    assert (context["cpu"], context["host_name"]) == ("Here 1 + There 2", "a + b")
    assert [shard["cpu"] for shard in context["shards"]] == ["Here 1", "There 2"]
    assert [shard["index"] for shard in context["shards"]] == [1, 2]
    assert all(shard["command"] == "spanbench bench" for shard in context["shards"])
    assert context["command"].startswith("spanbench merge-results ")


def test_what_was_merged_can_be_merged_and_compared(halves, written, spanbench, tmp_path):
    half, whole = tmp_path / "half.json", tmp_path / "whole.json"
    status, _, err = spanbench("merge-results", halves[0], "-o", half)
    assert (status, err) == (0, "spanbench: take care: of 2 shards, there is no 2\n")
    assert spanbench("merge-results", half, written("other", ("redis",)), "-o", whole)[0] == 0
    joined = results.read(whole)
    assert joined.subjects("replay") == ["cc1", "jq", "lua", "redis"]
    assert [shard["file"] for shard in joined.context["shards"]] == [
        *(str(halves[0]), str(tmp_path / "other.json")),
    ]
    assert spanbench("compare", whole, "--base", "glibc", "--head", "span")[0] in (0, 1, 77)


def change_entries(document, **facts):
    """Sets facts of all entries."""
    for entry in document["benchmarks"]:
        entry.update(facts)


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda d: d["context"]["allocators"]["span"].update(build_id="0"), "build_id of span: "),
        (lambda d: d["context"]["allocators"]["glibc"].update(version="3"), "version of glibc: "),
        (lambda d: d["context"]["allocators"]["span"].update(settings={"A": "1"}), "settings of"),
        (lambda d: d["context"].update(touch="none"), "touch: "),
        (lambda d: d["context"].update(flags="-O0"), "flags: "),
        (lambda d: d["context"].update(shard={"index": 2, "count": 4}), "shards: 2 in "),
        (lambda d: d["context"].pop("shard"), "shards: 2 in "),
    ],
)
def test_files_that_are_not_of_one_comparison_are_refused(halves, spanbench, change, told):
    rewritten(halves[1], change)
    status, out, err = spanbench("merge-results", *halves)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"spanbench: not of one comparison: {told}")
    assert str(halves[0]) in err and str(halves[1]) in err


def only(document, allocator):
    """Leaves the entries of one allocator."""
    document["benchmarks"] = [
        e for e in document["benchmarks"] if e["name"].endswith(f"/{allocator}")
    ]


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda d: None, "replay/cc1/glibc: both in "),
        (lambda d: change_entries(d, ops=999), "ops of replay/cc1: 470000 in "),
        (lambda d: change_entries(d, checksum="other"), "checksum of replay/cc1: good in "),
        (lambda d: d["context"]["traces"]["cc1"].update(sha256="0"), "sha256 of cc1: f0 in "),
    ],
)
def test_a_subject_in_two_files_is_refused(doubles, spanbench, change, told):
    rewritten(doubles[1], change)
    status, _, err = spanbench("merge-results", *doubles)
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith(f"spanbench: not of one comparison: {told}")


def test_a_trace_whose_allocators_are_in_two_files_is_refused(doubles, spanbench):
    for path, allocator in zip(doubles, ("span", "glibc")):
        rewritten(path, lambda document: only(document, allocator))
    status, _, err = spanbench("merge-results", *doubles)
    assert status == 2 and "so that a ratio would be of two machines" in err
    assert f"replay/cc1: span in {doubles[0]}, glibc in {doubles[1]}" in err


def test_an_allocator_that_a_machine_lacks_is_named(halves, spanbench):
    rewritten(halves[1], lambda document: only(document, "glibc"))
    status, out, err = spanbench("merge-results", *halves)
    assert status == 0 and f"take care: no row of span is in {halves[1]}\n" in err
    assert "3 of 5" in out


def test_shares_of_different_kinds_are_joined():
    replayed, ran = (made_up_results.make(traces=(n,), rounds=3) for n in ("jq", "lua"))
    micro = made_up_results.make(traces=("pair/8",), rounds=3, kind="micro")
    for part, path in ((replayed, "a.json"), (ran, "b.json"), (micro, "c.json")):
        part.path = path
    replayed.context["micro_flags"] = ["x"]  # of a kind that the others have not
    joined = merging.merge([replayed, micro, ran], "spanbench merge-results")
    assert joined.kinds() == ["replay", "micro"]
    assert joined.subjects("replay") == ["jq", "lua"]


def test_nothing_to_merge_is_told(spanbench, tmp_path):
    (tmp_path / "empty.json").write_text('{"context": {}, "benchmarks": []}')
    status, _, err = spanbench("merge-results", tmp_path / "empty.json")
    assert status == 2 and err.endswith("empty.json: no rows\n")


# The recipes of the docs, run


def recipe(name):
    """What stands in the docs between two marks."""
    marks = rf"<!-- shards:{name}:begin -->\n```\w*\n(.*?)```\n<!-- shards:{name}:end -->"
    found = [
        match[1]
        for path in sorted((REPO / "docs").glob("*.md"))
        for match in re.finditer(marks, path.read_text(), re.DOTALL)
    ]
    assert len(found) == 1
    return found[0]


@pytest.fixture
def cluster(tmp_path, short_trace):
    """A function that runs a script where `spanbench` is in PATH and five traces are in traces/."""
    (tmp_path / "traces").mkdir()
    for name in NAMES:
        shutil.copy(short_trace, tmp_path / "traces" / f"{name}.trace")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "spanbench").symlink_to(REPO / "scripts" / "spanbench")
    path = f"{tmp_path}/bin:{os.environ['PATH']}"

    def run(script, **variables):
        environment = {**os.environ, "PATH": path, "SPANBENCH_BUILD": str(BUILD), **variables}
        command = ["bash", "-eo", "pipefail", "-c", script]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done

    run.folder = tmp_path
    return run


def check_whole(folder):
    """All traces are in all.json, each under all allocators, from three shards."""
    joined = results.read(folder / "all.json")
    assert joined.subjects("replay") == sorted(NAMES)
    assert len(joined.rows) == len(NAMES) * len(joined.allocators())
    assert not any(row.failures for row in joined.rows)
    assert [shard["index"] for shard in joined.context["shards"]] == [1, 2, 3]


def test_gnu_parallel_runs_three_shards(cluster):
    if not shutil.which("parallel"):
        pytest.skip("parallel is not installed")
    cluster(recipe("parallel").replace("-n 7", "-n 1"), HOSTS=":")
    check_whole(cluster.folder)


def test_a_matrix_of_github_runs_three_shards(cluster):
    yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")
    jobs = yaml.safe_load(recipe("matrix"))["jobs"]
    lines = {
        name: [step["run"] for step in job["steps"] if "clone" not in step.get("run", "clone")]
        for name, job in jobs.items()
    }
    text = "\n".join(
        line.replace("${{ matrix.k }}", str(k))
        for k in jobs["shard"]["strategy"]["matrix"]["k"]
        for line in lines["shard"]
    )
    text = "\n".join([text, *lines["merge"]]).replace(
        "/tmp/spanbench/scripts/spanbench", "spanbench"
    )
    assert "-o shard-3.json" in text and "merge-results" in text
    cluster(text.replace(" -o shard", " -a glibc,span -n 1 -o shard"))
    check_whole(cluster.folder)
    assert (cluster.folder / "page" / "report.html").exists()


def test_the_tasks_of_a_slurm_array_run_three_shards(cluster):
    script = recipe("slurm")
    count = re.search(r"^#SBATCH --array=1-(\d)$", script, re.MULTILINE)[1]
    for task in range(1, int(count) + 1):
        variables = {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_COUNT": count}
        cluster(script.replace(" -n 7", " -a glibc,span -n 1"), **variables)
    cluster("spanbench merge-results shard-*.json -o all.json")
    check_whole(cluster.folder)
