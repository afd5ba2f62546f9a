"""Draws result files: SVG and PNG of each chart, the same bytes for the same results. Which charts
there are is decided here; each kind has a module of its own. No result file is opened.
"""

import multiprocessing
import os
import signal
from functools import partial
from pathlib import Path

from matplotlib import pyplot

from frontend.charts import blocks_chart, bound_chart, canvas, curve_chart, dot_chart
from frontend.charts import frontier_chart, heat_chart, held_chart, latency_chart, limit_chart
from frontend.charts import ratio_chart, size_chart
from frontend.charts import threads_chart
from frontend.failure import WORK_FAILED, Failure
from frontend.figures import digest
from frontend.interrupts import ENDING, interrupts_held

# Of each kind of entries: the name of a chart, whether a Digest has something for it, who draws it.
COMPARED = (
    ("time", lambda _: True, lambda summary: ratio_chart.ratio_figure(summary, summary.time)),
    (
        "memory",
        lambda summary: any(cell.rss for cell in summary.cells.values()),
        lambda summary: ratio_chart.ratio_figure(summary, digest.RSS),
    ),
    ("limits", limit_chart.limits_of, limit_chart.limit_figure),
    (
        "frontier",
        lambda summary: len(frontier_chart.frontier_points(summary)) > 1,
        frontier_chart.frontier_figure,
    ),
)
CHARTS = {
    "replay": COMPARED,
    "exec": COMPARED,
    "run": (
        ("heat", lambda _: True, heat_chart.heat_figure),
        ("threads", threads_chart.scaled_workloads, threads_chart.threads_figure),
        ("bounds", lambda summary: summary.bound, bound_chart.bound_figure),
    ),
    "micro": (
        ("size", size_chart.panels_of, size_chart.size_figure),
        ("calls", dot_chart.rows_of, dot_chart.dot_figure),
    ),
}
_jobs = []  # functions that draw a chart and save it, inherited by the processes that call them


def draw_all(results, out_dir, only=None, formats=canvas.FORMATS):
    """Draws every chart that the results hold (or those named) into out_dir, as many at a time as
    there are processors; the files written."""
    _jobs[:] = [
        partial(draw_one, draw, Path(out_dir) / name, formats)
        for kind in (kind for kind in digest.TIME if kind in results.kinds())
        for name, draw in charts(results, digest.digest(results, kind)).items()
        if only is None or name in only
    ]
    return [path for paths in call_all(len(_jobs)) for path in paths]


def draw_one(draw, stem, formats):
    """Draws a chart and saves it; the files written."""
    with pyplot.rc_context(canvas.STYLE):
        return canvas.save(draw(), stem, formats)


def call_all(count):
    """What the jobs return. They cannot be sent to processes, but are there when these begin.

    The processes are plain children without a thread or a queue between them and us: an executor's
    manager thread waits for its workers wherever a signal has thrown us out of it, for ever where
    the second one comes while it ends them.
    """
    workers = min(count, len(os.sched_getaffinity(0)))
    if workers < 2:
        return [job() for job in _jobs]
    forking = multiprocessing.get_context("fork")
    children = []
    try:
        for first in range(workers):
            receiver, sender = forking.Pipe(duplex=False)
            share = range(first, count, workers)
            child = forking.Process(target=call_share, args=(share, sender), daemon=True)
            children.append((child, receiver))
            # What runs in Python on both sides of a fork would print and drop an exception.
            with interrupts_held():
                child.start()
            sender.close()
        done = {i: paths for _, receiver in children for i, paths in receive(receiver)}
    finally:
        for child, _ in children:
            end(child)
    return [done[i] for i in range(count)]


def call_share(share, sender):
    """Does some of the jobs and sends [(job, what it returned)], or the exception."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its children
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)  # held by the parent at the fork
    try:
        sender.send([(i, _jobs[i]()) for i in share])
    except Exception as error:
        sender.send(error)


def receive(receiver):
    """What a child sends; its exception is raised here."""
    try:
        sent = receiver.recv()
    except EOFError as error:
        raise Failure("a process that drew charts was killed", WORK_FAILED) from error
    if isinstance(sent, Exception):
        raise sent
    return sent


def end(child):
    """Ends a child that may have been started, and waits for it."""
    if child.pid is not None:
        child.kill()  # once it has sent its answer, there is nothing left for it to do
        child.join()


def charts(results, summary):
    """{name: function that draws it} of the charts of one kind of entry."""
    prefix = "" if summary.kind == "replay" else f"{summary.kind}-"
    found = {
        f"{prefix}{name}": partial(draw, summary)
        for name, tells, draw in CHARTS[summary.kind]
        if tells(summary)
    }
    if summary.kind != "replay":
        return found
    found |= latency_charts(results, summary)
    found |= trace_charts(summary, "held", held_chart.held_of, held_chart.held_figure)
    found |= trace_charts(summary, "blocks", blocks_chart.blocks_of, blocks_chart.blocks_figure)
    return found | curve_charts(results, summary)


def trace_charts(summary, name, tells, draw):
    """{name: function that draws it} of a chart that each trace of replays has of its own, if
    tells(summary, trace) something."""
    told = [subject for subject in summary.subjects if tells(summary, subject)]
    return {f"{name}-{subject}": partial(draw, summary, subject) for subject in told}


def latency_charts(results, summary):
    """{name: function that draws it} of the latencies of replays."""
    found = {s: latency_chart.latencies_of(results, summary, s) for s in summary.subjects}
    found = {subject: lines for subject, lines in found.items() if lines}
    return {"latency": partial(latency_chart.latency_figure, summary, found)} if found else {}


def curve_charts(results, summary):
    """{name: function that draws it} of the curves of replays."""
    curves = {s: curve_chart.curves_of(results, summary, s) for s in summary.subjects}
    curves = {subject: lines for subject, lines in curves.items() if lines}
    found = {"curves": partial(curve_chart.overview_figure, summary, curves)} if curves else {}
    for subject, lines in curves.items():
        found[f"curve-{subject}"] = partial(curve_chart.curve_figure, summary, subject, lines)
    return found
