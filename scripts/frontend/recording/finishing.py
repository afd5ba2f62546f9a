"""The end of a recording: whose trace FILE is, which images there are none of, what is told."""

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from frontend.allocators import own_malloc
from frontend.counted import counted
from frontend.paths import shown
from frontend.progress import say
from frontend.recording import compiling, images, reasons
from frontend.recording.compiling import CompileFailed
from frontend.recording.control import Process, Vanished
from frontend.recording.following import named

LOSSES = {
    "unknown_frees": ("free", "of unknown blocks"),
    "unknown_reallocs": ("realloc", "of unknown blocks"),
    "repaired_inversions": ("inversion", "repaired"),
    "lost_ops": ("call", "lost"),
}
KINDS_MAX = 4  # of images not recorded, in one line
RUNNING_FACT = "unfinished=still running when this was compiled"


@dataclass
class Recording:
    """What is known when the command, or the stretch to be recorded, has come to its end."""

    raw: Path
    output: Path
    control: object  # None: there is no control file
    words: list  # the command; empty where that is not known
    ending: object = None  # of the command; None: it still runs, or nobody knows
    running: list = None  # processes that still write
    strip: bool = False  # the traces do not say who made them
    # What finish has made of it:
    trace: object = None  # the Compiled of the command, if it was recorded
    others: list = None  # the Compiled of all else
    own_malloc: object = None  # the OwnMalloc of the command, if it has one

    def __post_init__(self):
        self.images = images.images_in(self.raw)
        self.root = images.root_process(self.raw, self.control, self.images)
        self.running = self.running or []

    def is_own(self, image):
        """Whether an image is one of the command's own process."""
        return image.process.is_same(self.root)

    def is_running(self, image):
        """Whether an image may still be written to."""
        who = (image.process.pid, image.process.start)
        return any((one.process.pid, one.process.start) == who for one in self.running)

    def is_about_root(self, vanished):
        """Whether an image that was not recorded would have been the command's."""
        return Process(vanished.pid, vanished.namespace, 0).is_same(self.root)

    def had_no_place(self):
        """Whether nothing of the command was recorded because there was no place for it."""
        root = self.control.root if self.control else None
        return bool(root and root.error) and not any(map(self.is_own, self.images))

    def vanished(self):
        """All images that were not recorded."""
        return self.control.vanished() if self.control else []

    def followed_by(self):
        """The image after the command's last recorded one, which is not recorded; or None."""
        own = [one for one in self.vanished() if self.is_about_root(one)]
        return own[-1] if own else self.unseen()

    def unseen(self):
        """An image that was started by a raw system call: it has another name than the last one."""
        ending, root = self.ending, self.control.root if self.control else None
        if not root or not ending or not root.images or root.has_ended or ending.was_killed:
            return None
        if not ending.name or ending.name == root.name:
            return None
        return Vanished(self.root.pid, self.root.namespace, 0, 0, 0, ending.name)

    def main_image(self):
        """The command's last image, if it is recorded and made a call."""
        own = [image for image in self.images if self.is_own(image)]
        if self.followed_by():
            return None
        if not self.control:
            return own[-1] if own else None
        number = self.control.root.number
        return next((image for image in own if image.number == number), None)


def finish(recording, has_all=False, is_told=True):
    """Compiles what can be compiled and, if is_told, says what there is; what failed is said in any
    case. Returns whether the work succeeded.

    With has_all also what is not finished. The folder stays while somebody writes to it, and
    where something failed.
    """
    chosen = [i for i in recording.images if has_all or not recording.is_running(i)]
    main = recording.main_image()
    main = main if main in chosen else None
    recording.own_malloc = unseen = find_own_malloc(recording, main)
    try:
        if not recording.had_no_place():  # else an older FILE stays, as after any failure
            recording.trace = compiling.compile_main(
                main, recording.output, facts_of(recording, main), recording.strip
            )
        recording.others = others = compiling.compile_others(
            [image for image in chosen if image is not main],
            recording.output,
            lambda image: facts_of(recording, image),
            recording.strip,
        )
    except CompileFailed as reason:
        say(f"{reason}; {stays_in(recording.raw)}")
        return False
    trace = recording.trace
    if unseen and is_told:
        say(unseen.told(trace.counts["ops"] if trace else 0))
    if is_told:
        tell(recording, trace, others)
    if recording.running:
        say(still_running(recording))
    else:
        shutil.rmtree(recording.raw, ignore_errors=True)
    return bool(others or (trace and trace.counts["ops"]) or recording.running)


def stays_in(raw):
    """What to do about a recording that is not compiled."""
    return f"the recording stays in {raw}; record --recover compiles it"


