#!/usr/bin/python3
"""Checks the layout of the project: who includes or imports whom, that no modules stand in a
circle, that headers compile alone, that file names are unique, that the files that documents name
are there, and what the tree weighs. Prints each fault as FILE:LINE and exits 1 if there is any."""

import ast
import glob
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
C_FOLDERS = ("allocator", "workloads", "bench", "tests")
FOLDERS = (*C_FOLDERS, "scripts", "results", "docs", "packaging", ".ci", ".github")
# Between folders only these headers may be included; tests may include everything.
ALLOWED = {
    "allocator": [],
    "workloads": ["workloads/*"],
    "bench": ["workloads/*", "allocator/libspan.h"],
    "tests": ["*"],
}
# The one file that may look inside the allocator.
INSIDERS = {"bench/micro_internals.c": ["allocator/*"]}
SOURCES = {".c", ".h", ".cc"}
# The allocator from the ground up: each file includes, and calls, only what stands before it.
FLOORS = (
    *("build.h", "kernel.h", "options.h", "options.c", "os.h", "os.c", "misuse.h", "misuse.c"),
    *("block_flags.h", "block_plain.h", "block_packed.h", "block.h", "bins.h"),
    *("verified.h", "verified.c"),
    *("span.h", "span.c", "prefault.h", "prefault.c", "span_cache.h", "span_cache.c", "span_fit.c"),
    *("heap.h", "heap_inner.h", "heap_index.c", "heap_shared.c", "deferred_list.h", "heap_free.c"),
    *("deferred.h", "deferred.c", "heap.c", "heap_run.c", "heap_aligned.c", "heap_resize.c"),
    *("check.h", "check_inner.h", "check_inner.c", "check_shared.c", "check_deferred.c"),
    *("check_verified.c", "check.c"),
    *("arena.h", "arena.c", "arena_home.c"),
    *("inner.h", "thread_cache.h", "thread_cache.c", "own_cache.h", "own_cache.c"),
    *("quarantine.h", "quarantine.c", "empty.h", "empty.c", "verify.h", "verify.c"),
    *("uncached.h", "cached.h", "cached.c"),
    *("statistics.h", "statistics.c", "trim.h", "trim.c"),
    *("libspan.h", "libspan.c", "mallinfo.c", "malloc_info.c"),
)
# The front end from the ground up: each of these imports only what stands before it. The studies
# may use all of it, and nothing of it uses them.
FRONTEND, STUDIES = REPO / "scripts" / "frontend", REPO / "scripts" / "studies"
LAYERS = (
    *(
        "version",
        "failure",
        "lazily",
        "interrupts",
        "counted",
        "visible",
        "guess",
        "paths",
        "progress",
        "allocators",
    ),
    *("figures", "measuring", "charts", "page", "comparing", "gate", "recording", "advising"),
    *("inspecting", "verbs", "command_line", "cli", "studies"),
)
# What chooses the allocator's constants or judges its changes must not know what is held out.
CHOOSERS = (
    *("allocator/*", "scripts/studies/*", "scripts/frontend/gate/*", "results/baseline.json"),
    *("scripts/frontend/verbs/gate.py", "scripts/frontend/verbs/bisecting.py"),
)
HELD_OUT = re.compile(r"held.out", re.IGNORECASE)
MOST_BYTES = 12_000_000  # of all files in git, two fifths of them traces; nobody adds unawares
# Names that may occur in several folders.
COMMON_NAMES = {"README.md", "__init__.py"}
INCLUDE = re.compile(r'\s*#\s*include\s+"([^"]+)"')
# In a document: `folder/file` of the project, and the target of a link to a file.
NAMED = re.compile(r"`(\.?[a-z]+/[\w./*-]*)`")
LINKED = re.compile(r"\]\(([\w./-]+)")
PLACEHOLDERS = re.compile(r"NAME|FORMAT")


def c_files():
    """All sources and headers, by folder."""
    for folder in C_FOLDERS:
        for path in sorted((REPO / folder).rglob("*")):
            if path.suffix in SOURCES:
                yield folder, path


def include_fault(folder, path, name):
    """What is wrong with `#include "name"` in path, or None."""
    if (path.parent / name).exists():
        return None if "/" not in name else "an include of the same folder is bare"
    if folder != "tests" and (REPO / name).parent == path.parent:
        return "an include of the same folder is bare"
    if not (REPO / name).exists():
        return "no such header in the project"
    if not name.endswith(".h"):
        return "only headers are included"
    allowed = ALLOWED[folder] + INSIDERS.get(str(path.relative_to(REPO)), [])
    if any(Path(name).match(pattern) for pattern in allowed):
        return None
    return f"{folder}/ may not include this"


