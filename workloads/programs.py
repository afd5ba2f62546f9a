"""Whole programs: those that must run the same on the project's allocator as without it, and
among them those whose time is measured.

This is data, as the corpus is, from which it takes what is described there already. Each prints and
writes the same every time: no times, no addresses, no order of threads.
"""

import sys
from dataclasses import dataclass, fields

import corpus_inputs
import program_inputs as inputs
from corpus import GIT_IMPORT, PROGRAMS as RECORDED, Program


@dataclass(frozen=True)
class Whole(Program):
    """A program as it is run whole.

    `status` is its exit status. `uses` are the programs that must have called the allocator, if it
    is not the command's first word alone. `volatile` are patterns of files in which times and the
    like stand. The times of timed ones are compared; short ones are quick enough for every run of
    the tests.
    """

    status: int = 0
    uses: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()
    is_timed: bool = False
    is_short: bool = False

    def users(self):
        """The programs that must have called the allocator."""
        return self.uses or self.command[:1]


def recorded(name, **changes):
    """A program of the corpus, with changes."""
    program = next(program for program in RECORDED if program.name == name)
    same = {field.name: getattr(program, field.name) for field in fields(program)}
    return Whole(**{**same, **changes})


def timed(name, generate, **changes):
    """A program of the corpus on an input that keeps it busy for some seconds."""
    return recorded(name, generate=generate, is_timed=True, **changes)


def script(text):
    """The command that runs a line of shell."""
    return ("sh", "-ec", text)


# Whichever the release has; the corpus names the one that was recorded.
CLANG = ("clang++", "-std=c++17", "-O1", "-c", "shapes.cpp", "-o", "shapes.o")

TIMED = (
    recorded(
        "sqlite3",
        world="a database in memory: 300000 inserts, an index, group by",
        command=("sqlite3", ":memory:", ".read totals.sql"),
        generate=inputs.sql_totals,
        is_timed=True,
    ),
    timed("python3", inputs.python_job, package="python3-minimal"),
    timed("jq", inputs.jq_people),
    timed("lua", inputs.lua_job),
    timed("perl", inputs.perl_job),
    timed("xmllint", inputs.xml_feed),
    Whole(
        "gs",
        "ghostscript",
        "a PostScript interpreter with pools of its own: fonts, paths, pages",
        ("gs", "-q", "-dSAFER", "-sDEVICE=png16m", "-r72", "-o", "page%d.png", "book.ps"),
        inputs.postscript_book,
        is_timed=True,
    ),
    timed("cc1", inputs.c_source),
    timed("clang++", inputs.cpp_source, package="clang", command=CLANG),
    timed("git-log", corpus_inputs.git_history),
    timed("git-repack", corpus_inputs.git_history),
    recorded("z3", is_timed=True),
)

TESTSUITE = "libpython{}.{}-testsuite".format(*sys.version_info)
PYTHON_TESTS = "list dict set bytes json memoryview array deque buffer"

INTERPRETERS = (
    Whole(
        "python3-threads",
        "python3",
        "threads and forked workers, JSON, regular expressions",
        ("/usr/bin/python3", "threads.py"),
        inputs.with_jobs("threads.py"),
        environment={"PYTHONMALLOC": "malloc", "PYTHONDONTWRITEBYTECODE": "1"},
        is_short=True,
    ),
    Whole(
        "python3-tests",
        TESTSUITE,
        "the interpreter's own tests",
        (
            "/usr/bin/python3",
            "python_tests.py",
            *(f"test.test_{name}" for name in PYTHON_TESTS.split()),
            "test.test_threading.ThreadTests",
            "test.test_multiprocessing_fork.WithProcessesTestPool",
        ),
        inputs.with_jobs("python_tests.py"),
        needs=("python3",),
        environment={"PYTHONMALLOC": "malloc", "PYTHONDONTWRITEBYTECODE": "1"},
    ),
    Whole(
        "perl-sort",
        "perl-base",
        "hashes and strings",
        (
            "perl",
            "-e",
            'my %h; $h{$_} = "x" x ($_ % 99) for 1..50000; print length join "", values %h',
        ),
        is_short=True,
    ),
    recorded("bash", is_short=True),
    recorded("gawk", is_short=True),
    Whole(
        "tcl",
        "tcl8.6",
        "dictionaries and lists with an allocator of its own on top",
        ("tclsh8.6", "words.tcl"),
        inputs.with_jobs("words.tcl", generate=inputs.text),
    ),
    recorded("ruby"),
    Whole(
        "guile",
        "guile-3.0",
        "a conservative collector beside malloc",
        ("guile", "--no-auto-compile", "-s", "words.scm"),
        inputs.with_jobs("words.scm", generate=inputs.text),
    ),
    # Without extensions: it opens them with RTLD_DEEPBIND, so that they call the C library's free
    # on blocks of any other allocator.
    recorded("php"),
    Whole(
        "nodejs",
        "nodejs",
        "a virtual machine with worker threads",
        ("node", "words.js"),
        inputs.with_jobs("words.js", generate=inputs.long_text),
    ),
)

