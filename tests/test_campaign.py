"""Which subjects and how many rounds a measurement has time for."""

from collections import Counter
from dataclasses import dataclass

import pytest

from frontend.figures import results
from frontend.measuring import campaign, schedule
from frontend.progress import Quiet
from frontend.verbs import bench


@dataclass(frozen=True)
class Named:
    """A subject or an allocator."""

    name: str


@pytest.mark.parametrize(
    "budget_s, kept",
    [(1000, "acb"), (21 + 6 * 21, "acb"), (20 + 6 * 21, "ac"), (21 + 6 * 5, "ac"), (0, "a")],
)
def test_the_quickest_subjects_are_kept_for_the_rounds_that_tell(budget_s, kept):
    spent_s = {"a": 1, "b": 16, "c": 4}
    assert schedule.subjects_within(budget_s, spent_s, 6, 1) == list(kept)
    if kept == "acb":
        dearer = schedule.subjects_within(21 + 6 * 21, spent_s, 6, 1, 1.5)
        assert dearer == ["a", "c"]


def test_what_is_left_out_has_warm_ups_and_no_rows():
    calls = Counter()

    def attempt(subject, allocator, is_warm_up):
        calls[subject.name, is_warm_up] += 1
        if subject.name == "slow":
            raise campaign.RunFailed("too slow")
        return campaign.Figures(1, 1, {})

    asked = []

    def choose(spent_s):
        asked.append(set(spent_s))
        return ["quick"]

    subjects, names = [Named("quick"), Named("slow")], [Named("x"), Named("y")]
    arguments = ("replay", subjects, names, attempt, lambda *_: 6, Quiet(), choose)
    done = campaign.measure(*arguments)
    assert asked == [{"quick", "slow"}] and done.rounds == 6
    assert {results.split_name(e["name"])[1] for e in done.entries} == {"quick"}
    assert {results.split_name(e["name"])[1] for e in done.warm_ups} == {"quick", "slow"}
    assert calls == {("quick", True): 2, ("slow", True): 2, ("quick", False): 12}


def test_a_bench_leaves_out_traces_rather_than_rounds_and_says_so(capsys):
    extent = bench.Extent(budget_s=70)
    kept = extent.chooser("traces")({f"trace{i}": float(i) for i in range(1, 9)})
    assert kept == ["trace1", "trace2", "trace3", "trace4"]
    assert "without trace5, trace6, trace7, trace8" in capsys.readouterr().err
    assert extent.choose(1, 36.0) == bench.LEAST_ROUNDS == 6
    assert bench.Extent(rounds=15).chooser("traces") is None
