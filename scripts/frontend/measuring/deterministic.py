"""The figures of one run that hardly vary, so that one run of either side tells them apart:
instructions, system calls, page faults, peak RSS, mapped bytes.

Addresses are fixed and huge pages are off for these runs, as far as the system allows it: both vary
from run to run, and with them what is counted.
"""

import os

from frontend.figures.metrics import LIMITED
from frontend.lazily import Lazy
from frontend.measuring import callgrind, driver
from frontend.measuring.campaign import RunFailed
from frontend.paths import built, temporary_folder

ThreadPoolExecutor = Lazy("concurrent.futures", "ThreadPoolExecutor")

STEADY = ("--fixed-addresses", "--small-pages")  # options of launch
TIMEOUT_S = 600.0


KEYS = tuple(metric.key for metric in LIMITED)
COUNTED = tuple(metric.key for metric in LIMITED if metric.is_counted)


def measure(subject, allocator, links, keys=KEYS):
    """{key: figure} of a Subject under an allocator, of the keys asked for and of those that say
    what work was done; raises RunFailed."""
    figures = {}
    if any(key in COUNTED for key in keys) and subject.is_counted:
        figures.update(count(subject, allocator, links))
    if any(key not in COUNTED for key in keys):
        arguments = ["--pass", "memory"] if subject.kind == "replay" else []
        figures.update(run(subject, allocator, links, arguments))
    return {key: figures[key] for key in (*keys, *subject.work) if key in figures}


def measure_all(jobs, links, keys):
    """[what `measure` gives, or the RunFailed] of jobs, (subject, allocator), in their order; they
    run side by side, for such runs may have company."""

    def attempt(job):
        try:
            return measure(*job, links, keys)
        except RunFailed as reason:
            return reason

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(attempt, jobs))


def count(subject, allocator, links):
    """What callgrind counts, and the work done."""
    with temporary_folder() as folder:
        output = folder / "callgrind"
        under = callgrind.command(subject.program, output)
        done = run(subject, allocator, links, [], under)
        program = built(driver.find(subject.program, allocator)[0]).resolve()
        return {**done, **callgrind.read(output, program)}


def run(subject, allocator, links, arguments, under=()):
    """What the measuring program prints in a run that varies as little as can be."""
    words = [*arguments, *subject.arguments]
    how = {"options": STEADY, "under": under}
    try:
        return driver.run_once(subject.program, allocator, words, links, TIMEOUT_S, **how)
    except RunFailed as reason:
        what = "under callgrind: " if under else ""
        raise RunFailed(f"{what}{reason}") from reason
