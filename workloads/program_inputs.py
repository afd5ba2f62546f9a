"""What the whole programs work on, beside what corpus_inputs.py makes: one generator each.

As there, a generator writes into `folder` and takes every random choice from `rng`. What a program
is told to do lies in jobs/, as files of their own.
"""

import shutil
from pathlib import Path
from random import Random

import corpus_inputs as inputs

JOBS = Path(__file__).resolve().parent / "jobs"


def with_jobs(*names, generate=None):
    """A generator that copies files of jobs/, then makes what `generate` makes."""

    def copy(folder: Path, rng: Random) -> None:
        for name in names:
            shutil.copy(JOBS / name, folder)
        if generate:
            generate(folder, rng)

    copy.__doc__ = f"{', '.join(names)} of jobs/" + (f"; {generate.__doc__}" if generate else "")
    return copy


def text(folder: Path, rng: Random) -> None:
    """text.txt: 3000 lines of made-up words."""
    inputs.prose(folder, rng, 3000)


def long_text(folder: Path, rng: Random) -> None:
    """text.txt: 60000 lines of made-up words."""
    inputs.prose(folder, rng, 60000)


def numbers(folder: Path, _: Random) -> None:
    """lines: 100000 numbers in no order."""
    inputs.write_lines(folder / "lines", (i * 7919 % 100003 for i in range(100000)))


def sql_totals(folder: Path, rng: Random) -> None:
    """totals.sql: a table filled by 300000 inserts, an index, sums by group."""
    words = inputs.word_list(rng, 5000)
    inputs.write_lines(folder / "totals.sql", totals_statements(rng, words))


def totals_statements(rng: Random, words: list[str]):
    """The statements of totals.sql in order."""
    yield "create table sale(id integer primary key, shop text, note text, worth real);"
    yield "begin;"
    for i in range(300000):
        note = f"{rng.choice(words)} {rng.choice(words)}"
        yield f"insert into sale values({i}, '{words[i * 31 % 1009]}', '{note}', {i % 997}.5);"
    yield "commit;"
    yield "create index sale_shop on sale(shop, note);"
    yield "select shop, count(*), sum(worth), max(note) from sale group by shop;"
    yield "select substr(note, 1, 3) as head, count(*) from sale group by head order by 2, 1;"


def python_job(folder: Path, rng: Random) -> None:
    """job.py and a people.json of 9 MB that it reads into objects, joins, sorts and prints."""
    inputs.python_job(folder, rng)
    inputs.people_json(folder, rng, 20000)


def jq_people(folder: Path, rng: Random) -> None:
    """people.json of 50 MB."""
    inputs.people_json(folder, rng, 115000)


def perl_job(folder: Path, rng: Random) -> None:
    """job.pl and an access.log of 8 MB that it turns into hashes of hashes and a report."""
    inputs.perl_job(folder, rng)
    inputs.access_log(folder, rng, 80000)


def lua_job(folder: Path, rng: Random) -> None:
    """job.lua and a text.txt of 9000 lines whose words it keeps in a tree of tables."""
    inputs.lua_job(folder, rng)
    inputs.prose(folder, rng, 9000)


def xml_feed(folder: Path, rng: Random) -> None:
    """feed.xml: 40 MB of nested elements with attributes, text, entities and name spaces."""
    inputs.write_lines(folder / "feed.xml", inputs.xml_lines(rng, 110000))


def c_source(folder: Path, rng: Random) -> None:
    """big.c: one preprocessed translation unit of 250 functions."""
    inputs.write_lines(folder / "big.c", inputs.c_lines(rng, 250))


def small_c_source(folder: Path, rng: Random) -> None:
    """big.c: one translation unit of 20 functions."""
    inputs.write_lines(folder / "big.c", inputs.c_lines(rng, 20))


def cpp_source(folder: Path, rng: Random) -> None:
    """shapes.cpp: 15 classes and templates that use the standard library's containers."""
    classes = (line for i in range(15) for line in inputs.cpp_class(rng, i))
    inputs.write_lines(folder / "shapes.cpp", [inputs.CPP_HEAD, *classes])


