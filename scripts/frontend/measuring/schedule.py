"""In which order things run: interleaved, so that a machine that drifts favours nobody, and each
after each other thing equally often, so that nobody always finds what the same one left behind:
warm memory, or scattered pages."""

WARM_UP = -1  # the round before the first one that counts


def balanced(things, number):
    """The things in order `number` of a Williams design (E. J. Williams, Australian Journal of
    Scientific Research 2, 1949): in as many orders as there are things, or in twice as many if that
    is odd, each has each place, and each other one directly in front of it, equally often."""
    count = len(things)
    zigzag = [(i + 1) // 2 if i % 2 else -(i // 2) for i in range(count)]
    order = [things[(number + step) % count] for step in zigzag]
    mirrored = count % 2 and number // count % 2
    return order[::-1] if mirrored else order


def one_round(subjects, allocators, number):
    """(subject, allocators) of a round; the order changes with round and subject."""
    return [(subject, balanced(allocators, number + i)) for i, subject in enumerate(subjects)]


def subjects_within(budget_s, spent_s, rounds, least, dearer=1.0):
    """Which subjects of {subject: seconds that its warm-ups took} are measured for so many rounds
    in what the warm-ups left of the budget: the quickest ones, and `least` at any rate. `dearer` is
    what a round takes, as a multiple of the warm-ups."""
    left_s, kept = budget_s - sum(spent_s.values()), []
    for name, taken_s in sorted(spent_s.items(), key=lambda item: item[1]):
        left_s -= rounds * dearer * taken_s
        if left_s < 0 and len(kept) >= least:
            break
        kept.append(name)
    return kept


def rounds_within(budget_s, done, spent_s, least, most):
    """How many rounds that count fit a budget, when `done` rounds, of which the first was the
    warm-up, have taken spent_s."""
    fitting = int(budget_s * done // spent_s) - 1 if spent_s > 0 else most
    return max(least, min(most, fitting))
