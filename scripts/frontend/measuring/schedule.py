"""In which order things run: interleaved, and rotated from round to round, so that a machine that
drifts favours nobody."""

WARM_UP = -1  # the round before the first one that counts


def rotated(things, by):
    """The things, beginning with number `by` (modulo their count)."""
    start = by % len(things) if things else 0
    return things[start:] + things[:start]


def one_round(subjects, allocators, number):
    """(subject, allocators) of a round; the first allocator changes with round and subject."""
    return [(subject, rotated(allocators, number + i)) for i, subject in enumerate(subjects)]


def rounds_within(budget_s, done, spent_s, least, most):
    """How many rounds that count fit a budget, when `done` rounds, of which the first was the
    warm-up, have taken spent_s."""
    fitting = int(budget_s * done // spent_s) - 1 if spent_s > 0 else most
    return max(least, min(most, fitting))
