"""What recording costs: the time that a call takes in a loop of nothing else, and whole programs of
the corpus under our recorder and those of others. It measures, and writes the tables.

Ways of running take turns in each round. What a call costs in the loop is a difference of
neighbours in time; programs vary by more than that from run to run.
"""

import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from frontend.failure import WORK_FAILED, Failure
from frontend.figures import digest, markdown, paired_samples, stats
from frontend.measuring import context, traces
from frontend.paths import ROOT, built, temporary_folder
from frontend.progress import say

MARKERS = "<!-- cost:begin -->", "<!-- cost:end -->"
PLAIN, RECORDED, SITES = LOOP_WAYS = ("plain", "recorded", "with --sites")
LOOP_CALLS = 4_000_000  # of a thread: a few tenths of a second
LOOP_THREADS = (1, 2)
PROGRAM_ROUNDS = 3  # at most: their factors are large, and some take ten seconds a run
LTRACE_S = 10.0  # it takes minutes for what others do in one second: it is ended after this
CALLS = "malloc+free+calloc+realloc+memalign+posix_memalign+aligned_alloc"
LEVEL = stats.WANTED_COVERAGE


class Absent(Exception):
    """A recorder is not installed; the message says which package has it."""


@dataclass(frozen=True)
class Run:
    """One run of a program under a recorder."""

    seconds: float
    bytes: int = 0  # of what the recorder left
    is_whole: bool = True  # False: it was ended before the program
    ops: int = None  # calls that were recorded, where that is not all of them


# The loop


def loop_times(rounds):
    """{threads: {way: [ns a call in each round]}}; a round to warm up is not among them."""
    found = {threads: {way: [] for way in LOOP_WAYS} for threads in LOOP_THREADS}
    for number in range(rounds + 1):
        say(f"the loop, round {number} of {rounds}")
        for threads, ways in found.items():
            for way in turned(LOOP_WAYS, number):
                ns = loop_ns(way, threads)
                if number:
                    ways[way].append(ns)
    return found


def loop_ns(way, threads):
    """What a call takes in one run of the loop."""
    command = [built("tests/subjects/tight_loop"), threads, LOOP_CALLS]
    with recorder(is_with_sites=way == SITES) as environment:
        environment = {} if way == PLAIN else environment
        done = execute(command, environment)
    return float(done.stdout)


def loop_table(found):
    """The lines of the table."""
    yield ["threads", "a call", "recorded", "recorded with `--sites`", "`--sites` adds"]
    for threads, ways in found.items():
        plain = f"{stats.median(ways[PLAIN]):.1f} ns"
        pairs = ((PLAIN, RECORDED), (PLAIN, SITES), (RECORDED, SITES))
        yield [threads, plain, *(added_text(ways[a], ways[b]) for a, b in pairs)]


def added_text(before, after):
    """ "+10.2 ns (9.8 to 10.9)": what the second way takes more, in the same rounds."""
    found = paired_samples.effect([b - a for a, b in zip(before, after)], LEVEL)
    return f"{found.median:+.1f} ns" + digest.interval(found, "{:.1f}".format, " ({} to {})")


# Programs


def program_row(program, rounds, workshop):
    """(name, calls, {recorder: [Run] or why there is none}) of a program of the corpus; `workshop`
    is the corpus's module of that name."""
    rounds = min(rounds, PROGRAM_ROUNDS)
    runs = {way: [] for way in RECORDERS}
    [trace] = traces.load([ROOT / "workloads" / "traces" / f"{program.name}.trace"])
    with workshop.workshop(program) as folder:
        command = workshop.command_of(program)
        environment = workshop.environment_of(program, folder)
        for number in range(rounds + 1):
            say(f"{program.name}, round {number} of {rounds}")
            for way in turned(list(runs), number):
                if isinstance(runs[way], str) or (number and way == "ltrace" and runs[way]):
                    continue  # it is not there; or so slow that one run says enough
                try:
                    run = RECORDERS[way](command, folder, environment)
                except Absent as reason:
                    runs[way] = str(reason)
                    continue
                if number or way == "ltrace":
                    runs[way].append(run)
    return program.name, trace.info["ops"], runs


def turned(ways, number):
    """The ways in the order of a round: each is first equally often."""
    first = number % len(ways)
    return [*ways[first:], *ways[:first]]


def own_run(command, folder, environment):
    """Under our recorder, and then compiled, which the time does not hold."""
    with temporary_folder() as place:
        with recorder(place) as more:
            run = timed(command, folder, {**environment, **more})
        [raw] = place.glob("*.raw")
        trace = place / "out.trace"
        execute([built("trace"), "compile", raw, "-o", trace], {})
        return Run(run.seconds, trace.stat().st_size)


