"""The verb advise on small programs: the whole run, what it refuses, and what it leaves out when
the time is short."""

import html
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from places import BUILD, REPO

from frontend.recording import compiling

PROGRAM = REPO / "scripts" / "spanbench"
LABELS = ["asks", "time", "memory", "type", "page"]
NEEDED = ("librecord.so", "libprobe.so", "libspan-fast.so", "trace", "launch", "replay-glibc")
# Makes and frees blocks until the number in argv[1] is reached; then what argv[2] says.
SUBJECT = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
static void *blocks[1000];
int main(int argc, char **argv)
{
    const char *then = argc > 2 ? argv[2] : "";
    for (long i = 0; i < atol(argv[1]); i++) {
        void **block = &blocks[i * 7919 % 1000];
        free(*block);
        *block = malloc((size_t)(16 + i % 500));
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (strcmp(then, "clock") == 0)
        printf("%ld.%09ld\\n", (long)now.tv_sec, now.tv_nsec);
    if (strcmp(then, "address") == 0)
        puts(getenv("LD_PRELOAD") && strstr(getenv("LD_PRELOAD"), "001.so") ? "one" : "other");
    if (strcmp(then, "read") == 0)
        return getchar() != 'x';
    if (strcmp(then, "fail") == 0)
        return fputs("out of luck\\n", stderr), 3;
    if (strcmp(then, "crash") == 0)
        abort();
    while (strcmp(then, "stay") == 0)
        pause();
    return 0;
}
"""
SILENT = "int main(void) { return 0; }\n"
OWN = (
    "#include <stdlib.h>\nstatic char heap[9999];\nvoid *malloc(size_t n) { return heap; }\n"
    "void free(void *p) { }\nint main(void) { return malloc(1) == NULL; }\n"
)
# An allocator's library, of which only the operators matter here.
LINKED = """
#include <stdlib.h>
void *__libc_malloc(size_t);
void __libc_free(void *);
void *malloc(size_t n) { return __libc_malloc(n); }
void free(void *p) { __libc_free(p); }
void *_Znwm(size_t n) { return malloc(n); }
void _ZdlPv(void *p) { free(p); }
"""
USES_NEW = "void *_Znwm(size_t);\nvoid *(*uses)(size_t) = _Znwm;\n"


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """A folder with the programs `subject`, `silent` and `own`."""
    folder = tmp_path_factory.mktemp("programs")
    for name, source in (("subject", SUBJECT), ("silent", SILENT), ("own", OWN)):
        (folder / f"{name}.c").write_text(source)
        command = ["cc", "-w", "-fno-builtin", folder / f"{name}.c", "-o", folder / name]
        subprocess.run(command, check=True)
    return folder


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The folder that the verb is called in; the page is not drawn, which takes longest."""
    for name in NEEDED:
        if not (BUILD / name).exists():
            pytest.skip(f"{name}: not built")
    monkeypatch.setenv("SPANBENCH_BUILD", str(BUILD))
    monkeypatch.setattr("frontend.page.report.write_report", drawn)
    monkeypatch.setattr("frontend.advising.advice_plan.PAGE_LOOPS", 1)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def drawn(files, folder, _advice):
    """A page that names the result files."""
    page = Path(folder) / "report.html"
    page.write_text(" ".join(path.name for path in files))
    return page


@pytest.fixture
def advise(spanbench, place):
    """A function that advises between glibc and span-fast: (status, stdout, stderr)."""
    return lambda *words: spanbench("advise", "-a", "span-fast", *words)


def labels(out):
    return [line.split()[0] for line in out.splitlines()]


# The whole


def test_a_short_program_is_replayed_and_run_for_real(advise, programs, place):
    status, out, err = advise("--limit-time", "30", "--", programs / "subject", "20000")
    assert (status, labels(out)) == (0, LABELS), err
    asks, time_line, memory, type_line, page = out.splitlines()
    assert re.match(r"asks    subject: 4\d,\d{3} calls in .* live, 1 thread$", asks)
    number = r"[-+]?[\d.]+"
    assert re.match(rf"time    span-fast {number} % \[{number}, {number}\] ", time_line), time_line
    assert re.search(r" with glibc \(\d+ real runs each, intervals of 9\d %\)$", time_line)
    assert re.match(rf"memory  span-fast {number} % .* MiB peak RSS with glibc$", memory)
    line = f"LD_PRELOAD={BUILD / 'libspan-fast.so'} {programs / 'subject'} 20000"
    assert type_line.startswith((f"type    {line}", "type    keep glibc: ")), type_line
    assert page == "page    subject-advice/report.html"
    folder = place / "subject-advice"
    assert (folder / "report.html").read_text() == "replays.json runs.json"
    assert "no real runs" not in err and " left)" in err


def test_the_page_is_a_real_one(spanbench, programs, tmp_path, monkeypatch):
    monkeypatch.setenv("SPANBENCH_BUILD", str(BUILD))
    if not (BUILD / "librecord.so").exists():
        pytest.skip("librecord.so: not built")
    words = ("-a", "span-fast", "--limit-time", "30", "--json", "-o", tmp_path / "here")
    status, out, err = spanbench("advise", *words, "--", programs / "subject", "3000")
    facts = json.loads(out)
    assert status == 0 and facts["page"] == str(tmp_path / "here" / "report.html"), err
    page = Path(facts["page"]).read_text()
    assert "Real programs" in page and "Replayed traces" in page
    opening = page.partition("<nav")[0].partition("<body>")[2]
    assert "which allocator for subject?" in opening and "glibc (" in opening
    assert (facts["line"] or "keep glibc: ") in html.unescape(opening)
    assert "of glibc's time per op" not in opening and "of glibc's time per op" in page
    assert all(note in html.unescape(opening) for note in facts["notes"])
    assert facts["source"] == "real runs" and facts["asked"]["calls"] > 3000
    assert [one["name"] for one in facts["allocators"]] == ["span-fast"]
    assert facts["allocators"][0]["memory"]["ratio"] > 0.5
    assert facts["line"] is None or facts["line"].startswith("LD_PRELOAD=")


@pytest.fixture
def standard_input(tmp_path):
    """Makes a file that begins with an x the standard input of this process."""
    (tmp_path / "input").write_text("x")
    before = os.dup(0)
    with open(tmp_path / "input", "rb") as stdin:
        os.dup2(stdin.fileno(), 0)
    yield
    os.dup2(before, 0)
    os.close(before)


def test_a_file_for_standard_input_is_read_in_every_run(advise, programs, standard_input):
    words = ("--limit-time", "30", "--json", "--", programs / "subject", "100", "read")
    status, out, err = advise(*words)
    assert status == 0, err
    assert json.loads(out)["source"] == "real runs"


def test_the_process_with_the_most_calls_is_looked_at(advise, programs, place):
    script = f"{programs}/subject 50; {programs}/subject 9000; true"
    status, out, err = advise("--limit-time", "20", "--", "sh", "-c", script)
    assert status == 0, err
    assert re.match(r"asks    subject \(\d\d % of the calls of 3 processes\): 18,\d{3} calls", out)
    assert (place / "sh-advice" / "sh-subject.trace").exists()


# What is not compared


def test_times_in_the_output_are_told_and_do_not_matter(advise, programs):
    words = ("--limit-time", "20", "--json", "--", programs / "subject", "2000", "clock")
    status, out, err = advise(*words)
    assert status == 0, err
    facts = json.loads(out)
    assert facts["allocators"][0]["error"] is None and facts["allocators"][0]["time"]
    assert any("output differs each time" in note for note in facts["notes"])


def test_other_output_under_one_allocator_is_told(advise, programs):
    words = ("--limit-time", "20", "--json", "--", programs / "subject", "2000", "address")
    status, out, err = advise(*words)
    assert status == 0, err
    notes = json.loads(out)["notes"]
    assert any("its output under span-fast differs from that under glibc" in n for n in notes)


def test_a_library_that_stays_in_the_way_leaves_the_replays(advise, programs, place):
    """As jemalloc in a C++ program: its operators are used whatever is preloaded."""
    library = place / "libjemalloc.so.2"
    (place / "lib.c").write_text(LINKED)
    words = ["cc", "-w", "-shared", "-fPIC", "-fno-builtin", "lib.c", "-o", library]
    subprocess.run([*words, f"-Wl,-soname,{library}"], check=True)
    (place / "main.c").write_text(SUBJECT.replace("int main", USES_NEW + "int main"))
    words = ["cc", "-w", "-fno-builtin", "main.c", library, "-Wl,--no-as-needed", "-o", "linked"]
    subprocess.run(words, check=True)
    status, out, err = advise("--limit-time", "30", "--json", "--", "./linked", "20000")
    assert status == 0, err
    facts = json.loads(out)
    assert facts["linked_with"] == library.name and facts["source"] == "replays"
    assert "not under glibc: operator new comes from" in facts["no_real_runs"]


# What does not fit the time


def test_what_does_not_end_is_recorded_for_a_while(advise, programs, place):
    started = time.monotonic()
    words = ("--limit-time", "10", "--json", "--", programs / "subject", "10000000", "stay")
    status, out, err = advise(*words)
    assert status == 0, err
    facts = json.loads(out)
    assert facts["source"] == "replays" and "did not end within" in facts["no_real_runs"]
    assert facts["real_saving_of_predicted"] == [0.34, 4.2]
    if facts["cut"]:
        assert facts["cut"]["replayed_ops"] < facts["cut"]["ops"]
        assert (place / "subject-advice" / "subject-cut.trace").exists()
    else:  # a slow disk left a recording, not of all twenty million calls, that is short enough
        assert facts["asked"]["calls"] < 15_000_000, facts
    assert not left_of(programs / "subject")
    assert time.monotonic() - started < 60  # far below what it would take otherwise


def test_without_real_runs_the_lines_say_that_they_are_replays(advise, programs):
    words = ("--limit-time", "10", "--", programs / "subject", "2000", "stay")
    status, out, err = advise(*words)
    assert (status, labels(out)) == (0, LABELS), err
    line = out.splitlines()[1]
    assert re.search(
        r"Replays only \(\d+ replays? each.*\): a real saving is mostly 0.34 to 4.2", line
    )
    assert "of the program's time" in line
    assert "spanbench: no real runs: subject did not end within" in err


# What it refuses


def left_of(program):
    """The processes that run a program."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{entry}/exe") == str(program):
                found.append(int(entry))
        except OSError:
            pass
    return found


@pytest.mark.parametrize(
    "words, status, told",
    [
        (("subject", "9", "fail"), 1, "subject: exit status 3: out of luck (--ignore-status"),
        (("subject", "9", "crash"), 1, "subject: killed by signal 6 (SIGABRT)"),
        (("silent",), 1, "silent: nothing recorded: silent made no malloc call"),
        (("own",), 1, "own: has a malloc of its own (symbol malloc): no other can be preloaded"),
    ],
)
def test_programs_that_cannot_be_advised_end_in_one_line(
    advise, programs, place, words, status, told
):
    done = advise("--", programs / words[0], *words[1:])
    assert done[:2] == (status, "")
    lines = [line for line in done[2].splitlines() if " left)" not in line]
    assert len(lines) == 1 and lines[0].startswith(f"spanbench: {told}"), done[2]
    assert not list(place.iterdir())


def test_what_fails_leaves_what_an_earlier_advice_made(advise, programs, place):
    folder = place / "mine"
    (folder / "subject.trace.d").mkdir(parents=True)
    names = ["replays.json", "report.html", "subject.trace", "subject.trace.d/7-0.trace"]
    for name in names:
        (folder / name).write_text(f"earlier {name}")
    assert advise("-o", folder, "--", programs / "subject", "9", "fail")[0] == 1
    left = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    assert [str(path.relative_to(folder)) for path in left] == names
    assert all(path.read_text().startswith("earlier ") for path in left)


def test_a_failing_command_can_be_meant(advise, programs):
    words = ("--limit-time", "20", "--json", "--ignore-status")
    status, out, err = advise(*words, "--", programs / "subject", "500", "fail")
    assert status == 0, err
    assert any("exit status 3" in note for note in json.loads(out)["notes"])


@pytest.mark.parametrize(
    "words, told",
    [
        ((), "a command is missing"),
        (("--", "no-such-program"), "no-such-program: command not found"),
        (("--limit-time", "0", "--", "true"), "--limit-time: 0: not a number of seconds"),
        (("-a", "null", "--", "true"), "-a: null: its blocks overlap"),
        (("-a", "nix", "--", "true"), "-a: nix: no such allocator"),
    ],
)
def test_wrong_usage_is_told_before_any_work(spanbench, place, words, told):
    status, out, err = spanbench("advise", *words)
    assert (status, out, err.count("\n")) == (2, "", 1) and told in err
    assert not list(place.iterdir())


def test_what_the_page_needs_is_asked_for_first(spanbench, place, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, _, err = spanbench("advise", "--", "true")
    assert status == 2 and err.count("\n") == 1
    assert err.startswith("spanbench: the Python module matplotlib is not installed; ")


def test_glibc_alone_is_no_choice(spanbench, place):
    status, _, err = spanbench("advise", "-a", "glibc", "--", "true")
    assert status == 2 and "no allocator but glibc" in err


# An end before the end


def interrupted(programs, place, words, seconds):
    """(status, stderr) of a run that gets a SIGINT."""
    command = [PROGRAM, "advise", "-a", "span-fast", "--", programs / "subject", *words]
    environment = {**os.environ, "SPANBENCH_BUILD": str(BUILD), "TMPDIR": str(place / "tmp")}
    (place / "tmp").mkdir()
    process = subprocess.Popen(
        command, env=environment, cwd=place, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert out == b""
    return process.returncode, err.decode()


def test_an_interrupt_while_it_records_leaves_nothing(programs, place):
    status, err = interrupted(programs, place, ("100", "stay"), 3)
    assert status == 130 and err.endswith("spanbench: interrupted\n"), err
    assert not left_of(programs / "subject")
    assert [path.name for path in place.rglob("*")] == ["tmp"]


def test_an_interrupt_later_says_what_was_made(programs, place):
    command = [PROGRAM, "advise", "-a", "span-fast", "--", programs / "subject", "4000000"]
    environment = {**os.environ, "SPANBENCH_BUILD": str(BUILD), "TMPDIR": str(place / "tmp")}
    (place / "tmp").mkdir()
    with subprocess.Popen(
        command, env=environment, cwd=place, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        for line in process.stderr:
            if line.startswith(b"spanbench: warm-up"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read().decode()
    assert process.returncode == 130
    assert "what was made until now: subject-advice/subject.trace" in rest.replace(f"{place}/", "")
    assert (place / "subject-advice" / "subject.trace").exists()
    assert not list((place / "tmp").iterdir()) and not left_of(programs / "subject")


def test_a_recording_that_cannot_be_compiled_is_not_called_empty(
    advise, programs, place, monkeypatch
):
    def fail(*_):
        raise compiling.CompileFailed("subject.trace: No space left on device")

    monkeypatch.setattr(compiling, "compile_main", fail)
    status, out, err = advise("--", programs / "subject", "9")
    assert (status, out) == (1, "") and "subject.trace: No space left on device; the " in err
    assert err.endswith("spanbench: subject: what was recorded could not be compiled\n")
    assert [path.name for path in place.glob("*/*")] == ["subject.trace.recording"]
