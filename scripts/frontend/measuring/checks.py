"""Checks of allocators: a trace is replayed with every block filled and verified. Nothing here is
timed; an allocator is sound for a trace, or the first fault is named."""

from frontend.figures import results
from frontend.measuring import context, driver, traces
from frontend.measuring.campaign import RunFailed
from frontend.measuring.replays import thread_arguments

KIND = "check"
WORK = ("ops", "checksum")


def measure(loaded, allocators, thread_order, timeout, links, argv, progress):
    """The Results of checking all allocators on all Traces: an entry each, one that failed with the
    fault."""
    facts = context.gather(allocators, argv)
    facts["traces"] = {trace.name: traces.describe(trace) for trace in loaded}
    facts.update(thread_order=thread_order)
    progress.begin_round(0, 1, len(loaded) * len(allocators))
    entries = []
    for trace in loaded:
        for allocator in allocators:
            progress.begin_step(trace.name, allocator.name)
            arguments = ["--pass", "check", *thread_arguments(trace, thread_order)]
            entries.append(check(trace, allocator, [*arguments, str(trace.path)], links, timeout))
    return results.Results(facts, entries)


def check(trace, allocator, arguments, links, timeout):
    """The entry of one Trace on one allocator."""
    name = f"{KIND}/{trace.name}/{allocator.name}"
    try:
        done = driver.run_once("replay", allocator, arguments, links, timeout)
    except RunFailed as reason:
        return results.failed(name, (0, 1), str(reason).removeprefix(f"{trace.path}: "))
    times_ms = (done["real_time_ns"] / 1e6, done["cpu_time_ns"] / 1e6)
    return results.sample(name, (0, 1), times_ms, {key: done[key] for key in WORK})