def include_faults():
    for folder, path in c_files():
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            fault = match and include_fault(folder, path, match.group(1))
            if fault:
                yield f"{path.relative_to(REPO)}:{number}: {match.group(1)}: {fault}"


def floor_faults():
    """Files of the allocator that are on no floor, or include one from above."""
    for path in sorted((REPO / "allocator").glob("*.[ch]")):
        if path.name not in FLOORS:
            yield f"{path.relative_to(REPO)}:1: FLOORS in tests/lint_house.py does not have it"
            continue
        below = FLOORS[: FLOORS.index(path.name)]
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if match and match[1] not in below:
                yield f"{path.relative_to(REPO)}:{number}: {match[1]}: stands above this file"


def symbols(path, build):
    """What a source defines and what it asks for, in one of the builds: a macro's definition."""
    with tempfile.NamedTemporaryFile(suffix=".o") as made:
        command = ["gcc", "-std=c11", "-D_GNU_SOURCE", '-DSPANBENCH_VERSION=""', "-I.", "-O0"]
        command += [f"-D{build}", "-c", path, "-o", made.name]
        if subprocess.run(command, cwd=REPO, capture_output=True).returncode:
            return set(), set()  # a source of another build
        names = subprocess.run(["nm", made.name], capture_output=True, text=True, check=True)
    words = [line.split() for line in names.stdout.splitlines()]
    defined = {word[-1] for word in words if word[-2] in "TDBRV"}
    return defined, {word[-1] for word in words if word[-2] == "U"}


def call_faults():
    """Files of the allocator that call what one above them defines."""
    paths = [REPO / "allocator" / name for name in FLOORS if name.endswith(".c")]
    for build in ("SPAN_FAST=0", "SPAN_FAST=1"):
        with ThreadPoolExecutor() as pool:
            known = list(pool.map(lambda path: symbols(path, build), paths))
        below = set()
        for path, (defined, wanted) in zip(paths, known):
            below |= defined
            above = {name for others, _ in known for name in others} - below
            for name in sorted(wanted & above):
                yield f"{path.relative_to(REPO)}:1: calls {name}, which stands above it"


def module(path):
    """A source and its header are one module."""
    return path.with_suffix("")


def includes(path):
    """The modules of the project that a file includes, as it names them."""
    for line in path.read_text().splitlines():
        match = INCLUDE.match(line)
        if match:
            beside = path.parent / match[1]
            yield module(beside if beside.exists() else REPO / match[1])


def arrows(paths):
    """{module: those that it includes, or calls} of the sources and headers of a folder."""
    graph = defaultdict(set)
    for path in paths:
        graph[module(path)].update(includes(path))
    sources = [path for path in paths if path.suffix == ".c"]
    for build in ("RECORD_SITES=1", "RECORD_SITES_NOT=1"):
        with ThreadPoolExecutor() as pool:
            known = dict(zip(sources, pool.map(lambda path: symbols(path, build), sources)))
        home = {name: module(path) for path, (defined, _) in known.items() for name in defined}
        for path, (_, wanted) in known.items():
            graph[module(path)].update(home[name] for name in wanted & home.keys())
    return {one: others - {one} for one, others in graph.items()}


def circle_faults():
    """Modules beside the allocator (whose floors tell more) that include or call each other in a
    circle."""
    for folder in ("workloads", "bench"):
        graph = arrows([path for name, path in c_files() if name == folder])
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            names = [str(one.relative_to(REPO)) for one in reversed(error.args[1])]
            yield f"{names[0]}.c:1: a circle: {' -> '.join(names)}"


def imported(statement):
    """The parts of the front end that an import statement names."""
    if not isinstance(statement, ast.ImportFrom) or not statement.module:
        return []
    package, _, rest = statement.module.partition(".")
    if package != "frontend":
        return [package] if package == STUDIES.name else []
    return [rest.partition(".")[0]] if rest else [alias.name for alias in statement.names]


