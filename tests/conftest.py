"""What the tests of the front end share: the package on the path, and a made-up build whose
programs do what a made-up trace says, so that every figure is known beforehand."""

import json
import signal
import subprocess
import sys

import pytest
from places import BUILD, REPO

sys.path.insert(0, str(REPO / "scripts"))

from frontend import cli  # noqa: E402
from frontend.allocators import registry  # noqa: E402

# A shell that runs the suite in the background has it ignore what programs under test must not.
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

# Good enough for short programs: never frees.
ALLOCATOR = """
#include <stddef.h>
static char heap[256 << 20] __attribute__((aligned(16)));
static size_t used;
void *malloc(size_t n)
{
    size_t gross = (n + 31) & ~(size_t)15;
    size_t *block = (size_t *)(heap + __atomic_fetch_add(&used, gross, __ATOMIC_RELAXED));
    *block = n;
    return block + 2;
}
void *calloc(size_t n, size_t m) { return malloc(n * m); }
void *realloc(void *old, size_t n)
{
    char *new = malloc(n);
    size_t kept = old ? ((size_t *)old)[-2] : 0;
    for (size_t i = 0; i < kept && i < n; i++)
        new[i] = ((char *)old)[i];
    return new;
}
void free(void *p) { (void)p; }
"""
HARMLESS = "int harmless(void) { return 0; }\n"

# Replays a trace of JSON: {"ops": N, "ns": {allocator: ns an op}, "rss": {...}, "faults": {...}}.
# Times that differ from run to run are a list; how many runs there were is the size of a file.
REPLAY = """#!/usr/bin/python3 -SE
import ctypes, json, os, signal, struct, sys
flags = [word for word in sys.argv[1:-1] if word in ("--decay",)]
words = [word for word in sys.argv[1:-1] if word not in flags]
options = dict(zip(words[::2], words[1::2]))
path = options["--allocator"]
name = os.path.basename(path).split(".")[0].removeprefix("lib")
name = "glibc" if name == "c" else name
trace = json.load(open(sys.argv[-1]))
fault = trace.get("faults", {}).get(name)
if fault == "crash" or fault == "crash in " + options["--pass"]:
    os.kill(os.getpid(), signal.SIGSEGV)
if fault == "sleep":
    signal.pause()
if fault == "refuse":
    sys.exit("malloc comes from /lib/other.so, not from " + path)
file = os.stat("/dev/null" if fault == "imposter" else path)
ns = trace.get("ns", {}).get(name, 10)
if isinstance(ns, list):
    with open(f"{sys.argv[-1]}.{name}.runs", "a") as runs:
        ns = ns[runs.tell() % len(ns)]
        runs.write("x")
ns = int(trace["ops"] * ns * (2 if options.get("--model") == "program" else 1))
answer = {"ops": trace["ops"] - (fault == "lazy"), "skipped_ops": 0,
          "checksum": "bad" if fault == "checksum" else "good",
          "peak_mapped": 1 << 20, "real_time_ns": ns, "cpu_time_ns": ns, "user_ns": ns, "sys_ns": 0,
          "minor_faults": trace.get("page_faults", {}).get(name, 3), "major_faults": 0,
          "thp_disabled": ctypes.CDLL(None).prctl(42, 0, 0, 0, 0) == 1,
          "preload": os.environ.get("LD_PRELOAD"),
          "malloc": {"path": "/lib/imposter.so", "device": file.st_dev, "inode": file.st_ino}}
if options["--touch"] == "recorded":
    answer["knows_present"] = trace.get("knows_present", False)
if options.get("--pauses") == "recorded":
    answer.update(pauses=3, paused_ns=40000000)
if options["--pass"] == "memory":
    answer.update(peak_rss=trace.get("rss", {}).get(name, 1 << 20), peak_live=1 << 19,
                  waste=0.5, huge_bytes=2 << 20, rss_after_drain=4096, baseline_rss=8192)
    if "--decay" in flags:
        answer.update(rss_after_100ms=3 << 20, rss_after_1s=2 << 20, rss_after_5s=1 << 20)
        answer.update({} if name == "span" else {"rss_after_trim": 1 << 19})
    if "--curve" in options:
        open(options["--curve"], "w").write("op,rss,live\\n0,0,0\\n10,4096,2048\\n")
if options["--pass"] == "calls":
    answer.update(in_calls_ns=ns // 4, preempted=1)
if trace.get("threads", 1) > 1 and options["--threads"] == "original":
    told = [{"thread": i, "ops": 9, "cpu_ns": ns, "wait_ns": 7} for i in range(trace["threads"])]
    others = {"threads": 5, "ops": 5, "cpu_ns": 5, "wait_ns": 5}
    for of_thread in [*told, others] if options["--pass"] == "calls" else []:
        of_thread["in_calls_ns"] = ns // 8
    answer.update(wait_ns=7, per_thread=told, other_threads=others)
if options["--pass"] == "limit":
    need, limit = trace.get("need", {}).get(name, 0), int(options["--limit"])
    answer["survived"] = limit >= need
    if limit < need:
        answer.update(failed_at_op=70, failed_live=7000)
        if fault == "die":
            open(options["--ledger"], "wb").write(struct.pack("=QQq", 1, 64, 6000))
            os.abort()
print(json.dumps(answer))
"""

# Lists and runs made-up workloads. What is to go wrong stands in the profile, as ALLOCATOR=FAULT.
WORKLOAD = """#!/usr/bin/python3 -SE
import json, os, sys
def facts(name, least=1, size_is="blocks", **more):
    return {"name": name, "summary": "does " + name, "size_is": size_is, "size": 10, "ops": 1000,
            "threads": least, "threads_least": least, "size_least": 2, "has_bound": False,
            "varies": False, "needs_profile": False, "is_test": False, **more}
LIST = [facts("steady"), facts("crowd", 2, None), facts("foe", varies=True, has_bound=True),
        facts("trial", is_test=True)]
if sys.argv[1] == "--list":
    sys.exit(print(json.dumps(LIST)) or 0)
options = dict(zip(sys.argv[1:-1:2], sys.argv[2:-1:2]))
path, workload = options["--allocator"], sys.argv[-1]
name = os.path.basename(path).split(".")[0].removeprefix("lib")
name = "glibc" if name == "c" else name
allocator, _, fault = open(options.get("--profile", "/dev/null")).read().strip().partition("=")
fault = fault if allocator == name else ""
if fault == "refuse":
    sys.exit("steady: malloc of 8 bytes returned NULL")
file = os.stat("/dev/null" if fault == "imposter" else path)
threads = int(options["--threads"])
is_less = fault == "lazy" or (workload, name) == ("foe", "span")
ops = threads * int(options.get("--ops", 1000)) - is_less
ns = ops * (30 if name == "span" else 20) // threads
answer = {"workload": workload, "threads": threads, "ops": ops, "checksum": "good", "refused": 0,
          "told": options, "real_time_ns": ns, "cpu_time_ns": ns, "user_ns": ns, "sys_ns": 0,
          "minor_faults": 3, "major_faults": 0, "peak_rss": 2 << 20, "peak_live": 1 << 20,
          "initial_rss": 0, "baseline_rss": 4096, "harness_bytes": 4096, "rss_after_drain": 4096,
          "malloc": {"path": path, "device": file.st_dev, "inode": file.st_ino}}
if workload == "foe":
    answer["bound"] = 3 << 19
print(json.dumps(answer))
"""

# `trace info` of such a trace.
TRACE = """#!/usr/bin/python3 -SE
import json, sys
try:
    trace = json.load(open(sys.argv[2]))
except ValueError:
    sys.exit(print(sys.argv[2] + ": not a trace", file=sys.stderr) or 2)
print(json.dumps({"ops": trace["ops"], "threads": trace.get("threads", 1),
                  "peak_live": 1 << 19, "duration_ns": trace.get("duration_ns", 1),
                  "by_kind": {"malloc": trace["ops"], "thread_start": 0, "thread_end": 0},
                  "failed": 0, "bytes_per_op": 1.5, "origin": {"program": "made-up"},
                  "losses": {}}))
"""

# Prints what Google Benchmark would of benchmarks that take a size's logarithm in nanoseconds, and
# twice that under span. What is to go wrong stands in --benchmark_context=ALLOCATOR=FAULT.
MICRO = """#!/usr/bin/python3 -SE
import json, math, os, re, signal, sys
SIZES = (8, 64, 512, 4096, 32768)
names = [f"pair/{size}" for size in SIZES] + ["elsewhere/64/real_time", "few/iterations:3"]
words = sys.argv[1:]
flags = dict(word.partition("=")[::2] for word in words if word.startswith("--benchmark_"))
if "--benchmark_nix" in flags:
    sys.exit(print("micro: error: unrecognized command-line flag", file=sys.stderr) or 2)
path = words[words.index("--allocator") + 1] if "--allocator" in words else "/lib/libx.so"
name = os.path.basename(path).split(".")[0].removeprefix("lib")
wanted = flags.get("--benchmark_filter", ".")
names += ["inside"] if "span" in sys.argv[0] else []
names = [name for name in names if re.search(wanted, name)]
if not names:
    sys.exit(print("Failed to match any benchmarks against regex: x", file=sys.stderr) or 2)
if "--benchmark_list_tests" in flags:
    sys.exit(print("\\n".join(names)))
allocator, _, spec = flags.get("--benchmark_context", "").partition("=")
fault = spec if allocator == name else ""
if fault == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
file = os.stat("/dev/null" if fault == "imposter" else path)
entries = []
for name_, times in ((n, int(flags.get("--benchmark_repetitions", 1))) for n in names):
    for i in range(times):
        ns = math.log2(int("".join(re.findall(r"/(\\d+)", name_)) or 8)) * (1 + (name == "span"))
        entries.append({"name": name_, "run_name": name_, "run_type": "iteration", "threads": 1,
                        "repetitions": times, "repetition_index": i, "iterations": 1000,
                        "real_time": 2 * ns, "cpu_time": ns, "time_unit": "ns", "spare": 7})
        if fault == "error":
            entries[-1].update(error_occurred=True, error_message="no memory", real_time=0)
    if times > 1:
        entries.append({**entries[-1], "name": name_ + "_mean", "run_type": "aggregate"})
context = {"malloc_path": path, "malloc_device": str(file.st_dev), "malloc_inode": str(file.st_ino)}
context.update({"library_build_type": "debug", "told": words, allocator: spec})
print(json.dumps({"context": context, "benchmarks": entries}))
"""


