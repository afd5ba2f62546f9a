"""Replaying traces against allocators."""

import time
from dataclasses import dataclass
from pathlib import Path

from frontend.allocators import registry
from frontend.allocators.preload import Links
from frontend.figures import latency_counts, prediction, results, stats
from frontend.measuring import campaign, context, driver, limits, traces
from frontend.measuring.campaign import Figures, RunFailed, must_succeed
from frontend.measuring.choices import ORIGINAL, SERIAL, TIMEOUT_S
from frontend.paths import temporary_folder

RECORDED = "recorded"
TOUCHES = ("none", "first", "page", "all", RECORDED)
MODEL_TOUCHES = ("page", RECORDED)  # with which a program can be modelled
THP_DEFAULT, THP_NEVER = THP_MODES = ("default", "never")
PAUSES_NONE, PAUSES_RECORDED = PAUSES = ("none", "recorded")
CURVE_POINTS = 500
TIMED_OPS = 1_000_000  # that are replayed to see how long one takes; arbitrary
SPEED_FIGURES = (
    *("ops", "skipped_ops", "checksum", "minor_faults", "major_faults", "peak_mapped"),
    *("wait_ns", "per_thread", "other_threads", "pauses", "paused_ns", "knows_present"),
)
MEMORY_FIGURES = (
    *("peak_rss", "peak_live", "peak_live_replayed", "waste", "peak_waste"),
    *("held", "huge_bytes", "rss_after_drain"),
    *("baseline_rss", "initial_rss"),
    *("initial_mapped", "harness_bytes"),
    *("rss_after_100ms", "rss_after_1s", "rss_after_5s", "rss_after_trim"),
)
SPEED, CALLS, LATENCY, MEMORY = PASSES = ("speed", "calls", "latency", "memory")
USUAL_PASSES = (SPEED, MEMORY)
PERCENTILES = ("p50_ns", "p90_ns", "p99_ns", "p999_ns", "p9999_ns")
LATENCY_FIGURES = ("sample_seed", "samples", "counter_step_ns", *PERCENTILES, "by_kind", "by_size")
IN_CALLS, CALLS_PREEMPTED = "in_calls_ns", "calls_preempted"
WORST_FIGURES = ("max_ns", "worst", "preempted")
WORK = ("ops", "checksum")
SEEDS = "sample_seeds"  # of the context: that of each round


@dataclass
class Manner:
    """How traces are replayed."""

    touch: str = "page"
    thread_order: str = ORIGINAL
    passes: tuple = USUAL_PASSES  # of PASSES
    has_threads_calls: bool = False  # the pass CALLS where several threads make them
    timeout: float = TIMEOUT_S
    curves: Path = None  # folder for curves, or None
    links: Links = None
    thp: str = THP_DEFAULT  # of THP_MODES: whether the system may give the process huge pages
    pauses: str = PAUSES_NONE  # of PAUSES: whether the program's pauses are made as well
    limit: limits.Limit = None  # on the memory of a run of its own
    model: str = prediction.NONE  # of prediction.MODELS: what the program does between the calls
    decay: bool = False  # whether the memory pass watches what is given back after the drain


def thread_count(trace, thread_order):
    """How many threads make the calls of a Trace."""
    return trace.info.get("threads", 1) if thread_order == ORIGINAL else 1


def thread_arguments(trace, thread_order=ORIGINAL):
    """The replayer's options for the threads of a Trace; one thread has only one order."""
    return ["--threads", ORIGINAL if thread_count(trace, thread_order) > 1 else SERIAL]


def check_programs(allocators):
    """Fails if a program that the replays need is not built."""
    driver.check_programs("replay", allocators)


def measure(loaded, allocators, manner, budget, argv):
    """The Results of replaying all traces against all allocators; the budget as for campaign."""
    facts = context.gather(allocators, argv)
    facts["traces"] = {trace.name: traces.describe(trace) for trace in loaded}
    facts.update(touch=manner.touch, thread_order=manner.thread_order, passes=manner.passes)
    facts.update(thp_mode=manner.thp, pauses=manner.pauses, model=manner.model)
    if manner.limit:
        facts.update(manner.limit.facts)

    def attempt(trace, allocator, number):
        return replay_once(trace, allocator, manner, number)

    done = campaign.measure("replay", loaded, allocators, attempt, budget)
    entries = campaign.reject_disagreements(done.entries, registry.reference(allocators), WORK)
    facts.update(warmups=done.warm_ups, rounds=done.rounds)
    if LATENCY in manner.passes:
        facts[SEEDS] = [seed_of(number) for number in range(done.rounds)]
    add_net(entries, [a.name for a in allocators if a.is_floor])
    if manner.model != prediction.NONE:
        against = next(a.name for a in allocators if not a.is_floor)
        facts[prediction.AGAINST] = against
        durations = {t.name: prediction.duration_of(facts, t.name) for t in loaded}
        prediction.add(entries, against, durations)
    return results.Results(facts, entries)


