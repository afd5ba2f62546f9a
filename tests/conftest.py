"""What the tests of the front end share: the package on the path, and a made-up build whose
programs do what a made-up trace says, so that every figure is known beforehand."""

import json
import signal
import subprocess
import sys

import pytest
from made_up_programs import MICRO, REPLAY, TRACE, WORKLOAD
from places import BUILD, REPO

sys.path.insert(0, str(REPO / "scripts"))

from frontend import cli  # noqa: E402
from frontend.allocators import registry  # noqa: E402

# A shell that runs the suite in the background has it ignore what programs under test must not.
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

# Files of half a minute or more: they begin, or one of the processes that share the tests would be
# left alone with one at the end.
LONGEST = (
    "charts_layout verify seed_mutants bisecting recorder shards workloads gate archives".split()
)


def pytest_collection_modifyitems(items):
    """Puts the tests that take longest first."""
    items.sort(key=lambda item: item.path.stem.removeprefix("test_") not in LONGEST)


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
