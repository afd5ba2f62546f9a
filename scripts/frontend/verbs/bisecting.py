"""The verb bisect: drives git bisect with measurements until it names a commit. All of it happens
in a worktree of its own: the user's tree, index and branches stay as they are."""

import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from frontend.allocators.preload import Links
from frontend.allocators.registry import Allocator
from frontend.failure import CANNOT_TELL, WORK_FAILED, Failure
from frontend.figures.table import Text, console, new_table
from frontend.gate import bisect_judge, gate_subjects, revisions
from frontend.gate.bisect_judge import BAD, GOOD, SKIP
from frontend.gate.gate_verdict import TIME
from frontend.gate.revisions import BUILDS, git
from frontend.measuring import callgrind
from frontend.measuring.deterministic import COUNTED, KEYS
from frontend.paths import temporary_folder
from frontend.progress import say
from frontend.verbs.options import add_choice, add_json, add_repeats, add_whole
from frontend.verbs.outcome import print_json

EXAMPLES = ("spanbench bisect HEAD~20 HEAD --metric instructions redis",)
STATUSES = "Exit status: 0 found; 1 the work failed; 2 usage, or bad input; 77 cannot tell."
METRICS = (TIME, *KEYS)
PAIRS_MOST = 96
FIRST_BAD = re.compile(r"^# first bad commit: \[(\w+)\]", re.MULTILINE)
ONLY_SKIPPED = re.compile(r"^# possible first bad commit: \[(\w+)\]", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """One commit that was looked at."""

    word: str  # as git bisect has it: good, bad, skip
    commit: str
    why: str  # the figure, or what went wrong


def add_arguments(parser):
    parser.add_argument("good", metavar="GOOD", help="a revision from before the change")
    parser.add_argument("bad", metavar="BAD", help="a later one that is slower or fatter")
    parser.add_argument(
        "workload",
        metavar="WORKLOAD",
        help="what shows it: the name of a trace of the corpus, a trace file, or a workload",
    )
    parser.add_argument(
        "--metric",
        choices=METRICS,
        required=True,
        metavar="METRIC",
        help=f"figure that grew, one of {', '.join(METRICS)}",
    )
    add_choice(parser, "--build", BUILDS, "build of the allocator")
    add_whole(
        parser, "--most", "for time: pairs of runs after which a commit is skipped", PAIRS_MOST
    )
    add_repeats(
        parser,
        bisect_judge.PAIRS_FIRST,
        "for time: pairs of runs, one of either side, before the first look at a commit",
    )
    add_json(parser)


def run(options, _argv):
    """Searches and tells; exit status 77 if no commit can be named."""
    (subject,) = gate_subjects.resolve([options.workload])
    check(options.metric, subject)
    good, bad = (revisions.commit_of(text) for text in (options.good, options.bad))
    check_ends(good, bad)
    with measuring(options, subject, bad) as search:
        steps = search.run(good, bad)
        found, possible = outcome(search.tree)
    if options.json:
        print_json({"first_bad": found, "possible": possible, "steps": list(map(vars, steps))})
    else:
        show(steps, found, possible)
    return 0 if found else CANNOT_TELL


def check(metric, subject):
    """Fails if the metric cannot be had of the Subject."""
    if metric in KEYS and not subject.is_deterministic:
        raise Failure(f"--metric {metric}: {subject.name} has several threads, so it varies")
    if metric in COUNTED and not callgrind.is_installed():
        raise Failure(f"--metric {metric}: valgrind is not installed, and it counts them")
    probe = Allocator(GOOD, "", Path(GOOD))  # any that is preloaded
    gate_subjects.check_programs([subject], [probe])


def check_ends(good, bad):
    """Fails unless BAD comes after GOOD."""
    if good == bad:
        raise Failure("GOOD and BAD are the same commit")
    if git("merge-base", "--is-ancestor", good, bad)[0]:
        raise Failure("GOOD is no ancestor of BAD")


@contextmanager
def measuring(options, subject, commit):
    """A Search with its tree and folders, for as long as a `with` lasts."""
    with (
        temporary_folder() as folder,
        Links() as links,
        revisions.worktree(commit) as tree,
    ):
        bench = bisect_judge.Bench(subject, folder, links, options.repeats, options.most)
        is_time = options.metric == TIME
        judge = bisect_judge.Timed(bench) if is_time else bisect_judge.Steady(bench, options.metric)
        yield Search(tree, folder, options.build, judge)


class Search:
    """One search in a worktree."""

    def __init__(self, tree, folder, build, judge):
        self.tree, self.folder, self.build, self.judge = tree, folder, build, judge

    def run(self, good, bad):
        """The Steps to the end, of which git bisect keeps the outcome."""
        libraries = [self.build_at(commit) for commit in (good, bad)]
        texts = self.judge.begin(*libraries)
        steps = [Step(*facts) for facts in zip((GOOD, BAD), (good, bad), texts)]
        for step in steps:
            tell(step)
        self.bisect("start", bad, good, "--", *revisions.SOURCES)
        while not any(outcome(self.tree)):
            steps.append(self.step())
            tell(steps[-1])
            self.bisect(steps[-1].word)
        return steps

    def build_at(self, commit):
        """The library of a commit, which must build."""
        self.git("checkout", "--quiet", "--detach", commit)
        return self.built(commit)

    def built(self, commit):
        """The library of the commit that is checked out."""
        place = self.folder / commit[:10]
        place.mkdir(exist_ok=True)
        return revisions.build(self.tree, (self.build,), place, commit[:10])[self.build]

    def step(self):
        """Looks at the commit that is checked out."""
        commit = self.git("rev-parse", "HEAD")
        try:
            library = self.built(commit)
        except Failure as failure:
            return Step(SKIP, commit, str(failure).removeprefix(f"{commit[:10]}: "))
        word, why = self.judge.judge(library)
        return Step(word, commit, why)

    def bisect(self, *words):
        """A step of git bisect, which ends well or has an outcome."""
        status, _, error = git("bisect", *words, tree=self.tree)
        if status and not any(outcome(self.tree)):
            raise Failure(f"cannot tell: git bisect: {error}", CANNOT_TELL)

    def git(self, *words):
        """What git says in the worktree."""
        status, said, error = git(*words, tree=self.tree)
        if status:
            raise Failure(f"git {words[0]}: {error}", WORK_FAILED)
        return said


def outcome(tree):
    """(the first bad commit, those that it may be where commits were skipped) by git's log, which
    says the same in every language."""
    log = git("bisect", "log", tree=tree)[1]
    found = FIRST_BAD.search(log)
    return (found[1] if found else None), ONLY_SKIPPED.findall(log)


def tell(step):
    """Says what a step has found."""
    say(f"{step.word:4} {revisions.subject_of(step.commit)}: {step.why}")


def show(steps, found, possible):
    """Prints the outcome and the steps."""
    out = console()
    if found:
        subject = git("log", "-1", "--format=%s", found)[1]
        out.print(Text(f"first bad commit: {found} {subject}", style="bold"), soft_wrap=True)
        after = next(step for step in steps if step.commit == found)
        out.print(Text(f"before: {before(steps, found).why}\nafter: {after.why}"))
    else:
        names = "\n".join(map(revisions.subject_of, possible))
        out.print(Text(f"cannot tell: commits were skipped; the first bad one is of:\n{names}"))
    table = new_table("step", "figure", "commit")
    for step in steps:
        table.add_row(step.word, Text(step.why), Text(revisions.subject_of(step.commit)))
    out.print(table)


def before(steps, commit):
    """The good Step that is nearest to a commit."""
    good = [step for step in steps if step.word == GOOD]
    return min(
        good, key=lambda s: int(git("rev-list", "--count", f"{s.commit}..{commit}")[1] or 1 << 30)
    )