COMPILERS = (
    Whole(
        "exceptions",
        "g++",
        "a C++ program with exceptions, threads, aligned new, new that fails, exit in a thread",
        ("./exceptions",),
        inputs.with_jobs("exceptions.cpp"),
        prepare=(("g++", "-std=c++17", "-w", "-pthread", "exceptions.cpp", "-o", "exceptions"),),
        status=7,
        is_short=True,
    ),
    Whole(
        "g++",
        "g++",
        "a C++ compiler and its linker",
        script("g++ -std=c++17 -O1 -w -pthread exceptions.cpp -o exceptions; ./exceptions"),
        inputs.with_jobs("exceptions.cpp"),
        status=7,
        uses=("g++", "/usr/lib/gcc/*/*/cc1plus", "/usr/lib/gcc/*/*/collect2", "exceptions"),
    ),
    Whole(
        "gcc-lto",
        "gcc",
        "a linker with a plugin and two processes, and a program that loads libraries",
        script(
            "gcc -O2 -flto -frandom-seed=1 -w -c big.c plugins.c; gcc -flto=2 *.o -o plugins;"
            " ./plugins"
        ),
        inputs.with_jobs("plugins.c", generate=inputs.small_c_source),
        status=3,
        uses=("/usr/lib/gcc/*/*/cc1", "/usr/lib/gcc/*/*/lto1", "ld", "plugins"),
        is_short=True,
    ),
    Whole(
        "cmake",
        "cmake",
        "a build with two jobs",
        script("cmake -B build . >/dev/null; make -C build -j2 >/dev/null; build/main"),
        inputs.cmake_project,
        needs=("gcc", "make"),
        uses=("cmake", "make", "ar", "main"),
        volatile=("build/CMakeFiles/*", "build/CMakeCache.txt", "build/libparts.a"),
    ),
    Whole(
        "lld",
        "lld",
        "a linker with threads",
        script("clang++ -std=c++17 -w -pthread -fuse-ld=lld exceptions.cpp -o linked; ./linked"),
        inputs.with_jobs("exceptions.cpp"),
        needs=("clang", "libstdc++-12-dev"),
        status=7,
        uses=("clang++", "ld.lld", "linked"),
    ),
    recorded("doxygen"),
)

SERVICES = (
    Whole(
        "sqlite3-file",
        "sqlite3",
        "a database in a file",
        ("sqlite3", "words.db", ".read words.sql"),
        inputs.with_jobs("words.sql"),
        is_short=True,
    ),
    Whole(
        "redis",
        "redis-server",
        "a server that is linked with another allocator",
        ("sh", "redis_life.sh"),
        inputs.with_jobs("redis_life.sh", generate=inputs.redis_commands),
        needs=("redis-tools",),
        uses=("redis-server", "redis-cli"),
    ),
    Whole(
        "git",
        "git",
        "clone, merge, blame, gc, fsck",
        ("sh", "git_life.sh"),
        inputs.with_jobs("git_life.sh", generate=inputs.git_history),
        prepare=GIT_IMPORT,
        uses=("git",),
        volatile=("copy/.git/*",),
        is_short=True,
    ),
)

