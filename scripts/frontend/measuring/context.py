"""Under which circumstances something was measured: the `context` of a result file. The first part
has Google Benchmark's names, the second is ours."""

import os
import re
import shlex
from pathlib import Path

from frontend.allocators import registry
from frontend.lazily import Lazy
from frontend.paths import IS_INSTALLED, ROOT, build_folder, installed_facts

datetime, platform = Lazy("datetime"), Lazy("platform")

CPU = Path("/sys/devices/system/cpu/cpu0")


def gather(allocators, command):
    """The context of a measurement that begins now; command is the argv of the front end."""
    load = list(os.getloadavg())
    return {
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "host_name": platform.node(),
        "executable": "scripts/spanbench",
        "num_cpus": os.cpu_count(),
        "mhz_per_cpu": round(float(cpu_info("cpu MHz") or 0)),  # 0: not known
        "cpu_scaling_enabled": governor() not in ("none", "performance"),
        "caches": caches(),
        "load_avg": load,
        # As Google Benchmark says it: release is meant for measuring.
        "library_build_type": "release" if "-DNDEBUG" in flags() else "debug",
        "spanbench": registry.own_version(),
        **revision(),
        **build(),
        **machine(),
        "load_before": load[0],
        "allocators": {a.name: registry.describe(a) for a in allocators},
        "command": shlex.join(["spanbench", *command]),
        "warmups": [],
    }


def machine():
    """The machine as far as it matters for memory and time."""
    return {
        "libc": " ".join(platform.libc_ver()),
        "kernel": platform.release(),
        "cpu": cpu_model(),
        "governor": governor(),
        "thp": selected(text_of("/sys/kernel/mm/transparent_hugepage/enabled")),
        "aslr": text_of("/proc/sys/kernel/randomize_va_space"),
        "page_bytes": os.sysconf("SC_PAGE_SIZE"),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
    }


def text_of(path):
    """The stripped text of a file, or "unknown"."""
    try:
        return Path(path).read_text().strip()
    except OSError:
        return "unknown"


def selected(choices):
    """ "madvise" of "always [madvise] never"."""
    match = re.search(r"\[(.*)\]", choices)
    return match.group(1) if match else choices


def cpu_info(key):
    """The value of the first line `key : value` of /proc/cpuinfo, or ""."""
    match = re.search(rf"^{key}\s*: (.*)$", text_of("/proc/cpuinfo"), re.MULTILINE)
    return match.group(1) if match else ""


def cpu_model():
    return cpu_info("model name") or platform.machine()


def governor():
    """The frequency governor; "none" where the machine has none, as virtual ones do."""
    text = text_of(CPU / "cpufreq" / "scaling_governor")
    return "none" if text == "unknown" else text


def caches():
    """The first processor's caches in Google Benchmark's form."""
    return [cache(folder) for folder in sorted(CPU.glob("cache/index*"))]


def cache(folder):
    """One cache; sizes stand as "32K" in the system."""
    size = re.match(r"(\d+)([KM]?)", text_of(folder / "size"))
    unit = {"K": 1 << 10, "M": 1 << 20, "": 1}
    return {
        "type": text_of(folder / "type"),
        "level": int(text_of(folder / "level")),
        "size": int(size.group(1)) * unit[size.group(2)] if size else 0,
        "num_sharing": count_cpus(text_of(folder / "shared_cpu_list")),
    }


def count_cpus(ranges):
    """5 for "0-3,8"."""
    pairs = re.findall(r"(\d+)(?:-(\d+))?", ranges)
    return sum(int(last or first) - int(first) + 1 for first, last in pairs)


def build():
    """Compiler and flags of the build; what an installation was built with need not be here."""
    return {"compiler": installed_facts().get("compiler") or compiler(), "flags": flags()}


def flags():
    """What the build was made with."""
    return text_of(build_folder() / "flags")


def compiler():
    """The first line of `CC --version`, CC being the first word of the flags."""
    name = (flags().split(maxsplit=1) or ["unknown"])[0]
    lines = registry.output_of([name, "--version"]).splitlines()
    return lines[0] if lines else name


def revision():
    """The commit that the tree is at, or that was installed, and whether files differ from it
    (None: not known)."""
    if IS_INSTALLED:
        return {key: installed_facts().get(key) for key in ("commit", "dirty")}
    commit = git("rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return {"commit": "unknown", "dirty": None}
    return {"commit": commit, "dirty": bool(git("status", "--porcelain", "--untracked-files=no"))}


def git(*arguments):
    """What git says of this tree, or "". It only looks: no lock of it is in anyone's way."""
    return registry.output_of(["git", "--no-optional-locks", "-C", str(ROOT), *arguments])
