"""What of the advice fits the time that it may take: how much is recorded, how many operations are
replayed in how many rounds, and whether, and how often, the program itself is run. It runs nothing.
"""

import time
from dataclasses import dataclass

from frontend.measuring.budget import loop_s, replay_growth

RECORDED_SHARE = 0.3  # of the time, for the run that is recorded; arbitrary
SIZE_A_SECOND = 4 << 20  # bytes of recording for each second of the limit: some 10 s to compile
REAL_SHARE = 0.6  # of what is left after the recording, for the real runs at most; arbitrary
# Six rounds are the least of which intervals cover 95 %. Where real runs follow, a replay need only
# tell who is worth one.
SURE_ROUNDS, RANKING_ROUNDS = 6, 3
MOST_ROUNDS, MOST_REPLAYS = 12, 10  # beyond these little is gained
SHORT_S, MOST_SHORT_ROUNDS = 0.3, 30  # short programs vary more, and cost less to run
RANKING_S = 20  # for replays that only rank, at most; arbitrary
MOST_RIVALS = 3  # that are run for real
FEWEST_OPS = 100_000  # that a cut has: of fewer, the start of the program is all that shows
# A run under another allocator, and with a probe in it, may take longer than the recorded one did;
# a replay on the slowest allocator longer than on glibc. Arbitrary.
RESERVE = 1.25
SLOW_REPLAY = 1.5
# Charts and page of one program take this many times what budget.loop_s does: 9 s to 0.08 s, busy,
# and half as much again.
PAGE_LOOPS = 150


class Clock:
    """The time that there is."""

    def __init__(self, limit_s):
        self.limit_s, self.begun = limit_s, time.monotonic()
        self.page_s = 0.0  # kept back for the page
        self.keep_back()

    def keep_back(self):
        """Keeps back what the page will take, going by how quick the machine is now."""
        self.page_s = max(self.page_s, min(PAGE_LOOPS * loop_s(), self.limit_s / 3))

    @property
    def end_s(self):
        """When the measurements must have ended, of time.monotonic: the page comes after."""
        return self.begun + self.limit_s - self.page_s

    def left_s(self):
        """The seconds that are left to measure."""
        return max(0.0, self.end_s - time.monotonic())

    def told(self):
        """ "at most 1:05 left" of the whole."""
        seconds = max(0, round(self.begun + self.limit_s - time.monotonic()))
        return f"at most {seconds // 60}:{seconds % 60:02} left"


@dataclass(frozen=True)
class Plan:
    """What is done after the recording."""

    rivals: int  # so many are run for real, besides the first allocator; 0: none
    real_rounds: int  # at most
    replay_s: float  # for all replays
    replay_rounds: int  # at least

    def ops_that_fit(self, op_s, allocators):
        """How many operations can be replayed on so many allocators, if one takes op_s seconds."""
        passes = 1 + self.replay_rounds * replay_growth()
        fitting = self.replay_s / (SLOW_REPLAY * op_s * allocators * passes)
        return max(FEWEST_OPS, int(fitting))


def plan(left_s, run_s, has_ended, rivals):
    """The Plan for what is left, of a program that took run_s seconds, if it came to its end,
    and that may gain from so many allocators."""
    most = min(MOST_RIVALS, rivals) if has_ended else 0
    count = rivals_that_fit(REAL_SHARE * left_s, run_s, most)
    if not count:
        return Plan(0, 0, left_s, SURE_ROUNDS)
    rounds = MOST_SHORT_ROUNDS if run_s < SHORT_S else MOST_ROUNDS
    replay_s = min(left_s - real_s(run_s, count), left_s / 2, RANKING_S)
    return Plan(count, rounds, replay_s, RANKING_ROUNDS)


def rivals_that_fit(left_s, run_s, most):
    """How many allocators, of so many at most, can be run for real beside the first one."""
    fitting = (n for n in range(most, 0, -1) if real_s(run_s, n) <= left_s)
    return next(fitting, 0)


def real_s(run_s, rivals):
    """What the fewest rounds of real runs take, the warm-up among them."""
    return RESERVE * (rivals + 1) * (SURE_ROUNDS + 1) * run_s


def limit_for(run_s, page_s):
    """About the limit with which a program that takes run_s is run for real."""
    recorded = run_s + RESERVE * 2 * (SURE_ROUNDS + 1) * run_s / REAL_SHARE + page_s
    return max(recorded, run_s / RECORDED_SHARE)
