"""SPAN_OPTIONS in the environment of whole programs: a mistake is one line and no more, other
programs' rights are not to be had by it, and only -a brings it into what is measured."""

import json
import os
import signal
import subprocess

import pytest
from places import ALLOCATORS, BUILD, REPO

KNOWN = {"default": "thp, keep, verify", "fast": "thp, keep"}
# Has its own getenv, as bash has, which must not be called.
PROGRAM = """
#include <stdlib.h>
#include <sys/auxv.h>
char *getenv(const char *name) { (void)name; abort(); }
int main(void)
{
    void *volatile p = malloc(100000);
    free(p);
    return getauxval(AT_SECURE) ? 9 : 0;
}
"""
# Makes an allocator that ends the program if its caller's options get through to it.
WATCHER = """
#include <stdlib.h>
#include <string.h>
__attribute__((constructor)) static void look(void)
{
    const char *options = getenv("SPAN_OPTIONS");
    if (options && strcmp(options, "theirs") == 0)
        abort();
}
"""
LINKED = PROGRAM.replace("malloc(", "span_malloc(").replace("free(", "span_free(")
NOBODY = 65534


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("options")
    (folder / "program.c").write_text(PROGRAM)
    subprocess.run(["cc", "program.c", "-o", "program"], cwd=folder, check=True)
    return folder / "program"


def run(command, library, options):
    environment = {"PATH": os.environ["PATH"], "SPAN_OPTIONS": options}
    if library:
        environment["LD_PRELOAD"] = str(library)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


each_build = pytest.mark.parametrize("build", ALLOCATORS)


@each_build
@pytest.mark.parametrize("options", ["", "thp:never,keep:0", ",keep:4M,", "thp:always"])
def test_right_options_are_not_spoken_of(program, build, options):
    assert run([program], ALLOCATORS[build], options) == (0, "")


@each_build
def test_a_mistake_is_one_line_and_the_program_goes_on(program, build):
    known = KNOWN["fast" if "fast" in str(ALLOCATORS[build]) else "default"]
    for options, told in {
        "keep:1,thpp:never": f'no option "thpp" (known: {known})',
        "keep:lots": '"keep:lots" is not keep: and a size, as in keep:0, keep:512K or keep:2M',
        "thp:\033[31m\n": '"thp:?[31m?" is not thp:never, thp:always or thp:default',
        "a" * 1000: f'no option "{"a" * 40}..." (known: {known})',
    }.items():
        line = f"span: SPAN_OPTIONS: {told}; all of it is ignored\n"
        assert run([program], ALLOCATORS[build], options) == (0, line)


@each_build
def test_each_program_of_a_tree_reads_them(program, build):
    status, err = run(["sh", "-c", f"{program}; exit 3"], ALLOCATORS[build], "nonsense")
    assert status == 3 and err.count("\n") == err.count('no option "nonsense"') == 2


