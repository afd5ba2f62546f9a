"""The verb advise: which allocator a program should use, in one go and a given time. It records the
program, replays that under all allocators found, runs the program itself under the best of them,
writes the page and prints five lines. What follows from the figures is advising/; how programs are
recorded, replayed and run is recording/, measuring/ and the verb exec.
"""

import importlib
import math
import shutil
import time
from pathlib import Path

from frontend.advising import advice, advice_lines, advice_plan
from frontend.advising.advice_checks import check_programs, find_allocators
from frontend.advising.advice_checks import own_malloc_text, refuse_own_malloc, standard_input
from frontend.advising.advice_folder import Folder
from frontend.advising.advice_plan import Clock
from frontend.allocators import own_malloc
from frontend.allocators.preload import Links
from frontend.counted import counted
from frontend.failure import WORK_FAILED, Failure
from frontend.figures import results, table
from frontend.lazily import require
from frontend.measuring import replays, traces
from frontend.measuring.budget import Budget, replay_growth
from frontend.measuring.campaign import RunFailed
from frontend.paths import temporary_folder
from frontend.progress import say
from frontend.recording import finishing
from frontend.recording.unattended import Room, Unattended
from frontend.verbs import execute
from frontend.verbs.execute import Command, find_command
from frontend.verbs.options import add_allocators, add_command, add_flag, add_folder, add_json
from frontend.verbs.options import rest_of_line, seconds
from frontend.verbs.outcome import PAGE_NEEDS, curves_folder, keep, print_json

EXAMPLES = (
    "spanbench advise -- sqlite3 my.db 'select count(*) from t'",
    "spanbench advise --limit-time 600 -a jemalloc,mimalloc -- ./my-server --once",
    "spanbench advise -- jq . <big.json",
)
LIMIT_S = 120.0
LEAST_TIMEOUT_S = 10.0  # after which a run is stuck; arbitrary, as the next
STUCK = 10  # times what the recorded run took


def add_arguments(parser):
    parser.add_argument(
        "--limit-time",
        type=seconds,
        default=LIMIT_S,
        metavar="S",
        help="the seconds that all of it may take (default: %(default)g); what does not fit is "
        "left out and named, the real runs first",
    )
    add_allocators(parser, "all found but those that poison; glibc is always among them")
    add_flag(parser, "--ignore-status", "CMD may exit with another status than 0")
    add_folder(parser, "the page, the trace and the results", None, "CMD-advice")
    add_json(parser)
    what = "the program and its arguments; if our standard input is a file, it reads that"
    add_command(parser, what)


def run(options, argv):
    """Advises; 1 if the command fails or asks nothing of malloc that can be replaced."""
    results.check_folder(options.output)
    require(*PAGE_NEEDS)
    found = find_command(rest_of_line(options.command))
    base, *rivals = find_allocators(options.allocators)
    check_programs([base, *rivals])
    refuse_own_malloc(found)
    command = Command(found.name, found.words, stdin=standard_input(found.name))
    folder = Folder(options.output or Path(f"{command.name}-advice"))
    with Links() as links:
        adviser = Adviser(options, argv, command, base, rivals, folder, links)
        try:
            told = adviser.advise()
        except BaseException as reason:
            folder.leave(is_wanted=adviser.files or not isinstance(reason, Failure))
            raise
        folder.end()
    if options.json:
        print_json(advice_lines.to_json(told))
    else:
        print("\n".join(advice_lines.lines(told)))
    return 0


def check_base(row):
    """Fails if what all others are compared with has failed."""
    if row.failures:
        raise Failure(f"{row.name}: {row.error}", WORK_FAILED)


