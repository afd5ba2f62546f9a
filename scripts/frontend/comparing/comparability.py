"""Whether two result files can be compared at all: what of their contexts must be the same, in one
table, and what differs."""

from frontend.allocators import registry
from frontend.figures.results import unique

ANY = ("replay", "run", "micro", "exec")
NOT_TOLD = "not told"
SHOWN = 100  # letters of a long value

# Key of the context, kinds of rows that it matters for.
SAME = (
    ("cpu", ANY),
    ("num_cpus", ANY),
    ("caches", ANY),
    ("kernel", ANY),
    ("libc", ANY),
    ("page_bytes", ANY),
    ("thp", ANY),
    ("aslr", ANY),
    ("governor", ANY),
    ("compiler", ANY),
    ("flags", ANY),
    ("library_build_type", ANY),
    ("spanbench", ANY),
    ("touch", ("replay",)),
    ("thread_order", ("replay",)),
    ("thp_mode", ("replay",)),
    ("pauses", ("replay",)),
    ("model", ("replay",)),
    ("micro_flags", ("micro",)),
)
OLD_NAMES = {"thread_order": "threads_mode"}  # in results of 0.1
UNTOLD = {
    "thp_mode": "default",
    "pauses": "none",
    "model": "none",
}  # what holds where a context says nothing: there was no choice
# Part of the context that describes the subjects of a kind, and the keys in it (None: all of it).
SUBJECTS = {
    "replay": ("traces", ("sha256", "ops", "threads")),
    "run": ("workloads", ("threads", "size_is")),
    "exec": ("programs", None),
}
SIDES = ("A", "B")  # what the two files are called
WORK = ("ops", "checksum")  # of the rows themselves, where all runs of a file agree


def is_one_run(a, b):
    """Whether two contexts are those of one run, whose rounds are then neighbours in time."""
    return "date" in a and a == b


def differences(a, b, pairs, is_between_allocators=False):
    """Lines that name what differs and should not, both values in each, of two Results whose
    `pairs` of rows are to be compared. Between two allocators, their settings and versions may
    differ: they are what is compared."""
    found = [
        difference(key, told(a.context, key), told(b.context, key))
        for key, kinds in SAME
        if any(row.kind in kinds for row, _ in pairs)
    ]
    if not is_between_allocators:
        for name in unique(row.allocator for row, _ in pairs):
            found += allocator_differences(name, a.context, b.context)
    for kind, subject in unique((row.kind, row.subject) for row, _ in pairs):
        found += subject_differences(kind, subject, a.context, b.context)
    bound = [pair for pair in pairs if not varies(pair[0], a.context)]
    found += [line for pair in bound for line in work_differences(*pair)]
    return unique(filter(None, found))


def told(context, key):
    """What a context says; before there was a choice, traces were replayed on one thread."""
    return context.get(key, context.get(OLD_NAMES.get(key), UNTOLD.get(key)))


def difference(what, a, b, sides=SIDES):
    """ "kernel: 6.1 in A, 6.5 in B", or None where there is none."""
    if a == b:
        return None
    if isinstance(a, str) and isinstance(b, str) and len(a) + len(b) > SHOWN:
        a, b = different_words(a, b)
    return f"{what}: {text_of(a)} in {sides[0]}, {text_of(b)} in {sides[1]}"


def different_words(a, b):
    """What each of two long texts has and the other has not; the texts if words do not tell."""
    ours, theirs = a.split(), b.split()
    only = [" ".join(w for w in x if w not in y) for x, y in ((ours, theirs), (theirs, ours))]
    return [words or "nothing more" for words in only] if any(only) else (a, b)


def text_of(value):
    """A value for people, cut where it is long."""
    text = NOT_TOLD if value is None else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def described(context, part, name):
    """What a part of a context says of one name, or None."""
    whole = context.get(part)
    return whole.get(name) if isinstance(whole, dict) else None


def allocator_differences(name, a, b):
    """Settings must be the same. So must the build of what was not built here: a new package is
    another allocator, while of one of ours a new build is what a comparison is for."""
    a, b = (described(context, "allocators", name) or {} for context in (a, b))
    keys = ["settings"]
    if name in registry.NAMES and registry.TWINS.get(name, (name,))[0] not in registry.BUILT_HERE:
        keys += ["version", "build_id"]
    return [difference(f"{key} of {name}", a.get(key), b.get(key)) for key in keys]


def is_same_build(name, a, b):
    """Whether two contexts know an allocator and mean the very same one."""
    a, b = (described(context, "allocators", name) for context in (a, b))
    if not a or not b or not a.get("build_id"):
        return False
    return all(a.get(key) == b.get(key) for key in ("build_id", "settings"))


def subject_differences(kind, subject, a, b, sides=SIDES):
    """What the contexts say of a trace, a workload or a program."""
    part, keys = SUBJECTS.get(kind, (None, ()))
    a, b = (described(context, part, subject) for context in (a, b))
    if keys is None:
        return [difference(f"program {subject}", a, b, sides)]
    a, b = a or {}, b or {}
    return [difference(f"{key} of {subject}", a.get(key), b.get(key), sides) for key in keys]


def varies(row, context):
    """Whether the calls of a workload depend on what the allocator returns."""
    return row.kind == "run" and (described(context, "workloads", row.subject) or {}).get("varies")


def work_differences(a, b):
    """What the runs of two rows did; nothing where the runs of one file differ in it, or where the
    calls depend on what the allocator returns."""
    done = [(key, steady_fact(a, key), steady_fact(b, key)) for key in WORK]
    name = f"{a.kind}/{a.subject}"
    return [
        difference(f"{key} of {name}", ours, theirs)
        for key, ours, theirs in done
        if None not in (ours, theirs)
    ]


def steady_fact(row, key):
    """What all runs of a row, two at least, agree on; None if there is no such thing."""
    if len(row.samples) < 2:
        return None
    values = [str(entry[key]) for entry in row.samples if key in entry]
    return values[0] if len(values) > 1 and len(set(values)) == 1 else None
