"""launch: what it reports of a command, and how signals and time-outs go through it."""

import ctypes
import errno
import json
import os
import platform
import pty
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from places import BUILD, REPO

LAUNCH = str(BUILD / "launch")
MIB = 1 << 20


def launch(folder, *words, **keywords):
    """Runs launch: (the finished process, its report)."""
    report = folder / "report.json"
    command = [LAUNCH, "--report", str(report), *words]
    streams = {"stdin": subprocess.DEVNULL, **keywords}
    done = subprocess.run(command, capture_output=True, text=True, check=False, **streams)
    return done, json.loads(report.read_text())


def test_reports_all_figures(tmp_path):
    done, report = launch(tmp_path, "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")
    assert set(report) == {
        *("wall_ns", "user_ns", "sys_ns", "max_rss", "minor_faults", "major_faults"),
        *("voluntary_switches", "involuntary_switches", "exit_status", "signal", "timed_out"),
    }
    assert (report["exit_status"], report["signal"], report["timed_out"]) == (7, None, False)


def test_times_are_those_of_the_command(tmp_path):
    _, report = launch(tmp_path, "sleep", "0.2")
    assert 200e6 <= report["wall_ns"] < 2e9
    assert report["user_ns"] + report["sys_ns"] < 100e6


def test_peak_is_the_command_s_and_not_the_caller_s(tmp_path):
    ballast = bytearray(os.urandom(1) * (64 * MIB))
    _, report = launch(tmp_path, "true")
    assert 0 < report["max_rss"] < 16 * MIB < len(ballast)
    code = f"x = b'x' * {64 * MIB}"
    _, report = launch(tmp_path, "/usr/bin/python3", "-c", code)
    assert 64 * MIB < report["max_rss"] < 160 * MIB


def test_signalled_command(tmp_path):
    done, report = launch(tmp_path, "sh", "-c", "kill -SEGV $$")
    assert done.returncode == 128 + signal.SIGSEGV
    assert (report["exit_status"], report["signal"]) == (None, signal.SIGSEGV)


def test_time_out_ends_the_whole_group(tmp_path):
    mark = tmp_path / "mark"
    start = time.monotonic()
    script = f"(sleep 1; touch '{mark}') & sleep 15"
    done, report = launch(tmp_path, "--timeout", "0.3", "--", "sh", "-c", script)
    assert done.returncode == 124
    assert report["timed_out"] and report["signal"] == signal.SIGKILL
    assert time.monotonic() - start < 8
    time.sleep(1.2)
    assert not mark.exists()


def test_time_out_in_time_changes_nothing(tmp_path):
    done, report = launch(tmp_path, "--timeout", "60", "--", "true")
    assert (done.returncode, report["timed_out"]) == (0, False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_passed_on(tmp_path, number):
    name = signal.Signals(number).name.removeprefix("SIG")
    script = f"trap 'exit 33' {name}; echo ready; while :; do sleep 0.05; done"
    command = [LAUNCH, "--report", str(tmp_path / "report"), "--", "sh", "-c", script]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}

    def heed():  # a shell cannot trap what was ignored when it began, as under nohup
        signal.signal(number, signal.SIG_DFL)

    with subprocess.Popen(command, **pipes, preexec_fn=heed) as running:
        assert running.stdout.readline() == b"ready\n"
        running.send_signal(number)
        assert running.wait(10) == 33
    assert json.loads((tmp_path / "report").read_text())["exit_status"] == 33


def test_command_can_read_from_a_terminal(tmp_path):
    report = tmp_path / "report.json"
    child, terminal = pty.fork()
    if child == 0:
        script = "read line; test $line = hello"
        os.execv(LAUNCH, ["launch", "--timeout", "5", "--report", str(report), "sh", "-c", script])
    os.write(terminal, b"hello\n")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    assert json.loads(report.read_text())["exit_status"] == 0


