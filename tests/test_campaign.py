"""A measurement that gives up some of its subjects."""

from collections import Counter
from dataclasses import dataclass

from frontend.figures import results
from frontend.measuring import campaign
from frontend.progress import Quiet


@dataclass(frozen=True)
class Named:
    """A subject or an allocator."""

    name: str


def test_what_is_left_out_has_warm_ups_and_no_rows():
    calls = Counter()

    def attempt(subject, allocator, is_warm_up):
        calls[subject.name, is_warm_up] += 1
        if subject.name == "slow":
            raise campaign.RunFailed("too slow")
        return campaign.Figures(1, 1, {})

    asked = []

    def leave_out(seconds):
        asked.append({name: len(taken) for name, taken in seconds.items()})
        return ["slow"]

    subjects, names = [Named("quick"), Named("slow")], [Named("x"), Named("y")]
    arguments = ("replay", subjects, names, attempt, lambda *_: 6, Quiet(), leave_out)
    done = campaign.measure(*arguments)
    assert asked[0] == {"quick": 1, "slow": 1} and asked[-1] == {"quick": 7, "slow": 1}
    assert done.rounds == 6
    assert {results.split_name(e["name"])[1] for e in done.entries} == {"quick"}
    assert {results.split_name(e["name"])[1] for e in done.warm_ups} == {"quick", "slow"}
    assert calls == {("quick", True): 2, ("slow", True): 2, ("quick", False): 12}
