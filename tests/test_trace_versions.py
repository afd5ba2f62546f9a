"""Traces of older versions stay readable: a file that was written when version 1 was all there was,
and the committed corpus, which is of version 1 and stays so."""

import hashlib
import json
import subprocess

import pytest
from places import BUILD, REPO

GOLDEN = REPO / "tests" / "golden" / "version-1.trace"
GOLDEN_SHA256 = "2e90488784a20aab047dd90413e18c33c30d0d4aeb925766376f42af9ea04103"
# Of its operations as lines, made by the program that wrote it.
CSV_SHA256 = "09f331db1a0ce7b1d07c260a922f0d15b4e4a456b956add1867ceb8c64067e7a"
CORPUS = REPO / "workloads" / "traces"
# Allocates before and after a pause of 300 ms.
PAUSE = """
#include <stdlib.h>
#include <unistd.h>
int main(void)
{
    for (int i = 0; i < 2000; i++) {
        if (i == 1000)
            usleep(300000);
        free(malloc(30 + i % 20));
    }
    return 0;
}
"""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    if not (BUILD / "trace").exists():
        pytest.skip(f"{BUILD / 'trace'}: not built")
    monkeypatch.setenv("SPANBENCH_BUILD", str(BUILD))
    monkeypatch.chdir(tmp_path)


def version_of(path):
    return path.read_bytes()[8]


def trace(*words):
    return subprocess.run([BUILD / "trace", *words], capture_output=True, check=True).stdout


def test_the_golden_file_is_what_it_was():
    assert hashlib.sha256(GOLDEN.read_bytes()).hexdigest() == GOLDEN_SHA256
    assert version_of(GOLDEN) == 1


def test_version_1_says_what_it_said(tmp_path):
    trace("export", "--to", "csv", GOLDEN, "-o", "golden.csv")
    assert hashlib.sha256((tmp_path / "golden.csv").read_bytes()).hexdigest() == CSV_SHA256
    facts = json.loads(trace("info", GOLDEN))
    assert (facts["ops"], facts["threads"], facts["peak_live"]) == (793, 6, 105238)


def test_version_1_is_replayed(spanbench):
    status, out, err = spanbench("replay", GOLDEN, "-a", "glibc,span", "-n", "1", "-o", "-")
    assert status == 0, err
    rows = json.loads(out)["benchmarks"]
    assert {row["checksum"] for row in rows} == {rows[0]["checksum"]} and rows[0]["threads"] == 6
    assert spanbench("check", GOLDEN, "-a", "glibc,span")[0] == 0


@pytest.mark.parametrize("name", ["sqlite3", "redis", "rsvg-convert"])
def test_without_further_columns_version_1_is_written(tmp_path, name):
    source = CORPUS / f"{name}.trace"
    trace("pack", source, "-o", "copy.trace")
    assert version_of(source) == version_of(tmp_path / "copy.trace") == 1
    before, after = json.loads(trace("info", source)), json.loads(trace("info", "copy.trace"))
    for facts in (before, after):  # which follow from the version of zstd
        del facts["file_bytes"], facts["bytes_per_op"]
    assert before == after


def test_a_recording_has_gaps(tmp_path, spanbench):
    """The subject sleeps between two calls; parts of its trace keep that."""
    (tmp_path / "pause.c").write_text(PAUSE)
    command = ["gcc", "-O0", "-fno-builtin", tmp_path / "pause.c", "-o", tmp_path / "pause"]
    subprocess.run(command, check=True)
    assert spanbench("record", "-o", "pause.trace", "--", tmp_path / "pause")[0] == 0
    facts = json.loads(trace("info", "pause.trace"))
    assert (facts["version"], facts["columns"]) == (2, ["gaps"])
    assert facts["file_bytes"] < facts["ops"]
    for words in (["cut", "--ops", "100:3000"], ["filter", "--sizes", "0:40"], ["strip"], ["pack"]):
        trace(*words, "pause.trace", "-o", "part.trace")
        assert version_of(tmp_path / "part.trace") == 2
        assert 250e6 < longest_gap(tmp_path / "part.trace") < 400e6
    trace("pack", "--no-gaps", "pause.trace", "-o", "short.trace")
    short = json.loads(trace("info", "short.trace"))
    assert (short["version"], short["ops"]) == (1, facts["ops"])
    assert short["file_bytes"] < facts["file_bytes"] and short["by_kind"] == facts["by_kind"]
    trace("merge", "pause.trace", GOLDEN, "-o", "both.trace")
    assert 250e6 < longest_gap(tmp_path / "both.trace") < 400e6


def longest_gap(path):
    lines = trace("export", "--to", "csv", path, "-o", "-").decode().splitlines()
    place = lines[0].split(",").index("gap_ns")
    return max(int(line.split(",")[place]) for line in lines[1:])
