"""The verb info: what a trace holds, on a page for people, as JSON for programs, or as a plot."""

from dataclasses import asdict
from pathlib import Path

from frontend.counted import counted
from frontend.failure import Failure
from frontend.figures import results
from frontend.inspecting import info_page, sites
from frontend.measuring import traces
from frontend.progress import say
from frontend.verbs.options import add_allocators, add_flag
from frontend.verbs.outcome import print_json

EXAMPLES = (
    "spanbench info my.trace",
    "spanbench info --json my.trace | jq .peak_live",
    "spanbench info my.trace --plot my.svg",
    "spanbench info my.trace --sites    # recorded with --sites",
    "spanbench info my.trace --score -a span-fast,jemalloc",
    "spanbench info --profile my.trace > my.profile && spanbench run profile --profile my.profile",
)
PLOTS = (".svg", ".png")


def add_arguments(parser):
    parser.add_argument("trace", type=Path, metavar="FILE", help="a trace")
    form = parser.add_mutually_exclusive_group()
    add_flag(form, "--json", "print JSON instead of the tables")
    add_flag(
        form,
        "--profile",
        "print sizes and lifetimes of the blocks, for `spanbench run profile --profile`",
    )
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="OUT.svg",
        help="draw live bytes, sizes and lifetimes instead of the tables",
    )
    add_flag(
        parser, "--sites", "who made the calls, the busiest first, of a trace recorded with --sites"
    )
    add_flag(
        parser,
        "--folded",
        "with --sites: print stacks and calls in the form that flame graphs are drawn from",
    )
    add_flag(
        parser,
        "--score",
        "replay the trace and score allocators as the driver of the CS:APP malloc lab does",
    )
    add_allocators(parser, "those that replay takes", "the allocators that --score scores")


def run(options, _argv):
    """Prints what is known of the trace; reading it verifies every block."""
    if options.sites or options.folded:
        return show_sites(options)
    if options.plot:
        check_plot(options.plot)
    (trace,) = traces.load([options.trace])
    found = scored(trace, options) if options.score else None
    if options.plot:
        plot(trace, options.plot)
    if options.json:
        more = {"scores": [asdict(score) for score in found]} if found else {}
        print_json({**trace.info, **more})
    elif options.profile:
        print(profile_text(trace.name, trace.info))
    elif not options.plot and not found:
        info_page.show(options.trace, trace.info)
    return 0


def show_sites(options):
    """Prints the call sites, and why some have no names."""
    for option in ("plot", "profile", "score"):
        if getattr(options, option):
            raise Failure(f"--sites: not together with --{option}")
    if not options.sites or (options.folded and options.json):
        raise Failure("--folded: is for --sites, without --json")
    traces.read_info(options.trace)  # which verifies every block
    found, reasons = sites.load(options.trace)
    if options.json:
        print_json({"sites": [site.facts() for site in found]})
    elif options.folded:
        print(sites.folded(found))
    else:
        info_page.show_sites(options.trace, found)
    info_page.tell_nameless(reasons)
    return 0


def check_plot(path):
    """Fails unless a picture can be written to path."""
    if path.suffix not in PLOTS:
        raise Failure(f"{path}: not named {' or '.join(PLOTS)}")
    results.check_writable(path)


def scored(trace, options):
    """The scores, printed unless JSON is wanted."""
    from frontend.inspecting import score  # of no use to the page, and slow to load

    found = score.scores(trace, options.allocators)
    if not options.json:
        score.show(found)
    return found


def plot(trace, path):
    """Draws the plot; matplotlib is loaded only for it."""
    from frontend.charts import canvas
    from frontend.inspecting import info_plot

    with canvas.pyplot.rc_context(canvas.STYLE):
        figure = info_plot.info_figure(trace.name, trace.info)
        canvas.save(figure, path.with_suffix(""), [path.suffix[1:]])
    say(f"{path}: written")


def profile_text(name, info):
    """The profile of a trace: exact sizes where they are frequent, else ranges, and lifetimes."""
    lines = [f"# {name}: {counted(info['ops'], 'operation')}; KIND FROM TO COUNT"]
    exact = {top["size"]: top["count"] for top in info["top_sizes"]}
    lines += [f"size {size} {size} {count}" for size, count in sorted(exact.items())]
    for c in info["sizes"]:
        rest = c["count"] - sum(n for size, n in exact.items() if c["from"] <= size <= c["to"])
        if rest > 0:
            lines.append(f"size {c['from']} {c['to']} {rest}")
    lines += [f"lifetime {c['from']} {c['to']} {c['count']}" for c in info["lifetimes"]]
    return "\n".join(lines)
