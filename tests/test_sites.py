"""Call sites: record --sites keeps who made each call, info and diff name them, whatever kind of
program it is and wherever the call comes from; and no program bears harm from being looked at."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from places import BUILD

INTERPRETER = Path("/usr/lib/heaptrack/libexec/heaptrack_interpret")

CALLER = """
#include <stdlib.h>
void *volatile kept;
__attribute__((noinline)) void make_small(void) { kept = malloc(10); free(kept); kept = 0; }
__attribute__((noinline)) void make_large(void) { kept = calloc(MANY, 100); free(kept); kept = 0; }
__attribute__((noinline)) static void work(void)
{
    for (int i = 0; i < 50; i++)
        make_small();
    make_large();
    kept = 0;
}
int main(void) { work(); kept = 0; return 0; }
"""
THREADED = """
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
static void *in_thread(void *of_library)
{
    for (int i = 0; i < 40; i++)
        ((void (*)(void))of_library)();
    for (int i = 0; i < 30; i++)
        free(malloc(7));
    return NULL;
}
int main(int argc, char **argv)
{
    pthread_t threads[2];
    void *library = dlopen(argv[argc - 1], RTLD_NOW);
    void *make = dlsym(library, "make_in_library");
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, in_thread, make);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    dlclose(library);
    return 0;
}
"""
LIBRARY = """
#include <stdlib.h>
static void *volatile kept;
void make_in_library(void) { kept = malloc(20); free(kept); kept = 0; }
"""
TURNS = """
#include <dlfcn.h>
#include <string.h>
int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        void *library = dlopen(argv[i], RTLD_NOW);
        const char *name = strstr(argv[i], "first") ? "make_first" : "make_other";
        void (*make)(void) = (void (*)(void))dlsym(library, name);
        for (int k = 0; k < 6000; k++)
            make();
        dlclose(library);
    }
    return 0;
}
"""
NEWS = """
#include <cstdlib>
#include <new>
struct alignas(64) Wide { char bytes[64]; };
int *volatile numbers;
Wide *volatile wide;
struct Maker {
    __attribute__((noinline)) void make_plain() { numbers = new int[30]; delete[] numbers; }
    __attribute__((noinline)) void make_wide() { wide = new Wide; delete wide; numbers = 0; }
};
int main()
{
    Maker maker;
    for (int i = 0; i < 20; i++) {
        maker.make_plain();
        maker.make_wide();
    }
    return 0;
}
"""
# Frame pointers that point anywhere, a handler on a stack of its own, a coroutine on one that ends
# where the page after it may not be read.
HOSTILE = r"""
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
static ucontext_t back, other;
static void with_pointer(unsigned long value)
{
#if defined(__x86_64__)
    __asm__ volatile("push %%rbp\n mov %0, %%rbp\n mov $33, %%edi\n"
                     "mov %%rsp, %%rbx\n and $-16, %%rsp\n call malloc@PLT\n"
                     "mov %%rax, %%rdi\n call free@PLT\n mov %%rbx, %%rsp\n pop %%rbp\n"
                     : : "r"(value) : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10",
                     "r11", "memory", "cc");
#else
    (void)value;
    free(malloc(33));
#endif
}
static void many(void)
{
    volatile unsigned long here = 0;
    unsigned long p = (unsigned long)&here;
    unsigned long values[] = {0, 1, 8, p, p + 8, p + 16, p + 4096, p + (1 << 20), p - 4096, p | 7,
                              p + (1ul << 30), 0x7fffffffeff0, ~0ul, ~0ul - 15, 1ul << 63};
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++)
        with_pointer(values[i]);
}
static void handler(int number) { (void)number; many(); }
static void coroutine(void) { many(); }
static void *thread(void *p) { many(); return p; }
int main(void)
{
    static char stack[1 << 16];
    stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    pthread_t other_thread;
    many();
    sigaltstack(&alternative, NULL);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    char *room = mmap(NULL, 1 << 17, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(room + (1 << 16), 1 << 16, PROT_NONE);
    getcontext(&other);
    other.uc_stack.ss_sp = room;
    other.uc_stack.ss_size = 1 << 16;
    other.uc_link = &back;
    makecontext(&other, coroutine, 0);
    swapcontext(&back, &other);
    pthread_create(&other_thread, NULL, thread, NULL);
    pthread_join(other_thread, NULL);
    puts("unharmed");
    return 0;
}
"""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    if not (BUILD / "librecord-sites.so").exists():
        pytest.skip(f"{BUILD / 'librecord-sites.so'}: not built")
    monkeypatch.setenv("SPANBENCH_BUILD", str(BUILD))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(name="build")
def fixture_build(tmp_path):
    """A function that builds a program from its source."""

    def run(source, name, *flags, compiler="gcc", suffix="c"):
        path = tmp_path / f"{name}.{suffix}"
        path.write_text(source)
        command = [compiler, "-fno-builtin", *flags, path, "-o", tmp_path / name, "-pthread"]
        subprocess.run(command, check=True)
        return tmp_path / name

    return run


@pytest.fixture(name="sites")
def fixture_sites(spanbench):
    """A function that records a command and returns its sites as info tells them."""

    def run(*command, depth=1, output="x.trace"):
        status, _, err = spanbench("record", f"--sites={depth}", "-o", output, "--", *command)
        assert status == 0, err
        status, out, err = spanbench("info", "--sites", "--json", output)
        assert status == 0, err
        return json.loads(out)["sites"]

    return run


def stack(site):
    return [frame["function"] for frame in site["frames"]]


def calls_of(found, function):
    """The calls that a function makes itself."""
    return sum(site["ops"] for site in found if stack(site)[0] == function)


@pytest.mark.parametrize("kind", [["-pie", "-fPIE"], ["-no-pie", "-fno-pie"]], ids=["pie", "fixed"])
@pytest.mark.parametrize("flags", [["-g", "-O0"], ["-O2"]], ids=["debug", "optimized"])
def test_functions_of_c(build, sites, kind, flags):
    found = sites(build(CALLER, "caller", "-DMANY=7", *flags, *kind))
    assert calls_of(found, "make_small") == 100 and calls_of(found, "make_large") == 2
    large = next(s for s in found if stack(s)[0] == "make_large" and s["bytes"])
    assert (large["bytes"], large["blocks"], large["peak_live"]) == (700, 1, 700)
    assert (large["freed"], large["mean_lifetime_ops"], large["final_live"]) == (1, 1, 0)
    if "-g" in flags:
        assert large["frames"][0]["line"].startswith("caller.c:")


def test_callers_of_callers(build, sites, spanbench):
    program = build(CALLER, "caller", "-DMANY=7", "-O1", "-fno-omit-frame-pointer")
    found = sites(program, depth=3)
    stacks = [stack(site) for site in found]
    assert ["make_small", "work", "main"] in stacks and ["make_large", "work", "main"] in stacks
    assert max(map(len, stacks)) == 3
    status, out, _ = spanbench("info", "--sites", "--folded", "x.trace")
    assert status == 0 and "main;work;make_small 100" in out.splitlines()


def test_a_stripped_program(build, sites, spanbench):
    program = build(CALLER, "caller", "-DMANY=7", "-O2")
    subprocess.run(["strip", program], check=True)
    sites(program)
    status, out, _ = spanbench("info", "--sites", "x.trace")
    assert status == 0 and "caller+0x" in out


def test_a_program_that_is_gone(build, sites, spanbench):
    """Module and offset are told, and one line says why."""
    program = build(CALLER, "caller", "-DMANY=7", "-g")
    sites(program)
    program.rename("elsewhere")
    status, out, err = spanbench("info", "--sites", "x.trace")
    assert status == 0 and "caller+0x" in out
    assert "caller: is gone, or cannot be read" in err and len(err.splitlines()) == 1
    build(CALLER, "caller", "-DMANY=8", "-g")
    status, out, err = spanbench("info", "--sites", "x.trace")
    assert "caller+0x" in out and "is another file now than was recorded" in err


def test_threads_and_a_library_opened_late(build, sites):
    library = build(LIBRARY, "late.so", "-shared", "-fPIC", "-O1")
    found = sites(build(THREADED, "threaded", "-O1"), library)
    assert calls_of(found, "make_in_library") == 2 * 2 * 40
    assert calls_of(found, "in_thread") == 2 * 2 * 30


def test_a_library_in_the_place_of_another(build, sites):
    """One after the other is opened, used and closed; they look alike, so the place is the same."""
    names = ("first", "other")
    paths = [
        build(LIBRARY.replace("in_library", name), f"{name}.so", "-shared", "-fPIC", "-O1")
        for name in names
    ]
    found = sites(build(TURNS, "turns", "-O1"), *paths, *paths)
    most = 2 * (16 << 10) // 24  # what was in the 16 KiB of records when it was opened, twice
    for name in names:
        assert abs(calls_of(found, f"make_{name}") - 24000) <= most


def test_the_site_is_the_caller_of_new(build, sites):
    found = sites(build(NEWS, "news", "-O1", "-std=c++17", compiler="g++", suffix="cc"))
    assert calls_of(found, "Maker::make_plain()") == 40
    assert calls_of(found, "Maker::make_wide()") == 40


def test_python_and_its_extensions(sites, monkeypatch):
    monkeypatch.setenv("PYTHONMALLOC", "malloc")
    job = "import json; [json.loads('[1, 2, {\"a\": 3}]') for i in range(100)]"
    found = sites(shutil.which("python3", path="/usr/bin"), "-S", "-c", job)
    assert sum(site["ops"] for site in found) > 5000
    known = sum(site["ops"] for site in found if site["frames"][0]["module"])
    assert known == sum(site["ops"] for site in found)


@pytest.mark.parametrize("depth", [1, 2, 8])
@pytest.mark.parametrize("flags", [["-O2", "-fomit-frame-pointer"], ["-O0"]], ids=["none", "kept"])
def test_nothing_is_read_beyond_the_stack(build, spanbench, depth, flags):
    program = build(HOSTILE, "hostile", *flags)
    words = ("record", f"--sites={depth}", "-o", "x.trace", "--", program)
    status, out, err = spanbench(*words)
    assert (status, out) == (0, "unharmed\n"), err


def test_children_have_sites_of_their_own(build, sites, spanbench, tmp_path):
    program = build(CALLER, "caller", "-DMANY=7", "-O1")
    sites("sh", "-c", f"{program}; exit 0")
    (child,) = [path for path in (tmp_path / "x.trace.d").glob("*.trace")]
    status, out, _ = spanbench("info", "--sites", "--json", child)
    assert status == 0 and calls_of(json.loads(out)["sites"], "make_small") == 100


def test_a_forked_child(sites, spanbench, build, tmp_path):
    source = CALLER.replace("work(); kept", "if (fork() == 0) work(); wait(0); kept")
    source = "#include <sys/wait.h>\n#include <unistd.h>\n" + source + "int unused;"
    source = source.replace("kept = 0; return 0; }", "work(); return 0; }")
    found = sites(build(source, "forking", "-DMANY=7", "-O1"))
    assert calls_of(found, "make_small") == 100
    (child,) = [path for path in (tmp_path / "x.trace.d").glob("*.trace")]
    status, out, _ = spanbench("info", "--sites", "--json", child)
    assert status == 0 and calls_of(json.loads(out)["sites"], "make_small") == 200


def test_heaptrack_finds_the_names_of_an_export(build, sites, spanbench, tmp_path):
    """As far up the stack as was recorded; nobody called main that is known."""
    if not (INTERPRETER.exists() and shutil.which("heaptrack_print")):
        pytest.skip("heaptrack is not installed")
    sites(build(CALLER, "caller", "-DMANY=7", "-O1", "-g", "-fno-omit-frame-pointer"), depth=2)
    status, _, err = spanbench("export", "--to", "heaptrack", "x.trace", "-o", "x.raw")
    assert status == 0 and "gaps between calls left out" in err and "sites" not in err
    data = subprocess.run(
        [INTERPRETER], input=(tmp_path / "x.raw").read_bytes(), check=True, capture_output=True
    )
    (tmp_path / "x.heaptrack").write_bytes(data.stdout)
    told = subprocess.run(["heaptrack_print", "x.heaptrack"], check=True, capture_output=True)
    lines = [line.strip() for line in told.stdout.decode().splitlines()]
    (first, *_) = [line for line in lines if "calls to allocation functions with" in line]
    at = lines.index(first)
    assert first.startswith("50 calls") and lines[at + 1] == "make_small"
    assert re.match(r"at .*caller\.c:\d+$", lines[at + 2])
    assert "work" in lines[at : at + 8]


def test_diff_names_the_site(build, sites, spanbench):
    a, b = (build(CALLER, f"caller{i}", f"-DMANY={7 * 10 ** i}") for i in range(2))
    sites(a, output="a.trace")
    sites(b, output="b.trace")
    status, out, err = spanbench("diff", "a.trace", "b.trace", "--sites")
    assert status == 0, err
    (line,) = [line for line in out.splitlines() if "make_" in line]
    assert "make_large" in line and "+6,300" in line
    assert "no site asked" in spanbench("diff", "a.trace", "a.trace", "--sites")[1]
    facts = json.loads(spanbench("diff", "a.trace", "b.trace", "--sites", "--json")[1])
    (site,) = facts["sites"]
    assert (site["site"], site["bytes"]["a"], site["bytes"]["b"]) == ("make_large", [700], [7000])


def test_parts_keep_the_sites_and_strip_their_folders(build, sites, spanbench, tmp_path):
    sites(build(CALLER, "caller", "-DMANY=7"))
    spanbench("cut", "x.trace", "--ops", "10:60", "-o", "cut.trace")
    spanbench("filter", "x.trace", "--sizes", "1:50", "-o", "filter.trace")
    spanbench("merge", "x.trace", "cut.trace", "-o", "merge.trace")
    for name, least in (("cut", 40), ("filter", 100), ("merge", 140)):
        status, out, err = spanbench("info", "--sites", "--json", f"{name}.trace")
        assert status == 0, err
        assert calls_of(json.loads(out)["sites"], "make_small") >= least
    status, _, err = spanbench("strip", "x.trace", "-o", "public.trace")
    assert status == 0 and "folders of" in err
    done = subprocess.run([BUILD / "trace", "sites", "public.trace"], capture_output=True)
    paths = [module["path"] for module in json.loads(done.stdout)["modules"]]
    assert "caller" in paths and not any("/" in path for path in paths)
    spanbench("record", "--strip", "--sites", "-o", "s.trace", "--", tmp_path / "caller")
    done = subprocess.run([BUILD / "trace", "sites", "s.trace"], capture_output=True)
    assert not any("/" in module["path"] for module in json.loads(done.stdout)["modules"])


def test_refusals(build, spanbench, short_trace):
    status, _, err = spanbench("info", "--sites", short_trace)
    assert status == 2 and "has no call sites; record it with --sites" in err
    assert spanbench("info", "--folded", short_trace)[0] == 2
    for depth in ("0", "9", "x", "1.5"):
        status, _, err = spanbench("record", f"--sites={depth}", "-o", "y.trace", "--", "true")
        assert status == 2 and "not a number from 1 to 8" in err


def test_without_sites_there_are_none(build, spanbench):
    program = build(CALLER, "caller", "-DMANY=7")
    assert spanbench("record", "-o", "y.trace", "--", program)[0] == 0
    facts = json.loads(spanbench("info", "--json", "y.trace")[1])
    assert facts["columns"] == ["gaps"]
