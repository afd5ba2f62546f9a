"""What README.md and docs/ tell people to type: each command line parses, each option, target and
script exists, and each link leads to a heading. Files that documents name are lint's business."""

import re
import shlex
import subprocess

import pytest
from places import REPO

from frontend import cli

DOCUMENTS = [REPO / "README.md", REPO / "CONTRIBUTING.md", *sorted((REPO / "docs").glob("*.md"))]
TYPED = [REPO / "README.md", REPO / "docs" / "guide.md"]  # all that looks like an option is one
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([\w./-]*)#([\w-]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
PROGRAM = re.compile(r"^(/spanbench/)?(scripts/)?spanbench$")
# In a document a word for what is to be put there; the parser wants one of its choices.
STANDS_FOR = {"METRIC": "time"}
# The same for what a shell, GNU parallel, Slurm or GitHub puts in.
PUT_IN = re.compile(r"\$\{\{[^}]*\}\}|\{\}|\$SLURM_ARRAY_TASK_ID")
SEPARATORS = ("&&", "||", "|", ">", ";", "{", "}")


def id_of(path):
    return path.name


def commands(path):
    """The command lines of a document, as lists of words: those of blocks, and those that stand in
    a sentence without an ellipsis."""
    text = PUT_IN.sub("1", path.read_text()).replace("$SLURM_ARRAY_TASK_COUNT", "3")
    text = text.replace("\\\n", " ")
    lines = [line.strip() for _, _, block in BLOCK.findall(text) for line in block.splitlines()]
    lines = [re.sub(r"^- run: ", "", line) for line in lines]
    inline = [code for code in CODE.findall(BLOCK.sub("", text)) if "..." not in code]
    for line in [*lines, *inline]:
        if re.search(r"spanbench |^make |scripts/", line) and "{VERB" not in line:
            yield from simple_commands(line)


def simple_commands(line):
    """The commands that && and the like join in a line."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # a piece of prose
        return
    found = []
    for word in [*words, ";"]:
        if word not in SEPARATORS:
            found.append(word)
            continue
        if found:
            yield found
        found = []


def own_words(words):
    """What follows the verb, without what the verb hands on to another program."""
    passes_on = cli.VERBS[words[0]].passes_on
    own = [w for w in words[1:] if not (passes_on and w.startswith(passes_on))]
    return [STANDS_FOR.get(word, word) for word in own]


def options_of_all_verbs():
    """Every option there is."""
    parsers = [cli.load(name)[1] for name in cli.VERBS]
    return {text for parser in parsers for text in parser._option_string_actions}


@pytest.mark.parametrize("path", DOCUMENTS, ids=id_of)
def test_command_lines_of_spanbench_parse(path):
    for words in commands(path):
        if not PROGRAM.match(words[0]) or len(words) < 2 or words[1] == "VERB":
            continue
        if words[1].startswith("-"):
            assert words[1] in ("-h", "--help", "--version"), words
            continue
        assert words[1] in cli.VERBS, words
        if len(words) == 2:  # the verb as such
            continue
        _, parser = cli.load(words[1])
        assert parser.parse(own_words(words[1:]), cli.VERBS[words[1]].takes_command), words


def test_revisions_in_examples_exist_in_any_clone():
    """A tag or a branch need not be there; the history is, unless the clone is shallow."""
    git = ["git", "-C", REPO, "rev-parse", "--is-shallow-repository"]
    if subprocess.run(git, capture_output=True, check=False).stdout != b"false\n":
        pytest.skip("no checkout with its history")
    lines = [shlex.split(line, comments=True) for line in cli.load("bisect")[0].EXAMPLES]
    lines += [words for path in TYPED for words in commands(path)]
    found = [words[2:4] for words in lines if words[1:2] == ["bisect"] and len(words) > 2]
    assert len(found) > 1
    for revisions in found:
        assert all(revision.startswith("HEAD") for revision in revisions), revisions
        check = ["git", "-C", REPO, "merge-base", "--is-ancestor", *revisions]
        assert subprocess.run(check, check=False).returncode == 0, revisions


@pytest.mark.parametrize("path", TYPED, ids=id_of)
def test_documents_for_users_show_command_lines(path):
    verbs = {words[1] for words in commands(path) if PROGRAM.match(words[0]) and len(words) > 1}
    assert {"record", "replay", "exec", "info", "report"} <= verbs


@pytest.mark.parametrize("path", TYPED, ids=id_of)
def test_options_in_sentences_exist(path):
    known = options_of_all_verbs() | {"--version"}
    for code in CODE.findall(BLOCK.sub("", path.read_text())):
        for option in re.findall(r"(?:^| )(--[a-z][a-z-]*)", code):
            assert option in known or option.startswith("--benchmark_"), code


@pytest.mark.parametrize("path", DOCUMENTS, ids=id_of)
def test_targets_of_make_exist(path):
    makefile = (REPO / "Makefile").read_text()
    for words in commands(path):
        if words[0] != "make":
            continue
        skip = {i + 1 for i, word in enumerate(words) if word == "-C"}
        targets = [w for i, w in enumerate(words[1:], 1) if i not in skip and re.match(r"[a-z]", w)]
        if "-C" in words and words[words.index("-C") + 1] in ("base", "head"):
            continue  # of somebody else's tree
        for target in targets:
            assert re.search(rf"^(## )?{target}\b.*:", makefile, re.MULTILINE), words


@pytest.mark.parametrize("path", DOCUMENTS, ids=id_of)
def test_scripts_are_there_and_can_be_run(path):
    for words in commands(path):
        script = REPO / words[0]
        if words[0].startswith(("scripts/", "workloads/")) and "." not in script.name:
            done = subprocess.run(["test", "-x", script], check=False)
            assert done.returncode == 0, words


def anchor(heading):
    """The anchor that a heading has on GitHub."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("path", DOCUMENTS, ids=id_of)
def test_links_lead_to_headings(path):
    for name, wanted in LINK.findall(path.read_text()):
        target = path.parent / name if name else path
        headings = HEADING.findall(BLOCK.sub("", target.read_text()))
        assert wanted in map(anchor, headings), f"{name}#{wanted}"
