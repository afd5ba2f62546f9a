"""The advice as five lines for people and as JSON for programs. Both say the same; nothing is
decided here.
"""

import os
import shlex
from dataclasses import asdict

from frontend.advising.advice import REAL, REAL_SAVING, is_too_little
from frontend.counted import counted
from frontend.figures.decision import BETTER, MARGIN, UNKNOWN, WORSE, runs_needed
from frontend.figures.metrics import RSS, TIME
from frontend.figures.table import size_text
from frontend.paths import shown

SHORT_S = 0.1  # below this, milliseconds have more to say
LABEL_WIDTH = 8


def lines(advice):
    """The five lines."""
    told = {label: "; ".join(parts) for label, parts in facts(advice).items()}
    told["page"] = shown(advice.page)
    return [f"{label:{LABEL_WIDTH}}{text}" for label, text in told.items()]


def facts(advice):
    """{label: parts} of what the lines say, but for where the page is."""
    return {
        "asks": [asks(advice.asked)],
        "time": time_parts(advice),
        "memory": memory_parts(advice),
        "type": [type_line(advice)],
    }


def asks(asked):
    """What the program asks of malloc."""
    one_of = f" ({100 * asked.share:.0f} % of the calls of {asked.processes} processes)"
    return (
        f"{asked.program}{one_of if asked.processes > 1 else ''}: "
        f"{counted(asked.calls, 'call')} in {seconds_text(asked.seconds)} "
        f"({rate_text(asked.calls_per_second)} a second), "
        f"{size_text(asked.mean_size)} a request on average, at most {size_text(asked.peak_live)} "
        f"live, {counted(asked.threads, 'thread')}"
    )


def time_parts(advice):
    """What the program would gain in time."""
    metric = TIME[advice.kind]
    return [*(gain_text(o, o.time, metric) for o in advice.offers), time_base(advice)]


def time_base(advice):
    """What the gains in time are gains of."""
    if advice.kind == REAL:
        return f"of {seconds_text(advice.base_time)} with {advice.base.name} ({runs_text(advice)})"
    least, most = REAL_SAVING
    return (
        f"of {seconds_text(advice.base_time)} in malloc with {advice.base.name}, "
        f"{share_text(advice.malloc_share)} of the program's time. {replays_text(advice)}: a real "
        f"saving is mostly {least} to {most} times the replay's"
    )


def memory_parts(advice):
    """What it would gain in memory."""
    what = "peak RSS" if advice.kind == REAL else "peak RSS of its blocks"
    base = "an unknown" if advice.base_memory is None else size_text(advice.base_memory)
    offers = (gain_text(o, o.memory, RSS) for o in advice.offers)
    return [*offers, f"of {base} {what} with {advice.base.name}"]


def gain_text(one, ratio, metric):
    """ "span-fast -7 % [-9, -5] faster"."""
    if one.error or ratio is None:
        return f"{one.name} {'failed' if one.error else 'not measured'}"
    change = f"{one.name} {percent_text(ratio.median)} %"
    if ratio.low is not None:
        change += f" [{percent_text(ratio.low)}, {percent_text(ratio.high)}]"
    return f"{change} {verdict_text(ratio.verdict, metric)}"


def verdict_text(verdict, metric):
    """A verdict in the words of the figure."""
    return {BETTER: metric.better, WORSE: metric.worse}.get(verdict, verdict)


def percent_text(ratio):
    """ "-7" for 0.93, "+0.4" for 1.004."""
    change = 100 * (ratio - 1)
    digits = 0 if abs(change) >= 9.5 else 1
    return f"{change:+.{digits}f}" if round(change, digits) else "0"


def runs_text(advice):
    """How many runs these are, and what their intervals cover."""
    covered = [o.time.coverage for o in advice.offers if o.time and o.time.low is not None]
    cover = f", intervals of {100 * min(covered):.0f} %" if covered else ""
    what = "real run" if advice.kind == REAL else "replay"
    return f"{counted(advice.rounds, what)} each{cover}"


def replays_text(advice):
    """That these figures are of replays, and of how much of the program."""
    part = ""
    if advice.cut:
        part = f", of the first {share_text(advice.cut[0] / advice.cut[1])} of its calls"
    return f"Replays only{part} ({runs_text(advice)})"