def seed_of(number):
    """The seed of the sample of calls that round `number` times: each round times others, and the
    same under all allocators."""
    return number


def replay_once(trace, allocator, manner, number):
    """The Figures of round `number`: of the speed pass and of those that were asked for besides;
    only the speed of a warm-up, and of the null allocator no memory, for its blocks overlap."""
    has_more = number != campaign.WARM_UP
    speed = one_pass(SPEED, trace, allocator, manner)
    counters = {key: speed[key] for key in SPEED_FIGURES if key in speed}
    counters["ns_per_op"] = speed["real_time_ns"] / max(1, speed["ops"])
    counters["sys_time"] = speed["sys_ns"] / 1e6
    counters["threads"] = thread_count(trace, manner.thread_order)
    if manner.model != prediction.NONE and has_more and not allocator.is_floor:
        counters[prediction.TIME] = modelled_time(trace, allocator, manner, speed)
        counters[prediction.IN_CALLS] = modelled_in_calls(trace, allocator, manner, speed)
    if has_more and sums_calls(trace, manner):
        counters.update(calls_figures(trace, allocator, manner, speed))
    if LATENCY in manner.passes and has_more:
        counters.update(latency_figures(trace, allocator, manner, speed, seed_of(number)))

    def untimed():
        figures = {}
        if MEMORY in manner.passes:
            figures = pass_figures(MEMORY, MEMORY_FIGURES, trace, allocator, manner, speed)
        return {**figures, **limit_figures(trace, allocator, manner, speed)}

    has_untimed = has_more and not allocator.is_floor
    real, cpu = speed["real_time_ns"], speed["cpu_time_ns"]
    return Figures(real, cpu, counters, untimed if has_untimed else None)


def sums_calls(trace, manner):
    """Whether the time inside all calls is taken."""
    is_threaded = thread_count(trace, manner.thread_order) > 1
    return CALLS in manner.passes or (is_threaded and manner.has_threads_calls)


def calls_figures(trace, allocator, manner, speed):
    """The time inside calls, of all and of each thread, beside what the speed pass says of it."""
    done = one_pass(CALLS, trace, allocator, manner)
    check_work(CALLS, done, speed)
    taken = {IN_CALLS: done[IN_CALLS], CALLS_PREEMPTED: done["preempted"]}
    return {**taken, **threads_figures(speed, done)}


def threads_figures(speed, calls):
    """What the speed pass tells of threads, with their time inside calls: it names the same threads
    as the pass of calls, since which have most calls is the trace's matter."""
    found = {}
    if "per_thread" in speed:
        pairs = zip(speed["per_thread"], calls["per_thread"])
        found["per_thread"] = [{**ours, IN_CALLS: theirs[IN_CALLS]} for ours, theirs in pairs]
    if "other_threads" in speed:
        of_others = calls["other_threads"][IN_CALLS]
        found["other_threads"] = {**speed["other_threads"], IN_CALLS: of_others}
    return found


def modelled_time(trace, allocator, manner, speed):
    """What the replay takes with the model, in ns."""
    done = one_pass(SPEED, trace, allocator, manner, ["--model", manner.model])
    check_work("model", done, speed)
    return counted_ns(trace, manner, done)


def modelled_in_calls(trace, allocator, manner, speed):
    """What the calls of all threads take with the model, in ns: from a run of its own."""
    done = one_pass(CALLS, trace, allocator, manner, ["--model", manner.model])
    check_work("model", done, speed)
    return done[IN_CALLS]


def counted_ns(trace, manner, done):
    """Of what the replayer prints the time that counts: wall time where threads wait for each
    other, else time on the processor, which other work on the machine disturbs less."""
    is_threaded = thread_count(trace, manner.thread_order) > 1
    return done["real_time_ns" if is_threaded else "cpu_time_ns"]


