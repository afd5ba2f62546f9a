"""The verb bisect, in a small repository of its own whose allocator becomes slower and fatter."""

import os
import shutil
import signal
import subprocess

import pytest
from places import BUILD, REPO, sources_of_fast

NEEDED = ("launch", "replay-glibc", "workload-glibc", "trace")
# The rules of the true Makefile take seconds; this one has the target that is asked for. No commit
# changes other sources than libspan.c: those are compiled once for all tests.
MAKEFILE = """\
FAST := $(patsubst %,allocator/%.c,{fast})
REST := $(filter-out allocator/libspan.c $(FAST),$(wildcard allocator/*.c))
BUILT := {built}/$(shell cat $(REST) allocator/*.h | sha256sum | cut -c1-64).o
COMPILE := cc -D_GNU_SOURCE -I. -std=c11 -fPIC -fvisibility=hidden -fno-builtin -O0 -DNDEBUG \\
\t-DSPANBENCH_VERSION='"1"'
$(B)/libspan.so: $(BUILT)
\tmkdir -p $(B)
\t$(COMPILE) -shared -pthread -Wl,--build-id allocator/libspan.c $(BUILT) \\
\t\tallocator/standard_names.ld -o $@
$(BUILT):
\t$(COMPILE) -r -nostdlib $(REST) -o $@
"""
BEGIN = "void *span_malloc(size_t size)\n{\n"
SLOWER = "    for (volatile int i = 0; i < 2500; i++) {\n    }\n"
FATTER, FATTER_STILL = "    size += 64;\n", "    size += 65;\n"
BROKEN = "    this does not compile\n"
# Subject: what span_malloc begins with.
HISTORY = {
    "begin": "",
    "comment": "    /* nothing */\n",
    "broken": BROKEN,
    "mended, fatter": FATTER,
    "slower": FATTER + SLOWER,
    "docs": None,
    "fatter still": FATTER + FATTER_STILL + SLOWER,
    "another comment": FATTER + FATTER_STILL + SLOWER + "    /* nothing */\n",
    "leaner": FATTER + SLOWER,
}
# Of a trace whose time and memory tell, and of one whose instructions do, which callgrind counts.
BLOCKS, FEW_BLOCKS = 20_000, 2000


def git(repo, *words):
    """What a git command says."""
    identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
    command = ["git", "-C", str(repo), *identity, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    """The repository; its commits are tagged c0, c1, ..."""
    missing = [name for name in NEEDED if not (BUILD / name).exists()]
    if missing:
        pytest.skip(f"{BUILD / missing[0]}: not built")
    folder = tmp_path_factory.mktemp("history") / "a repository"
    ignored = shutil.ignore_patterns("__pycache__")
    for part in ("allocator", "scripts"):
        shutil.copytree(REPO / part, folder / part, ignore=ignored)
    (folder / "Makefile").write_text(
        MAKEFILE.format(built=tmp_path_factory.mktemp("built"), fast=" ".join(sources_of_fast()))
    )
    git(folder, "init", "--quiet", "--initial-branch=main")
    source = folder / "allocator" / "libspan.c"
    text = source.read_text()
    assert text.count(BEGIN) == 1
    for i, (subject, code) in enumerate(HISTORY.items()):
        if code is None:
            (folder / "README").write_text("words\n")
        else:
            source.write_text(text.replace(BEGIN, BEGIN + code))
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "-m", subject)
        git(folder, "tag", f"c{i}")
    return folder


