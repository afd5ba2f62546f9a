"""The verb record where things are not plain: images that cannot be recorded, daemons, signals,
namespaces, limits, full disks."""

import ctypes
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from places import BUILD, REPO

SUBJECTS = BUILD / "tests" / "subjects"
PROGRAM = REPO / "scripts" / "spanbench"
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
PATIENCE_S = 60  # a loaded machine is slow
RAW_EXEC = """$p = "/usr/bin/sort"; $a = pack("ppQ", "sort", "/etc/passwd", 0); $e = pack("Q", 0);
    syscall(NUMBER, $p, $a, $e)"""
EXEC_NUMBERS = {"x86_64": 59, "aarch64": 221}


@pytest.fixture
def record(spanbench, tmp_path, monkeypatch):
    """A function that records into x.trace and returns (status, stdout, stderr)."""
    if not ((BUILD / "librecord.so").exists() and (BUILD / "trace").exists()):
        pytest.skip("build/release: not built")
    monkeypatch.setenv("SPANBENCH_BUILD", str(BUILD))
    monkeypatch.chdir(tmp_path)
    return lambda *words: spanbench("record", "-o", "x.trace", *words)


@pytest.fixture
def static_program(tmp_path):
    """The path of a program that no loader loads anything into."""
    source = tmp_path / "static.c"
    source.write_text("int main(void) { return 0; }\n")
    program = tmp_path / "static-program"
    subprocess.run(["cc", "-static", source, "-o", program], check=True)
    source.unlink()
    return program


def info(path):
    done = subprocess.run([BUILD / "trace", "info", path], capture_output=True, check=True)
    return json.loads(done.stdout)


def programs_beside(path):
    """The programs of the traces in FILE.d."""
    return sorted(info(trace)["origin"]["program"] for trace in path.glob("*.trace"))


# Images that are not recorded


@pytest.mark.parametrize("status", [0, 7])
def test_a_cleared_environment_leaves_no_trace_of_another_program(record, tmp_path, status):
    (tmp_path / "x.trace").write_text("of an earlier recording")
    done = record("--", "env", "-i", "perl", "-e", f"exit {status}")
    assert done[0] == status
    assert re.search(r"x\.trace: not recorded: perl \(pid \d+\) .* cleared environment", done[2])
    assert not (tmp_path / "x.trace").exists()
    assert programs_beside(tmp_path / "x.trace.d") == ["env"]


@pytest.mark.parametrize(
    "script, reason",
    [
        ("exec {static}", r"static-program \(pid \d+\) is linked statically"),
        ("exec env -u LD_PRELOAD perl -e 1", r"perl \(pid \d+\) .*without the recorder"),
        ("SPANBENCH_RECORD_DIR=/nowhere exec perl -e 1", r"perl \(pid \d+\) .*another recording"),
        ("ulimit -f 0; exec perl -e 1", r"no place for the recording \(File too large\)"),
        ("exec true", r"nothing recorded: true made no malloc call"),
    ],
)
def test_the_last_image_is_the_trace_or_there_is_none(
    record, tmp_path, static_program, script, reason
):
    status, _, err = record("--", "sh", "-c", script.format(static=static_program))
    assert status == 0 and re.search(reason, err), err
    assert not (tmp_path / "x.trace").exists()
    assert "dash" in programs_beside(tmp_path / "x.trace.d")


def test_an_image_started_by_a_raw_system_call_is_missed_as_well(record, tmp_path):
    number = EXEC_NUMBERS.get(os.uname().machine)
    if not number:
        pytest.skip("the number of execve is not known here")
    status, out, err = record("--", "perl", "-e", RAW_EXEC.replace("NUMBER", str(number)))
    assert status == 0 and "root:" in out
    assert re.search(r"not recorded: sort \(pid \d+\)", err), err
    assert not (tmp_path / "x.trace").exists()
    assert programs_beside(tmp_path / "x.trace.d") == ["perl"]