def test_interrupt_from_a_terminal_arrives_once(tmp_path):
    code = (
        "import signal, time\n"
        "seen = []\n"
        "signal.signal(signal.SIGINT, lambda *_: seen.append(1))\n"
        f"open({str(tmp_path / 'ready')!r}, 'w').close()\n"
        "time.sleep(0.5); time.sleep(0.5)\n"
        "raise SystemExit(len(seen))\n"
    )
    child, terminal = pty.fork()
    if child == 0:
        command = ["launch", "--report", str(tmp_path / "report"), sys.executable, "-c", code]
        os.execv(LAUNCH, command)
    deadline = time.monotonic() + 10
    while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    # launch is stopped meanwhile: two signals at once would be taken for one.
    os.kill(child, signal.SIGSTOP)
    os.write(terminal, b"\x03")
    time.sleep(0.2)
    os.kill(child, signal.SIGCONT)
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 1


def test_command_gets_the_signal_mask_of_the_caller(tmp_path):
    done, _ = launch(tmp_path, "grep", "SigBlk", "/proc/self/status")
    assert done.stdout.split() == ["SigBlk:", "0" * 16]


def where_code_lies(folder, *options):
    """The address of the first mapping of a command, and the report."""
    done, report = launch(folder, *options, "cat", "/proc/self/maps")
    return done.stdout.split("-")[0], report


def test_fixed_addresses_are_the_same_in_every_run(tmp_path):
    runs = [where_code_lies(tmp_path, "--fixed-addresses") for _ in range(3)]
    if not runs[0][1]["fixed_addresses"]:
        pytest.skip("the system refuses fixed addresses")
    assert len({address for address, _ in runs}) == 1
    free = {where_code_lies(tmp_path)[0] for _ in range(3)}
    assert len(free) > 1


def test_small_pages_are_the_command_s(tmp_path):
    show = ("grep", "THP_enabled", "/proc/self/status")
    done, report = launch(tmp_path, "--small-pages", *show)
    assert report["small_pages"] is True
    assert done.stdout.split() == ["THP_enabled:", "0"]
    assert launch(tmp_path, *show)[0].stdout.split() == ["THP_enabled:", "1"]