def test_a_program_with_more_rights_than_its_caller_ignores_them(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can make a program another user's")
    (tmp_path / "linked.c").write_text('#include "allocator/libspan.h"\n' + LINKED)
    words = ["cc", f"-I{REPO}", "linked.c", BUILD / "libspan.a", "-pthread", "-o", "linked"]
    subprocess.run(words, cwd=tmp_path, check=True)
    linked = tmp_path / "linked"
    status, err = run([linked], None, "nonsense")
    assert status == 0 and "nonsense" in err
    os.chown(linked, NOBODY, NOBODY)
    linked.chmod(0o4755)
    for folder in (tmp_path, *tmp_path.parents)[:3]:
        folder.chmod(0o755)
    status, err = run([linked], None, "nonsense")
    if status == 0:
        pytest.skip(f"{tmp_path}: a file system without setuid programs")
    assert (status, err) == (9, "")


def test_exec_measures_without_those_of_the_caller(spanbench, monkeypatch, tmp_path):
    monkeypatch.setenv("SPAN_OPTIONS", "nonsense")
    command = ["sh", "-c", 'echo "$SPAN_OPTIONS"']
    wanted = ("-a", "span", "-a", "kept=span-fast;SPAN_OPTIONS=thp:never,keep:1M", "-n", 1)
    output = tmp_path / "out.json"
    words = ("--ignore-output", "-o", output, "--", *command)
    status, _, err = spanbench("exec", *wanted, *words)
    assert status == 0 and "nonsense" not in err, err
    context = json.loads(output.read_text())["context"]
    assert context["allocators"]["span"]["settings"] == {}
    assert context["allocators"]["kept"]["settings"] == {"SPAN_OPTIONS": "thp:never,keep:1M"}


def test_what_the_allocator_would_ignore_is_refused(spanbench):
    item = "x=span-fast;SPAN_OPTIONS=keep:0,thpp:never"
    status, out, err = spanbench("exec", "-a", item, "--", "true")
    told = f"-a: SPAN_OPTIONS=keep:0,thpp:never: no option \"thpp\" (known: {KNOWN['fast']})"
    assert (status, out, err) == (2, "", f"spanbench: {told}\n")


@pytest.fixture(scope="module")
def watching(tmp_path_factory):
    """libspan.so with WATCHER in it."""
    folder = tmp_path_factory.mktemp("watching")
    (folder / "watcher.c").write_text(WATCHER)
    words = ["cc", "-shared", "-fPIC", "-Wl,--build-id", "-pthread", "watcher.c"]
    words += ["-Wl,--whole-archive", BUILD / "libspan.a", "-Wl,--no-whole-archive"]
    words += [REPO / "allocator" / "standard_names.ld", "-o", "libwatching.so"]
    subprocess.run(words, cwd=folder, check=True)
    return folder / "libwatching.so"


@pytest.mark.parametrize(
    "words",
    [
        "replay TRACE -a x=LIBRARY -n 1 -o OUT/a.json",
        "replay TRACE -a x=LIBRARY -n 1 --pass latency -o OUT/a.json",
        "check TRACE -a x=LIBRARY",
        "run robson -a x=LIBRARY -n 1 -o OUT/a.json",
        "micro --benchmark_filter=^pair/64$ -a x=LIBRARY -n 1 -o OUT/a.json",
        "gate --base LIBRARY --head LIBRARY --workloads TRACE --metrics peak_rss -n 1 -o OUT",
        "exec -a x=LIBRARY -n 1 -- /bin/true",
    ],
)
def test_no_verb_hands_on_those_of_its_caller(spanbench, watching, short_trace, tmp_path, words):
    (tmp_path / "out").mkdir()
    names = {"TRACE": short_trace, "LIBRARY": watching, "OUT": tmp_path / "out"}
    for name, value in names.items():
        words = words.replace(name, str(value))
    assert run(["/bin/true"], watching, "theirs")[0] == -signal.SIGABRT
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPAN_OPTIONS", "theirs")
        status, _, err = spanbench(*words.split())
    assert status == 0, err


SHOWS = r"""
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void *volatile blocks[2000];
int main(void)
{
    char line[200];
    for (int i = 0; i < 2000; i++) {
        blocks[i] = malloc(300);
        memset(blocks[i], 1, 300);
    }
    int huge = 0;
    FILE *smaps = fopen("/proc/self/smaps", "r");
    while (fgets(line, sizeof line, smaps))
        huge += strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " hg") != NULL;
    printf("huge: %d\n", huge);
    void *volatile large = malloc(900000);
    free(large);
    printf("kept: %zu\n", mallinfo2().keepcost);
    return 0;
}
"""


@pytest.fixture(scope="module")
def shows(tmp_path_factory):
    """What a program has after some small blocks and a large one that it freed."""
    folder = tmp_path_factory.mktemp("shows")
    (folder / "shows.c").write_text(SHOWS)
    subprocess.run(["cc", "-O0", "shows.c", "-o", "shows"], cwd=folder, check=True)

    def figures(build, options):
        environment = {"LD_PRELOAD": str(ALLOCATORS[build]), "SPAN_OPTIONS": options}
        done = subprocess.run(
            [folder / "shows"], env=environment, capture_output=True, text=True, check=True
        )
        return {line.split(":")[0]: int(line.split()[1]) for line in done.stdout.splitlines()}

    return figures


@each_build
def test_keep_bounds_what_is_cached(shows, build):
    assert shows(build, "")["kept"] >= 900_000
    assert shows(build, "keep:0")["kept"] == 0
    assert shows(build, "keep:512K")["kept"] <= 512 << 10


@each_build
def test_thp_is_asked_for_or_not(shows, build):
    if not os.path.exists("/sys/kernel/mm/transparent_hugepage"):
        pytest.skip("the system has no huge pages to give")
    assert shows(build, "thp:never")["huge"] == 0
    assert shows(build, "thp:default")["huge"] == 0  # of a heap this small
    assert shows(build, "thp:always")["huge"] > 0