def test_an_exec_that_fails_is_none(record, tmp_path):
    script = "no_such_program_xyz 2>/dev/null || env -i PATH=/nowhere no_such 2>/dev/null || exit 4"
    status, _, err = record("--", "sh", "-c", script)
    assert status == 4 and "not be recorded" not in err and "not recorded" not in err
    assert (tmp_path / "x.trace").exists()


def test_children_that_are_not_recorded_are_counted_and_named(record, static_program):
    script = f"{static_program}; {static_program}; env -i perl -e 1; true"
    status, _, err = record("--", "sh", "-c", script)
    assert status == 0
    assert "3 further images could not be recorded: static-program is linked" in err
    assert "statically (2 times)" in err
    assert "perl was started with a cleared environment" in err


def test_spawned_programs_are_told_apart_from_those_that_vanish(record):
    status, _, err = record("--", SUBJECTS / "spawning")
    assert status == 5
    assert "2 further images could not be recorded: true was started with a cleared" in err
    assert "sh was started with a cleared" in err


@ROOT
def test_another_user_who_may_not_write_is_named(record, tmp_path):
    status, _, err = record(
        "--", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "id"
    )
    assert status == 0 and re.search(r"not recorded: id \(pid \d+\)", err), err
    assert not (tmp_path / "x.trace").exists()


def test_no_children_means_no_word_about_them(record):
    status, _, err = record("--no-children", "--", "sh", "-c", "env -i perl -e 1; true")
    assert status == 0 and "could not be recorded" not in err


@ROOT
@pytest.mark.parametrize("options", [(), ("--no-children",)])
def test_pids_of_other_namespaces_are_not_those_of_the_command(tmp_path, options):
    """In a namespace of its own the command has a low pid, as its children have in theirs."""
    script = "for i in 1 2 3; do unshare -pf --mount-proc sh -c "
    script += "'for j in 1 2 3 4 5 6; do perl -e 1; done'; done"
    command = [PROGRAM, "record", *options, "-o", tmp_path / "x.trace", "--", "sh", "-c", script]
    outer = ["unshare", "-pf", "--mount-proc", *map(str, command)]
    environment = {**os.environ, "SPANBENCH_BUILD": str(BUILD)}
    done = subprocess.run(outer, env=environment, capture_output=True, text=True, timeout=120)
    if "unshare:" in done.stderr:
        pytest.skip("may not make namespaces")
    assert done.returncode == 0, done.stderr
    assert info(tmp_path / "x.trace")["origin"]["program"] == "dash"
    beside = list((tmp_path / "x.trace.d").glob("*.trace")) if not options else []
    perls = [i for i in map(info, beside) if i["origin"]["program"] == "perl"]
    assert len(perls) == (0 if options else 18)
    assert all("pid_namespace" in perl["origin"] for perl in perls)


# Programs that go on in the background


def test_a_daemon_is_waited_for(record, tmp_path):
    status, _, err = record("--", SUBJECTS / "background", "1500")
    assert status == 7
    assert "background (pid" in err and "waiting" in err and "the largest" in err
    (daemon,) = (tmp_path / "x.trace.d").glob("*.trace")
    assert info(daemon)["ops"] >= 150 * 1000 * 2
    assert info(tmp_path / "x.trace")["ops"] < 100
    assert not (tmp_path / "x.trace.recording").exists()


def test_a_daemon_that_goes_on_can_be_recovered_later(record, tmp_path):
    status, _, err = record("--wait", "0.2", "--", SUBJECTS / "background", "6000")
    raw = tmp_path / "x.trace.recording"
    assert status == 7
    assert "spanbench record --recover x.trace.recording -o x.trace" in err
    assert raw.exists() and not (tmp_path / "x.trace.d").exists()
    assert (tmp_path / "x.trace").exists()
    pid = int(re.search(r"background \(pid (\d+)\)", err).group(1))
    wait_until(lambda: not is_alive(pid))
    status, _, err = record("--recover", raw)
    assert status == 0, err
    (daemon,) = (tmp_path / "x.trace.d").glob("*.trace")
    assert info(daemon)["ops"] >= 600 * 1000 * 2
    assert (tmp_path / "x.trace").exists() and not raw.exists()


