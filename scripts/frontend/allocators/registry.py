"""The allocators: those known by name, where they lie on this machine, and what -a means.

Nothing is downloaded; an allocator that is not installed is not found, and that is all.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from frontend.allocators import elf, preload
from frontend.failure import Failure
from frontend.guess import meant
from frontend.paths import build_folder, built, in_tree

DEFAULT = ("span", "span-fast", "glibc", "jemalloc")
FLOOR = "null"
REFERENCE = "glibc"
NEEDED_FUNCTIONS = ("malloc", "free", "calloc", "realloc")
NAME = re.compile(r"[A-Za-z0-9._+-]+")

OWN_OPTIONS = "SPAN_OPTIONS"
BUILT_HERE = {"span": "libspan.so", "span-fast": "libspan-fast.so", FLOOR: "libnull.so"}
# The libraries of which any version will do; the newest is taken, the first name before the others.
LIBRARIES = {
    "jemalloc": ("libjemalloc",),
    "mimalloc": ("libmimalloc",),
    "tcmalloc": ("libtcmalloc_minimal", "libtcmalloc"),
    "tbb": ("libtbbmalloc_proxy",),
}
SCUDO = "llvm-*/lib/clang/*/lib/linux/libclang_rt.scudo_standalone-*.so"
TWINS = {
    "jemalloc-junk": ("jemalloc", {"MALLOC_CONF": "junk:free"}),
    "glibc-perturb": (
        "glibc",
        {"GLIBC_TUNABLES": "glibc.malloc.perturb=174:glibc.malloc.tcache_count=0"},
    ),
}
NOTES = {
    "span": "ours, poisons what is freed",
    "span-fast": "ours, tuned: no poison, freed blocks kept in front",
    "glibc": "the C library's own",
    "scudo": "hardened",
    "jemalloc-junk": "twin of span: poisons what is freed",
    "glibc-perturb": "twin of span: poisons, thread cache off",
    FLOOR: "no allocator: the floor of the harness",
}
NAMES = ("span", "span-fast", "glibc", *LIBRARIES, "scudo", *TWINS, FLOOR)


@dataclass(frozen=True)
class Allocator:
    """An allocator as it will be run."""

    name: str
    base: str  # the name in the registry, "" for a file that the user named
    path: Path  # the object whose malloc must be the one that is called
    settings: dict = field(default_factory=dict, hash=False)  # environment variables

    @property
    def is_floor(self):
        """Whether it is the null allocator: its blocks overlap, so that it is timed and no more."""
        return self.base == FLOOR


def find(name):
    """The Allocator of a name in the registry, or None if it is not on this machine."""
    base, settings = TWINS.get(name, (name, {}))
    path = find_path(base)
    return Allocator(name, base, path, settings) if path else None


def find_path(base):
    """The file of an allocator of the registry that is no twin, or None."""
    if base in BUILT_HERE:
        path = build_folder() / BUILT_HERE[base]
        return path if path.exists() else None
    if base == "glibc":
        return libc_path()
    if base == "scudo":
        paths = sorted(Path("/usr/lib").glob(SCUDO), key=version_key, reverse=True)
        return next(filter(is_usable, paths), None)
    return installed_path(LIBRARIES[base])


@lru_cache
def libc_path():
    """The C library that this very process runs on."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith("/libc.so.6"):
            return Path(line[line.index("/") :])
    return None


@lru_cache
def machine():
    """The ELF number of this machine's processor."""
    return elf.read(libc_path()).machine


def installed_path(libraries):
    """The newest version of the first of the libraries that the loader knows, or None."""
    for library in libraries:
        for soname in versions(library):
            for path in loader_cache()[soname]:
                if is_usable(path):
                    return path.resolve()
    return None


def versions(library):
    """The sonames of a library that the loader knows: newest first, one without a number last."""
    pattern = re.compile(rf"{re.escape(library)}\.so[.0-9]*")
    return sorted(filter(pattern.fullmatch, loader_cache()), key=version_key, reverse=True)


@lru_cache
def loader_cache():
    """{soname: [paths]} as `ldconfig -p` prints it."""
    ldconfig = shutil.which("ldconfig") or shutil.which("ldconfig", path="/sbin:/usr/sbin")
    if not ldconfig:
        return {}
    listing = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=False).stdout
    cache = {}
    for soname, path in re.findall(r"^\s*(\S+) \(.*\) => (.*)$", listing, re.MULTILINE):
        cache.setdefault(soname, []).append(Path(path))
    return cache


def version_key(path):
    """Orders paths by the numbers in them."""
    return [int(number) for number in re.findall(r"\d+", str(path))]


def is_usable(path):
    """Whether path is a shared object for this machine."""
    try:
        return elf.read(path).machine == machine()
    except Failure:
        return False


def found():
    """All allocators of the registry that are on this machine."""
    return [allocator for allocator in map(find, NAMES) if allocator]


def resolve(lists, default=DEFAULT):
    """The allocators that the -a options (a list of strings) name; if none, the default ones."""
    if not lists:
        return [allocator for allocator in map(find, default) if allocator]
    chosen = [parse(item) for text in lists for item in items(text)]
    names = [allocator.name for allocator in chosen]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise Failure(f"-a: {twice[0]} is named twice")
    return chosen


