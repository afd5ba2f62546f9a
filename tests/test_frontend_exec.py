"""The verb exec, on the real launcher and probe: real programs, and some that deceive it."""

import subprocess

import pytest
from places import BUILD

from frontend.figures import results

LIARS = {
    "own": "#include <stdlib.h>\nstatic char heap[9999];\nvoid *malloc(size_t n) { return heap; }\n"
    "void free(void *p) { }\nint main(void) { return malloc(1) == NULL; }\n",
    "static": "int main(void) { return 0; }\n",
    "crashing.so": "#include <stdlib.h>\n"
    "void *malloc(size_t n) { abort(); }\n"
    "void free(void *p) { }\n"
    "void *calloc(size_t n, size_t m) { abort(); }\n"
    "void *realloc(void *p, size_t n) { abort(); }\n"
    "void *aligned_alloc(size_t a, size_t n) { abort(); }\n",
}
FLAGS = {"own": [], "static": ["-static"], "crashing.so": ["-shared", "-fPIC"]}


@pytest.fixture(scope="module")
def liars(tmp_path_factory):
    """A folder with programs that cannot be measured, and an allocator that crashes."""
    folder = tmp_path_factory.mktemp("liars")
    for name, source in LIARS.items():
        (folder / "source.c").write_text(source)
        flags = [*FLAGS[name], "-w", "-fno-builtin"]
        command = ["cc", *flags, str(folder / "source.c"), "-o", str(folder / name)]
        subprocess.run(command, check=True)
    return folder


@pytest.fixture
def execute(spanbench, tmp_path, monkeypatch):
    """A function that runs exec and returns (status, Results or None, stdout, stderr)."""
    monkeypatch.setenv("SPANBENCH_BUILD", str(BUILD))
    if not (BUILD / "libprobe.so").exists():
        pytest.skip("build/release: not built")

    def run(*words):
        path = tmp_path / "out.json"
        status, out, err = spanbench("exec", "-o", path, *words)
        return status, results.read(path) if path.exists() else None, out, err

    return run


def test_a_program_under_two_allocators(execute):
    status, measured, out, err = execute("-a", "glibc,span", "-n", "3", "--", "sort", "--version")
    assert status == 0, err
    assert [row.name for row in measured.rows] == ["exec/sort/glibc", "exec/sort/span"]
    for row in measured.rows:
        assert len(row.samples) == 3
        entry = row.samples[0]
        assert entry["real_time"] > 0 and entry["peak_rss"] > 100_000
        assert entry["minor_faults"] > 10
    assert len(measured.context["warmups"]) == 2
    assert "75 % (n = 3)" in out and "exec" not in err.splitlines()[-1]


def test_options_of_the_command_are_its_own(execute, tmp_path):
    status, measured, _, _ = execute("-a", "glibc", "-n", "1", "sh", "-c", "exit 3", "-n", "9")
    assert status == 0
    row = measured.row("exec", "sh", "glibc")
    assert [entry["exit_status"] for entry in row.samples] == [3]


def test_another_output_is_a_failed_row(execute):
    lists = ("-a", "glibc", "-a", "g2=glibc;WORD=hello")
    command = ("sh", "-c", "echo $WORD")
    status, measured, _, err = execute(*lists, "-n", "1", "--", *command)
    assert status == 1
    assert "exec/sh/g2: checksum" in err and "where glibc has" in err
    assert measured.row("exec", "sh", "g2").samples == []
    assert execute(*lists, "-n", "1", "--ignore-output", "--", *command)[0] == 0


def test_another_exit_status_is_a_failed_row_always(execute):
    lists = ("-a", "glibc", "-a", "g2=glibc;WORD=7")
    command = ("sh", "-c", "exit ${WORD:-0}")
    assert execute(*lists, "-n", "1", "--ignore-output", "--", *command)[0] == 1


def test_output_that_always_differs_cannot_be_judged(execute):
    status, _, _, err = execute("-a", "glibc,span", "-n", "3", "--", "sh", "-c", "echo $$")
    assert status == 77 and "--ignore-output" in err


@pytest.mark.parametrize(
    "program, message", [("own", "has a malloc of its own"), ("static", "nothing can be preloaded")]
)
def test_a_program_that_does_not_call_the_allocator_fails(execute, liars, program, message):
    status, measured, _, err = execute("-a", "glibc,span", "-n", "1", "--", liars / program)
    assert status == 1 and message in err
    assert all(row.samples == [] for row in measured.rows)


def test_an_allocator_that_crashes_is_a_failed_row(execute, liars):
    bad = f"bad={liars / 'crashing.so'}"
    status, measured, _, err = execute("-a", f"glibc,{bad}", "-n", "1", "--", "sort", "--version")
    assert status == 1 and "killed by signal 6 (SIGABRT)" in err
    assert measured.row("exec", "sort", "bad").samples == []
    assert len(measured.row("exec", "sort", "glibc").samples) == 1


def test_a_run_that_hangs_is_ended(execute):
    words = ("-a", "glibc", "-n", "1", "--timeout", "0.3", "--", "sleep", "60")
    status, _, _, err = execute(*words)
    assert status == 1 and "timed out after 0.3 s" in err


@pytest.mark.parametrize(
    "words, complaint",
    [
        (("-a", "null", "--", "true"), "null: its blocks overlap"),
        (("--", "no-such-program"), "no-such-program: command not found"),
        (("-a", "glibc"), "a command is missing"),
        (("-a", "x=/nowhere.so", "--", "true"), "/nowhere.so: No such file"),
    ],
)
def test_usage_is_checked_before_any_work(execute, words, complaint):
    status, measured, out, err = execute(*words)
    assert (status, measured, out) == (2, None, "") and complaint in err