def git_history(folder: Path, rng: Random) -> None:
    """history.import: for git fast-import, 80 commits of 30 small files."""
    words = inputs.word_list(rng, 500)
    files = [[inputs.sentence(rng, words) for _ in range(60)] for _ in range(30)]
    with (folder / "history.import").open("wb") as out:
        for number in range(80):
            out.write(inputs.git_commit(rng, words, files, number).encode())


POSTSCRIPT_HEAD = """\
%!PS
/body /Times-Roman findfont 9 scalefont def
/head /Helvetica-Bold findfont 16 scalefont def
/bezier { moveto curveto stroke } bind def
"""


def postscript_book(folder: Path, rng: Random) -> None:
    """book.ps: 40 pages of text, curves, filled shapes and shadings."""
    words = inputs.word_list(rng, 3000)
    pages = (line for number in range(40) for line in postscript_page(rng, words, number))
    inputs.write_lines(folder / "book.ps", [POSTSCRIPT_HEAD, *pages])


def postscript_page(rng: Random, words: list[str], number: int):
    """The lines of one page of book.ps."""
    yield f"head setfont 60 770 moveto (Page {number}) show body setfont"
    for line in range(65):
        yield f"60 {755 - line * 11} moveto ({inputs.sentence(rng, words, 16)}) show"
    for _ in range(120):
        points = " ".join(str(rng.randrange(600)) for _ in range(8))
        yield f"{rng.random():.2f} {rng.random():.2f} 0.5 setrgbcolor {points} bezier"
    for _ in range(4):
        x, y = rng.randrange(500), rng.randrange(700)
        yield f"gsave {x} {y} 90 70 rectclip << /ShadingType 2 /ColorSpace /DeviceRGB"
        yield f"/Coords [{x} {y} {x + 90} {y + 70}] /Extend [true true] /Function <<"
        yield "/FunctionType 2 /Domain [0 1] /C0 [1 0 0] /C1 [0 0 1] /N 1 >> >> shfill grestore"
    yield "0 setgray showpage"


def smt_schedule(folder: Path, rng: Random) -> None:
    """schedule.smt2: jobs that must not overlap on machines, each in an order of its own."""
    inputs.write_lines(folder / "schedule.smt2", schedule_lines(rng, jobs=16, machines=9))


def schedule_lines(rng: Random, jobs: int, machines: int):
    """The lines of schedule.smt2."""
    lengths = {(j, m): rng.randint(2, 30) for j in range(jobs) for m in range(machines)}
    yield "(set-option :smt.random_seed 7)"
    for j, m in lengths:
        yield f"(declare-const s{j}_{m} Int) (assert (>= s{j}_{m} 0))"
    for j in range(jobs):
        order = rng.sample(range(machines), machines)
        for first, second in zip(order, order[1:]):
            yield f"(assert (>= s{j}_{second} (+ s{j}_{first} {lengths[j, first]})))"
    for m in range(machines):
        for j in range(jobs):
            for k in range(j):
                before = f"(<= (+ s{j}_{m} {lengths[j, m]}) s{k}_{m})"
                after = f"(<= (+ s{k}_{m} {lengths[k, m]}) s{j}_{m})"
                yield f"(assert (or {before} {after}))"
    least = max(sum(lengths[j, m] for j in range(jobs)) for m in range(machines))
    for j, m in lengths:
        yield f"(assert (<= (+ s{j}_{m} {lengths[j, m]}) {least * 5 // 4}))"
    yield "(check-sat)"


def graph(folder: Path, rng: Random) -> None:
    """graph.dot: 120 nodes, 180 edges with labels."""
    words = inputs.word_list(rng, 300)
    inputs.write_lines(folder / "graph.dot", graph_lines(rng, words))


def graph_lines(rng: Random, words: list[str]):
    """The lines of graph.dot; edges lead from lower numbers to higher ones."""
    yield "digraph g { node [shape=box, fontname=Helvetica];"
    for i in range(120):
        yield f'n{i} [label="{rng.choice(words)}"];'
    for i in range(180):
        yield f'n{i % 110} -> n{i % 110 + rng.randint(1, 9)} [label="{rng.choice(words)}"];'
    yield "}"