def type_line(advice):
    """The line to type, or that there is none."""
    name = advice.base.name
    if advice.chosen is None:
        open_ = [o for o in advice.offers if UNKNOWN in o.verdicts()]
        why = "cannot tell that any is better" if open_ else "no other is better"
        if advice.linked_with:
            return f"keep {advice.linked_with}, which it is linked with: {why} than {name}"
        return f"keep {name}: {why}"
    if advice.linked_with and advice.chosen.allocator.path.name.startswith(advice.linked_with):
        return f"keep {advice.linked_with}, which it is linked with"
    remark = ""
    if advice.is_trade:
        is_time = advice.chosen.verdicts()[0] == BETTER
        more, than = ("memory", "time") if is_time else ("time", "memory")
        remark = f"    # costs {more}; where that matters more than {than}, keep {name}"
    return command_line(advice.chosen.allocator, advice.words) + remark


def open_text(advice):
    """What would tell where real runs did not: how many rounds, and the command, or that the calls
    are too few; None where they did tell."""
    doubtful = [o for o in advice.offers if o.time and o.time.verdict == UNKNOWN]
    if advice.kind != REAL or not doubtful:
        return None
    if is_too_little(advice):
        share = share_text(advice.malloc_share)
        return (
            f"{advice.asked.program}'s calls take about {share} of its time: faster ones alone do "
            f"not change it by {100 * MARGIN:g} %"
        )
    rounds = max(runs_needed(o.time) for o in doubtful)
    compared = [advice.base, *(o.allocator for o in doubtful)]
    words = ["spanbench", "exec", "-n", str(rounds)]
    words += [word for allocator in compared for word in ("-a", option_text(allocator))]
    command = shlex.join([*words, "--", *advice.words])
    names = ", ".join(allocator.name for allocator in compared)
    return f"about {counted(rounds, 'round')} would tell how {names} differ in time: {command}"


def option_text(allocator):
    """What -a must be told to find an allocator again."""
    if allocator.name == allocator.base:
        return allocator.name
    settings = (f"{key}={value}" for key, value in allocator.settings.items())
    return ";".join([f"{allocator.name}={allocator.base or allocator.path}", *settings])


def command_line(allocator, words):
    """The shell's line that runs a command under an allocator."""
    settings = dict(allocator.settings)
    if allocator.base != "glibc":
        settings["LD_PRELOAD"] = str(allocator.path)
    return " ".join([*(f"{k}={shlex.quote(v)}" for k, v in settings.items()), shlex.join(words)])


def to_json(advice):
    """The same facts as an object."""
    chosen = advice.chosen
    return {
        "command": advice.words,
        "asked": {**asdict(advice.asked), "calls_per_second": advice.asked.calls_per_second},
        "source": "real runs" if advice.kind == REAL else "replays",
        "rounds": advice.rounds,
        "base": {
            "name": advice.base.name,
            "seconds": advice.base_time,
            "peak_rss": advice.base_memory,
        },
        "allocators": [offer_json(o) for o in advice.offers],
        "advice": chosen.name if chosen else advice.base.name,
        "malloc_share": advice.malloc_share,
        "linked_with": advice.linked_with,
        "is_trade": advice.is_trade,
        "line": command_line(chosen.allocator, advice.words) if chosen else None,
        "no_real_runs": advice.why_no_runs,
        "cut": dict(zip(("replayed_ops", "ops"), advice.cut)) if advice.cut else None,
        "real_saving_of_predicted": None if advice.kind == REAL else REAL_SAVING,
        "notes": advice.notes,
        "page": os.path.abspath(advice.page),
    }


def offer_json(one):
    """What one allocator would bring."""
    return {
        "name": one.name,
        "path": str(one.allocator.path),
        "time": decision_json(one.time),
        "memory": decision_json(one.memory),
        "predicted_saving": one.saving,
        "error": one.error,
    }


def decision_json(ratio):
    """A Decision as an object."""
    if ratio is None:
        return None
    keys = ("median", "low", "high", "coverage", "verdict")
    return {{"median": "ratio"}.get(key, key): getattr(ratio, key) for key in keys}


def seconds_text(seconds):
    """ "1.23 s", "45 ms"."""
    if seconds is None:
        return "an unknown time"
    return f"{1000 * seconds:.3g} ms" if seconds < SHORT_S else f"{seconds:.3g} s"


def share_text(share):
    """ "62 %", "1.5 %"."""
    return f"{100 * share:.{0 if share >= 0.095 else 1}f} %"


def rate_text(rate):
    """ "1.9 million", "45,000"."""
    return f"{rate / 1e6:.1f} million" if rate >= 1e6 else f"{float(f'{rate:.2g}'):,.0f}"
