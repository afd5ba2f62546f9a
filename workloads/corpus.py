"""The corpus: which real programs are recorded, what they work on and from which world they come.

This is data. How they are recorded is told by record_corpus, what they read by corpus_inputs and
program_inputs. Programs that were held out until something was learnt from them stand at the end.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import corpus_inputs as inputs
import program_inputs


@dataclass(frozen=True)
class Program:
    """One program of the corpus; its trace is NAME.trace.

    `package` holds the program itself, `needs` are further ones. The command's first word may be a
    pattern. `generate` makes the input files, `prepare` are commands run before, unrecorded. A
    server has `ready`, a file that appears when it can be used, and `clients`, commands run beside
    it, the last of which ends it.
    """

    name: str
    package: str
    world: str
    command: tuple[str, ...]
    generate: Callable[[Path, Random], None] | None = None
    needs: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    prepare: tuple[tuple[str, ...], ...] = ()
    ready: str = ""
    clients: tuple[tuple[str, ...], ...] = ()
    input: str = "none"

    def reads(self) -> str:
        """What the program works on, in a line."""
        return self.generate.__doc__.splitlines()[0] if self.generate else self.input

    def packages(self) -> tuple[str, ...]:
        """All packages that recording it takes."""
        return (self.package, *self.needs)


GIT_IMPORT = (
    ("git", "init", "-q", "-b", "main", "repo"),
    ("sh", "-c", "git -C repo fast-import --quiet < history.import"),
)
REDIS = "redis.sock"

PROGRAMS = (
    Program(
        "sqlite3",
        "sqlite3",
        "a database: single inserts, indexes, joins",
        ("sqlite3", ":memory:", ".read shop.sql"),
        inputs.sql_shop,
    ),
    Program(
        "python3",
        "python3.11-minimal",
        "an interpreter with reference counts: JSON to objects, counters, a CSV report",
        ("/usr/bin/python3", "-S", "job.py"),
        inputs.python_job,
        needs=("python3",),
        environment={"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "1"},
    ),
    Program(
        "perl",
        "perl-base",
        "an interpreter: a log into hashes of hashes, regular expressions",
        ("perl", "job.pl"),
        inputs.perl_job,
        environment={"PERL_HASH_SEED": "1"},
    ),
    Program(
        "lua",
        "lua5.4",
        "an interpreter with a garbage collector: every call is a realloc or a free",
        ("lua5.4", "job.lua"),
        inputs.lua_job,
    ),
    Program(
        "jq",
        "jq",
        "a large JSON parsed, grouped and printed again",
        (
            "jq",
            "group_by(.city) | map({city: .[0].city, n: length, tags: [.[].tags[]] | unique})",
            "people.json",
        ),
        inputs.jq_people,
    ),
    Program(
        "xmllint",
        "libxml2-utils",
        "an XML tree parsed, searched and printed again",
        ("xmllint", "--format", "--output", "out.xml", "feed.xml"),
        inputs.xml_feed,
    ),
    Program(
        "cc1",
        "cpp-12",
        "a C compiler: regions and hash tables, large blocks",
        (
            "/usr/lib/gcc/*/12/cc1",
            "-quiet",
            "-O2",
            "-fpreprocessed",
            "big.c",
            "-o",
            "big.s",
        ),
        inputs.c_source,
    ),
    Program(
        "clang++",
        "clang-14",
        "a C++ compiler in C++: small objects, growing vectors",
        ("clang++-14", "-std=c++17", "-O1", "-c", "shapes.cpp", "-o", "shapes.o"),
        inputs.cpp_source,
        needs=("libstdc++-12-dev",),
    ),
    Program(
        "git-log",
        "git",
        "diffs of a whole history: inflated objects, large short-lived blocks",
        ("git", "-C", "repo", "--no-pager", "log", "-p", "--stat", "--output=log.txt"),
        inputs.git_history,
        prepare=GIT_IMPORT,
    ),
    Program(
        "git-repack",
        "git",
        "two threads that search for deltas: hand-offs, large blocks",
        (
            "git",
            "-C",
            "repo",
            "pack-objects",
            "--all",
            "--threads=2",
            "--no-reuse-delta",
            "-q",
            "--window=50",
            "pack",
        ),
        inputs.git_history,
        prepare=GIT_IMPORT,
    ),
    Program(
        "redis",
        "redis-server",
        "a server with two I/O threads under 50 clients",
        (
            "redis-server",
            "--port",
            "0",
            "--unixsocket",
            REDIS,
            "--save",
            "",
            "--io-threads",
            "2",
            "--io-threads-do-reads",
            "yes",
            "--daemonize",
            "no",
        ),
        needs=("redis-tools",),
        input="What redis-benchmark sends: eleven commands with random keys.",
        ready=REDIS,
        clients=(
            (
                "redis-benchmark",
                "-s",
                REDIS,
                "-q",
                "-n",
                "4000",
                "-r",
                "20000",
                "-d",
                "100",
                "-t",
                "set,get,incr,lpush,rpush,lpop,sadd,hset,zadd,lrange_100,mset",
            ),
            ("redis-cli", "-s", REDIS, "flushall", "async"),
            ("redis-cli", "-s", REDIS, "shutdown", "nosave"),
        ),
    ),
    Program(
        "doxygen",
        "doxygen",
        "a build tool with worker threads, C++ strings",
        ("doxygen",),
        inputs.cpp_project,
    ),
    Program(
        "ffmpeg",
        "ffmpeg",
        "a film decoded and encoded by several threads: all buffers aligned, many handed on",
        (
            "ffmpeg",
            "-v",
            "error",
            "-threads",
            "2",
            "-i",
            "film.mkv",
            "-c:v",
            "mjpeg",
            "-threads",
            "2",
            "-c:a",
            "flac",
            "-f",
            "null",
            "-",
        ),
        prepare=(
            (
                "ffmpeg",
                "-v",
                "error",
                "-f",
                "lavfi",
                "-i",
                "testsrc2=size=320x240:rate=25",
                "-f",
                "lavfi",
                "-i",
                "sine=frequency=440:beep_factor=4",
                "-t",
                "45",
                "-c:v",
                "mpeg4",
                "-c:a",
                "aac",
                "film.mkv",
            ),
        ),
        input="film.mkv: 45 seconds from ffmpeg's own test sources, encoded before.",
    ),
    Program(
        "gawk",
        "gawk",
        "text: regular expressions, associative arrays, strings that grow",
        ("gawk", "-f", "job.awk", "access.log"),
        inputs.awk_job,
    ),
    Program(
        "mariadb",
        "mariadb-server-core",
        "a database server with a thread for each client: queries planned, sorted, answered",
        (
            "/usr/sbin/mariadbd",
            *("--no-defaults", "--datadir=./data", "--socket=shop.sock", "--user=root"),
            *("--skip-networking", "--skip-grant-tables", "--performance-schema=OFF"),
            *("--innodb-buffer-pool-size=8M", "--innodb-flush-log-at-trx-commit=0"),
        ),
        inputs.sql_clients,
        needs=("mariadb-client",),
        prepare=(
            (
                *("sh", "-c"),
                'mariadb-install-db --no-defaults --datadir="$PWD/data" --skip-test-db'
                " --skip-name-resolve --auth-root-authentication-method=normal",
            ),
        ),
        ready="data/shop.sock",
        clients=(
            (
                *("mariadb-slap", "--no-defaults", "-S", "data/shop.sock", "--concurrency=4"),
                *("--delimiter=;", "--create=create.sql", "--query=queries.sql"),
            ),
            ("mariadb-admin", "--no-defaults", "-S", "data/shop.sock", "shutdown"),
        ),
    ),
    Program(
        "lld",
        "lld-14",
        "a linker with four threads: sections sorted out, equal ones folded, strings merged",
        (
            "ld.lld-14",
            *("--threads=4", "--gc-sections", "--icf=all", "-O2", "--build-id=sha1"),
            *("-o", "program", "@objects"),
        ),
        inputs.object_files,
        needs=("binutils",),
        prepare=(
            ("sh", "-c", "for f in *.s; do as $f -o ${f%.s}.o || exit; done; ls *.o > objects"),
        ),
    ),
    Program(
        "ripgrep",
        "ripgrep",
        "a search in Rust by four threads that walk a tree and steal work from each other",
        ("rg", "-j4", "--no-require-git", r"(\w+)ba \w+di", "tree"),
        inputs.text_tree,
    ),
    Program(
        "vips",
        "libvips-tools",
        "an image cut into the tiles of a map by a pool of threads: buffers handed on, files",
        ("vips", "dzsave", "picture.png", "tiles"),
        environment={"VIPS_CONCURRENCY": "4"},
        prepare=(
            ("vips", "perlin", "noise.v", "2400", "1800", "--seed", "7"),
            ("vips", "linear", "noise.v", "grey.v", "100", "128"),
            ("vips", "cast", "grey.v", "picture.png", "uchar"),
        ),
        input="picture.png: clouds of 2400 by 1800 pixels from vips' own noise, drawn before.",
    ),
    Program(
        "bash",
        "bash",
        "a shell: arrays, subshells, expansions",
        ("bash", "words.sh"),
        program_inputs.with_jobs("words.sh", generate=program_inputs.text),
    ),
    Program(
        "ruby",
        "ruby",
        "an interpreter: garbage collection, threads",
        ("ruby", "words.rb"),
        program_inputs.with_jobs("words.rb", generate=program_inputs.text),
    ),
    Program(
        "php",
        "php-cli",
        "an interpreter without pools of its own",
        ("php", "-n", "words.php"),
        program_inputs.with_jobs("words.php", generate=program_inputs.text),
        environment={"USE_ZEND_ALLOC": "0"},
    ),
    Program(
        "z3",
        "z3",
        "a solver in C++: clauses, hash tables, vectors that grow",
        ("z3", "schedule.smt2"),
        program_inputs.smt_schedule,
    ),
    Program(
        "cmake",
        "cmake",
        "a build generated: strings, maps",
        ("cmake", "-B", "build", "."),
        program_inputs.cmake_project,
        needs=("gcc", "make"),
    ),
    Program(
        "rsvg-convert",
        "librsvg2-bin",
        "the libraries of graphical programs, without a display",
        ("rsvg-convert", "drawing.svg", "-o", "drawing.png"),
        program_inputs.drawing,
        needs=("fonts-dejavu-core",),
    ),
    Program(
        "pdftoppm",
        "poppler-utils",
        "a PDF read, its pages drawn",
        ("pdftoppm", "-r", "50", "-l", "9", "-png", "book.pdf", "page"),
        program_inputs.postscript_book,
        needs=("ghostscript",),
        prepare=(("ps2pdf", "book.ps", "book.pdf"),),
    ),
)