def find_own_malloc(recording, main):
    """The OwnMalloc of the last image of the command, or None. Where none was recorded, the command
    itself tells; where another image followed, what is told of that suffices."""
    if recording.followed_by():
        return None
    command = shutil.which(recording.words[0]) if recording.words else None
    return own_malloc.find(main.path if main else None, command)


def facts_of(recording, image):
    """What a trace is to say of its origin."""
    if image is None:
        return []
    facts = [RUNNING_FACT] if recording.is_running(image) else []
    namespaces = (image.process.namespace, recording.root.namespace)
    if all(namespaces) and namespaces[0] != namespaces[1]:
        facts.append(f"pid_namespace={image.process.namespace}")
    return facts


def tell(recording, trace, others):
    """The closing lines."""
    if trace and trace.counts["ops"]:
        say(summary(recording.output, trace.counts, others))
    else:
        say(nothing_recorded(recording, trace, others))
    missed = not_recorded(recording)
    if missed:
        say(missed)


def summary(output, counts, others):
    """What there is in FILE and beside it."""
    size = output.stat().st_size / counts["ops"] if output.is_file() else 0
    threads = counted(counts["threads"], "thread")
    parts = [
        f"{output}: {counted(counts['ops'], 'operation')} of {threads}",
        *([f"{size:.2f} bytes an operation"] if size else []),
        *losses(counts),
    ]
    if others:
        parts.append(beside(output, others))
    return ", ".join(parts)


def losses(counts):
    """What is not in a trace, and why."""
    parts = [
        f"{counted(counts[key], noun)} {fate}"
        for key, (noun, fate) in LOSSES.items()
        if counts.get(key)
    ]
    if counts.get("lost_ops"):
        parts[-1] += f" ({counts.get('lost_why') or 'limits of the recorder'})"
    return parts


def beside(output, others):
    """What there is in FILE.d; the largest one is named, since it may be what was meant."""
    text = f"{counted(len(others), 'further image')} in {output}.d"
    largest = max(others, key=lambda one: one.counts["ops"])
    program = largest.image.program or largest.path.name
    lost = sum(one.counts.get("lost_ops", 0) for one in others)
    ops = counted(largest.counts["ops"], "operation")
    text += f" (the largest: {largest.path.name}, {program}, {ops}"
    return text + (f"; {counted(lost, 'call')} lost)" if lost else ")")


def nothing_recorded(recording, trace, others):
    """Why there is no trace of the command itself."""
    after = recording.followed_by()
    text = (
        f"{recording.output}: {'not' if after else 'nothing'} recorded: {why_not(recording, trace)}"
    )
    if after and any(recording.is_own(one.image) for one in others):
        return f"{text}; what {recording.control.root.program} did is in {recording.output}.d"
    return f"{text}; {beside(recording.output, others)}" if others else text


def why_not(recording, trace=None):
    """What kept the command, or the image that followed it, from being recorded."""
    after = recording.followed_by()
    return f"{who(after)} {reasons.why(after)}" if after else missing(recording, trace)


def who(vanished):
    """The name of an image's program, with its pid where that is known."""
    name = Path(vanished.path).name or "a program"
    return f"{name} (pid {vanished.pid})" if vanished.pid else name


def missing(recording, trace):
    """Why the command, which was not followed by another image, has no trace."""
    if trace and trace.counts.get("lost_ops"):
        return ", ".join(losses(trace.counts))
    root = recording.control.root if recording.control else None
    if root and root.error:
        return f"no place for the recording ({reasons.error_text(root.error)})"
    if root and not root.images and recording.words:
        name = recording.words[0]
        return f"{name} {reasons.file_fault(name) or reasons.UNKNOWN}"
    if recording.running:
        return "the command still runs"
    name = Path(root.program).name if root else ""
    return f"{name or 'the command'} made no malloc call that can be recorded"


def not_recorded(recording):
    """One line about all images of other processes that could not be recorded; None without."""
    refused = [one for one in recording.vanished() if not recording.is_about_root(one)]
    if not refused:
        return None
    kinds = Counter(f"{Path(one.path).name} {reasons.why(one)}" for one in refused)
    told = [f"{kind}{f' ({n} times)' if n > 1 else ''}" for kind, n in kinds.items()]
    more = len(told) - KINDS_MAX
    names = "; ".join(told[:KINDS_MAX])
    names += f"; {counted(more, 'further kind')}" if more > 0 else ""
    unnoted = recording.control.unnoted
    count = f"{len(refused) + unnoted:,}"
    images_ = "further image" if len(refused) == 1 and not unnoted else "further images"
    return f"{count} {images_} could not be recorded: {names}"


def still_running(recording):
    """What to do about processes that write on."""
    raw, output = shown(recording.raw), recording.output
    return (
        f"{named(recording.running)} still recorded, into {raw}; for the whole of it, once all "
        f"have ended: spanbench record --recover {raw} -o {output}"
    )
