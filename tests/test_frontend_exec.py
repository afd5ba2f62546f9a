"""The verb exec, on the real launcher and probe: real programs, and some that deceive it."""

import re
import subprocess
import time

import pytest
from places import BUILD

from frontend.allocators import registry
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
    status, measured, _, _ = execute("-a", "glibc", "-n", "1", "sh", "-c", "exit 0", "-n", "9")
    assert status == 0
    assert len(measured.row("exec", "sh", "glibc").samples) == 1


def test_a_command_that_fails_is_not_measured(execute):
    script = "for i in 1 2 3 4 5 6 7; do echo line $i >&2; done; exit 3"
    status, measured, out, err = execute("-a", "glibc,span", "-n", "2", "--", "sh", "-c", script)
    assert status == 1 and out.count("failed") >= 2
    assert all(row.samples == [] for row in measured.rows)
    assert "exec/sh/span: exit status 3; stderr ends with\n    line 3\n    line 4\n" in err
    assert "line 2" not in err and "--ignore-status" in err


def test_a_command_that_fails_sometimes_is_a_failed_row(execute, tmp_path):
    script = f"echo >>'{tmp_path}/runs'; test $(wc -l <'{tmp_path}/runs') -lt 3"
    status, measured, _, err = execute("-a", "glibc", "-n", "3", "--", "sh", "-c", script)
    row = measured.row("exec", "sh", "glibc")
    assert status == 1 and len(row.failures) == 2 and "exec/sh/glibc: exit status 1\n" in err


def test_statuses_are_told_where_they_are_ignored(execute, tmp_path):
    script = f"echo >>'{tmp_path}/runs'; exit $(($(wc -l <'{tmp_path}/runs') % 2 + 4))"
    words = ("-a", "glibc", "-n", "2", "--ignore-status", "--", "sh", "-c", script)
    status, measured, _, err = execute(*words)
    assert status == 0 and "exec/sh/glibc: exit status 4 or 5\n" in err
    assert len(measured.row("exec", "sh", "glibc").samples) == 2


def test_another_output_is_a_failed_row(execute):
    lists = ("-a", "glibc", "-a", "g2=glibc;WORD=hello")
    command = ("sh", "-c", "echo $WORD")
    status, measured, _, err = execute(*lists, "-n", "1", "--", *command)
    assert status == 1
    assert "exec/sh/g2: checksum" in err and "where glibc has" in err
    assert measured.row("exec", "sh", "g2").samples == []
    assert execute(*lists, "-n", "1", "--ignore-output", "--", *command)[0] == 0


def test_another_exit_status_is_a_failed_row(execute):
    lists = ("-a", "glibc", "-a", "g2=glibc;WORD=7")
    command = ("sh", "-c", "exit ${WORD:-0}")
    status, measured, _, err = execute(*lists, "-n", "1", "--ignore-output", "--", *command)
    assert status == 1 and "exec/sh/g2: exit status 7" in err
    assert len(measured.row("exec", "sh", "glibc").samples) == 1
    assert execute(*lists, "-n", "1", "--ignore-status", "--", *command)[0] == 0


def test_output_that_always_differs_cannot_be_judged(execute):
    status, _, _, err = execute("-a", "glibc,span", "-n", "3", "--", "sh", "-c", "echo $$")
    assert status == 77 and "sh: its output differs each time; --ignore-output" in err


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
        (("--", "/no/such/program"), "/no/such/program: command not found"),
        (("--", "/usr/bin"), "/usr/bin: Is a directory"),
        (("--", "/etc/passwd"), "/etc/passwd: Permission denied"),
        (("-a", "glibc"), "a command is missing"),
        (("-a", "x=/nowhere.so", "--", "true"), "/nowhere.so: No such file"),
    ],
)
def test_usage_is_checked_before_any_work(execute, words, complaint):
    status, measured, out, err = execute(*words)
    assert (status, measured, out) == (2, None, "") and complaint in err


STRINGS = """
#include <string>
#include <vector>
int main()
{
    std::vector<std::string> words;
    for (int i = 0; i < 1000; i++)
        words.emplace_back(100, 'x');
    return words.size() != 1000;
}
"""
OPERATORS = """
#include <cstdlib>
#include <new>
void *operator new(size_t size) { return std::malloc(size); }
void operator delete(void *p) noexcept { std::free(p); }
void operator delete(void *p, size_t) noexcept { std::free(p); }
"""


def compile_cxx(path, source, *flags):
    """Makes a program of C++ source."""
    path.with_suffix(".cc").write_text(source)
    command = ["g++", "-O1", str(path.with_suffix(".cc")), "-o", str(path), *flags]
    subprocess.run(command, check=True)
    return path


@pytest.mark.parametrize("rival", ["jemalloc", "mimalloc", "tcmalloc"])
def test_operators_of_a_linked_allocator_are_no_measurement(execute, tmp_path, rival):
    allocator = registry.find(rival)
    if not allocator:
        pytest.skip(f"{rival}: not installed")
    linked = ("-Wl,--no-as-needed", str(allocator.path))
    program = compile_cxx(tmp_path / "linked", STRINGS, *linked)
    words = ("-a", f"span,glibc,{rival}", "-n", "1", "--", program)
    status, measured, _, err = execute(*words)
    path = allocator.path.name.partition(".so")[0]
    assert status == 1
    for name in ("span", "glibc"):
        assert measured.row("exec", "linked", name).samples == []
        assert re.search(rf"linked/{name}: operator new comes from \S*{path}\S*, not ", err)
    assert len(measured.row("exec", "linked", rival).samples) == 1


def test_operators_that_nobody_calls_are_passed_over(execute, tmp_path):
    """As in redis-server: a C program that is linked with jemalloc."""
    source = tmp_path / "linked.c"
    source.write_text("#include <stdlib.h>\nint main(void) { return malloc(1000) == 0; }\n")
    program = tmp_path / "linked"
    linked = ("-Wl,--no-as-needed", "-l:libjemalloc.so.2")
    subprocess.run(["gcc", source, "-o", program, *linked], check=True)
    status, measured, _, err = execute("-a", "span,glibc", "-n", "1", "--", program)
    assert status == 0 and "operator new" not in err
    for name in ("span", "glibc"):
        assert len(measured.row("exec", "linked", name).samples) == 1


def test_operators_of_a_child_s_linked_allocator_are_named(execute, tmp_path):
    linked = ("-Wl,--no-as-needed", "-l:libjemalloc.so.2")
    program = compile_cxx(tmp_path / "linked", STRINGS, *linked)
    words = ("-a", "span", "-n", "1", "--", "sh", "-c", f"'{program}'; true")
    status, measured, _, err = execute(*words)
    assert status == 0 and "exec/sh/span: its child linked: operator new comes from" in err
    assert measured.context["notes"]


def test_operators_of_the_program_itself_are_named(execute, tmp_path):
    program = compile_cxx(tmp_path / "own", OPERATORS + STRINGS)
    status, _, _, err = execute("-a", "span", "-n", "1", "--", program)
    assert status == 0 and f"exec/own/span: operator new is that of {program}: only" in err
    program = compile_cxx(tmp_path / "plain", STRINGS)
    assert "operator new" not in execute("-a", "span", "-n", "1", "--", program)[3]


HOLDER = """
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void)
{
    char *volatile p = malloc(40 << 20);
    memset(p, 1, 40 << 20);
    usleep(1500000); /* long enough for both, however busy the machine is */
    return p[12345] != 1;
}
"""


def test_memory_of_several_processes_is_summed(execute, tmp_path):
    (tmp_path / "holder.c").write_text(HOLDER)
    command = ["cc", str(tmp_path / "holder.c"), "-o", str(tmp_path / "holder")]
    subprocess.run(command, check=True)
    two = f"'{tmp_path}/holder' & '{tmp_path}/holder' & wait"
    status, measured, out, err = execute("-a", "glibc", "-n", "1", "--", "sh", "-c", two)
    assert status == 0, err
    (entry,) = measured.row("exec", "sh", "glibc").samples
    assert 40 << 20 < entry["peak_rss"] < 60 << 20
    assert 80 << 20 < entry["tree_pss"] < 120 << 20 and entry["processes"] >= 2
    assert "max RSS MiB" in out and "tree MiB" in out and "largest process" in out
    _, measured, out, _ = execute("-a", "glibc", "-n", "1", "--", tmp_path / "holder")
    assert "tree_pss" not in measured.rows[0].samples[0] and "tree MiB" not in out


def test_processes_left_running_are_ended_and_told(execute, tmp_path):
    script = f"(sleep 2; touch '{tmp_path}/mark') & true"
    status, measured, _, err = execute("-a", "glibc", "-n", "2", "--", "sh", "-c", script)
    assert status == 0
    assert err.count("exec/sh: 2 of its processes (") == 1 and "were ended with the run" in err
    assert measured.rows[0].samples[0]["left_running"] == 2
    time.sleep(2.2)
    assert not (tmp_path / "mark").exists()
