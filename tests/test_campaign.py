"""A measurement that gives up some of its subjects."""

from collections import Counter
from dataclasses import dataclass

from frontend.figures import results
from frontend.measuring import campaign
from frontend.measuring.budget import Rounds


@dataclass(frozen=True)
class Named:
    """A subject or an allocator."""

    name: str


def test_what_is_left_out_has_warm_ups_and_no_rows():
    calls = Counter()

    def attempt(subject, allocator, number):
        calls[subject.name, number] += 1
        if subject.name == "slow":
            raise campaign.RunFailed("too slow")
        return campaign.Figures(1, 1, {})

    asked = []

    class Short(Rounds):
        def leave_out(self, seconds):
            asked.append({name: len(taken) for name, taken in seconds.items()})
            return ["slow"]

    subjects, names = [Named("quick"), Named("slow")], [Named("x"), Named("y")]
    done = campaign.measure("replay", subjects, names, attempt, Short(6))
    assert asked[0] == {"quick": 1, "slow": 1} and asked[-1] == {"quick": 7, "slow": 1}
    assert done.rounds == 6
    assert {results.split_name(e["name"])[1] for e in done.entries} == {"quick"}
    assert {results.split_name(e["name"])[1] for e in done.warm_ups} == {"quick", "slow"}
    warm_ups = {("quick", campaign.WARM_UP): 2, ("slow", campaign.WARM_UP): 2}
    assert calls == {**warm_ups, **{("quick", number): 2 for number in range(6)}}
