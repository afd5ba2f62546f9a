"""The stress of threaded replays, on a made-up build: how each run ended is counted, and traces of
one thread take no part."""

import pytest

from frontend.allocators import registry
from frontend.measuring import traces
from studies import thread_stress


@pytest.fixture
def stress(made_up_build, made_up_trace):
    """A function that runs traces {name: faults} three times on span and glibc, and returns
    {(trace, allocator): Counter} and the exit status."""

    def run(faults, timeout=60):
        paths = [made_up_trace(name, threads=2, faults=fault) for name, fault in faults.items()]
        assert made_up_build.is_dir()
        allocators = registry.resolve(["span,glibc"])
        counts = thread_stress.run(traces.load(paths), allocators, 3, timeout, 2)
        named = {(s.trace.name, s.allocator.name): ends for s, ends in counts.items()}
        return named, thread_stress.show(counts, allocators)

    return run


def test_fine_runs_are_fine(stress, capsys):
    counts, status = stress({"a": {}, "b": {}})
    assert status == 0 and len(counts) == 4
    assert all(ends == {"fine": 3} for ends in counts.values())
    assert ["glibc", "6", "6", "0", "0"] in [
        x.split() for x in capsys.readouterr().out.splitlines()
    ]


def test_crashes_other_work_and_hangs_are_told_apart(stress, capsys):
    faults = {"a": {"span": "crash"}, "b": {"span": "lazy"}}
    counts, status = stress(faults)
    assert status == 1
    assert counts["a", "span"] == {"failed": 3} and counts["b", "span"] == {"failed": 3}
    assert counts["a", "glibc"] == {"fine": 3}
    err = capsys.readouterr().err
    assert err.count("a on span, run 3: speed pass: killed by signal 11") == 1
    assert "b on span, run 1: 999 calls, where the trace has 1000" in err
    counts, status = stress({"c": {"span": "sleep"}}, timeout=2)
    assert status == 1 and counts["c", "span"] == {"hung": 3}


def test_an_interrupted_stress_tells_the_runs_so_far(stress, monkeypatch, capsys):
    ends = iter([(thread_stress.FINE, "")] * 3)

    def end_of(*_):
        try:
            return next(ends)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(thread_stress, "end_of", end_of)
    counts, status = stress({"a": {}})
    assert status == 0 and sum(ends.total() for ends in counts.values()) in (2, 3)
    assert "interrupted: the runs so far" in capsys.readouterr().err


def test_traces_of_one_thread_take_no_part(made_up_build, made_up_trace):
    assert made_up_build.is_dir()
    paths = [made_up_trace("one"), made_up_trace("two", threads=2)]
    assert [trace.name for trace in thread_stress.threaded(paths)] == ["two"]
