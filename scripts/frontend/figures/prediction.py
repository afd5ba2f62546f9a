"""What a program would save with another allocator, predicted from replays with a model of the
program between the calls: the time of the replay under the reference, less that under the
allocator, taken within a round. The program's own work is the same in both and falls out.

As a share it is of the time that the program took: of the program itself under the reference where
the results have it, else when it was recorded.
"""

from dataclasses import dataclass

from frontend.figures import paired_samples, results
from frontend.figures.stats import WANTED_COVERAGE

MODELS = NONE, PROGRAM = ("none", "program")
TIME = "model_time_ns"  # of a replay with the model
SHARE = "predicted_saving"
AGAINST = "predicted_against"  # of the context: the reference


@dataclass(frozen=True)
class Saving:
    """What one allocator saves on one program: Estimates, the share None where it is not known."""

    ms: object
    share: object


def add(entries, reference, durations):
    """Sets the predicted saving of each entry that has a twin of the reference in its round;
    durations is {subject: ns that the program took, 0 if that is not known}."""
    twins = {(*key(e)[:1], e["repetition_index"]): e for e in entries if key(e)[1] == reference}
    for entry in entries:
        subject, _ = key(entry)
        twin = twins.get((subject, entry["repetition_index"]), {})
        if durations.get(subject) and TIME in entry and TIME in twin:
            entry[SHARE] = (twin[TIME] - entry[TIME]) / durations[subject]


def key(entry):
    """(subject, allocator) of an entry."""
    return results.split_name(entry["name"])[1:]


def has_any(summary):
    """Whether the Digest has replays with a model."""
    return any(row.values(TIME) for row in summary.rows.values())


def saving(summary, subject, name, program_ns=None):
    """The Saving of an allocator on a subject of a Digest of replays, or None; program_ns is what
    the program took, if not what the trace tells."""
    reference = summary.context.get(AGAINST)
    rows = [summary.rows.get((subject, n)) for n in (reference, name)]
    if name == reference or not all(row and not row.failures for row in rows):
        return None
    before, after = (row.by_round(TIME) for row in rows)
    saved = [before[r] - after[r] for r in sorted(before.keys() & after.keys())]
    if not saved:
        return None
    took = program_ns or duration_of(summary.context, subject)
    share = effect(ns / took for ns in saved) if took else None
    return Saving(effect(ns / 1e6 for ns in saved), share)


def effect(differences):
    """The Estimate of differences within rounds."""
    return paired_samples.effect(list(differences), WANTED_COVERAGE)


def duration_of(context, subject):
    """How many ns the program took when it was recorded; 0: not known."""
    return (context.get("traces", {}).get(subject) or {}).get("duration_ns", 0)
