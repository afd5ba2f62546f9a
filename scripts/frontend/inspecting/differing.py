"""What two recordings of one program differ in. Each side is one recording or several; what
several of one side differ in varies by itself, and only what lies beyond that has changed.

A figure has changed if the two sides' values do not overlap and the gap between them is wider than
either side's own spread. A single recording has no spread: it counts to the operation.
"""

from dataclasses import dataclass

from frontend.counted import counted
from frontend.inspecting import sites
from frontend.measuring import traces
from frontend.recording.compiling import folder_of

PASS, FAIL, UNKNOWN = "pass", "fail", "cannot tell"
# Keys of `trace info` that are metrics as they stand; kinds of calls and the rest are added.
FIGURES = (
    *("ops", "allocations", "bytes_requested", "peak_live", "slots", "final_live", "final_slots"),
    *("mean_lifetime_ops", "mean_lifetime_bytes", "failed", "null_frees"),
    *("handoffs", "threads"),
)
REALLOCS = {"reallocs_grow": "grow", "bytes_grown": "bytes_grown"}


@dataclass(frozen=True)
class Side:
    """One side: the infos of its recordings, the first of which is FILE."""

    path: object
    infos: tuple

    @property
    def is_threaded(self):
        """Whether what it does may vary with the order of its threads."""
        return any(info["threads"] > 1 for info in self.infos)

    @property
    def program(self):
        """Its name, if it is known."""
        return self.infos[0]["origin"].get("program")

    @property
    def tool(self):
        """Whose recording it is: ours, or of the format that it was imported from; None if that is
        not known."""
        origin = self.infos[0]["origin"]
        tools = {"recorded": "spanbench", "imported": origin.get("format")}
        return tools.get(origin.get("source"))

    def incomplete(self):
        """Why its figures cannot be trusted, or None."""
        for info in self.infos:
            if info["losses"].get("lost_ops"):
                return f"{self.path}: {lost_text(info['losses']['lost_ops'])}"
            if info["origin"].get("unfinished"):
                return f"{self.path}: {info['origin']['unfinished']}"
        return None


@dataclass(frozen=True)
class Change:
    """A figure on both sides."""

    name: object  # of a metric; a size in bytes
    a: tuple  # its values, one a recording
    b: tuple

    @property
    def spread(self):
        """How much it varies by itself."""
        return max(max(self.a) - min(self.a), max(self.b) - min(self.b))

    @property
    def is_change(self):
        """Whether it lies beyond what varies by itself."""
        gap = max(min(self.b) - max(self.a), min(self.a) - max(self.b))
        return gap > self.spread

    @property
    def amount(self):
        """By how much B has more than A, at least; less than 0 if it has less."""
        if min(self.b) > max(self.a):
            return min(self.b) - max(self.a)
        return min(0, max(self.b) - min(self.a))

    @property
    def growth(self):
        """`amount` as a share of A; infinite where A has none of it."""
        return share(self.amount, max(self.a) if self.amount > 0 else min(self.a))

    @property
    def growth_bounds(self):
        """(least, most) that B may have more than A, as shares of A."""
        least = share(min(self.b) - self.spread - max(self.a), max(self.a))
        return min(least, self.growth), share(max(self.b) - min(self.a), min(self.a))


@dataclass(frozen=True)
class Verdict:
    """What a limit comes to."""

    change: Change
    percent: float  # that it may grow
    verdict: str
    reason: str = ""


def share(part, whole):
    """part / whole; of nothing, nothing is 0 and anything is infinite."""
    if whole:
        return part / whole
    return float("inf") if part > 0 else 0.0


def lost_text(lost):
    """Which calls a recording lacks: how many, or what an importer says of them."""
    if not isinstance(lost, int):
        return str(lost)
    return f"{counted(lost, 'call')} {'was' if lost == 1 else 'were'} not recorded"


def load(path):
    """The Side of a FILE, with its further runs beside it."""
    first = traces.read_info(path, "--all-sizes")
    runs = sorted(folder_of(path).glob("run-*.trace"))
    return Side(path, (first, *(traces.read_info(run, "--all-sizes") for run in runs)))


def metrics_of(info):
    """{metric: value} of one recording."""
    kinds = {kind: count for kind, count in info["by_kind"].items() if "thread" not in kind}
    reallocs = {name: info["reallocs"][key] for name, key in REALLOCS.items()}
    figures = {key: info[key] for key in FIGURES}
    return {**figures, **kinds, **reallocs, "distinct_sizes": len(info["all_sizes"])}


def changes_of(a, b):
    """The Changes of all metrics, also those of none."""
    ours, theirs = ([metrics_of(info) for info in side.infos] for side in (a, b))
    return [
        Change(name, tuple(m[name] for m in ours), tuple(m[name] for m in theirs))
        for name in ours[0]
    ]


def sizes_of(a, b):
    """The Changes of how often each exact size was asked for, of those that have changed; those
    that make the most bytes first."""
    ours, theirs = (
        [{item["size"]: item["count"] for item in info["all_sizes"]} for info in side.infos]
        for side in (a, b)
    )
    every = set().union(*ours, *theirs)
    found = (
        Change(size, tuple(c.get(size, 0) for c in ours), tuple(c.get(size, 0) for c in theirs))
        for size in every
    )
    return sorted(filter(lambda c: c.is_change, found), key=lambda c: (-weight(c), c.name))


def sites_by_name(side):
    """({stack of names: (calls, bytes)} of each recording, why some modules have no names)."""
    runs = sorted(folder_of(side.path).glob("run-*.trace"))
    loaded = [sites.load(path) for path in (side.path, *runs)]
    reasons = dict.fromkeys(reason for _, told in loaded for reason in told)
    return [sites.by_name(found) for found, _ in loaded], list(reasons)


def site_changes(ours, theirs):
    """[(Change of calls, Change of bytes)] of the sites where one of both has changed, those that
    ask for most bytes more first."""
    found = []
    for name in set().union(*ours, *theirs):
        calls, size = (
            Change(name, *(tuple(s.get(name, (0, 0))[i] for s in side) for side in (ours, theirs)))
            for i in range(2)
        )
        if calls.is_change or size.is_change:
            found.append((calls, size))
    return sorted(found, key=lambda c: (-c[1].amount, -c[0].amount, c[0].name))


def weight(change):
    """The bytes that the change of a size comes to; a block of 0 bytes counts as one."""
    return abs(change.amount) * max(1, change.name)


def judge(change, percent, a, b):
    """The Verdict of a limit: a metric may grow by so many percent."""
    incomplete = a.incomplete() or b.incomplete()
    if incomplete:
        return Verdict(change, percent, UNKNOWN, incomplete)
    least, most = change.growth_bounds
    if most * 100 <= percent:
        return Verdict(change, percent, PASS)
    is_single = len(change.a) == len(change.b) == 1
    if is_single and (a.is_threaded or b.is_threaded):
        return Verdict(
            change, percent, UNKNOWN, "threads vary; record --times 3 to know by how much"
        )
    if least * 100 > percent:
        return Verdict(change, percent, FAIL)
    return Verdict(change, percent, UNKNOWN, "it varies by itself by as much")