def test_recovering_too_early_says_so_and_keeps_the_recording(record, tmp_path):
    record("--wait", "0", "--", SUBJECTS / "background", "20000")
    status, _, err = record("--recover", "x.trace.recording")
    assert status == 0 and "is still recorded" in err
    assert (tmp_path / "x.trace.recording").exists()
    (daemon,) = (tmp_path / "x.trace.d").glob("*.trace")
    assert "still running" in info(daemon)["origin"]["unfinished"]
    os.kill(int(re.search(r"background \(pid (\d+)\)", err).group(1)), signal.SIGKILL)


def wait_until(holds):
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# A stretch, and so much of the disk

CHURN = "while (1) { @a = map { q(x) x $_ } 1..100; select(undef, undef, undef, 0.001) }"


def test_a_stretch_is_recorded_and_the_command_goes_on(record, started, tmp_path):
    process = started("--for", "1", "--", "perl", "-e", CHURN)
    wait_until(lambda: not (tmp_path / "x.trace.recording").exists() and exists(tmp_path))
    assert process.poll() is None
    first = info(tmp_path / "x.trace")
    assert first["ops"] > 100 and first["duration_ns"] < 5e9
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 128 + signal.SIGTERM
    assert info(tmp_path / "x.trace")["ops"] == first["ops"]


def exists(folder):
    return (folder / "x.trace").exists()


def test_nothing_is_recorded_before_the_stretch(record):
    script = "@a = map { [1..50] } 1..2000; select(undef, undef, undef, 3); @b = map { [1] } 1..200"
    status, _, err = record("--after", "2", "--", "perl", "-e", script)
    assert status == 0
    late = info("x.trace")
    status, _, err = record("--", "perl", "-e", script)
    assert status == 0
    assert 100 < late["ops"] < info("x.trace")["ops"] / 2


def test_the_size_on_the_disk_is_bounded(record, tmp_path):
    script = "for (1..300000) { push @a, q(x) x ($_ % 99 + 30) }"
    status, _, err = record("--max-size", "1M", "--", "perl", "-e", script)
    assert status == 0
    assert "calls lost (--max-size)" in err
    facts = info(tmp_path / "x.trace")
    assert 0 < facts["ops"] <= (1 << 20) / 16


@pytest.mark.parametrize("words", [("--max-size", "x"), ("--max-size", "1"), ("--wait", "-1")])
def test_what_makes_no_sense_is_refused(record, tmp_path, words):
    status, _, err = record(*words, "--", "true")
    assert status == 2 and words[0] in err
    assert list(tmp_path.iterdir()) == []


# Signals