def import_faults():
    """Modules of the front end that import from above."""
    for path in sorted([*FRONTEND.rglob("*.py"), *STUDIES.glob("*.py")]):
        folder = FRONTEND if FRONTEND in path.parents else STUDIES.parent
        part = path.relative_to(folder).parts[0].removesuffix(".py")
        if part == "__init__":
            continue
        below = LAYERS[: LAYERS.index(part) + 1]
        for statement in ast.walk(ast.parse(path.read_text())):
            for name in imported(statement):
                if name not in below:
                    place = f"{path.relative_to(REPO)}:{statement.lineno}"
                    yield f"{place}: {name}: {part} stands below it"


def header_faults():
    """Headers that do not compile by themselves, in any build."""
    for folder, path in c_files():
        if path.suffix != ".h" or path.name == "cmocka_all.h":
            continue
        runs = []
        for fast in (0, 1) if folder == "allocator" else (0,):
            command = ["gcc", "-std=c11", "-D_GNU_SOURCE", f"-DSPAN_FAST={fast}", "-I."]
            command += ["-fsyntax-only", "-x", "c", path]
            runs.append(subprocess.run(command, cwd=REPO, capture_output=True, text=True))
        if all(run.returncode for run in runs):
            fault = runs[-1].stderr.strip()[:300]
            yield f"{path.relative_to(REPO)}:1: does not compile alone: {fault}"


def name_faults():
    """File names that stand in more than one folder."""
    tracked = subprocess.run(["git", "ls-files"], cwd=REPO, capture_output=True, text=True)
    places = defaultdict(list)
    for name in tracked.stdout.split("\n"):
        if name and not name.startswith("results/"):
            places[Path(name).name].append(name)
    for name, paths in places.items():
        if len(paths) > 1 and name not in COMMON_NAMES:
            yield f"{paths[1]}:1: the name is also {paths[0]}'s"


def names_of_files(path, line):
    """The files of the project that a line of a document names, as (name, pattern of paths)."""
    for match in NAMED.finditer(line):
        name = PLACEHOLDERS.sub("*", match[1])
        if Path(name).parts[0] in FOLDERS:
            yield match[1], REPO / name
    for match in LINKED.finditer(line):
        yield match[1], path.parent / match[1]


def is_made(pattern):
    """Whether the file is made by a build or a run: git ignores it, and a fresh clone lacks it."""
    command = ["git", "check-ignore", str(pattern), f"{pattern}/"]
    return subprocess.run(command, cwd=REPO, capture_output=True).returncode == 0


def document_faults():
    """Names of files in documents that are not there."""
    for path in sorted(
        [*REPO.glob("*.md"), *REPO.glob("docs/*.md"), *REPO.glob("workloads/*/*.md")]
    ):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for name, pattern in names_of_files(path, line):
                if not (glob.glob(str(pattern)) or is_made(pattern)):
                    yield f"{path.relative_to(REPO)}:{number}: {name}: no such file"


def weight_faults():
    """A tree that weighs more than it must: what runs write is published by CI, not kept in git."""
    tracked = subprocess.run(["git", "ls-files"], cwd=REPO, capture_output=True, text=True)
    paths = [REPO / name for name in tracked.stdout.splitlines()]
    total = sum(path.stat().st_size for path in paths if path.is_file())
    if total > MOST_BYTES:
        largest = max(paths, key=lambda path: path.stat().st_size if path.is_file() else 0)
        yield (
            f"{largest.relative_to(REPO)}:1: the tree has {total:,} bytes and may have "
            f"{MOST_BYTES:,}; this is its largest file"
        )


def held_out_names():
    """The traces that are held out."""
    return [path.stem for path in (REPO / "workloads/traces/held-out").glob("*.trace")]


def held_out_faults():
    """Places in what chooses or judges constants that name what is held out."""
    names = "|".join(map(re.escape, held_out_names()))
    traces = re.compile(rf"""["'/](?:{names})(?:\.trace|["'/])""") if names else HELD_OUT
    for pattern in CHOOSERS:
        for path in sorted(REPO.glob(pattern)):
            if path.suffix == ".pyc" or not path.is_file():
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = HELD_OUT.search(line) or traces.search(line)
                if match:
                    yield f"{path.relative_to(REPO)}:{number}: {match[0]}: this is held out"


def main():
    faults = [
        *held_out_faults(),
        *include_faults(),
        *floor_faults(),
        *call_faults(),
        *circle_faults(),
        *import_faults(),
        *header_faults(),
        *name_faults(),
        *document_faults(),
        *weight_faults(),
    ]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
