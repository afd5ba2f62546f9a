"""The verbs record, info and import, on the real recorder: real programs and their ends."""

import json
import os
import re
import signal
import subprocess
import time
from contextlib import suppress

import pytest
from places import BUILD, REPO

PROGRAM = REPO / "scripts" / "spanbench"
BUSY = "while (1) { @a = map { q(x) x $_ } 1..100 }"


@pytest.fixture
def record(spanbench, tmp_path, monkeypatch):
    """A function that records into x.trace and returns (status, stdout, stderr)."""
    if not ((BUILD / "librecord.so").exists() and (BUILD / "trace").exists()):
        pytest.skip("build/release: not built")
    monkeypatch.setenv("SPANBENCH_BUILD", str(BUILD))
    monkeypatch.chdir(tmp_path)
    return lambda *words: spanbench("record", "-o", "x.trace", *words)


def info(spanbench, path):
    """What `info --json` says of a trace."""
    status, out, err = spanbench("info", path, "--json")
    assert status == 0, err
    return json.loads(out)


def test_a_program_is_recorded_and_nothing_else_is_left(record, spanbench, tmp_path):
    status, out, err = record("--", "sort", "/etc/passwd")
    assert status == 0 and "root:" in out
    assert os.listdir(tmp_path) == ["x.trace"]
    told = re.search(r"x\.trace: ([\d,]+) operations of 1 thread, .* bytes an operation", err)
    facts = info(spanbench, "x.trace")
    # How many there are depends on the version of sort, the locale and the file.
    assert facts["ops"] == int(told[1].replace(",", "")) > 0
    assert facts["by_kind"]["malloc"] > 0 and facts["origin"]["program"] == "sort"


def test_info_has_a_page_for_people(record, spanbench):
    record("sort", "/etc/passwd")
    status, out, _ = spanbench("info", "x.trace")
    assert status == 0
    for word in ("operations", "peak live", "malloc", "free", "program", "sort", "nothing"):
        assert word in out


@pytest.mark.parametrize("script, status", [("exit 7", 7), ("kill -9 $$", 137)])
def test_it_exits_as_the_command_did(record, script, status):
    assert record("--", "bash", "-c", script)[0] == status


def test_children_have_traces_of_their_own(record, tmp_path):
    record("bash", "-c", "sort /etc/passwd; sort /etc/group; true")
    children = list((tmp_path / "x.trace.d").iterdir())
    assert len(children) >= 2
    assert all(child.suffix == ".trace" for child in children)


def test_children_can_be_left_out(record, tmp_path):
    record("--no-children", "bash", "-c", "sort /etc/passwd; true")
    assert os.listdir(tmp_path) == ["x.trace"]


def test_the_last_image_of_the_command_is_the_trace(record, spanbench, tmp_path):
    record("bash", "-c", "exec sort /etc/passwd")
    assert info(spanbench, "x.trace")["origin"]["program"] == "sort"
    assert len(list((tmp_path / "x.trace.d").iterdir())) == 1


def test_a_static_program_is_told(record, tmp_path):
    source = tmp_path / "s.c"
    source.write_text("int main(void) { return 0; }\n")
    subprocess.run(["cc", "-static", str(source), "-o", str(tmp_path / "s")], check=True)
    status, _, err = record("--", "./s")
    assert status == 1 and "nothing recorded" in err
    assert not (tmp_path / "x.trace").exists()
    assert not (tmp_path / "x.trace.recording").exists()


@pytest.mark.parametrize(
    "words, complaint",
    [
        (("--", "no-such-program"), "no-such-program: command not found"),
        (("--", "/usr/bin"), "/usr/bin: Is a directory"),
        ((), "a command is missing"),
        (("--recover", "nowhere"), "nowhere: no such directory"),
        (("--recover", "."), "holds no raw recording"),
    ],
)
def test_usage_is_checked_before_any_work(record, tmp_path, words, complaint):
    status, _, err = record(*words)
    assert status == 2 and complaint in err
    assert os.listdir(tmp_path) == []


def test_an_unwritable_output_is_refused_before_the_command_runs(record, spanbench, tmp_path):
    status, _, err = spanbench("record", "-o", "/nowhere/x", "touch", tmp_path / "ran")
    assert status == 2 and "/nowhere/x: No such file" in err
    assert not (tmp_path / "ran").exists()


def test_an_earlier_recording_is_not_overwritten(record, tmp_path):
    (tmp_path / "x.trace.recording").mkdir()
    status, _, err = record("true")
    assert status == 2 and "--recover" in err


def test_what_the_user_preloads_stays(record, shared_objects, monkeypatch, tmp_path):
    monkeypatch.setenv("LD_PRELOAD", str(shared_objects / "libharmless.so"))
    status, out, _ = record("grep", "-o", "[^/]*harmless.so", "/proc/self/maps")
    assert status == 0 and "libharmless.so" in out