@pytest.fixture
def started(record, tmp_path):
    """A function that starts a recording as a process of its own."""
    processes = []

    def start(*words, **more):
        command = [str(PROGRAM), "record", "-o", "x.trace", *map(str, words)]
        environment = {**os.environ, "SPANBENCH_BUILD": str(BUILD)}
        processes.append(
            subprocess.Popen(
                command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True, **more
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        with suppress(ProcessLookupError):
            process.kill()
        process.stdout.close()
        process.wait()


def lines_until(stream, last):
    """The lines before the one that says `last`."""
    return [line.strip() for line in iter(stream.readline, f"{last}\n")]


@pytest.mark.parametrize(
    "number",
    [signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGWINCH, signal.SIGCONT, signal.SIGPIPE]
    + [signal.SIGALRM, signal.SIGCHLD, signal.SIGRTMIN + 3],
)
def test_a_signal_to_spanbench_reaches_the_command_once(started, number):
    process = started("--", SUBJECTS / "signal_teller")
    lines_until(process.stdout, "ready")
    process.send_signal(number)
    assert process.stdout.readline() == f"{int(number)} 0\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == f"{int(signal.SIGTERM)} 0\n"
    assert process.wait(PATIENCE_S) == 6


def test_the_value_of_a_signal_is_passed_on(started):
    process = started("--", SUBJECTS / "signal_teller")
    lines_until(process.stdout, "ready")
    ctypes.CDLL(None).sigqueue(process.pid, signal.SIGUSR1, ctypes.c_void_p(4711))
    assert process.stdout.readline() == f"{int(signal.SIGUSR1)} 4711\n"
    process.send_signal(signal.SIGTERM)  # or the command would outlive the test
    assert process.wait(PATIENCE_S) == 6


@pytest.mark.parametrize("trap", [("PIPE",), ("TERM", "HUP"), ()])
def test_what_the_caller_ignores_stays_ignored(record, started, tmp_path, trap):
    ignore = f"trap '' {' '.join(trap)};" if trap else ""
    script = f"{ignore} exec {PROGRAM} record -o y.trace -- {SUBJECTS / 'signal_teller'}"
    environment = {**os.environ, "SPANBENCH_BUILD": str(BUILD)}
    process = subprocess.Popen(
        ["sh", "-c", script], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    numbers = {int(line.split()[1]) for line in lines_until(process.stdout, "ready")}
    process.send_signal(signal.SIGTERM)
    process.stdout.read()
    process.wait(PATIENCE_S)
    assert numbers == {int(signal.Signals[f"SIG{name}"]) for name in trap}


JOB_CONTROL = """
import os, signal, sys
pid = os.fork()
if pid == 0:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
while True:
    _, status = os.waitpid(pid, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        print("ended", os.waitstatus_to_exitcode(status), flush=True)
        sys.exit()
    os.tcsetpgrp(0, os.getpgrp())
    print("stopped", flush=True)
    input()
    os.tcsetpgrp(0, pid)
    os.killpg(pid, signal.SIGCONT)
"""


class Terminal:
    """A terminal with a small shell in it, which runs one command in front."""

    def __init__(self, command, folder):
        shell = [sys.executable, "-c", JOB_CONTROL, *map(str, command)]
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.environ["SPANBENCH_BUILD"] = str(BUILD)
            os.execv(shell[0], shell)
        self.text = ""

    def type(self, text):
        os.write(self.descriptor, text.encode())

    def read_until(self, pattern):
        deadline = time.monotonic() + PATIENCE_S
        while not re.search(pattern, self.text):
            ready, _, _ = select.select([self.descriptor], [], [], deadline - time.monotonic())
            assert ready, self.text
            self.text += os.read(self.descriptor, 4096).decode()

    def close(self):
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.descriptor)


@pytest.fixture
def terminal(record, tmp_path):
    command = [PROGRAM, "record", "-o", "x.trace", "--", SUBJECTS / "signal_teller"]
    terminal = Terminal(command, tmp_path)
    terminal.read_until("ready")
    yield terminal
    terminal.close()


def told(terminal):
    """The signals that the command says it got."""
    return re.findall(r"(?:^|[^\d])(\d+) 0\r$", terminal.text, re.MULTILINE)


def test_what_a_terminal_sends_does_not_arrive_twice(terminal):
    terminal.type("\x03\x1c")
    terminal.read_until(r"\b2 0\r")
    terminal.read_until(r"\b3 0\r")
    time.sleep(0.5)
    os.kill(command_of(terminal), signal.SIGTERM)
    terminal.read_until("ended 6")
    assert sorted(told(terminal)) == ["15", "2", "3"]


def test_both_stop_and_go_on_together(terminal):
    terminal.type("\x1a")
    terminal.read_until("stopped")
    assert state_of(command_of(terminal)) == "T"
    terminal.type("\n")
    terminal.read_until(r"\b18 0\r")
    time.sleep(0.5)
    os.kill(command_of(terminal), signal.SIGTERM)
    terminal.read_until("ended 6")
    assert sorted(told(terminal)) == ["15", "18"]


def command_of(terminal):
    """The pid of the subject: the shell's child is spanbench, whose child it is."""
    child = terminal.pid
    for _ in range(2):
        with open(f"/proc/{child}/task/{child}/children", encoding="ascii") as children:
            child = int(children.read().split()[0])
    return child


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as line:
        return line.read().rsplit(")", 1)[1].split()[0]


# Disks


@pytest.fixture
def small_disk(tmp_path):
    """A function that mounts a file system of so many KiB."""
    folder = tmp_path / "small disk"
    folder.mkdir()

    def mount(kibibytes):
        command = ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "none", str(folder)]
        if os.geteuid() != 0 or subprocess.run(command, stderr=subprocess.DEVNULL).returncode != 0:
            pytest.skip("may not mount a file system")
        return folder

    yield mount
    subprocess.run(["umount", str(folder)], stderr=subprocess.DEVNULL)


def test_a_full_disk_is_refused_before_the_command_runs(record, spanbench, small_disk, tmp_path):
    disk = small_disk(64)
    with suppress(OSError), open(disk / "filler", "wb") as filler:
        filler.write(b"x" * (1 << 20))
    status, _, err = spanbench("record", "-o", disk / "y.trace", "--", "touch", tmp_path / "ran")
    assert status == 2 and "No space left" in err and err.count("\n") == 1
    assert os.listdir(disk) == ["filler"] and not (tmp_path / "ran").exists()


def test_a_disk_that_gets_full_costs_calls_and_is_told(record, spanbench, small_disk):
    disk = small_disk(1024)
    script = "for (1..100000) { push @a, q(x) x ($_ % 99 + 30) } exit 3"
    status, _, err = spanbench("record", "-o", disk / "y.trace", "--", "perl", "-e", script)
    assert status == 3
    assert "No space left on device" in err and "Traceback" not in err


def leave_free(disk, kibibytes):
    """Fills a file system but for so many KiB."""
    facts = os.statvfs(disk)
    with open(disk / "filler", "wb") as filler:
        filler.write(bytes(facts.f_bavail * facts.f_bsize - kibibytes * 1024))


def test_an_older_trace_stays_where_nothing_could_be_recorded(record, spanbench, small_disk):
    disk = small_disk(1024)
    (disk / "y.trace").write_text("of an earlier recording")
    leave_free(disk, 260)
    status, _, err = spanbench("record", "-o", disk / "y.trace", "--", "perl", "-e", "exit 3")
    assert status == 3 and err.count("\n") == 1
    assert "y.trace: nothing recorded: no place for the recording (No space left" in err
    assert (disk / "y.trace").read_text() == "of an earlier recording"
    assert sorted(os.listdir(disk)) == ["filler", "y.trace"]


def test_further_runs_go_with_no_older_trace(record, spanbench, small_disk, tmp_path):
    disk = small_disk(1024)
    (disk / "y.trace").write_text("of an earlier recording")
    script = "open F, '>>', $ARGV[0]; print F 1; for (1..100000) { push @a, q(x) x ($_ % 99 + 30) }"
    command = ("perl", "-e", script, tmp_path / "runs")
    status, _, err = spanbench("record", "--times", "2", "-o", disk / "y.trace", "--", *command)
    assert status == 1 and err.count("\n") == 1
    assert err.endswith(
        f"the recording stays in {disk}/y.trace.recording; record --recover" " compiles it\n"
    )
    assert (tmp_path / "runs").read_text() == "1"
    assert (disk / "y.trace").read_text() == "of an earlier recording"
    assert sorted(os.listdir(disk)) == ["y.trace", "y.trace.recording"]


@pytest.mark.parametrize("script, status", [("exit 3", 3), ("exit 0", 1)])
def test_a_recording_that_somebody_removes_does_not_change_the_status(
    record, tmp_path, script, status
):
    done = record("--", "sh", "-c", f"rm -r x.trace.recording; {script}")
    raw = tmp_path / "x.trace.recording"
    assert done == (status, "", f"spanbench: {raw}: No such file or directory\n")
    assert not raw.exists()


def test_a_limit_on_files_is_refused_before_the_command_runs(record, tmp_path):
    script = f"ulimit -f 8; exec {PROGRAM} record -o y.trace -- touch ran"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
    assert done.returncode == 2 and "File too large" in done.stderr
    assert done.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == []
