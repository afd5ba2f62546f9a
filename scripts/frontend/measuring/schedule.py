"""In which order things run: interleaved, so that a machine that drifts favours nobody, and each
after each other thing equally often, so that nobody always finds what the same one left behind:
warm memory, or scattered pages."""

WARM_UP = -1  # the round before the first one that counts


def balanced(things, number):
    """The things in order `number` of a Williams design (E. J. Williams, Australian Journal of
    Scientific Research 2, 1949): in as many orders as there are things, or in twice as many if that
    is odd, each has each place, and each other one directly in front of it, equally often.
    """
    count = len(things)
    zigzag = [(i + 1) // 2 if i % 2 else -(i // 2) for i in range(count)]
    order = [things[(number + step) % count] for step in zigzag]
    mirrored = count % 2 and number // count % 2
    return order[::-1] if mirrored else order


def one_round(subjects, allocators, number):
    """(subject, allocators) of a round; the order changes with round and subject."""
    return [(subject, balanced(allocators, number + i)) for i, subject in enumerate(subjects)]