@pytest.fixture
def endless(record, tmp_path):
    """The front end's process, recording a program that does not end by itself."""
    process = start(tmp_path)
    yield process
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def start(tmp_path):
    """Starts the recording, in a process group of its own, and waits until it is under way."""
    command = [str(PROGRAM), "record", "-o", "x.trace", "--", "perl", "-e", BUSY]
    environment = {**os.environ, "SPANBENCH_BUILD": str(BUILD), "TMPDIR": str(tmp_path.parent)}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    )
    raw = tmp_path / "x.trace.recording"
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        files = list(raw.glob("*-*.raw")) if raw.exists() else []
        if files and sum(file.stat().st_blocks * 512 for file in files) > 300_000:
            return process
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    raise AssertionError("no recording began")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_for_the_command_and_its_calls_are_kept(endless, spanbench, tmp_path, number):
    endless.send_signal(number)
    assert endless.wait(20) == (128 + number)
    assert info(spanbench, "x.trace")["ops"] > 1000
    assert os.listdir(tmp_path) == ["x.trace"]


def test_a_killed_command_leaves_all_that_it_had_done(endless, spanbench, tmp_path):
    os.kill(int((tmp_path / "x.trace.recording" / "root").read_text()), signal.SIGKILL)
    assert endless.wait(20) == 137
    assert info(spanbench, "x.trace")["ops"] > 1000


def test_a_killed_front_end_leaves_what_can_be_recovered(record, endless, spanbench, tmp_path):
    endless.kill()
    endless.wait()
    raw = tmp_path / "x.trace.recording"
    os.kill(int((raw / "root").read_text()), signal.SIGKILL)
    status, _, err = record("--recover", raw)
    assert status == 0, err
    assert info(spanbench, "x.trace")["ops"] > 1000
    assert not raw.exists()


def test_a_recorded_trace_is_replayed_everywhere(record, spanbench, tmp_path):
    record("sort", "/etc/passwd")
    status, out, err = spanbench("replay", "x.trace", "-a", "span,glibc", "-n", "2", "-o", "x.json")
    assert status == 0, err
    measured = json.loads((tmp_path / "x.json").read_text())
    assert len(measured["benchmarks"]) == 6
    assert len({entry["checksum"] for entry in measured["benchmarks"]}) == 1


@pytest.mark.parametrize("text", [b"", b"plain text\n" * 50])
def test_what_is_no_trace_is_refused(record, spanbench, tmp_path, text):
    (tmp_path / "bad.trace").write_bytes(text)
    status, out, err = spanbench("info", "bad.trace")
    assert (status, out) == (2, "") and "bad.trace: " in err and err.count("\n") == 1


def test_a_cut_trace_is_refused(record, spanbench, tmp_path):
    record("sort", "/etc/passwd")
    whole = (tmp_path / "x.trace").read_bytes()
    (tmp_path / "x.trace").write_bytes(whole[: len(whole) // 2])
    status, out, err = spanbench("replay", "x.trace", "-a", "glibc")
    assert (status, out) == (2, "") and "x.trace: " in err and err.count("\n") == 1


def test_import_passes_on_work_and_status(record, spanbench, tmp_path):
    status, _, err = spanbench("import", "none.txt", "-o", "y.trace")
    assert status == 2 and "none.txt" in err


OWN = """
#include <stdlib.h>
static char heap[1 << 16];
static size_t used;
void *NAME(size_t n) { return heap + (used += n); }
#ifdef ALL
void free(void *p) { }
#endif
int main(void) { for (int i = 0; i < 99; i++) NAME(100); free(malloc(10)); return 0; }
"""


def compile_own(folder, name, *flags):
    """A program whose own allocator has a function of this name."""
    (folder / "own.c").write_text(OWN.replace("NAME", name))
    command = ["cc", "-w", "-fno-builtin", *flags, str(folder / "own.c"), "-o", str(folder / "own")]
    subprocess.run(command, check=True)


@pytest.mark.parametrize(
    "name", ["je_malloc", "_rjem_malloc", "_rjem_mallocx", "mi_malloc", "tc_malloc", "odd_mallocx"]
)
def test_a_program_with_a_malloc_of_its_own_is_told(record, tmp_path, name):
    compile_own(tmp_path, name)
    status, _, err = record("--", "./own")
    assert status == 0
    told = re.search(rf"own: has a malloc of its own \(symbol {name}\): (\d+) calls seen", err)
    assert told and 2 <= int(told[1]) < 10
    assert b".executable" not in (tmp_path / "x.trace").read_bytes()


@pytest.mark.parametrize("name, flags", [("xmalloc", []), ("zmalloc", []), ("je_malloc", ["-s"])])
def test_wrappers_of_malloc_and_stripped_programs_are_not_told(record, tmp_path, name, flags):
    compile_own(tmp_path, name, *flags)
    status, _, err = record("--", "./own")
    assert status == 0 and "of its own" not in err


def test_a_program_that_replaces_malloc_is_told(record, tmp_path):
    compile_own(tmp_path, "malloc", "-DALL", "-s", "-rdynamic")
    _, _, err = record("--", "./own")
    assert "own: has a malloc of its own (symbol malloc): 0 calls seen" in err
