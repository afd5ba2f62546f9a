"""How a command line is told to its user: help, complaints about usage, guesses of what was meant,
and JSON in the place of every table."""

import argparse
import json
import re
import shlex
import subprocess
import sys

import made_up_results
import pytest
from places import BUILD, REPO

from frontend import cli, paths, version
from frontend.figures import results
from frontend.gate import gate_page, gate_verdict
from frontend.guess import closest
from frontend.verbs import whole_programs

PROGRAM = REPO / "scripts" / "spanbench"
REPEATING = ("replay", "exec", "whole-programs", "run", "micro", "bench", "gate", "bisect")
HEAVY = ("numpy", "scipy", "matplotlib", "rich", "elftools")
GARBAGE = (
    "",
    "x",
    "0",
    "-1",
    "nan",
    "inf",
    "1_0",
    "５",
    "1 2",
    "9" * 5000,
    "1e999",
    "a=b",
    ",",
    "=",
)


def actions_of(name):
    """The options and arguments of a verb."""
    _, parser = cli.load(name)
    return [a for a in parser._actions if not isinstance(a, argparse._HelpAction)]


ACTIONS = [(name, action) for name in cli.VERBS for action in actions_of(name)]
NAMES = [f"{name} {(action.option_strings or [action.dest])[-1]}" for name, action in ACTIONS]


def test_the_version_stands_in_one_place(spanbench):
    assert spanbench("--version") == (0, f"spanbench {version.VERSION}\n", "")
    command = ["make", "-C", REPO, "-n", "--no-print-directory", "uninstall"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"--version '([^']*)'", shown) == [version.VERSION]