def check_work(name, done, speed):
    """Fails unless a pass did what the speed pass did."""
    if any(done.get(key) != speed.get(key) for key in WORK):
        raise RunFailed(f"the {name} pass did other operations than the speed pass")


def limit_figures(trace, allocator, manner, speed):
    """How the replay ends under the limit, or the least one that it survives."""
    if not manner.limit:
        return {}

    def attempt(arguments):
        """What the replayer prints of a run with these arguments."""
        done = one_pass("limit", trace, allocator, manner, arguments)
        keys = WORK if done["survived"] else ("checksum",)
        if any(done.get(key) != speed.get(key) for key in keys):
            raise RunFailed("the limit pass did other operations than the speed pass")
        return done

    return manner.limit.figures((trace.name, allocator.name), speed, attempt)


def latency_figures(trace, allocator, manner, speed, seed):
    """The figures of single calls: percentiles of the sample that a seed draws, whose counts are
    added to those of the rounds before, and the worst from a run of its own."""
    of_round = round_file(manner, trace, allocator) if manner.curves else None
    try:
        more = ["--seed", str(seed)]
        figures = pass_figures(LATENCY, LATENCY_FIGURES, trace, allocator, manner, speed, more)
        if of_round:
            kept = manner.curves / results.latency_file(trace.name, allocator.name)
            latency_counts.add(of_round, kept)
    finally:
        if of_round:
            of_round.unlink(missing_ok=True)
    worst = pass_figures("worst", WORST_FIGURES, trace, allocator, manner, speed)
    return {**figures, **worst}


def pass_figures(name, keys, trace, allocator, manner, speed, more=()):
    """The figures of a further pass, which must do the work that the speed pass did."""
    done = one_pass(name, trace, allocator, manner, more)
    check_work(name, done, speed)
    return {key: done[key] for key in keys if key in done}


def one_pass(name, trace, allocator, manner, more=()):
    """What the replayer prints for one pass; `more` are options of its own."""
    arguments = ["--pass", name, "--touch", manner.touch, *more]
    arguments += thread_arguments(trace, manner.thread_order)
    if manner.pauses != PAUSES_NONE:
        arguments += ["--pauses", manner.pauses]
    if manner.decay and name == MEMORY:
        arguments.append("--decay")
    if manner.curves and name == MEMORY:
        curve = manner.curves / f"{trace.name}.{allocator.name}.csv"
        arguments += ["--curve", str(curve), "--points", str(CURVE_POINTS)]
    if manner.curves and name == LATENCY:
        arguments += ["--curve", str(round_file(manner, trace, allocator))]
    arguments.append(str(trace.path))
    try:
        return run_driver(allocator, arguments, manner)
    except RunFailed as reason:
        raise RunFailed(f"{name} pass: {reason}") from reason


def seconds_per_op(trace, allocator, manner):
    """The seconds that a replay takes for each operation, with all that is around it. What is
    replayed for this counts for nothing else."""
    with temporary_folder() as folder:
        timed = trace
        if trace.info["ops"] > 2 * TIMED_OPS:
            timed = traces.cut(trace, TIMED_OPS, folder / "timed.trace")
        began = time.monotonic()
        with must_succeed(trace.name):
            one_pass(SPEED, timed, allocator, manner)
        return (time.monotonic() - began) / timed.info["ops"]


def round_file(manner, trace, allocator):
    """The file of the counts of durations of one round."""
    return manner.curves / f"round.{results.latency_file(trace.name, allocator.name)}"


def run_driver(allocator, arguments, manner):
    """What the replayer prints, which ran with or without huge pages as it was to."""
    options = ("--small-pages",) if manner.thp == THP_NEVER else ()
    done = driver.run_once(
        "replay", allocator, arguments, manner.links, manner.timeout, options=options
    )
    if manner.thp == THP_NEVER and not done["thp_disabled"]:
        raise RunFailed("the system did not turn huge pages off for the process")
    return done


def add_net(entries, floors):
    """Sets net_ns_per_op, above the null allocator's median of the same trace."""
    rows = results.Results({}, entries).rows
    medians = {
        row.subject: stats.median(row.values("ns_per_op"))
        for row in rows
        if row.allocator in floors
    }
    for entry in entries:
        floor = medians.get(results.split_name(entry["name"])[1])
        if floor is not None and "ns_per_op" in entry:
            entry["net_ns_per_op"] = entry["ns_per_op"] - floor