def forbid_personality():
    """From now on this process gets EPERM for personality(2), as in some containers."""
    number = {"x86_64": 135, "aarch64": 92}[platform.machine()]
    load, jump_if_equal, give = 0x20, 0x15, 0x06
    allow, refuse = 0x7FFF0000, 0x00050000 | errno.EPERM
    steps = [(load, 0, 0, 0), (jump_if_equal, 0, 1, number)]
    steps += [(give, 0, 0, refuse), (give, 0, 0, allow)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    no_new_privileges, seccomp, filtered = 38, 22, 2
    assert prctl(no_new_privileges, 1, 0, 0, 0) == 0
    assert prctl(seccomp, filtered, program) == 0


def test_refused_fixed_addresses_are_told(tmp_path):
    done, report = launch(
        *(tmp_path, "--fixed-addresses", "--", "echo", "runs"), preexec_fn=forbid_personality
    )
    assert (done.returncode, done.stdout) == (0, "runs\n")
    assert report["fixed_addresses"] is False


def test_command_that_is_not_there(tmp_path):
    done, report = launch(tmp_path, "/no/such/program")
    assert done.returncode == 127 and report["exit_status"] == 127
    assert done.stderr == "/no/such/program: No such file or directory\n"


def test_command_that_is_no_program(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("not executable")
    done, report = launch(tmp_path, str(plain))
    assert done.returncode == 126 and report["exit_status"] == 126
    assert done.stderr == f"{plain}: Permission denied\n"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["true"],
        ["--report", "/dev/null"],
        ["--report", "/no/such/folder/report", "true"],
        ["--timeout", "0", "--report", "/dev/null", "true"],
        ["--timeout", "soon", "--report", "/dev/null", "true"],
        ["--timeout", "nan", "--report", "/dev/null", "true"],
        ["--other", "true"],
    ],
)
def test_wrong_usage(words):
    done = subprocess.run([LAUNCH, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 125
    assert done.stderr.count("\n") == 1


def test_options_of_the_command_are_its_own(tmp_path):
    done, _ = launch(tmp_path, "echo", "--report", "-h")
    assert done.stdout == "--report -h\n"


def is_running(pid):
    """Whether a process is there and no mere entry of one that has ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


LEFT = {
    "background": "sleep 60 & echo $! >pid",
    "session": "setsid sh -c 'echo $$ >pid; exec sleep 60' & until test -s pid; do :; done",
    "daemon": "(setsid sh -c 'echo $$ >pid; sleep 60; true' &); until test -s pid; do :; done",
    "deaf": "trap '' HUP INT TERM; sleep 60 & echo $! >pid",
}


@pytest.mark.parametrize("how", LEFT)
def test_what_runs_on_is_ended_and_told(tmp_path, how):
    done, report = launch(tmp_path, "--", "sh", "-c", LEFT[how], cwd=tmp_path)
    assert done.returncode == 0
    assert not is_running((tmp_path / "pid").read_text().strip())
    assert report["left_running"] >= 1 and report["left_running_name"] in ("sleep", "sh")


def test_what_is_about_to_end_is_let_end(tmp_path):
    script = f"(sleep 0.05; echo done >'{tmp_path}/late') & true"
    _, report = launch(tmp_path, "--", "sh", "-c", script)
    assert (tmp_path / "late").read_text() == "done\n"
    assert "left_running" not in report


def test_time_out_ends_daemons(tmp_path):
    words = ("--timeout", "0.5", "--", "sh", "-c", LEFT["daemon"] + "; sleep 60")
    done, report = launch(tmp_path, *words, cwd=tmp_path)
    assert done.returncode == 124 and report["timed_out"]
    assert not is_running((tmp_path / "pid").read_text().strip())


def test_orphans_are_waited_for_while_the_command_runs(tmp_path):
    """Five of them are launch's children, or zombies of its, until it has waited for them."""
    stats = "grep -h ^ /proc/[0-9]*/stat 2>/dev/null"
    children = f'{stats} | sed -n "s/.*) . $PPID .*/x/p" | grep -c x'
    orphans = "for i in 1 2 3 4 5; do (sleep 0.01 &); done"
    script = f'{orphans}; until test "$({children})" = 1; do sleep 0.05; done; echo $({children})'
    done, report = launch(tmp_path, "--timeout", "60", "--", "sh", "-c", script)
    assert not report["timed_out"] and done.stdout == "1\n"


def test_figures_are_those_of_the_command_whoever_ends_first(tmp_path):
    code = f"x = b'x' * {32 * MIB}"
    script = f'(/bin/true &); /usr/bin/python3 -c "{code}"; exit 9'
    done, report = launch(tmp_path, "--tree", "--", "sh", "-c", script)
    assert (done.returncode, report["exit_status"]) == (9, 9)
    assert report["max_rss"] > 32 * MIB


@pytest.mark.parametrize("words", [("exec", "-n", "1", "-a", "glibc", "--", "true")])
def test_no_place_for_a_report_is_told(words):
    line = ["sh", "-c", 'ulimit -f 1; exec "$@"', "sh", REPO / "scripts" / "spanbench", *words]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and last.endswith(": File too large") and "/spanbench-" in last
    assert last.startswith("spanbench: exec/true/glibc: ")  # that run alone has failed


def test_a_report_takes_the_place_that_was_kept_for_it(tmp_path):
    (tmp_path / "report.json").write_bytes(b" " * 4096)
    script = "stat -c '%s %b' report.json"
    done, report = launch(tmp_path, "--", "sh", "-c", script, cwd=tmp_path)
    assert done.stdout.startswith("4096 ") and report["exit_status"] == 0
    assert (tmp_path / "report.json").stat().st_size < 1024