def test_help_loads_nothing_that_is_slow():
    code = f"""
import sys
sys.argv = ["spanbench", "--help"]
sys.path.insert(0, {str(REPO / "scripts")!r})
from frontend import cli
try:
    cli.main()
finally:
    print(*sorted(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = done.stdout.splitlines()[-1].split()
    assert "frontend.cli" in loaded and "verbs:" in done.stdout
    assert not [name for name in loaded if name.partition(".")[0] in HEAVY]
    assert not [name for name in loaded if name.startswith("frontend.verbs.")]


# Help


@pytest.mark.parametrize("name", cli.VERBS)
def test_help_has_examples_that_are_possible(name, spanbench):
    module, parser = cli.load(name)
    status, out, _ = spanbench(name, "-h")
    assert status == 0 and module.EXAMPLES
    for line in module.EXAMPLES:
        assert f"  {line}\n" in out
        words = shlex.split(line, comments=True)
        words = words[words.index("spanbench") :]
        words = words[: next((i for i, w in enumerate(words) if w in ("&&", "|", ">")), None)]
        verb = cli.VERBS[name]
        own = [w for w in words[2:] if not (verb.passes_on and w.startswith(verb.passes_on))]
        assert words[1] == name and parser.parse(own, verb.takes_command)


@pytest.mark.parametrize("name, action", ACTIONS, ids=NAMES)
def test_every_option_says_what_it_does_and_its_default(name, action):
    assert action.help and len(action.help.split()) > 1
    if action.option_strings and action.default not in (None, False, [], argparse.SUPPRESS):
        assert "default" in action.help


@pytest.mark.parametrize("name, action", ACTIONS, ids=NAMES)
def test_a_wrong_value_is_told_in_plain_words(name, action):
    if action.type is None:
        return
    for text in GARBAGE:
        try:
            action.type(text)
        except argparse.ArgumentTypeError as error:
            assert "not " in str(error) or "needed" in str(error)


def test_one_letter_means_one_thing_in_all_verbs():
    long_names = {}
    for _, action in ACTIONS:
        names = [name for name in action.option_strings if name.startswith("--")]
        for letter in set(action.option_strings) - set(names):
            known = long_names.setdefault(letter, set(names))
            known &= set(names)
    assert long_names["-n"] == {"--runs", "--repeats"}
    assert all(long_names.values()), long_names


@pytest.mark.parametrize("name", REPEATING)
@pytest.mark.parametrize("option", ["-n", "--runs", "--repeats"])
def test_every_verb_that_repeats_is_told_so_alike(name, option):
    assert [a for a in actions_of(name) if option in a.option_strings and a.type("7") == 7]


# Complaints


@pytest.mark.parametrize(
    "words, line",
    [
        (["repaly"], "spanbench: repaly: no such verb; did you mean replay? (see spanbench -h)"),
        (["Gate"], "spanbench: Gate: no such verb; did you mean gate? (see spanbench -h)"),
        (["zzz", "x"], "spanbench: zzz: no such verb (see spanbench -h)"),
        (["--versoin"], "--versoin: no such option; did you mean --version?"),
        (["replay", "x", "--repeat", "5"], "--repeat: no such option; did you mean --repeats?"),
        (["replay", "--ouptut=x", "y"], "--ouptut: no such option; did you mean --output?"),
        (
            ["record", "--outptu", "x", "--", "ls"],
            "did you mean --output? (see spanbench record -h)",
        ),
        (["exec", "--ignore-outputs", "ls", "--all"], "did you mean --ignore-output or --output?"),
        (
            ["record", "-o", "x", "--sites", "jq", "-n", "1"],
            "--sites: jq: not a number from 1 to 8; if it is the command: --sites -- jq (see",
        ),
        (["micro", "-N", "5"], "-N: no such option; did you mean -n? (see spanbench micro -h)"),
        (["replay", "x", "--threads", "orignal"], "orignal: not one of original, serial; did you"),
        (["bisect", "a", "b", "c", "--metric", "peak_rs"], "did you mean peak_rss? (see"),
        (["gate", "--metrics", "tine"], "tine: not one of instructions,"),
        (["gate", "--limit", "peak=2"], "did you mean peak_rss or peak_mapped?"),
        (["info", "x", "y"], "spanbench info: y: one word too many (see spanbench info -h)"),
        (["info", "--json", "--profile", "x"], "not allowed with argument"),
        (["replay", "x", "-n"], "-n/--runs/--repeats: expected one argument"),
        (["replay", "x", "-n", "1\n2"], "1 2: not a whole number above zero"),
    ],
)
def test_a_complaint_is_one_line_that_guesses_and_says_where_help_is(spanbench, words, line):
    status, out, err = spanbench(*words)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert line in err and re.search(r" \(see spanbench( [a-z-]+)? -h\)\n$", err)


@pytest.mark.parametrize(
    "words, told",
    [
        (
            ("info", ""),
            "spanbench info: '': an empty word where a name is meant (see spanbench info -h)",
        ),
        (("diff", "a.trace", ""), "spanbench diff: '': an empty word"),
        (("run", ""), "spanbench run: '': an empty word"),
        (("exec", "-n", "1", "", "ls"), "spanbench exec: '': an empty word"),
        (("exec", "-n", "1", "--", ""), "spanbench: '': command not found"),
        (("",), "spanbench: '': no such verb"),
        (("cut", "a.trace", "-o", ""), "spanbench cut: -o/--output: '': an empty word (see"),
        (("export", "a.trace", "--to", "csv", "--output="), "-o/--output: '': an empty word"),
        (("export", "a.trace", "--to", "", "-o", "b"), "export: --to: '': an empty word"),
        (("replay", "a.trace", "-o", ""), "spanbench replay: -o/--output: '': an empty word"),
        (("record", "-o", "", "--", "true"), "record: -o/--output: '': an empty word"),
        (("advise", "-o", "", "--", "true"), "advise: -o/--output: '': an empty word"),
        (("gate", "--base", ""), "gate: --base: '': an empty word"),
        (("gate", "--base", "HEAD", "--head="), "gate: --head: '': an empty word"),
        (("gate", "--base", "HEAD", "--workloads", ""), "--workloads: names nothing to run"),
    ],
)
def test_an_empty_word_is_no_name(made_up_build, spanbench, words, told):
    status, out, err = spanbench(*words)
    assert (status, out, err.count("\n")) == (2, "", 1) and told in err


def test_an_empty_word_of_the_command_is_its_own():
    _, parser = cli.load("exec")
    assert parser.parse(["-n", "1", "ls", ""], has_command=True).command == ["ls", ""]


def test_memory_that_runs_out_is_told_in_one_line(spanbench, monkeypatch):
    def run_out(_):
        raise MemoryError

    monkeypatch.setattr(cli, "dispatch", run_out)
    assert spanbench("compare") == (1, "", "spanbench: not enough memory\n")


@pytest.mark.parametrize("words", [("exec", "-a", "glibc", "ls", "--wrong"), ("exec", "--", "-x")])
def test_options_behind_the_command_are_not_ours(words):
    _, parser = cli.load("exec")
    assert parser.parse(list(words[1:]), has_command=True).command


@pytest.mark.parametrize(
    "words, complaint",
    [
        (("replay", "TRACE", "-a", "spam"), "spam: no such allocator (known: span,"),
        (("replay", "TRACE", "-a", "jemaloc"), "; did you mean jemalloc"),
        (
            ("replay", "mdae.trace"),
            "mdae.trace: No such file or directory; did you mean made.trace",
        ),
        (("replay", "rdis.trace"), "workloads/traces/redis.trace?"),
        (("replay", "jq"), "jq: No such file or directory; did you mean "),
        (("replay", "jq"), "workloads/traces/jq.trace?"),
        (("info", "./made"), "made: No such file or directory; did you mean made.trace?"),
        (("info", "no/rdis.trace"), "no/rdis.trace: No such file or directory\n"),
        (
            ("run", "stedy"),
            "stedy: no such workload (`spanbench run` lists them); did you mean steady?",
        ),
        (("run", "al"), "; did you mean all"),
        (("gate", "--base", "HEAD", "--workloads", "sqlite"), "; did you mean sqlite3?"),
        (("gate", "--base", "HEAD", "--workloads", "crwod"), "; did you mean crowd?"),
        (("whole-programs", "sqlte3"), "; did you mean sqlite3?"),
    ],
)
def test_names_are_guessed(
    made_up_build, made_up_trace, spanbench, tmp_path, monkeypatch, words, complaint
):
    trace = made_up_trace()
    monkeypatch.chdir(tmp_path)
    status, out, err = spanbench(*(trace if word == "TRACE" else word for word in words))
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert complaint in err


def test_a_guess_needs_some_likeness():
    assert closest("q", ["replay", "record"]) == []
    assert closest("re", ["replay", "record", "report"]) == ["replay", "record"]
    assert closest("span", ["span", "span-fast"]) == ["span-fast"]
    assert closest("", ["replay"]) == []


# JSON in the place of tables


def document_of(done, status=0):
    """What a command printed, which is JSON and nothing else."""
    assert done[0] == status, done[2]
    return json.loads(done[1])


@pytest.mark.parametrize("words", [("--json",), ("-o", "-")])
def test_results_are_printed_instead_of_their_table(
    made_up_build, made_up_trace, spanbench, tmp_path, monkeypatch, words
):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    usual = ("-a", "span,glibc", "-n", "2", *words)
    for verb, what in (("replay", made_up_trace()), ("run", "steady"), ("micro", "")):
        given = [word for word in (verb, what, *usual) if word]
        document = document_of(spanbench(*given))
        assert results.first_fault(document) is None
        assert {e["name"].partition("/")[0] for e in document["benchmarks"]} == {verb}
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "made.trace"])


def test_a_row_that_fails_is_told_beside_the_json(made_up_build, made_up_trace, spanbench):
    trace = made_up_trace(faults={"span": "crash"})
    done = spanbench("replay", trace, "-a", "span,glibc", "-n", "1", "--json")
    document = document_of(done, 1)
    assert "killed by signal 11" in done[2]
    assert any(entry.get("error_occurred") for entry in document["benchmarks"])


def test_a_program_s_results_are_printed(spanbench, monkeypatch):
    monkeypatch.setenv("SPANBENCH_BUILD", str(BUILD))
    document = document_of(spanbench("exec", "-a", "glibc", "-n", "1", "--json", "--", "true"))
    assert [e["name"] for e in document["benchmarks"]] == ["exec/true/glibc"]


def test_whole_programs_are_printed_too(made_up_build, spanbench, monkeypatch):
    seen = []
    monkeypatch.setattr(whole_programs, "present", lambda _: ["a command"])
    monkeypatch.setattr(whole_programs, "asked", lambda _: [])
    monkeypatch.setattr(whole_programs, "prepare", lambda options: seen.append(options.output))
    monkeypatch.setattr(whole_programs, "measure_and_show", lambda *_: 0)
    assert spanbench("whole-programs", "--json")[0] == 0
    assert seen == [results.STDOUT]


def test_workloads_are_listed_as_json(made_up_build, spanbench):
    assert [w["name"] for w in document_of(spanbench("run", "--json"))][:2] == ["steady", "crowd"]


def test_a_comparison_is_printed(spanbench, tmp_path):
    path = made_up_results.write(tmp_path, traces=("sqlite3", "perl"), rounds=8)
    document = document_of(spanbench("compare", path, path, "--json"))
    assert document["status"] == 0 and document["is_paired"]
    row = next(r for r in document["rows"] if r["name"].endswith("sqlite3/span"))
    assert (row["a"], row["ratio"]) == (row["b"], 1.0) and row["low"] <= 1 <= row["high"]
    pair = ("--base", "glibc", "--head", "glibc-perturb")
    document = document_of(spanbench("compare", path, *pair, "--metric", "time", "--json"), 1)
    assert document["is_paired"] and document["means"][0]["verdict"] == "worse"


def test_allocators_are_printed_with_paths_that_hold_everywhere(made_up_build, spanbench):
    document = document_of(spanbench("allocators", "--json"))
    span = next(a for a in document["allocators"] if a["name"] == "span")
    assert span["path"] == str(made_up_build / "libspan.so") and span["version"] == "9.8.7"
    known = {a["name"] for a in document["allocators"]} | set(document["not_found"])
    assert {"span", "span-fast", "glibc", "jemalloc", "scudo", "null"} <= known


def test_the_list_of_allocators_is_narrow_and_cuts_no_path(made_up_build, spanbench):
    _, out, _ = spanbench("allocators")
    lines = out.splitlines()
    assert any(line.endswith(f" {made_up_build / 'libspan.so'}") for line in lines)
    assert all(len(line) <= 100 or line.lstrip().startswith("/") for line in lines)


def test_paths_are_relative_within_the_tree_and_absolute_outside(monkeypatch, tmp_path):
    library = REPO / "build" / "libx.so"
    for folder, text in (
        (REPO, "build/libx.so"),
        (REPO / "tests", "../build/libx.so"),
        (tmp_path, str(library)),
    ):
        monkeypatch.chdir(folder)
        assert paths.shown(library) == text
    assert paths.in_tree(library) == "build/libx.so"
    assert paths.shown("/usr/lib/libx.so") == "/usr/lib/libx.so"


def test_a_gate_says_why_it_goes_on():
    looks = gate_verdict.Looks(12, 48, 0.03)
    wild = gate_verdict.Pairs([0.2 * (-1) ** i for i in range(12)], [0.0] * 12)
    assert looks.look({"span": {"redis": wild}}) == {("span", "redis")}
    (finding,) = looks.open
    text = gate_page.open_text(finding, 24)
    assert text.startswith("span mean: time ")
    assert text.endswith(" after 12 pairs: not decided yet; going on to 24 pairs")
