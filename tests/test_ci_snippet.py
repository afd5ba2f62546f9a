"""The workflow that docs/guide.md offers for an allocator's CI: its shell lines, run in the
made-up repository of an allocator."""

import os
import re
import subprocess

import pytest
from places import BUILD, REPO

GATE = "scripts/spanbench gate"
# An allocator for short programs: never frees. Each call works for nothing LOOPS times.
SOURCE = """
#include <stddef.h>
static char heap[256 << 20] __attribute__((aligned(16)));
static size_t used;
void *malloc(size_t n)
{
    for (volatile int i = 0; i < LOOPS; i++)
        ;
    size_t gross = (n + 31) & ~(size_t)15;
    size_t *block = (size_t *)(heap + __atomic_fetch_add(&used, gross, __ATOMIC_RELAXED));
    *block = n;
    return block + 2;
}
void *calloc(size_t n, size_t m) { return malloc(n * m); }
void *realloc(void *old, size_t n)
{
    char *new = malloc(n);
    size_t kept = old ? ((size_t *)old)[-2] : 0;
    for (size_t i = 0; i < kept && i < n; i++)
        new[i] = ((char *)old)[i];
    return new;
}
void free(void *p) { (void)p; }
void *aligned_alloc(size_t a, size_t n)
{
    char *p = malloc(n + a);
    return p + (a - (size_t)p % a) % a;
}
int posix_memalign(void **p, size_t a, size_t n)
{
    *p = aligned_alloc(a, n);
    return 0;
}
"""
MAKEFILE = """libmine.so: mine.c
\t$(CC) -shared -fPIC -nostdlib -fno-builtin -Wl,--build-id -DLOOPS=%d $< -o $@
"""


def snippet():
    """The workflow."""
    text = (REPO / "docs" / "guide.md").read_text()
    return re.search(r"<!-- ci:begin -->\n```yaml\n(.*?)```\n<!-- ci:end -->", text, re.DOTALL)[1]


def shell_lines():
    """What its steps run."""
    lines = re.findall(r"^ *- (?:run: (.*)|\{run: '(.*?)',.*)$", snippet(), re.MULTILINE)
    return [plain or quoted for plain, quoted in lines]


def line_with(part):
    """The one line that has this in it."""
    (found,) = [line for line in shell_lines() if part in line]
    return found


def run_line(line, folder, **variables):
    """Runs a line as the steps of a workflow in a container are run."""
    environment = {**os.environ, "SPANBENCH_BUILD": str(BUILD), **variables}
    command = ["sh", "-e", "-c", line]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def repository(tmp_path):
    """A function that makes base and head, each of so many loops, as the two checkouts leave them;
    their folder."""

    def make(base, head):
        for name, loops in (("base", base), ("head", head)):
            (tmp_path / name).mkdir()
            (tmp_path / name / "mine.c").write_text(SOURCE)
            (tmp_path / name / "Makefile").write_text(MAKEFILE % loops)
        assert run_line(line_with("libmine.so && make"), tmp_path).returncode == 0
        return tmp_path

    return make


def gate_line(*options):
    """The line of the gate, with this tree in the place of the clone and with more options."""
    line = line_with(GATE).replace("/spanbench/scripts", f"'{REPO}'/scripts")
    return line.replace("--quick", " ".join(["--quick", *options]))


def test_it_runs_for_pull_requests_and_sets_what_it_uses():
    text = snippet()
    assert "on: pull_request\n" in text
    used = set(re.findall(r"\$\{?([A-Z]\w*)", text))
    given = set(re.findall(r"([A-Z]\w*): \"", text))
    assert used - given == {"GITHUB_STEP_SUMMARY"} and used & given == {"SPANBENCH"}


def test_the_clone_can_be_made_and_has_its_targets(tmp_path):
    line = line_with("git clone").replace("/spanbench ", f"{tmp_path}/clone ")
    assert line.count(f"{tmp_path}/clone ") == 2
    done = run_line(line, tmp_path, SPANBENCH=f"file://{REPO}", MAKEFLAGS="n")
    assert done.returncode == 0, done.stderr
    assert (
        "scripts/deps bench gate" in done.stdout and (tmp_path / "clone/scripts/spanbench").exists()
    )


@pytest.mark.parametrize(
    "status, is_stopped, is_warned", [(0, 0, 0), (1, 1, 0), (2, 1, 0), (77, 0, 1)]
)
def test_a_step_fails_where_it_must_and_warns_where_it_cannot_tell(
    tmp_path, status, is_stopped, is_warned
):
    (tmp_path / "spanbench").write_text(f"exit {status}\n")
    line = re.sub(r"^\S+/spanbench ", f"sh '{tmp_path}/spanbench' ", line_with(GATE))
    done = run_line(line, tmp_path)
    assert (bool(done.returncode), "::warning::" in done.stdout) == (is_stopped, is_warned)


def test_a_slower_head_stops_the_change(repository, short_trace):
    folder = repository(0, 5000)  # so slow that it shows on a busy machine
    rest = ("--workloads", f"'{short_trace}'", "--metrics", "peak_rss,time", "--pairs", "6")
    done = run_line(gate_line(*rest), folder)
    assert done.returncode == 1, done.stderr
    assert "can only pass" not in done.stderr
    summary = folder / "summary"
    shown = run_line(line_with("gate.md"), folder, GITHUB_STEP_SUMMARY=str(summary))
    assert shown.returncode == 0 and "regression" in summary.read_text()


def test_a_head_that_is_the_base_is_told(repository, short_trace):
    folder = repository(0, 0)
    rest = ("--workloads", f"'{short_trace}'", "--metrics", "peak_rss")
    done = run_line(gate_line(*rest), folder)
    assert done.returncode == 0, done.stderr
    assert "take care: head/libmine.so and base/libmine.so are the same allocator" in done.stderr
    assert "which are the same allocator" in (folder / "out" / "gate.md").read_text()