def heaptrack_run(command, folder, environment):
    """Under heaptrack, which interprets and compresses meanwhile."""
    return tool_run("heaptrack", ["heaptrack", "-o"], command, folder, environment)


def mtrace_run(command, folder, environment):
    """With glibc's mtrace in its debugging library."""
    found = list(Path("/lib").glob("*/libc_malloc_debug.so.0"))
    if not found:
        raise Absent("libc_malloc_debug.so.0 is not installed")
    log = Path(folder) / "log-mtrace"
    log.unlink(missing_ok=True)
    preload = f"{found[0]} {built('tests/subjects/mtrace_library.so')}"
    more = {"LD_PRELOAD": preload, "MALLOC_TRACE": str(log)}
    run = timed(command, folder, {**environment, **more})
    return Run(run.seconds, log.stat().st_size)


def ltrace_run(command, folder, environment):
    """Under ltrace, for LTRACE_S at most."""
    words = ["ltrace", "-f", "-e", CALLS, "-o"]
    run = tool_run("ltrace", words, command, folder, environment, LTRACE_S)
    with open(Path(folder) / "log-ltrace", "rb") as lines:
        ops = sum(1 for line in lines if b"(" in line and b"resumed" not in line)
    return replace(run, ops=ops)


def tool_run(name, words, command, folder, environment, most_s=None):
    """A Run under a tool that writes files whose names begin with the one that it is given."""
    if shutil.which(name, path=environment["PATH"]) is None:
        raise Absent(f"{name} is not installed")
    log = Path(folder) / f"log-{name}"
    for old in Path(folder).glob(f"{log.name}*"):
        old.unlink()
    run = timed([*words, str(log), *command], folder, environment, most_s)
    [file] = Path(folder).glob(f"{log.name}*")
    return replace(run, bytes=file.stat().st_size)


def timed(command, folder, environment, most_s=None):
    """A Run of which only the time is known; one that is too long is ended."""
    start = time.monotonic()
    try:
        execute(command, environment, folder, most_s)
    except subprocess.TimeoutExpired:
        return Run(time.monotonic() - start, is_whole=False)
    return Run(time.monotonic() - start)


RECORDERS = {
    PLAIN: timed,
    "spanbench": own_run,
    "heaptrack": heaptrack_run,
    "mtrace": mtrace_run,
    "ltrace": ltrace_run,
}


@contextmanager
def recorder(place=None, is_with_sites=False):
    """The variables under which a program is recorded into a folder, one that goes if none is
    given."""
    with temporary_folder() as scratch:
        sites = {"SPANBENCH_RECORD_SITES": "1"} if is_with_sites else {}
        yield {
            **sites,
            "LD_PRELOAD": str(built("librecord-sites.so" if is_with_sites else "librecord.so")),
            "SPANBENCH_RECORD_DIR": str(place or scratch),
            "SPANBENCH_RECORD_CHILDREN": "0",
        }


def execute(command, environment, folder=None, most_s=None):
    """Runs a command to its end; a group of its own is ended with it."""
    process = subprocess.Popen(
        list(map(str, command)),
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=most_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.communicate()
        raise
    if process.returncode:
        last = err.strip().splitlines()[-1:] or [f"exit status {process.returncode}"]
        raise Failure(f"{command[0]}: {last[0]}", WORK_FAILED)
    return subprocess.CompletedProcess(command, 0, out, err)


def program_table(rows):
    """The lines of the table."""
    others = [way for way in RECORDERS if way != PLAIN]
    yield ["program", "calls", "alone", *others]
    for name, ops, runs in rows:
        alone = stats.median(run.seconds for run in runs[PLAIN])
        cells = [cell(runs[way], alone, ops) for way in others]
        yield [name, f"{ops:,}", f"{alone:.2f} s", *cells]


def cell(runs, alone, ops):
    """ "1.07, 1.2 B": how many times as long the program takes, and bytes an operation; nothing for
    what was not measured, or was not seen."""
    if isinstance(runs, str):
        return "–"
    run = sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]
    done = ops if run.ops is None else run.ops
    if run.is_whole and done < ops / 2:
        return "–"
    times = run.seconds / alone * ops / done
    return f"{digest.number_text(times)}, {run.bytes / done:.1f} B"


# In words


def text_of(loop, rows, rounds):
    """What stands between the markers of the document."""
    facts = context.gather([], [])
    of_programs = min(rounds, PROGRAM_ROUNDS)
    n = f"n = {rounds} interleaved rounds of the loop, {of_programs} of the programs, medians"
    coverage = 100 * paired_samples.effect(list(range(rounds)), LEVEL).coverage
    return "\n\n".join(
        (
            f"{n}, intervals of {coverage:.3g} %; {digest.origin_text(facts)}.",
            markdown.table(loop_table(loop)),
            markdown.table(program_table(rows)),
        )
    )