TOOLS = (
    Whole(
        "tar",
        "tar",
        "an archive made, compressed, listed and unpacked",
        script(
            "tar -czf a.tar.gz --sort=name tree; mkdir b; tar -xf a.tar.gz -C b; tar -tf a.tar.gz"
        ),
        inputs.tree,
        uses=("tar", "gzip"),
        is_short=True,
    ),
    Whole(
        "find",
        "findutils",
        "a tree walked, its files hashed by several processes",
        script("find tree -type f -print0 | sort -z | xargs -0 -n 20 -P 4 md5sum | sort"),
        inputs.tree,
        uses=("find", "xargs", "md5sum"),
        is_short=True,
    ),
    Whole(
        "sort",
        "coreutils",
        "two threads, runs merged from temporary files",
        ("sort", "--parallel=2", "-S", "2M", "-T", ".", "-r", "lines"),
        inputs.numbers,
        is_short=True,
    ),
    Whole(
        "xz",
        "xz-utils",
        "two threads with large blocks",
        ("xz", "-T2", "--block-size=1MiB", "-k", "text.txt"),
        inputs.long_text,
    ),
    Whole(
        "zstd", "zstd", "two threads", ("zstd", "-q", "-T2", "-12", "text.txt"), inputs.long_text
    ),
    Whole(
        "gzip",
        "gzip",
        "packed and unpacked",
        script("gzip -n text.txt; gzip -dc text.txt.gz | cksum"),
        inputs.text,
        uses=("gzip",),
        is_short=True,
    ),
    Whole(
        "openssl",
        "openssl",
        "ciphers, hashes, signatures, certificates",
        ("sh", "openssl_life.sh"),
        inputs.with_jobs("openssl_life.sh", generate=inputs.text),
        prepare=(
            (
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-subj",
                "/CN=a",
                "-keyout",
                "key.pem",
                "-out",
                "certificate.pem",
            ),
        ),
        uses=("openssl",),
    ),  # fmt: skip
    Whole(
        "curl",
        "curl",
        "files fetched one after the other",
        script(
            'curl -sS "file://$PWD/text.txt" -o a "file://$PWD/text.txt" -o b -w "%{size_download}"'
        ),
        inputs.text,
        uses=("curl",),
    ),
)

PICTURES = (
    recorded(
        "ffmpeg",
        command=(
            *("ffmpeg", "-v", "error", "-threads", "2", "-i", "film.mkv"),
            *("-c:v", "mjpeg", "-threads", "1", "-c:a", "flac", "-f", "framemd5", "-"),
        ),
    ),
    Whole(
        "convert",
        "imagemagick",
        "an image drawn, scaled, blurred; several threads",
        (
            "convert",
            *("-size", "500x400", "gradient:red-blue", "-swirl", "90"),
            *("-resize", "150%", "-blur", "0x3", "scaled.ppm"),
        ),
        environment={"MAGICK_THREAD_LIMIT": "2"},
    ),
    recorded("rsvg-convert"),
    Whole(
        "dot",
        "graphviz",
        "a graph laid out and drawn",
        script("dot -Tsvg graph.dot -o graph.svg; dot -Tpng graph.dot -o graph.png"),
        inputs.graph,
        needs=("fonts-dejavu-core",),
        uses=("dot",),
    ),
    Whole(
        "poppler",
        "poppler-utils",
        "a PDF read, its text and its pictures taken out",
        script("pdftotext book.pdf; pdftoppm -r 50 -l 9 -png book.pdf page"),
        inputs.postscript_book,
        needs=("ghostscript",),
        prepare=(("ps2pdf", "book.ps", "book.pdf"),),
        uses=("pdftotext", "pdftoppm"),
    ),
)

PROGRAMS = (*TIMED, *INTERPRETERS, *COMPILERS, *SERVICES, *TOOLS, *PICTURES)