def make_trace(folder, blocks):
    """A trace of so many blocks that are all live at once."""
    lines = [f"1: malloc {16 * (i + 1):#x} {40 + i % 100}" for i in range(blocks)]
    lines += [f"1: free {16 * (i + 1):#x}" for i in range(blocks)]
    (folder / "calls.txt").write_text("\n".join(lines) + "\n")
    command = [BUILD / "trace", "import", folder / "calls.txt", "-o", folder / "blocks.trace"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "blocks.trace"


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    """A trace for time and memory."""
    return make_trace(tmp_path_factory.mktemp("trace"), BLOCKS)


@pytest.fixture(scope="module")
def counted_trace(tmp_path_factory):
    """A trace for instructions."""
    return make_trace(tmp_path_factory.mktemp("counted"), FEW_BLOCKS)


@pytest.fixture
def start(repo, tmp_path):
    """A function that starts spanbench bisect; afterwards nothing may be left of it."""
    environment = {**os.environ, "SPANBENCH_BUILD": str(BUILD), "TMPDIR": str(tmp_path)}
    environment.pop("MAKEFLAGS", None)
    (repo / "README").write_text("not committed\n")
    git(repo, "add", "README")
    before = state(repo)

    def run(*words):
        command = [repo / "scripts" / "spanbench", "bisect", *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, env=environment, **pipes)

    yield run
    assert state(repo) == before
    assert os.listdir(tmp_path) == []


@pytest.fixture
def bisect(start):
    """A function that runs spanbench bisect: (status, stdout, stderr)."""

    def run(*words):
        process = start(*words)
        out, err = process.communicate()
        return process.returncode, out, err

    return run


def state(repo):
    """All that a search must leave as it was."""
    asked = ("status --porcelain", "symbolic-ref HEAD", "worktree list", "for-each-ref")
    return [git(repo, *words.split()) for words in asked]


def needs_valgrind():
    """Skips where instructions cannot be counted."""
    if not shutil.which("valgrind"):
        pytest.skip("valgrind: not installed")


def test_the_commit_that_made_it_slower_is_named(bisect, repo, counted_trace):
    needs_valgrind()
    status, out, err = bisect("c0", "c7", "--metric", "instructions", counted_trace)
    assert status == 0, err
    first, before, after, *log = out.splitlines()
    assert first.split() == f"first bad commit: {git(repo, 'rev-parse', 'c4')} slower".split()
    counts = [float(line.split()[1]) for line in (before, after)]
    assert counts[0] * 1.2 < counts[1]
    assert any(line.split()[:1] == ["bad"] and "slower" in line for line in log)


def test_the_commit_that_made_it_fatter_is_named(bisect, repo, trace):
    status, out, err = bisect("c4", "c7", "--metric", "peak_rss", trace)
    assert status == 0, err
    assert f"first bad commit: {git(repo, 'rev-parse', 'c6')} fatter still" in out
    assert "MiB" in out and "good" in err and "bad" in err


def test_time_tells_too(bisect, repo, trace):
    status, out, err = bisect("c3", "c5", "--metric", "time", "--most", "48", trace)
    assert status == 0, err
    assert f"first bad commit: {git(repo, 'rev-parse', 'c4')}" in out
    assert "before: 1.000\n" in out and " pairs" in out


def test_a_commit_that_does_not_build_is_skipped(bisect, counted_trace):
    needs_valgrind()
    status, out, err = bisect("c0", "c4", "--metric", "instructions", counted_trace)
    assert status == 0 and "slower" in out.splitlines()[0]
    skipped = next(line for line in err.splitlines() if "broken" in line)
    assert "skip" in skipped and "does not build: allocator/libspan.c:" in skipped


def test_where_only_skipped_commits_are_left_it_cannot_tell(bisect, trace):
    status, out, _ = bisect("c0", "c3", "--metric", "peak_rss", trace)
    assert status == 77 and "the first bad one is of:" in out
    assert "broken" in out and "mended" in out


def test_ends_that_do_not_differ_cannot_tell(bisect, trace):
    status, out, err = bisect("c0", "c1", "--metric", "peak_rss", trace)
    assert (status, out) == (77, "")
    assert "cannot tell: peak RSS: " in err and "MiB in GOOD" in err


def test_times_that_do_not_differ_cannot_tell(bisect, trace):
    words = ("c6", "c7", "--metric", "time", "--most", "4", trace)
    status, out, err = bisect(*words)
    assert (status, out) == (77, "") and "cannot tell: time of BAD / GOOD is" in err


def test_few_pairs_tell_nothing_however_they_differ(bisect, trace):
    status, out, err = bisect("c3", "c5", "--metric", "time", "--most", "4", trace)
    assert (status, out) == (77, "") and "4 pairs: needs about " in err and "(--most)" in err


def test_ends_the_wrong_way_round_are_refused(bisect, trace):
    status, _, err = bisect("c7", "c8", "--metric", "peak_rss", trace)
    assert status == 2 and "the wrong way round: peak RSS" in err


@pytest.mark.parametrize(
    "words, complaint",
    [
        (("none", "c7"), "none: no such revision"),
        (("c7", "c0"), "GOOD is no ancestor of BAD"),
        (("c7", "c7"), "the same commit"),
        (("c0", "c2"), "does not build"),
    ],
)
def test_ends_that_are_none_are_told(bisect, trace, words, complaint):
    status, out, err = bisect(*words, "--metric", "peak_rss", trace)
    assert status in (1, 2) and out == "" and complaint in err


@pytest.mark.parametrize(
    "words, complaint",
    [
        (("--metric", "peak_rss", "nonesuch"), "nonesuch: neither a trace"),
        (("--metric", "peak_rss", "none/such.trace"), "No such file"),
        (("--metric", "beauty", "tree"), "beauty: not one of time"),
        (("--metric", "peak_rss", "xmalloc"), "several threads"),
        (("tree",), "--metric"),
    ],
)
def test_wrong_words_are_status_2(bisect, words, complaint):
    status, out, err = bisect("c0", "c7", *words)
    assert (status, out) == (2, "") and complaint in err


def test_an_interrupt_leaves_nothing(start, trace):
    with start("c4", "c7", "--metric", "peak_rss", trace) as process:
        assert "good" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 130