class Adviser:
    """One advice in the making."""

    def __init__(self, options, argv, command, base, rivals, folder, links):
        self.options, self.argv, self.command = options, ["advise", *argv], command
        self.base, self.rivals, self.folder, self.links = base, rivals, folder, links
        self.clock = Clock(options.limit_time)
        self.told = None  # the Advice
        self.files = []  # of results
        self.run_s = None  # how long the recorded run took
        self.cut_to = None  # (operations that are replayed, all), if these are not all

    def advise(self):
        """The Advice, all of it done."""
        self.folder.begin()
        taken = self.record()
        trace = self.take_trace(taken)
        plan = self.make_plan(taken)
        replayed = self.replay(self.cut(trace, plan), plan)
        ranked = [o for o in advice.ranked(replayed, self.rivals) if not o.error]
        most = plan.rivals or advice_plan.MOST_RIVALS
        if plan.rivals:  # the replays may have taken longer than was planned
            left_s = self.clock.left_s()
            most = max(1, advice_plan.rivals_that_fit(left_s, taken.seconds, plan.rivals))
        best = [o.allocator for o in ranked[:most]]
        if not best:
            raise Failure(f"{self.command.name}: no other allocator replays it", WORK_FAILED)
        cpu_s = taken.cpu_s * taken.recorded_s / taken.seconds
        if plan.rivals:
            advice.add_share(self.told, replayed, cpu_s, self.cut_to)
            self.run_for_real(best, plan.real_rounds)
        else:
            advice.add_replays(self.told, replayed, best, cpu_s)
            self.note_replays()
        advice.choose(self.told)
        self.step("drawing the page")
        report = importlib.import_module("frontend.page.report")
        opening = report.Advice(self.command.name, advice_lines.facts(self.told), self.told.notes)
        self.told.page = report.write_report(self.files, self.folder.path, opening)
        return self.told

    def step(self, text):
        """Says what is done now."""
        say(f"{text} ({self.clock.told()})")

    def note(self, text):
        """Says what bears on how sure the advice is, and keeps it."""
        self.told.notes.append(text)
        say(text)

    # The recording

    def record(self):
        """The Taken; fails where the command does."""
        limit_s = self.options.limit_time
        room_s = advice_plan.RECORDED_SHARE * limit_s
        room = Room(room_s, int(advice_plan.SIZE_A_SECOND * limit_s))
        self.step(f"recording {self.command.name}, {room_s:.3g} s at most")
        output = self.folder.place(f"{self.command.name}.trace")
        taken = Unattended(self.command.words, output, room, self.command.stdin).record()
        run, name = taken.run, self.command.name
        if run.status is not None and run.error:
            raise Failure(f"{name}: {run.error}", WORK_FAILED)
        if run.status and not self.options.ignore_status:
            raise Failure(
                f"{name}: exit status {run.status}{run.tail} (--ignore-status measures it)",
                WORK_FAILED,
            )
        return taken

    def take_trace(self, taken):
        """The Trace of the process that makes the most calls, or of the command itself where it
        makes half as many; fails if none makes any."""
        recording, name = taken.recording, self.command.name
        made = [recording.trace, *(recording.others or [])]
        made = [one for one in made if one and one.counts["ops"]]
        if not made and recording.others is None:
            raise Failure(f"{name}: what was recorded could not be compiled", WORK_FAILED)
        if not made:
            why = finishing.why_not(recording, recording.trace)
            raise Failure(f"{name}: nothing recorded: {why}", WORK_FAILED)
        most = max(made, key=lambda one: one.counts["ops"] * (1 + (one is recording.trace)))
        path = most.path
        if most is not recording.trace:
            path = self.folder.place(f"{name}-{most.image.program}.trace")
            shutil.copyfile(most.path, path)
        elif recording.own_malloc:
            raise Failure(own_malloc_text(name, recording.own_malloc.symbol), WORK_FAILED)
        [trace] = traces.load([path])
        calls = [one.counts["ops"] for one in made]
        program = self.name_of(most.image.program)
        asked = advice.asked_of(trace.info, program, taken.recorded_s, calls)
        self.told = advice.Advice(self.command.words, self.base, asked)
        self.told.linked_with = own_malloc.library_of(self.file)
        if self.told.linked_with:
            self.note(own_malloc.library_text(name, self.told.linked_with))
        if most.counts.get("lost_ops"):
            self.note(f"{counted(most.counts['lost_ops'], 'call')} could not be recorded")
        if taken.recorded_s < taken.seconds:
            self.note(f"only the first {taken.recorded_s:.3g} s are recorded: that is much already")
        missed = finishing.not_recorded(recording)
        if missed:
            self.note(missed)
        self.step(
            f"recorded {counted(asked.calls, 'call')} of {program} in {taken.recorded_s:.3g} s"
        )
        return trace

    @property
    def file(self):
        """The file of the command."""
        return Path(shutil.which(self.command.words[0]))

    def name_of(self, program):
        """What a recorded program is called: as the user calls it, also where that is a link."""
        return self.command.name if program in ("", self.file.resolve().name) else program

    # What is measured

    def make_plan(self, taken):
        """The Plan; says why the program itself is not run, if it is not."""
        self.run_s = run_s = taken.seconds
        self.clock.keep_back()
        plan = advice_plan.plan(self.clock.left_s(), run_s, taken.has_ended, len(self.rivals))
        fault = self.probe() if plan.rivals else None
        if plan.rivals and not fault:
            return plan
        name, limit_s = self.command.name, self.options.limit_time
        if fault:
            if not self.told.linked_with:
                raise Failure(f"{name}: {fault}", WORK_FAILED)
            plan = advice_plan.plan(self.clock.left_s(), run_s, False, len(self.rivals))
            why, more = f"not under {self.base.name}: {fault}", "exec compares it under others"
        elif taken.has_ended:
            enough_s = advice_plan.limit_for(run_s, self.clock.page_s)
            why = f"{name} takes {run_s:.3g} s, and too few runs of it fit {limit_s:g} s"
            more = f"--limit-time {math.ceil(enough_s / 10) * 10} has them"
        else:
            why = f"{name} did not end within {taken.seconds:.3g} s, and was ended"
            more = "a larger --limit-time gives it more, if it is no server"
        self.told.why_no_runs = why
        self.note(f"no real runs: {why}; {more}")
        return plan

    def probe(self):
        """Why the program cannot be run under the base, or None; found out before the replays."""
        with temporary_folder() as folder:
            runner = execute.Runner(self.links, folder, self.running_options())
            try:
                runner.attempt(self.command, self.base, is_warm_up=True)
            except RunFailed as reason:
                return str(reason)
        return None

    def running_options(self):
        """The options of exec, for the real runs."""
        timeout = max(LEAST_TIMEOUT_S, STUCK * self.run_s)
        return type(self.options)(**vars(self.options), timeout=timeout, ignore_output=False)

    def cut(self, trace, plan):
        """The Trace, or as many of its first operations as there is time to replay."""
        ops = trace.info["ops"]
        manner = replays.Manner(timeout=self.options.limit_time, links=self.links)
        op_s = replays.seconds_per_op(trace, self.base, manner)
        fitting = plan.ops_that_fit(op_s, len(self.rivals) + 1)
        if fitting >= ops:
            return trace
        self.cut_to = (fitting, ops)
        part = f"replayed are the first {fitting:,} of {counted(ops, 'operation')}"
        if plan.rivals:
            say(f"{part}, to find out who is worth a real run")
        else:
            self.told.cut = self.cut_to
            self.note(f"{part}: there is no time for more, and what comes later does not count")
        return traces.cut(trace, fitting, self.folder.place(f"{trace.name}-cut.trace"))

    def replay(self, trace, plan):
        """The Results of the replays, which are kept; fails if the base has none."""
        allocators = [self.base, *self.rivals]
        self.step(f"replaying it on {counted(len(allocators), 'allocator')}")
        end_s = min(self.clock.end_s, time.monotonic() + plan.replay_s)
        most = advice_plan.MOST_REPLAYS
        budget = Budget(end_s, [trace.name], 1, most, growth=replay_growth())
        with curves_folder() as curves:
            timeout = max(LEAST_TIMEOUT_S, plan.replay_s / 4)
            manner = replays.Manner(timeout=timeout, curves=curves, links=self.links)
            measured = replays.measure([trace], allocators, manner, budget, self.argv)
            output = self.folder.place("replays.json")
            keep(measured, output, curves, "curves")
        results.check_kept(measured)
        self.files.append(output)
        self.tell_failures(measured, "replays")
        check_base(measured.row(advice.REPLAY, trace.name, self.base.name))
        waited = table.waiting(measured.rows)
        if waited > table.WAITING_MOST:
            self.note(
                f"other work ran on the machine: replays took {waited:.1f} times their processor "
                "time, so times vary more than they need to"
            )
        return measured

    def tell_failures(self, measured, what):
        """A note for each allocator that failed."""
        for row in measured.rows:
            if row.failures and row.allocator != self.base.name:
                self.note(f"{row.allocator} failed in {what}: {row.error}")

    def run_for_real(self, best, most):
        """Runs the program itself under the best allocators, and puts in what that gives."""
        self.step(f"running {self.command.name} itself under {', '.join(a.name for a in best)}")
        # As many rounds as there is time for, at least one. How little few tell, intervals say.
        budget = Budget(self.clock.end_s, [self.command.name], 1, most)
        options, compared = self.running_options(), [self.base, *best]
        measured = execute.run_rounds([self.command], compared, options, self.argv, budget)
        self.compare_outputs(measured)
        output = self.folder.place("runs.json")
        results.write(output, measured)
        self.files.append(output)
        self.tell_failures(measured, "real runs")
        check_base(measured.row(advice.REAL, self.command.name, self.base.name))
        for line in execute.remarks(measured, options):
            self.note(line)
        advice.add_real(self.told, measured, best)
        doubt = advice_lines.open_text(self.told)
        if doubt:
            self.note(doubt)

    def compare_outputs(self, measured):
        """A note where the runs did not print the same; programs that print times do not, so their
        figures count all the same."""
        judged, unsteady = execute.judged(measured, [self.command], self.base.name)
        if unsteady:
            self.note(f"{self.command.name}: its output differs each time, so none was compared")
        pairs = zip(judged.rows, measured.rows)
        others = [now.allocator for now, before in pairs if now.failures and not before.failures]
        if others:
            self.note(
                f"{self.command.name}: its output under {', '.join(others)} differs from that "
                f"under {self.base.name}: look at both before you change"
            )

    def note_replays(self):
        """What replays do not know of such a program."""
        asked = self.told.asked
        if asked.threads > 1:
            self.note(
                f"{asked.threads} threads: in a replay they do nothing between their calls, and so "
                "wait for each other more than in the program"
            )
        if asked.processes > 1:
            self.note(
                f"the figures are of {asked.program} alone, one of {asked.processes} processes"
            )
