"""What a command reads is never what it writes, results never take the place of a trace, and new
curves never that of a folder with other things in it; and names that are hard to print."""

import json
import os
import shutil
import subprocess

import made_up_results
import pytest
from places import BUILD, REPO

from frontend import visible
from frontend.figures import results

SPANBENCH = REPO / "scripts" / "spanbench"
TEXT = b"1: malloc 0x10 100\n1: malloc 0x20 200\n1: free 0x10\n"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder with a trace, a profile of it, and result files, where everything happens."""
    monkeypatch.setenv("SPANBENCH_BUILD", str(BUILD))
    monkeypatch.chdir(tmp_path)
    command = [BUILD / "trace", "import", "-", "-o", "my.trace"]
    subprocess.run(command, input=TEXT, check=True, capture_output=True)
    subprocess.run([BUILD / "trace", "synth", "--profile-only", "my.trace", "-o", "my.json"])
    (tmp_path / "my.txt").write_bytes(TEXT)
    path = made_up_results.write(tmp_path / "made", traces=("lua",), allocators=("span", "glibc"))
    shutil.copy(path, tmp_path / "results.json")
    (tmp_path / "my.profile").write_text("size 1 2 3\nlifetime 1 2 3\n")
    os.symlink("my.trace", "link.trace")


def contents():
    """{name: bytes} of the files in the folder."""
    return {name: open(name, "rb").read() for name in os.listdir() if os.path.isfile(name)}


IN_OUT = (
    ("synth", "my.json", "-o", "my.json"),
    ("import", "my.txt", "-o", "my.txt"),
    ("reduce", "my.trace", "--while", "test -s {}", "-o", "my.trace"),
    ("merge-results", "results.json", "-o", "results.json"),
    ("compare", "results.json", "results.json", "--markdown", "results.json"),
    ("run", "profile", "--profile", "my.profile", "-o", "my.profile"),
    ("gate", "--base", "gate.json", "--metrics", "peak_rss", "-o", "."),
)


@pytest.mark.parametrize("words", IN_OUT, ids=lambda words: " ".join(words[:2]))
def test_what_is_read_is_not_written(spanbench, words):
    shutil.copy("results.json", "gate.json")
    before = contents()
    status, out, err = spanbench(*words)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.endswith(": is read too; name another file to write to\n")
    assert contents() == before


ON_TRACE = (
    ("export", "--to", "csv", "my.trace", "-o", "other.trace"),
    ("synth", "--profile-only", "my.trace", "-o", "other.trace"),
    ("replay", "-a", "glibc", "-n", "1", "my.trace", "-o", "other.trace"),
    ("check", "-a", "glibc", "my.trace", "-o", "other.trace"),
    ("exec", "-a", "glibc", "-n", "1", "-o", "other.trace", "--", "true"),
    ("run", "larson", "-a", "glibc", "-n", "1", "-o", "other.trace"),
    ("merge-results", "results.json", "-o", "other.trace"),
    ("compare", "results.json", "results.json", "--markdown", "other.trace"),
)


@pytest.mark.parametrize("words", ON_TRACE, ids=lambda words: words[0])
def test_no_trace_is_replaced_by_what_is_none(spanbench, words):
    shutil.copy("my.trace", "other.trace")
    before = contents()
    status, out, err = spanbench(*words)
    said = "spanbench: other.trace: is a trace; name another file to write to\n"
    assert (status, out, err) == (2, "", said)
    assert contents() == before


def test_a_trace_replaces_a_trace(spanbench):
    shutil.copy("my.trace", "other.trace")
    assert spanbench("cut", "--ops", "0:1", "my.trace", "-o", "other.trace")[0] == 0
    assert spanbench("record", "-o", "other.trace", "--", "ls")[0] == 0
    assert spanbench("strip", "other.trace", "-o", "other.trace")[0] == 0
    assert spanbench("synth", "other.trace", "-o", "other.trace")[0] == 0
    assert spanbench("info", "other.trace")[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ("replay", "-a", "glibc", "-n", "1", "my.trace", "-o", "out.json"),
        ("merge-results", "results.json", "-o", "out.json"),
    ],
    ids=lambda words: words[0],
)
def test_a_folder_with_other_things_is_not_replaced(spanbench, words):
    os.mkdir("out.curves")
    open("out.curves/thesis.tex", "w", encoding="utf-8").close()
    status, out, err = spanbench(*words)
    said = "spanbench: out.curves/thesis.tex: is no curve, and out.curves would be replaced by"
    assert (status, out, err.count("\n")) == (2, "", 1) and err.startswith(said)
    assert os.listdir("out.curves") == ["thesis.tex"]


def test_a_pipe_that_nobody_reads_is_told_before_any_work(spanbench):
    os.mkfifo("pipe")
    status, out, err = spanbench("replay", "-a", "glibc", "-n", "1", "my.trace", "-o", "pipe")
    assert (status, out, err) == (2, "", "spanbench: pipe: nobody reads this pipe\n")


def test_reduce_replaces_no_device(spanbench):
    os.mkfifo("pipe")
    status, _, err = spanbench("reduce", "my.trace", "--while", "test -s {}", "-o", "pipe")
    assert (status, err) == (2, "spanbench: pipe: no regular file\n")
    assert not os.path.isfile("pipe")


# Names


@pytest.mark.parametrize(
    "words",
    [
        ("report", "NAME"),
        ("diff", "my.trace", "NAME"),
        ("diff", "my.trace", ""),
        ("record", "-o", "x.trace", "--recover", "NAME"),
    ],
    ids=lambda words: words[0],
)
def test_a_name_that_cannot_be_is_bad_input(spanbench, words):
    status, out, err = spanbench(*("n" * 300 if word == "NAME" else word for word in words))
    assert (status, out, err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    "name, shown",
    [
        (b"a\nb", "a\\nb"),
        (b"a\x1b[31m", "a\\x1b[31m"),
        (b"a\xff", "a\\xff"),
        ("Müller 漢".encode(), "Müller 漢"),
    ],
)
@pytest.mark.parametrize(
    "words",
    [
        ("info", "NAME"),
        ("info", "--sites", "NAME"),
        ("strip", "NAME", "-o", "out.trace"),
        ("import", "NAME", "-o", "out.trace"),
        ("diff", "my.trace", "NAME"),
        ("replay", "NAME"),
        ("compare", "NAME", "NAME"),
        ("exec", "--", "./NAME"),
        ("exec", "-a", "x=NAME", "--", "true"),
    ],
    ids=" ".join,
)
def test_any_name_is_told_in_one_line(words, name, shown):
    with open(name, "wb") as file:
        file.write(b"hello")
    line = [word.encode().replace(b"NAME", name) for word in words]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run([SPANBENCH, *line], capture_output=True, env=environment, timeout=120)
    said = done.stderr.decode()
    assert (done.returncode, said.count("\n")) == (2, 1), said
    assert shown in said and said.startswith("spanbench: ")


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-15", "utf-8"])
@pytest.mark.parametrize("verb", ["info", "strip"])
def test_any_stream_takes_what_a_trace_is_called(verb, encoding):
    shutil.copy(b"my.trace", b"m\xff\xe2\x94\x80.trace")
    line = [SPANBENCH, verb, b"m\xff\xe2\x94\x80.trace"]
    line += ["-o", "out.trace"] if verb == "strip" else []
    environment = {**os.environ, "PYTHONIOENCODING": f"{encoding}:strict"}
    done = subprocess.run(line, capture_output=True, env=environment, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"") and done.stdout


def test_results_of_any_name_can_be_read_again(spanbench):
    shutil.copy(b"my.trace", b"m\xff.trace")
    words = ("replay", "-a", "glibc", "-n", "1", "--pass", "speed", "--no-null", "-o", "out.json")
    status, out, _ = spanbench(*words, os.fsdecode(b"m\xff.trace"))
    assert status == 0 and out
    assert [row.subject for row in results.read("out.json").rows] == ["m\\xff"]


def test_bytes_are_taken_out_wherever_they_are():
    odd = os.fsdecode(b"a\xff")
    made = {odd: [odd, 1, None, {"b": "\N{PILE OF POO}"}]}
    plain = {"a\\xff": ["a\\xff", 1, None, {"b": "\N{PILE OF POO}"}]}
    assert visible.without_bytes(made) == plain
    assert json.dumps(plain).encode()


def test_lines_that_go_on_are_left():
    assert visible.visible("ends with\n    one\n    two\nx") == "ends with\n    one\n    two\\nx"