def resolve_real(lists, why, default=DEFAULT):
    """As resolve; the null allocator, whose blocks overlap, is refused, and it is said why."""
    chosen = resolve(lists, default)
    if any(allocator.is_floor for allocator in chosen):
        raise Failure(f"-a: null: its blocks overlap, {why}")
    return chosen


def items(text):
    """One -a option's allocators; with settings in it, it is one, and its commas are values'."""
    parts = [text] if ";" in text else text.split(",")
    wanted = [part.strip() for part in parts if part.strip()]
    if not wanted:
        raise Failure(f"-a '{text}': names no allocator")
    return wanted


def parse(text):
    """The Allocator of one item: NAME, NAME=BASE or NAME=PATH.so, then ;KEY=VALUE..."""
    head, *settings = text.split(";")
    name, has_base, source = head.partition("=")
    if not has_base:
        source = name
    if "/" in source or ".so" in source:
        allocator = from_file(name if has_base else "", source)
    else:
        allocator = from_registry(source)
    if not NAME.fullmatch(name):
        raise Failure(f"-a: {name}: a name is made of letters, digits and ._+-")
    chosen = {**allocator.settings, **parse_settings(settings)}
    if OWN_OPTIONS in chosen:
        check_own_options(allocator.path, chosen)
    return replace(allocator, name=name, settings=chosen)


def parse_settings(settings):
    """{KEY: VALUE} of the settings of one item."""
    parsed = {}
    for setting in filter(None, settings):
        key, equals, value = setting.partition("=")
        if not (equals and key.isidentifier()):
            raise Failure(f"-a: {setting}: a setting is KEY=VALUE")
        parsed[key] = value
    return parsed


def check_own_options(path, settings):
    """Fails if the library does not understand SPAN_OPTIONS: it would ignore them, and something
    else would be measured than was asked for. An allocator that is not span says nothing."""
    with preload.Links() as links:
        environment = preload.measured_environment(settings, [links.link(path)])
        done = subprocess.run(["/bin/true"], env=environment, capture_output=True, check=False)
    message = done.stderr.decode(errors="replace")
    told = re.search(rf"^span: {OWN_OPTIONS}: (.*); ", message, re.MULTILINE)
    if told:
        raise Failure(f"-a: {OWN_OPTIONS}={settings[OWN_OPTIONS]}: {told[1]}")


def from_registry(name):
    """The Allocator of a known name, which must be on this machine."""
    if name not in NAMES:
        known = f"known: {', '.join(NAMES)}; or NAME=PATH.so"
        raise Failure(f"-a: {name}: no such allocator ({known}){meant(name, NAMES)}")
    allocator = find(name)
    if allocator:
        return allocator
    if name in BUILT_HERE:
        built(BUILT_HERE[name])
    raise Failure(f"-a: {name}: not found on this machine")


def from_file(name, source):
    """The Allocator in a file that the user named; the file must define malloc."""
    if not name:
        raise Failure(f"-a: {source}: give it a name: NAME={source}")
    path = Path(source).absolute()
    found_object = elf.read(path)
    missing = [f for f in NEEDED_FUNCTIONS if f not in found_object.functions]
    if missing:
        raise Failure(f"{source}: defines no {missing[0]}")
    if found_object.machine != machine():
        raise Failure(f"{source}: is for another processor")
    return Allocator(name, "", path.resolve())


def with_floor(allocators):
    """The allocators and the null one."""
    if any(allocator.is_floor for allocator in allocators):
        return allocators
    return [*allocators, Allocator(FLOOR, FLOOR, built(BUILT_HERE[FLOOR]))]


def reference(allocators):
    """The name of the allocator that others are compared with: glibc, else the first."""
    names = [allocator.name for allocator in allocators if not allocator.is_floor]
    return REFERENCE if REFERENCE in names else (names or [FLOOR])[0]


def describe(allocator):
    """What the context of a result file says of an allocator."""
    return {
        "path": in_tree(allocator.path),
        "build_id": elf.read(allocator.path).build_id,
        "version": version(allocator),
        "settings": dict(allocator.settings),
    }


def version(allocator):
    """Of what we build, our version; else of the Debian package the file is from; else unknown."""
    if allocator.base in BUILT_HERE:
        return own_version()
    return package_version(allocator.path) or "unknown"


@lru_cache
def own_version():
    """The version that the build was made with."""
    try:
        flags = (build_folder() / "flags").read_text()
    except OSError:
        return "unknown"
    match = re.search(r'SPANBENCH_VERSION=\'?\\?"([^"\\]+)', flags)
    return match.group(1) if match else "unknown"


@lru_cache
def package_version(path):
    """The package that owns a file, "2.36-9 (libc6)", or None; a merged /usr has two names."""
    for name in (str(path), str(path).removeprefix("/usr"), f"/usr{path}"):
        owner = output_of(["dpkg-query", "-S", name])
        package = owner.partition(": ")[0].partition(",")[0]
        if package:
            number = output_of(["dpkg-query", "-W", "-f", "${Version}", package])
            return f"{number} ({package.partition(':')[0]})"
    return None


def output_of(argv):
    """Standard output of a command that may fail or not be there, stripped."""
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
