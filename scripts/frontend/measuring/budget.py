"""What fits a given time: how many rounds of a measurement, and of which of its subjects.

A comparison with too few rounds tells nothing, so what does not fit is not the last rounds but
whole subjects: they are left out in a named order, until the rounds that are needed fit. Both are
decided after the warm-up, from what each subject took in it, and again after each round, from what
the rounds took.
"""

import os
import time

# The memory pass of a replay, which the warm-up has not, takes this much of its speed pass, and as
# many run side by side as there are processors. A guess, not measured yet.
MEMORY_PASS = 1.3
LOOP = 3_000_000  # steps: a quarter of a second, measured busy
# Once rounds have been measured, their times vary by some percent; a subject is not given up for so
# little. Arbitrary.
TOLERANCE = 1.1


class Budget:
    """Decides what of a measurement is made until a point in time (of time.monotonic)."""

    def __init__(self, end_s, order, least, most, fewest=1, growth=1.0):
        """`order` names the subjects, most worth to be kept first; at least the `fewest` first are.
        There are from `least` to `most` rounds. A round takes `growth` times the warm-up."""
        self.end_s, self.order, self.fewest = end_s, list(order), fewest
        self.least, self.most, self.growth = least, most, growth
        self.kept = list(order)
        self.round_s = 0.0  # of what is kept
        self.missing = least  # rounds that are needed and not done

    def leave_out(self, seconds):
        """The names of the subjects that are given up; seconds is {subject: [what it took in each
        round, the warm-up first]}."""
        costs = {name: self.cost(seconds[name]) for name in self.kept}
        done = max((len(seconds[name]) - 1 for name in self.kept), default=0)
        self.missing = max(0, self.least - done)
        left_s = self.left_s() * (TOLERANCE if done else 1)
        while len(self.kept) > self.fewest and self.missing * total(costs, self.kept) > left_s:
            self.kept.pop()
        self.round_s = total(costs, self.kept)
        return set(self.order) - set(self.kept)

    def cost(self, taken):
        """What a subject will take in a round, going by what it took in those so far."""
        warm_up, *rounds = taken
        return sum(rounds) / len(rounds) if rounds else warm_up * self.growth

    def left_s(self):
        """The seconds that are left."""
        return max(0.0, self.end_s - time.monotonic())

    def choose_rounds(self, done):
        """The number of rounds that count; `done` has the warm-up in it. None before that, unless
        nothing is to be chosen."""
        if self.least == self.most:
            return self.least
        if done == 0:
            return None
        if not self.kept:
            return 0
        fitting = done - 1 + int(self.left_s() / max(self.round_s, 1e-9))
        return max(self.least, min(self.most, fitting))

    @property
    def left_out(self):
        """The subjects that were given up, the first one first."""
        return [name for name in reversed(self.order) if name not in self.kept]

    @property
    def lacking_s(self):
        """By how much the rounds that are still needed exceed the time."""
        return max(0.0, self.missing * self.round_s - self.left_s())


class Rounds:
    """A Budget of a number of rounds of everything, however long they take."""

    def __init__(self, count):
        self.count = count

    def leave_out(self, _seconds):
        """Nothing is given up."""
        return set()

    def choose_rounds(self, _done):
        """The number."""
        return self.count


def loop_s():
    """The seconds that a fixed piece of Python takes: how quick this machine is, busy as it is."""
    start, number = time.monotonic(), 0
    for i in range(LOOP):
        number += i
    return time.monotonic() - start


def processors():
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


def replay_growth():
    """How much longer a round of replays takes than the warm-up, which has no memory pass."""
    return 1 + MEMORY_PASS / processors()


def total(costs, names):
    """What a round of some subjects takes."""
    return sum(costs[name] for name in names)
