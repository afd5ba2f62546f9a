"""The verbs import and export, and what info tells of an imported trace."""

import json

import pytest

from places import BUILD

HEAPTRACK = b"v 10400 3\n+ 64 1 1000\nc a\nR 3c3\n- 1000\nc 14\nR 200\n"


@pytest.fixture(autouse=True)
def built(monkeypatch):
    """The verbs run what the tests run."""
    monkeypatch.setenv("SPANBENCH_BUILD", str(BUILD))


def test_import_info_export(spanbench, tmp_path):
    (tmp_path / "in.txt").write_bytes(HEAPTRACK)
    trace = tmp_path / "my.trace"
    status, out, err = spanbench("import", tmp_path / "in.txt", "-o", trace)
    assert (status, out) == (0, "") and err.count("\n") == 1 and "0 unknown frees" in err
    status, out, _ = spanbench("info", trace)
    assert status == 0
    [peak] = [line.split() for line in out.splitlines() if line.split()[:1] == ["peak_rss"]]
    assert peak[1:] == ["3.8", "MiB"] and "2 points in time" in out
    assert "lost_realloc" in out and "recorded_" not in out
    _, out, _ = spanbench("info", "--json", trace)
    assert json.loads(out)["losses"]["recorded_rss"] == f"10:{0x3C3 << 12} 20:{0x200 << 12}"
    status, out, err = spanbench("export", "--to", "rep", trace, "-o", tmp_path / "my.rep")
    assert (status, out) == (0, "") and err.endswith(": 3 ops as rep; 10 ms of time lost\n")
    assert (tmp_path / "my.rep").read_text() == "1\n1\n2\n0\na 0 100\nf 0\n"


@pytest.mark.parametrize("verb", ["info", "replay"])
def test_what_was_not_imported_yet_is_told(spanbench, tmp_path, verb):
    (tmp_path / "in.txt").write_bytes(HEAPTRACK)
    status, _, err = spanbench(verb, tmp_path / "in.txt")
    assert status == 2 and err.count("\n") == 1
    assert err.endswith(f"needs: spanbench import {tmp_path}/in.txt -o OUT\n")


def test_from_names_the_format(spanbench, tmp_path):
    (tmp_path / "in.txt").write_bytes(HEAPTRACK)
    words = ("import", "--from", "rep", tmp_path / "in.txt", "-o", tmp_path / "my.trace")
    status, _, err = spanbench(*words)
    assert status == 2
    assert err == f"spanbench: {tmp_path}/in.txt: line 1: the header is four numbers\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("export", "x.trace", "-o", "y"), "--to"),
        (("export", "--to", "none", "x.trace", "-o", "y"), "none: no such format; known: "),
        (("import", "--from", "none", "/dev/null", "-o", "y"), "none: no such format; known: "),
        (("import", "x"), "-o"),
    ],
)
def test_usage(spanbench, words, said):
    status, out, err = spanbench(*words)
    assert (status, out) == (2, "") and said in err and err.count("\n") == 1
