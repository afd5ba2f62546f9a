"""The recorded corpus: its traces are whole and of the promised size, the table tells the truth,
and the programs' input is the same each time it is made."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from frontend.measuring import traces
from places import REPO, load_script

WORKLOADS = REPO / "workloads"
LEAST_OPS, MOST_OPS = 200_000, 5_000_000
LEAST_OTHER_OPS = 100_000  # of what is held out, and of what a short comparison does not take
MOST_BYTES = 8 << 20
MOST_HELD_OUT_BYTES = 4_000_000
MOST_HELD_OUT_TRACE_BYTES = 700_000
LARGE_LIVE = 200 << 20
MOST_BYTES_PER_OP = 2
THREADED = (
    *("redis", "doxygen", "ffmpeg", "git-repack"),
    *("mariadb", "lld", "ripgrep", "vips"),
)


def load_recorder():
    """The script record_corpus as a module."""
    sys.path.insert(0, str(WORKLOADS))
    return load_script("workloads/record_corpus")


record_corpus = load_recorder()
PROGRAMS = {program.name: program for program in record_corpus.PROGRAMS}
HELD_OUT = {program.name: program for program in record_corpus.HELD_OUT}
TRACES = sorted(record_corpus.TRACES.rglob("*.trace"))


@pytest.fixture(scope="module")
def facts():
    """What info says of every trace, by name; reading it verifies all blocks."""
    return {path.stem: record_corpus.info(path) for path in TRACES}


def test_each_program_has_a_trace_and_each_trace_a_program():
    corpus = {path.stem for path in TRACES if path.parent == record_corpus.TRACES}
    assert corpus == PROGRAMS.keys() and len(corpus) >= 10
    held_out = {path.stem for path in TRACES if path.parent == record_corpus.HELD_OUT_TRACES}
    assert held_out == HELD_OUT.keys() and len(TRACES) == len(corpus | held_out)


def test_what_is_held_out_is_not_of_the_corpus():
    assert not {p.package for p in HELD_OUT.values()} & {p.package for p in PROGRAMS.values()}
    assert {trace.name for trace in traces.corpus()} == PROGRAMS.keys()


def test_the_standard_traces_are_of_the_corpus():
    names = [trace.name for trace in traces.standard()]
    assert set(names) < PROGRAMS.keys() and len(names) == len(set(names))


def test_what_is_held_out_keeps_to_its_rule(facts):
    held_out = {name: facts[name] for name in HELD_OUT}
    sizes = [path.stat().st_size for path in TRACES if path.stem in HELD_OUT]
    assert len(held_out) >= 10
    assert sum(fact["threads"] > 1 for fact in held_out.values()) >= 4
    assert sum(fact["peak_live"] > LARGE_LIVE for fact in held_out.values()) >= 2
    assert sum(sizes) <= MOST_HELD_OUT_BYTES
    assert max(sizes) <= MOST_HELD_OUT_TRACE_BYTES


def test_operations_are_in_range(facts):
    long = PROGRAMS.keys() & set(traces.STANDARD)
    outside = {
        name: fact["ops"]
        for name, fact in facts.items()
        if not (LEAST_OPS if name in long else LEAST_OTHER_OPS) <= fact["ops"] <= MOST_OPS
    }
    assert outside == {}


def test_nothing_was_lost(facts):
    assert {name: fact["losses"].get("lost_ops", 0) for name, fact in facts.items()} == {
        name: pytest.approx(0) for name in facts
    }


def test_traces_are_small(facts):
    sizes = [path.stat().st_size for path in TRACES]
    assert sum(sizes) <= MOST_BYTES
    assert sum(sizes) <= MOST_BYTES_PER_OP * sum(fact["ops"] for fact in facts.values())


def test_threads_hand_blocks_on(facts):
    for name in THREADED:
        assert facts[name]["threads"] > 1, name
        assert facts[name]["handoffs"] > 0, name


def test_table_agrees_with_the_traces(facts, monkeypatch):
    monkeypatch.setattr(record_corpus, "info", lambda trace: facts[trace.stem])
    text = record_corpus.TABLE.read_text(encoding="utf-8")
    assert text == record_corpus.table_text(record_corpus.known_versions(text))


def test_traces_tell_nothing_of_the_machine_that_recorded_them(facts):
    for name, fact in facts.items():
        assert str(REPO) not in str(fact["origin"]), name


IMPORTED_FROM = [str(REPO / "tests"), str(REPO / "scripts"), str(WORKLOADS)]
HASH_INPUTS = """
import sys
sys.path[:0] = sys.argv[2:]
import test_corpus
print(test_corpus.hash_of_inputs(sys.argv[1]))
"""


def hash_of_inputs(folder):
    """One hash over the names and contents of all inputs, made in a folder."""
    total = hashlib.sha256()
    for program in (*record_corpus.PROGRAMS, *record_corpus.HELD_OUT):
        place = Path(folder, program.name)
        place.mkdir()
        if program.generate:
            program.generate(place, Random(program.name))
        for path in sorted(place.rglob("*")):
            total.update(str(path.relative_to(folder)).encode())
            total.update(path.read_bytes() if path.is_file() else b"")
    return total.hexdigest()


def test_input_is_the_same_each_time(tmp_path):
    seen = set()
    for seed in ("1", "2"):
        place = tmp_path / seed
        place.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", HASH_INPUTS, str(place), *IMPORTED_FROM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        seen.add(done.stdout)
    assert len(seen) == 1


def test_table_names_the_large_programs():
    text = record_corpus.TABLE.read_text(encoding="utf-8")
    large = text.partition("# Large\n")[2]
    assert all(f"| {program.name} |" in large for program in record_corpus.LARGE)


def test_unknown_program_is_refused(capsys):
    assert record_corpus.main(["no-such-program"]) == 2
    assert capsys.readouterr().err == (
        "record_corpus: no-such-program: no program of the corpus (--list names them)\n"
    )


def test_large_programs_are_listed_apart(capsys):
    assert record_corpus.main(["--large", "--list"]) == 0
    large = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert large == ["xmllint-large", "gawk-large"]
    assert record_corpus.main(["--list"]) == 0
    assert not set(large) & set(capsys.readouterr().out.split())
    assert record_corpus.main(["--large", "lua"]) == 2
    assert "lua: no large program (--list names them)" in capsys.readouterr().err


def test_large_traces_are_not_in_git():
    paths = [str(record_corpus.trace_of(program)) for program in record_corpus.LARGE]
    command = ["git", "check-ignore", *paths]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True)
    assert done.stdout.split() == paths


def test_a_large_trace_is_kept_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(record_corpus, "LARGE_TRACES", tmp_path / "large")
    (tmp_path / "new.trace").write_bytes(b"recorded")
    record_corpus.keep(record_corpus.LARGE[0], tmp_path / "new.trace")
    assert (tmp_path / "large" / "xmllint-large.trace").read_bytes() == b"recorded"


def test_large_ones_are_recorded_without_a_change_of_the_table(monkeypatch):
    recorded = []
    monkeypatch.setattr(record_corpus, "install", lambda programs: None)
    monkeypatch.setattr(record_corpus, "record", lambda program: recorded.append(program.name))
    monkeypatch.setattr(record_corpus, "write_table", lambda versions: recorded.append(versions))
    assert record_corpus.main(["--large"]) == 0
    assert recorded == ["xmllint-large", "gawk-large"]


def test_missing_packages_are_named_to_an_ordinary_user(capsys, monkeypatch):
    monkeypatch.setattr("workshop.installed_version", lambda package: None)
    monkeypatch.setattr(record_corpus.os, "geteuid", lambda: 1000)
    assert record_corpus.main(["redis"]) == 2
    expected = "sudo apt-get install -y --no-install-recommends redis-server redis-tools"
    assert capsys.readouterr().err == f"record_corpus: packages are missing: {expected}\n"


def test_known_versions_come_from_the_first_table():
    text = "| name | package |\n| --- | --- |\n| a | pkg 1 | 7 |\n\n| a | story | input |\n"
    assert record_corpus.known_versions(text)["a"] == "pkg 1"


def test_inputs_can_be_made_to_run_the_program_oneself(tmp_path):
    folder = tmp_path / "in here"
    command = record_corpus.make_inputs(PROGRAMS["sqlite3"], folder)
    assert command == f"cd '{folder}' && sqlite3 :memory: '.read shop.sql'"
    assert (folder / "shop.sql").stat().st_size > 0