def drawing(folder: Path, rng: Random) -> None:
    """drawing.svg: gradients, paths, text and a blurred group."""
    words = inputs.word_list(rng, 300)
    inputs.write_lines(folder / "drawing.svg", drawing_lines(rng, words))


def drawing_lines(rng: Random, words: list[str]):
    """The lines of drawing.svg."""
    yield '<svg xmlns="http://www.w3.org/2000/svg" width="800" height="600">'
    yield '<defs><linearGradient id="g"><stop offset="0" stop-color="red"/>'
    yield '<stop offset="1" stop-color="blue"/></linearGradient>'
    yield '<filter id="f"><feGaussianBlur stdDeviation="4"/></filter></defs><g filter="url(#f)">'
    for i in range(60):
        centre = f'cx="{rng.randrange(800)}" cy="{rng.randrange(600)}"'
        yield f'<circle {centre} r="{i}" fill="url(#g)"/>'
    yield "</g>"
    for _ in range(200):
        x, y, dx, dy = (rng.randrange(600) for _ in range(4))
        yield f'<path d="M{x} {y} Q{dx} {dy} {y} {x} T{dy} {dx}" fill="none" stroke="green"/>'
        yield f'<text x="{x}" y="{y}" transform="rotate({x % 90})">{rng.choice(words)}</text>'
    yield "</svg>"


def cmake_project(folder: Path, rng: Random) -> None:
    """CMakeLists.txt, a library of 8 C files and a program that calls it."""
    names = [f"part{i}" for i in range(8)]
    for name in names:
        lines = inputs.c_lines(rng, 10)
        static = (line.replace("long work", "static long work", 1) for line in lines)
        caller = f"long {name}(long a) {{ return work9((void *)0, a, 3); }}"
        inputs.write_lines(folder / f"{name}.c", [*static, caller])
    calls = " + ".join(f"{name}({i})" for i, name in enumerate(names))
    declared = "".join(f"long {name}(long); " for name in names)
    program = f'int main(void) {{ return printf("%ld\\n", {calls}) < 0; }}'
    inputs.write_lines(folder / "main.c", ["#include <stdio.h>", declared, program])
    inputs.write_lines(
        folder / "CMakeLists.txt",
        [
            "cmake_minimum_required(VERSION 3.13)",
            "project(parts C)",
            'set(CMAKE_C_FLAGS "-O1 -w")',
            f"add_library(parts STATIC {' '.join(f'{name}.c' for name in names)})",
            "add_executable(main main.c)",
            "target_link_libraries(main parts)",
        ],
    )


def tree(folder: Path, rng: Random) -> None:
    """tree/: 300 small files in 40 folders, and a link."""
    words = inputs.word_list(rng, 500)
    for i in range(300):
        place = folder / "tree" / f"d{i % 8}" / f"e{i % 5}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{rng.choice(words)}{i}.txt").write_text(inputs.sentence(rng, words, 200))
    (folder / "tree" / "link").symlink_to("d1/e1")


def redis_commands(folder: Path, rng: Random) -> None:
    """commands.txt: 20000 commands of redis whose replies are in a known order."""
    words = inputs.word_list(rng, 800)
    inputs.write_lines(folder / "commands.txt", (redis_command(rng, words) for _ in range(20000)))


def redis_command(rng: Random, words: list[str]) -> str:
    """One command."""
    key, value = rng.choice(words), rng.choice(words) * rng.randint(1, 40)
    return rng.choice(
        (
            f"set s:{key} {value}",
            f"append s:{key} {value}",
            f"get s:{key}",
            f"lpush l:{key} {value} {key}",
            f"rpop l:{key}",
            f"lrange l:{key} 0 5",
            f"zadd z:{key[:1]} {rng.randrange(1000)} {value}",
            f"zrange z:{key[:1]} 0 3 withscores",
            f"hset h:{key[:1]} {key} {value}",
            f"hget h:{key[:1]} {key}",
            f"hdel h:{key[:1]} {rng.choice(words)}",
            f"del s:{key}",
        )
    )
