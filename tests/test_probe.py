"""libprobe.so: whose malloc a real program calls, told without disturbing the program."""

import json
import os
import subprocess

import pytest

from places import BUILD

PROBE = BUILD / "libprobe.so"
SPAN = BUILD / "libspan.so"
OWN_MALLOC = """
#include <stddef.h>
static char memory[1 << 22] __attribute__((aligned(16)));
static size_t used;
void *malloc(size_t n) { used += n + 15 & ~15ul; return memory + used - (n + 15 & ~15ul); }
void free(void *p) { (void)p; }
void *calloc(size_t n, size_t m) { return malloc(n * m); }
void *realloc(void *p, size_t n) { (void)p; return malloc(n); }
int main(void) { return 0; }
"""
PLAIN = """
#include <stdlib.h>
void *(*volatile address)(size_t);
int main(void) { address = malloc; free(address(10)); return 0; }
"""


def asking_for(function):
    """PLAIN, which has the address of a further function."""
    return f"{PLAIN}void {function}();\nvoid (*volatile asked)() = {function};\n"


def run_probed(folder, *command, preload=(PROBE, SPAN)):
    """Runs a command under the probe: (the finished process, the lines that the probe wrote)."""
    lines = folder / "probe.jsonl"
    lines.unlink(missing_ok=True)
    preload = ":".join(str(path) for path in preload)
    environment = {**os.environ, "LD_PRELOAD": preload, "SPANBENCH_PROBE_FILE": str(lines)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    text = lines.read_text() if lines.exists() else ""
    return done, [json.loads(line) for line in text.splitlines()]


def compile_program(folder, source, *flags):
    """A program made from C source; its path."""
    (folder / "program.c").write_text(source)
    path = folder / "program"
    command = ["cc", "-fno-builtin", "-w", *flags, str(folder / "program.c"), "-o", str(path)]
    subprocess.run(command, check=True)
    return str(path)


def test_names_the_preloaded_allocator(tmp_path):
    done, lines = run_probed(tmp_path, "/bin/true")
    status = SPAN.stat()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(lines) == 1
    assert lines[0]["program"] == os.path.realpath("/bin/true")
    assert lines[0]["malloc"]["path"] == str(SPAN)
    assert (lines[0]["malloc"]["device"], lines[0]["malloc"]["inode"]) == (
        status.st_dev,
        status.st_ino,
    )
    assert lines[0]["program_defines_malloc"] is False
    assert (lines[0]["elsewhere"], lines[0]["foreign"]) == (None, None)
    assert lines[0]["operator_new_of"] is None


def test_without_an_allocator_it_is_the_c_library(tmp_path):
    _, lines = run_probed(tmp_path, "/bin/true", preload=(PROBE,))
    assert "/libc.so" in lines[0]["malloc"]["path"]


@pytest.mark.parametrize("flags", [["-fPIE", "-pie"], ["-fno-pic", "-no-pie"]])
def test_stub_of_a_program_is_no_definition(tmp_path, flags):
    program = compile_program(tmp_path, PLAIN, *flags)
    done, lines = run_probed(tmp_path, program)
    assert done.returncode == 0
    assert lines[0]["malloc"]["path"] == str(SPAN)
    assert lines[0]["program_defines_malloc"] is False


@pytest.mark.parametrize("flags", [["-fPIE", "-pie"], ["-fno-pic", "-no-pie"]])
def test_malloc_of_the_program_s_own_is_seen(tmp_path, flags):
    program = compile_program(tmp_path, OWN_MALLOC, "-rdynamic", *flags)
    _, lines = run_probed(tmp_path, program)
    assert lines[0]["program_defines_malloc"] is True


def test_every_process_has_a_line(tmp_path):
    _, lines = run_probed(tmp_path, "/bin/sh", "-c", "/bin/true; /bin/echo x")
    names = [os.path.basename(line["program"]) for line in lines]
    assert {"true", "echo"} <= set(names)
    assert len({line["pid"] for line in lines}) == 3


def test_unwritable_file_disturbs_nothing(tmp_path):
    folder = tmp_path / "gone"
    environment = {**os.environ, "LD_PRELOAD": str(PROBE)}
    for path in (folder / "x", tmp_path, None):
        environment["SPANBENCH_PROBE_FILE"] = str(path)
        if path is None:
            del environment["SPANBENCH_PROBE_FILE"]
        done = subprocess.run(
            ["/bin/echo", "fine"], capture_output=True, text=True, env=environment, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "fine\n", "")


def test_exports_nothing():
    for library, wanted in ((PROBE, set()), (BUILD / "libnull.so", NULL_NAMES)):
        command = ["nm", "-D", "--defined-only", str(library)]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert {line.split()[-1] for line in out.splitlines()} == wanted


NULL_NAMES = {
    *("malloc", "free", "calloc", "realloc", "reallocarray", "aligned_alloc", "posix_memalign"),
    *("memalign", "valloc", "pvalloc", "malloc_usable_size"),
}


def test_functions_of_a_second_allocator_are_seen(tmp_path):
    linked = ("-Wl,--no-as-needed", "-l:libjemalloc.so.2")
    program = compile_program(tmp_path, asking_for("_Znwm"), *linked)
    _, lines = run_probed(tmp_path, program)
    assert lines[0]["malloc"]["path"] == str(SPAN)
    assert lines[0]["foreign"]["function"] == "_Znwm"
    assert "libjemalloc.so.2" in lines[0]["foreign"]["object"]["path"]
    _, lines = run_probed(tmp_path, program, preload=(PROBE, "libjemalloc.so.2"))
    assert lines[0]["foreign"] is None


@pytest.mark.parametrize("function", ["_ZdaPv", "_ZnwmSt11align_val_t"])
@pytest.mark.parametrize("flags", [(), ("-no-pie",), ("-Wl,--hash-style=sysv", "-Wl,-z,now")])
def test_any_kind_of_program_is_seen_to_ask(tmp_path, function, flags):
    linked = ("-Wl,--no-as-needed", "-l:libjemalloc.so.2")
    program = compile_program(tmp_path, asking_for(function), *linked, *flags)
    _, lines = run_probed(tmp_path, program)
    assert lines[0]["foreign"]["function"] == function


def test_a_library_is_seen_to_ask(tmp_path):
    (tmp_path / "asks.c").write_text(asking_for("_Znam").replace("int main", "int other"))
    library = tmp_path / "asks.so"
    command = ["cc", "-w", "-shared", "-fPIC", str(tmp_path / "asks.c"), "-o", str(library)]
    subprocess.run(command, check=True)
    linked = ("-Wl,--no-as-needed", str(library), "-l:libjemalloc.so.2")
    _, lines = run_probed(tmp_path, compile_program(tmp_path, PLAIN, *linked))
    assert lines[0]["foreign"]["function"] == "_Znam"


def test_what_nobody_asks_for_is_passed_over(tmp_path):
    """As in redis-server, a C program that is linked with jemalloc."""
    linked = ("-Wl,--no-as-needed", "-l:libjemalloc.so.2")
    _, lines = run_probed(tmp_path, compile_program(tmp_path, PLAIN, *linked))
    assert lines[0]["malloc"]["path"] == str(SPAN)
    assert lines[0]["foreign"] is None


SIZED = """
void free_sized(void *p, unsigned long n) { }
void *malloc(unsigned long n) { return 0; }
"""


def test_sized_free_of_a_second_allocator_is_seen(tmp_path):
    (tmp_path / "sized.c").write_text(SIZED)
    sized = tmp_path / "sized.so"
    command = ["cc", "-w", "-shared", "-fPIC", str(tmp_path / "sized.c"), "-o", str(sized)]
    subprocess.run(command, check=True)
    linked = ("-Wl,--no-as-needed", str(sized))
    program = compile_program(tmp_path, asking_for("free_sized"), *linked)
    _, lines = run_probed(tmp_path, program)
    assert lines[0]["foreign"] is None  # span has one of its own, which goes before
    _, lines = run_probed(tmp_path, program, preload=(PROBE, "libjemalloc.so.2"))
    assert lines[0]["foreign"]["function"] == "free_sized"
