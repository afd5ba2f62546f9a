"""How to read the page: a text beside each chart and table, and what the numbers can and cannot
tell. This is text; no number comes from here.
"""

LIMITS = """
<div class="box">
<h2 id="limits">What a replay can and cannot tell</h2>
<p>A replay makes the calls that a program once made, in their order, and touches the blocks as the
touch policy says. It <b>ranks</b> allocators rightly in time, and with pages touched its ratios of
peak RSS are close to the real program's.</p>
<p>It does <b>not</b> say how much faster a program becomes: the program's own memory accesses, and
so most of its cache misses, are not in the trace. On ten programs, the saving in time that a replay
predicted was 0.34 to 1.4 times the real one. <code>spanbench exec</code> answers that question for
a program that can be run. Ratios carry over to other machines better than nanoseconds do, and
neither carries over to other programs.</p>
</div>
"""
KINDS = {
    "run": """
<p>Each workload is a small program that hurts allocators in a known way. Time per operation is the
time of the run over the calls of all threads together. The blocks are touched and checked, which is
part of the time. Adversaries (<code>robson</code>, <code>first-fit-bad</code> and the like) are
about memory: they report what theory says that is needed. No mean over workloads is given, since
which of them matter depends on the program; peak RSS below 1 MiB is not compared.</p>
""",
    "micro": """
<p>Each benchmark makes one call, or one small pattern of calls, over and over; shown is the time of
one such iteration. Everything lies in the nearest cache, unless the name says otherwise.
<code>pair</code> is a malloc and its free, <code>batch</code> many blocks that are allocated and
then freed in an order, <code>replace</code> a free and a malloc in a working set, <code>tier</code>
one layer of an allocator on its own, <code>free_elsewhere</code> a block that another thread frees.
Such times tell where an allocator is fast and where not. They do not tell what a program gains,
which spends more on cache misses and page faults: see the replays.</p>
""",
    "exec": """
<p>Each program runs from its start to its end under each allocator, with its own work and its own
memory accesses in between. This is the truth about these programs on this machine, and about no
other program.</p>
""",
}
CHARTS = {
    "frontier": """
<p>To the left is faster, downwards is leaner; the reference lies where the two lines cross. A large
mark is the geometric mean of an allocator, the cross through it the intervals of both ratios; the
small marks are its single rows. On the dashed stairs lie the allocators that no other one beats in
both. Both axes are logarithmic: equal distances are equal factors.</p>
<p>Do not conclude that an allocator on the stairs is better for every program: the small marks show
how far single programs lie from the mean.</p>
""",
    "time": """
<p>A band is a trace or a program, and in it each allocator has a line of its own. Wide panel: the
ratio to the reference, which is the upright line at 1; left of it is faster. The mark is the median
of the rounds, the line through it its interval. Where that line crosses 1, nobody is shown to be
faster. On top stand the geometric means. Narrow panel: the same in absolute time, from zero; the
tall tick is the reference, the dashed one the harness without an allocator, below which nobody can
be.</p>
<p>Do not conclude how much time a program as a whole saves: a replay holds its calls alone.</p>
""",
    "memory": """
<p>As the chart of times, but of peak resident memory: left is leaner. The dashed tick is the peak
of live bytes, which is what was asked for; an allocator without any waste would lie there.</p>
<p>Do not conclude how much memory is held on the average, or given back: the curves over operations
show that. A peak can lie below the live bytes where a program never touched what it asked for.</p>
""",
    "latency": """
<p>A panel is a trace, a line an allocator. Percentiles run to the right, each nine as wide as the
one before it, durations upwards: at 99 a line shows the time that 99 % of the calls do not exceed;
lower is faster. A line ends where fewer than ten of its calls are left. The clock moves in steps,
which the caption names: to the left, lines of equal height may differ by less than one. A duration
of zero is less than a step, and lies at the lower edge.</p>
<p>Do not conclude from the right end of one line: little stands behind it, and the machine disturbs
some calls. What is slow again and again, the tables of worst calls show.</p>
""",
    "limits": """
<p>A panel is a trace, memory in MiB runs to the right from zero; left is leaner. The mark is the
peak of resident memory, the tick the least limit under which the replay came to its end: how small
a container may be. A tick left of its mark means that the allocator keeps memory that the system
can take back when there is need.</p>
<p>Do not take it for the size of your container: the program, its libraries and its stacks need
memory too, and none of theirs is in here.</p>
""",
    "curve": """
<p>Operations of the trace run to the right, memory upwards from zero; lower is leaner. The grey
area are the live bytes, the same under every allocator. Large panel: each line is what is resident
under one allocator. Small panels, on the same scales: the shaded part between the live bytes and
the line is what that allocator holds beyond them, its <b>waste</b>: headers, rounding, holes, and
what was freed but not given back. The percentage is all of the shaded part over all of the
grey.</p>
<p>Do not read time from it: operations take unequal time. A fall at the very end is the program
freeing everything, which many programs never do.</p>
""",
    "held": """
<p>A bar is all that an allocator has mapped at the moment of the replay at which most is resident,
by its own account (mallinfo2); allocators without one have no bar. From dark to light: what the
program has asked for, headers and rounding, freed blocks in caches, free blocks between used ones,
and what is empty and could be given back. The upright tick is what is resident.</p>
<p>Do not add up what lies right of the tick: pages that were never touched cost nothing. And do not
compare the live bytes of a trace of several threads: each allocator has its peak at a moment of its
own.</p>
""",
    "blocks": """
<p>What the program asked for; no allocator comes into it. Left: how many bytes a request is for.
Right: how many further allocations the program makes before the block is freed. Each bar is a class
that is twice as wide as the one before it, its height the share of all blocks in it. Blocks that
are never freed have no lifetime and are not in the right panel.</p>
<p>Do not conclude where the bytes are: a few large blocks can hold more than all small ones.</p>
""",
    "run-heat": """
<p>A row is a workload, a column an allocator. The number is how many times the best figure of its
row a cell has: 1 is the best, and the darker, the worse. The best figure itself stands at the right
edge. A cross is a run that failed, a dash one that was not made.</p>
<p>Do not add up the colours of a column: the rows are not equally important, and some are made to
be bad for somebody. Cells that differ by a few per cent may well be equal; the table has the
intervals.</p>
""",
    "run-threads": """
<p>Threads run to the right, calls a second of all threads together upwards from zero: higher is
better. A line that rises as threads are added scales; one that falls has its threads wait for each
other.</p>
<p>Do not conclude anything beyond the number of processors of this machine, which the caption
names.</p>
""",
    "run-bounds": """
<p>Memory runs to the right from zero: left is leaner. The thick tick is what theory says that an
allocator of this sort needs at worst, the dashed one the peak of live bytes. A mark beyond the
thick tick needs more than the theory of its kind allows for.</p>
<p>Do not conclude anything about usual programs: these workloads are built to be the worst
case.</p>
""",
    "micro-size": """
<p>The size of the block runs to the right, the time of one iteration upwards, both logarithmic:
lower is faster. Marks are medians, the upright lines through them intervals. A step is where an
allocator changes its way of working; a line that rises with the size writes to the blocks, or asks
the system for pages each time.</p>
<p>Do not conclude that the lowest line makes a program faster: nothing else is in the cache here,
and most of what a block costs a program is not its malloc.</p>
""",
    "micro-calls": """
<p>A band is a benchmark, a dot an allocator: its ratio of time to the reference, which is the
upright line at 1. Left is faster; the axis is logarithmic. The line through a dot is its interval.
At the right edge stands the reference's own time, in nanoseconds.</p>
<p>Do not compare bands by their ratios: a factor of three of two nanoseconds is nothing beside a
factor of two of two hundred.</p>
""",
}
RATIOS = """
<p>Each row is a {word}, each column an allocator. The first number is the median ratio to the
reference over the rounds, paired by round; below it stands its interval, whose coverage the line
under the heading tells; one that covers less than 90 % says so itself. Bold is worse: the interval
covers 95 %, excludes 1, and is not all within 2 % of it. Green is better, likewise; what is plain
makes no such difference, or there are too few rounds to tell. Memory that hardly varies has the
whole range of its ratios for an interval. A click on a head sorts.</p>
<p>Do not conclude from many rows that all of them hold: of twenty intervals of 95 % one is wrong by
chance, and more are if their coverage is less.</p>
"""
FIGURES = """
<p>Absolute figures and ratios under each allocator, medians over the rounds with intervals. Waste
is what is resident beyond the live bytes, as a share of these, over all operations. Less is better
everywhere. A click on a head sorts.</p>
<p>Do not compare nanoseconds with those of another machine.</p>
"""


def of_chart(stem):
    """How to read the chart in a file of this name."""
    names = (name for name in CHARTS if stem.removeprefix("exec-").startswith(name))
    return folded(CHARTS[max(names, key=len)])


def folded(text):
    """A text that unfolds at a click."""
    return f"<details><summary>How to read this</summary>{text}</details>"