@pytest.fixture(scope="session")
def shared_objects(tmp_path_factory):
    """A folder with liballocator.so, which defines malloc, and libharmless.so, which does not."""
    folder = tmp_path_factory.mktemp("objects")
    for name, source in (("allocator", ALLOCATOR), ("harmless", HARMLESS)):
        (folder / f"{name}.c").write_text(source)
        command = ["cc", "-shared", "-fPIC", "-nostdlib", "-fno-builtin", "-Wl,--build-id"]
        command += [str(folder / f"{name}.c"), "-o", str(folder / f"lib{name}.so")]
        subprocess.run(command, check=True)
    return folder


@pytest.fixture
def made_up_build(tmp_path, monkeypatch, shared_objects):
    """A build folder with made-up programs and the real launcher; the front end uses it."""
    if not (BUILD / "launch").exists():
        pytest.skip(f"{BUILD / 'launch'}: not built")
    folder = tmp_path / "a build"
    folder.mkdir()
    (folder / "launch").symlink_to(BUILD / "launch")
    (folder / "flags").write_text("cc -DSPANBENCH_VERSION='\"9.8.7\"' -O2 -DNDEBUG\n")
    programs = {"replay-glibc": REPLAY, "replay-span": REPLAY, "trace": TRACE}
    programs.update({"workload-glibc": WORKLOAD, "workload-span": WORKLOAD})
    programs.update({"micro-glibc": MICRO, "micro-span": MICRO})
    for name, source in programs.items():
        (folder / name).write_text(source)
        (folder / name).chmod(0o755)
    library = (shared_objects / "liballocator.so").read_bytes()
    for name in ("libspan.so", "libnull.so"):
        (folder / name).write_bytes(library)
    monkeypatch.setenv("SPANBENCH_BUILD", str(folder))
    registry.own_version.cache_clear()
    yield folder
    registry.own_version.cache_clear()


@pytest.fixture
def made_up_trace(tmp_path):
    """A function that writes a made-up trace and returns its path."""

    def write(name="made", **facts):
        path = tmp_path / f"{name}.trace"
        path.write_text(json.dumps({"ops": 1000, **facts}))
        return str(path)

    return write


@pytest.fixture(scope="session")
def short_trace(tmp_path_factory):
    """A real trace: some thousand blocks, half of them renewed, all freed at the end."""
    if not (BUILD / "trace").exists():
        pytest.skip(f"{BUILD / 'trace'}: not built")
    folder = tmp_path_factory.mktemp("short")
    blocks = [f"{0x1000 * (i + 1):#x}" for i in range(3000)]
    lines = [f"1: malloc {block} {16 + i % 500}" for i, block in enumerate(blocks)]
    lines += [f"1: free {p}\n1: malloc {p} {16 + i % 700}" for i, p in enumerate(blocks[::2])]
    lines += [f"1: free {block}" for block in blocks]
    (folder / "calls.txt").write_text("\n".join(lines) + "\n")
    command = [BUILD / "trace", "import", folder / "calls.txt", "-o", folder / "short.trace"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "short.trace"


def run_process(words, folder):
    """What `spanbench` does, in a process of its own; what it leaves in the background may keep its
    output, which goes to files in the folder."""
    command = [REPO / "scripts" / "spanbench", *words]
    with open(folder / "out", "wb") as out, open(folder / "err", "wb") as err:
        status = subprocess.run(command, stdout=out, stderr=err, check=False).returncode
    return status, *((folder / name).read_text("utf-8", "replace") for name in ("out", "err"))


@pytest.fixture
def spanbench(capfd, tmp_path_factory):
    """A function that runs a command line: (status, stdout, stderr). `record` gets a process of its
    own: it waits for signals, which a thread of pytest-xdist would take from it."""

    def run(*words):
        words = [str(word) for word in words]
        if words[:1] == ["record"]:
            return run_process(words, tmp_path_factory.mktemp("output"))
        try:
            status = cli.main(words)
        except SystemExit as end:
            status = end.code
        out, err = capfd.readouterr()
        return status, out, err

    return run
