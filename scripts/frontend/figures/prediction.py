"""What a program would save with another allocator, predicted from replays with a model of the
program between the calls: the time of the replay under the reference, less that under the
allocator, taken within a round. The program's own work is the same in both and falls out.

As a share it is of the time that the program took: of the program itself under the reference where
the results have it, else when it was recorded.

Of traces of one thread a part of the saving is told to be inside the calls: the time that they take
with the model, less under the allocator than under the reference. The rest is outside: where blocks
lie, and the page faults of what is written to them.
"""

from dataclasses import dataclass

from frontend.figures import paired_samples, results
from frontend.figures.stats import WANTED_COVERAGE

MODELS = NONE, PROGRAM = ("none", "program")
TIME = "model_time_ns"  # of a replay with the model
IN_CALLS = "model_in_calls_ns"  # of it inside calls, of all threads together
SHARE = "predicted_saving"
SHARE_IN_CALLS = "predicted_saving_in_calls"  # of the predicted saving
AGAINST = "predicted_against"  # of the context: the reference


@dataclass(frozen=True)
class Saving:
    """What one allocator saves on one program: Estimates, the share None where it is not known, the
    part inside calls None where there are several threads: time of theirs is no part of wall time.
    """

    ms: object
    share: object
    in_calls_ms: object


def add(entries, reference, durations):
    """Sets the predicted saving of each entry that has a twin of the reference in its round;
    durations is {subject: ns that the program took, 0 if that is not known}."""
    twins = {(*key(e)[:1], e["repetition_index"]): e for e in entries if key(e)[1] == reference}
    for entry in entries:
        subject, _ = key(entry)
        twin = twins.get((subject, entry["repetition_index"]), {})
        for figure, share in ((TIME, SHARE), (IN_CALLS, SHARE_IN_CALLS)):
            is_told = figure in entry and figure in twin
            if durations.get(subject) and is_told and (figure == TIME or has_parts(entry)):
                entry[share] = (twin[figure] - entry[figure]) / durations[subject]


def has_parts(entry):
    """Whether the time inside calls is a part of what the replay takes."""
    return entry.get("threads", 1) == 1


def key(entry):
    """(subject, allocator) of an entry."""
    return results.split_name(entry["name"])[1:]


def saving(summary, subject, name, program_ns=None):
    """The Saving of an allocator on a subject of a Digest of replays, or None; program_ns is what
    the program took, if not what the trace tells."""
    reference = summary.context.get(AGAINST)
    rows = [summary.rows.get((subject, n)) for n in (reference, name)]
    if name == reference or not all(row and not row.failures for row in rows):
        return None
    saved = saved_by_round(rows, TIME)
    if not saved:
        return None
    took = program_ns or duration_of(summary.context, subject)
    share = effect(ns / took for ns in saved) if took else None
    in_calls = saved_by_round(rows, IN_CALLS) if all(map(has_parts, rows[1].samples)) else []
    return Saving(effect(ns / 1e6 for ns in saved), share, effect(ns / 1e6 for ns in in_calls))


def saved_by_round(rows, key):
    """How much less the second of two Rows has of a figure than the first, round by round."""
    before, after = (row.by_round(key) for row in rows)
    return [before[r] - after[r] for r in sorted(before.keys() & after.keys())]


def effect(differences):
    """The Estimate of differences within rounds."""
    return paired_samples.effect(list(differences), WANTED_COVERAGE)


def duration_of(context, subject):
    """How many ns the program took when it was recorded; 0: not known."""
    return (context.get("traces", {}).get(subject) or {}).get("duration_ns", 0)
