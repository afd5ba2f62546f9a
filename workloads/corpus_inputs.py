"""What the corpus programs work on: generators of input files, one function each.

A generator writes its files into `folder` and takes every random choice from `rng`, so that the
same seed gives the same bytes. Nothing here knows which program reads a file, or runs one.
"""

import json
from pathlib import Path
from random import Random

SYLLABLES = "ba co di fe gu ha jo ki lo mi na or pe qua ru sa ti ul ve wo xi yn za stra kle".split()


def word_list(rng: Random, count: int) -> list[str]:
    """Made-up words of one to four syllables; some may be equal."""
    return ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(count)]


def sentence(rng: Random, words: list[str], most: int = 14) -> str:
    """Four to `most` words; the first of the list are the most frequent."""
    return " ".join(words[skewed(rng, len(words))] for _ in range(rng.randint(4, most)))


def skewed(rng: Random, count: int) -> int:
    """An index below `count`, small ones far more often than large ones."""
    return int(count * rng.random() ** 3)


def write_lines(path: Path, lines) -> None:
    """Writes lines to a file, each with a newline at its end."""
    with path.open("w", encoding="utf-8") as out:
        out.writelines(f"{line}\n" for line in lines)


def sql_shop(folder: Path, rng: Random) -> None:
    """shop.sql: a shop's tables filled by single inserts, then indexes, joins, updates."""
    words = word_list(rng, 3000)
    write_lines(folder / "shop.sql", shop_statements(rng, words))


def shop_statements(rng: Random, words: list[str]):
    """The statements of shop.sql in order."""
    yield "create table item(id integer primary key, name text, price real, note text);"
    yield "create table sale(id integer primary key, item int, day int, count int, buyer text);"
    yield "begin;"
    for i in range(4000):
        note = sentence(rng, words, 160)
        yield f"insert into item values({i}, '{words[i % 3000]}', {rng.random():.4f}, '{note}');"
    for i in range(16000):
        row = f"{i}, {skewed(rng, 4000)}, {rng.randrange(365)}, {rng.randint(1, 9)}"
        yield f"insert into sale values({row}, '{rng.choice(words)} {rng.choice(words)}');"
    yield "commit;"
    yield "create index sale_item on sale(item, day);"
    yield "create index sale_buyer on sale(buyer collate nocase);"
    for day in range(0, 365, 5):
        yield (
            "select name, sum(count * price) as worth from sale join item on item.id = sale.item "
            f"where day between {day} and {day + 4} group by name order by worth desc limit 20;"
        )
        yield f"update item set note = note || ' {rng.choice(words)}' where id % 365 = {day};"
    for _ in range(1200):
        yield f"select count(*), max(day) from sale where buyer = '{rng.choice(words)}';"
    yield "select buyer, group_concat(item) from sale group by buyer;"
    yield "delete from sale where day < 180;"


def people_json(folder: Path, rng: Random, count: int) -> None:
    """people.json: an array of `count` nested records with strings, numbers and lists."""
    words = word_list(rng, 2000)
    people = [person(rng, words, i) for i in range(count)]
    (folder / "people.json").write_text(json.dumps(people, indent=1), encoding="utf-8")


def person(rng: Random, words: list[str], number: int) -> dict:
    """One record of people.json."""
    return {
        "id": number,
        "name": f"{rng.choice(words)} {rng.choice(words)}",
        "city": words[skewed(rng, 200)],
        "tags": rng.sample(words[:300], rng.randint(0, 6)),
        "score": round(rng.gauss(50, 15), 3),
        "about": sentence(rng, words, 30),
        "visits": [
            {"day": rng.randrange(365), "page": "/" + rng.choice(words), "ms": rng.randrange(9000)}
            for _ in range(rng.randint(0, 5))
        ],
    }


PYTHON_JOB = '''\
"""Reads people.json, makes objects of it, joins and sorts them, packs a report."""
import collections
import csv
import gzip
import io
import json
import re


class Visit:
    def __init__(self, person, record):
        self.person = person
        self.day = record["day"]
        self.page = record["page"]
        self.seconds = record["ms"] / 1000


class Person:
    def __init__(self, record):
        self.name = record["name"].title()
        self.city = record["city"]
        self.words = re.findall(r"[a-z]+", record["about"])
        self.visits = [Visit(self, visit) for visit in record["visits"]]


with open("people.json", encoding="utf-8") as lines:
    people = [Person(record) for record in json.load(lines)]
by_city = collections.defaultdict(list)
pages = collections.Counter()
words = collections.Counter()
for person in people:
    by_city[person.city].append(person)
    words.update(person.words)
    pages.update((visit.page, visit.day // 30) for visit in person.visits)
out = io.StringIO()
table = csv.writer(out)
for city, some in sorted(by_city.items()):
    for person in sorted(some, key=lambda one: (len(one.visits), one.name)):
        seconds = sum(visit.seconds for visit in person.visits)
        table.writerow([city, person.name, f"{seconds:.1f}", " ".join(sorted(set(person.words)))])
for (page, month), count in pages.most_common():
    table.writerow([page, str(month), str(count)])
report = gzip.compress(out.getvalue().encode(), mtime=0)
print(len(out.getvalue()), len(report), len(words))
'''


def python_job(folder: Path, rng: Random) -> None:
    """job.py and the people.json that it reads into objects, joins, sorts and prints."""
    (folder / "job.py").write_text(PYTHON_JOB, encoding="utf-8")
    people_json(folder, rng, 1750)


def jq_people(folder: Path, rng: Random) -> None:
    """people.json of about 3.5 MB."""
    people_json(folder, rng, 7000)


def access_log(folder: Path, rng: Random, count: int) -> None:
    """access.log: `count` lines of a web server's log, pages and hosts unevenly frequent."""
    words = word_list(rng, 4000)
    pages = [f"/{rng.choice(words)}/{rng.choice(words)}" for _ in range(5000)]
    hosts = [".".join(str(rng.randrange(256)) for _ in range(4)) for _ in range(6000)]
    write_lines(folder / "access.log", (log_line(rng, words, pages, hosts) for _ in range(count)))


def log_line(rng: Random, words: list[str], pages: list[str], hosts: list[str]) -> str:
    """One line of access.log."""
    when = f"{rng.randint(1, 28):02}/Mar/2023:{rng.randrange(5):02}:{rng.randrange(60):02}:00"
    page = f"{pages[skewed(rng, len(pages))]}?q={rng.choice(words)}"
    status = rng.choice((200, 200, 200, 304, 404, 500))
    agent = f"{rng.choice(words[:60])}/{rng.randint(1, 9)}.0"
    request = f'"GET {page} HTTP/1.1" {status} {rng.randrange(90000)}'
    return f'{hosts[skewed(rng, len(hosts))]} - - [{when}] {request} "{agent}"'


PERL_JOB = r"""# Reads access.log into nested hashes, then prints a report by host.
use strict;
use warnings;
my (%pages, %hosts, %queries);
open(my $log, '<', 'access.log') or die "access.log: $!";
while (my $line = <$log>) {
    my ($host, $day, $hour, $url, $status, $bytes, $agent) =
        $line =~ m{^(\S+) - - \[(\d+)/.*?:(\d+):.*?\] "GET (\S+) .*?" (\d+) (\d+) "(.*)"} or next;
    my ($page, $query) = split /\?q=/, $url;
    push @{ $hosts{$host}{days}{$day} }, { hour => $hour, page => $page, agent => $agent };
    $hosts{$host}{bytes} += $bytes;
    $pages{$page}{$status}++;
    $queries{ join '+', sort map { lc } split //, $query }{$host} = $page;
}
my $text = '';
for my $host (sort { $hosts{$b}{bytes} <=> $hosts{$a}{bytes} || $a cmp $b } keys %hosts) {
    my $days = delete $hosts{$host}{days};
    $text .= sprintf "%-15s %s\n", $host,
        join ', ', map { my $day = $_; map { "$day:$_->{hour} $_->{page}" } @{ $days->{$day} } }
        sort keys %$days;
}
$text =~ s/(\w+):(\w+)/$2h on $1/g;
print length $text, ' ', scalar(keys %pages), ' ', scalar(keys %queries), "\n";
"""


def perl_job(folder: Path, rng: Random) -> None:
    """job.pl and the access.log that it turns into hashes of hashes and a report."""
    (folder / "job.pl").write_text(PERL_JOB, encoding="utf-8")
    access_log(folder, rng, 8000)


LUA_JOB = """\
-- Reads words into tables, keeps a tree of them, rewrites and joins strings, drops half and again.
local root, lists, count = nil, {}, 0
local function insert(node, key, line)
    if not node then
        count = count + 1
        return {key = key, lines = {line}}
    end
    if key == node.key then
        node.lines[#node.lines + 1] = line
    elseif key < node.key then
        node.left = insert(node.left, key, line)
    else
        node.right = insert(node.right, key, line)
    end
    return node
end
local function walk(node, visit)
    if node then
        walk(node.left, visit)
        visit(node)
        walk(node.right, visit)
    end
end
for round = 1, 4 do
    local number = 0
    for line in io.lines("text.txt") do
        number = number + 1
        local words = {}
        for word in line:gmatch("%a+") do
            words[#words + 1] = word:upper() .. "-" .. number % (7 * round)
            root = insert(root, words[#words], number)
        end
        lists[number] = {text = table.concat(words, " "), words = words}
    end
    local out = {}
    walk(root, function(node)
        out[#out + 1] = node.key .. ":" .. table.concat(node.lines, ",")
    end)
    print(round, count, #table.concat(out, "\\n"))
    if round % 2 == 0 then
        root, count = nil, 0
    end
end
"""


def lua_job(folder: Path, rng: Random) -> None:
    """job.lua and the text.txt whose words it keeps in a tree of tables."""
    (folder / "job.lua").write_text(LUA_JOB, encoding="utf-8")
    prose(folder, rng, 1700)


def prose(folder: Path, rng: Random, count: int) -> None:
    """text.txt: `count` lines of made-up words."""
    words = word_list(rng, 5000)
    write_lines(folder / "text.txt", (sentence(rng, words) for _ in range(count)))


def xml_feed(folder: Path, rng: Random) -> None:
    """feed.xml: about 6 MB of nested elements with attributes, text, entities and name spaces."""
    write_lines(folder / "feed.xml", xml_lines(rng, 16000))


def xml_lines(rng: Random, entries: int):
    """The lines of feed.xml."""
    words = word_list(rng, 2000)
    yield from ('<?xml version="1.0"?>', '<feed xmlns="urn:feed" xmlns:m="urn:meta">')
    yield from (xml_entry(rng, words, i) for i in range(entries))
    yield "</feed>"


def xml_entry(rng: Random, words: list[str], number: int) -> str:
    """One entry of feed.xml."""
    tags = "".join(
        f'<m:tag weight="{rng.randrange(100)}">{rng.choice(words)}</m:tag>'
        for _ in range(rng.randint(1, 5))
    )
    return (
        f'<entry id="e{number}" lang="{rng.choice(("en", "de", "fr"))}">\n'
        f"  <title>{sentence(rng, words, 8)}</title>\n  <m:tags>{tags}</m:tags>\n"
        f"  <body>{sentence(rng, words, 20)} &amp; <b>{rng.choice(words)}</b> "
        f"{sentence(rng, words, 10)}</body>\n</entry>"
    )


def c_source(folder: Path, rng: Random) -> None:
    """big.c: one preprocessed translation unit of 38 functions, structs, loops and switches."""
    write_lines(folder / "big.c", c_lines(rng, 38))


def c_lines(rng: Random, functions: int):
    """The lines of big.c."""
    for i in range(functions // 10):
        fields = " ".join(f"long f{k}; char s{k}[{rng.randint(8, 64)}];" for k in range(6))
        yield f"struct record{i} {{ {fields} struct record{i} *next; }};"
    for i in range(functions):
        yield from c_function(rng, i, functions // 10)


def c_function(rng: Random, number: int, structs: int):
    """One function of big.c, which may call those before it."""
    record = f"struct record{rng.randrange(structs)}"
    yield f"long work{number}({record} *list, long a, long b)"
    yield "{"
    yield f"    long sum = {rng.randrange(100)};"
    yield f"    for ({record} *r = list; r; r = r->next) {{"
    for _ in range(rng.randint(3, 8)):
        yield f"        {c_statement(rng)}"
    yield "    }"
    yield "    switch (a & 7) {"
    for case in range(rng.randint(3, 7)):
        yield f"    case {case}: sum = sum * {rng.randint(3, 99)} + b; break;"
    yield f"    default: sum ^= a >> {rng.randint(1, 9)};"
    yield "    }"
    if number:
        yield f"    if (sum > b && a) sum += work{rng.randrange(number)}(0, sum, b - 1);"
    yield "    return sum;"
    yield "}"


def c_statement(rng: Random) -> str:
    """One statement of a loop of big.c."""
    field, other, number = rng.randrange(6), rng.randrange(6), rng.randint(1, 999)
    return rng.choice(
        (
            f"if (r->f{field} > r->f{other} + {number}) sum += r->f{field}; else sum -= b;",
            f"r->s{field}[a & 7] = (char) (sum >> {number % 20});",
            f"for (int i = 0; i < {number % 7 + 1}; i++) sum += r->s{other}[i] * {number};",
            f"while (sum > {number * 1000}) sum = sum / 3 + r->f{other};",
            f"r->f{field} = r->f{other} * {number} % (b | 1);",
        )
    )


CPP_HEAD = """\
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>
"""


def cpp_source(folder: Path, rng: Random) -> None:
    """shapes.cpp: classes and templates that use the standard library's containers."""
    classes = (line for i in range(2) for line in cpp_class(rng, i))
    write_lines(folder / "shapes.cpp", [CPP_HEAD, *classes])


def cpp_class(rng: Random, number: int):
    """One class of shapes.cpp with a container of its own kind."""
    key = rng.choice(("int", "std::string", "long", "unsigned"))
    box = rng.choice(("std::map", "std::unordered_map"))
    yield f"template <class T> struct Shape{number} {{"
    yield f"    {box}<{key}, std::vector<T>> parts;"
    yield f"    void add(const {key} &k, T v) {{ parts[k].push_back(v); }}"
    yield "    T most() const {"
    yield "        T best{};"
    yield "        for (auto &[k, list] : parts)"
    yield "            for (auto &v : list) best = std::max(best, v);"
    yield "        return best;"
    yield "    }"
    yield "};"
    inner = rng.choice(("double", "std::string", "short", "std::pair<int, long>"))
    yield f"{inner} use{number}(const std::vector<{key}> &keys) {{"
    yield f"    auto shape = std::make_unique<Shape{number}<{inner}>>();"
    yield f"    for (auto &k : keys) shape->add(k, {inner}{{}});"
    yield "    return shape->most();"
    yield "}"


def git_history(folder: Path, rng: Random) -> None:
    """history.import: for git fast-import, 900 commits of 119 small files and a large one."""
    words = word_list(rng, 2000)
    sizes = [12000, *(rng.randint(20, 400) for _ in range(119))]
    files = [[sentence(rng, words) for _ in range(size)] for size in sizes]
    with (folder / "history.import").open("wb") as out:
        for number in range(900):
            out.write(git_commit(rng, words, files, number).encode())


def git_commit(rng: Random, words: list[str], files: list[list[str]], number: int) -> str:
    """One commit of history.import: edits up to five files and tells git their new contents."""
    message = sentence(rng, words)
    changed = range(len(files)) if number == 0 else rng.sample(range(len(files)), rng.randint(1, 5))
    stamp = f"A U Thor <a@example.org> {1600000000 + number * 3600} +0000"
    text = f"commit refs/heads/main\ncommitter {stamp}\ndata {len(message)}\n{message}\n"
    for name in changed:
        edit_lines(rng, words, files[name])
        body = "\n".join(files[name]) + "\n"
        text += f"M 644 inline src/part{name % 12}/file{name}.txt\ndata {len(body)}\n{body}\n"
    return text


def edit_lines(rng: Random, words: list[str], lines: list[str]) -> None:
    """Replaces, inserts and removes a few lines, more inserted than removed."""
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(lines))
        end = at + rng.randint(0, 2)
        lines[at:end] = [sentence(rng, words) for _ in range(rng.randint(1, 3))]


def cpp_project(folder: Path, rng: Random) -> None:
    """project/: 16 documented C++ headers and sources, and the Doxyfile that reads them."""
    words = word_list(rng, 800)
    source = folder / "project"
    source.mkdir()
    for number in range(16):
        write_lines(source / f"unit{number}.hpp", documented_class(rng, words, number))
    settings = {
        "PROJECT_NAME": "Corpus",
        "INPUT": "project",
        "GENERATE_LATEX": "NO",
        "HAVE_DOT": "NO",
        "EXTRACT_ALL": "YES",
        "SOURCE_BROWSER": "YES",
        "NUM_PROC_THREADS": "2",
        "QUIET": "YES",
        "WARNINGS": "NO",
    }
    write_lines(folder / "Doxyfile", (f"{key} = {value}" for key, value in settings.items()))


def documented_class(rng: Random, words: list[str], number: int):
    """The lines of one header of project/."""
    if number:
        yield f'#include "unit{rng.randrange(number)}.hpp"'
    base = f" : public Unit{rng.randrange(number)}" if number else ""
    yield f"/** {sentence(rng, words, 30)}. */"
    yield f"class Unit{number}{base} {{"
    yield "  public:"
    for method in range(rng.randint(4, 14)):
        yield f"    /** {sentence(rng, words, 20)}."
        yield f"     * @param a {sentence(rng, words)}"
        yield f"     * @param b {sentence(rng, words)}"
        yield f"     * @return {sentence(rng, words)}, see Unit{rng.randrange(16)}. */"
        yield f"    int method{method}(int a, const char *b) {{ return a + {method}; }}"
    yield "  private:"
    for field in range(rng.randint(2, 8)):
        yield f"    long field{field}; ///< {sentence(rng, words)}"
    yield "};"


AWK_JOB = r"""# Who asked for which pages when, from access.log: counts, histories, a sorted report.
match($0, /^([0-9.]+) .*\[([0-9]+)\/([A-Z]\w+).*"GET (.*)\?q=([a-z]+) .*" ([0-9]+) /, part) {
    host = part[1]
    page = tolower(part[4])
    bytes[host] += $10
    pages[page]++
    history[host] = history[host] part[2] ":" page "=" part[6] ";"
    words[part[5], part[6]]++
    if (part[6] >= 400) failures[page] = failures[page] " " host
}
{
    sub(/^[0-9.]+/, "&:80")
    lines[FNR] = gensub(/\/([a-z]+)([a-z])\//, "/\\2\\1/", "g")
}
END {
    n = asorti(bytes, hosts, "@val_num_desc")
    for (i = 1; i <= n; i++) {
        visits = split(history[hosts[i]], visit, ";")
        asort(visit)
        total += length(sprintf("%-15s %9d %5d %s", hosts[i], bytes[hosts[i]], visits, visit[2]))
    }
    asort(lines)
    for (page in failures) total += split(failures[page], who, " ")
    print NR, n, length(pages), length(words), total
}
"""


def awk_job(folder: Path, rng: Random) -> None:
    """job.awk and the access.log whose hosts, pages and words it counts and sorts."""
    (folder / "job.awk").write_text(AWK_JOB, encoding="utf-8")
    access_log(folder, rng, 5000)


def sql_clients(folder: Path, rng: Random) -> None:
    """create.sql and queries.sql: two tables, and what four clients ask and change at a time."""
    words = word_list(rng, 500)
    write_lines(folder / "create.sql", client_tables(rng, words))
    queries = (query for i in range(650) for query in client_queries(rng, words, i))
    write_lines(folder / "queries.sql", queries)


def client_tables(rng: Random, words: list[str]):
    """The statements of create.sql."""
    yield "create table item(id int primary key, name varchar(60), price double, note text);"
    yield "create table sale(id int primary key auto_increment, item int, day int, count int,"
    yield " buyer varchar(60), key (item, day));"
    for i in range(200):
        note = sentence(rng, words)
        yield f"insert into item values({i}, '{rng.choice(words)}', {rng.random():.4f}, '{note}');"


def client_queries(rng: Random, words: list[str], number: int):
    """The statements about one sale in queries.sql; every fourth asks for sums, too."""
    item, day, word = rng.randrange(200), rng.randrange(365), rng.choice(words)
    yield f"insert into sale(item, day, count, buyer) values ({item}, {day}, 1, '{word}');"
    yield f"select * from item where id = {rng.randrange(200)};"
    if number % 4 == 0:
        yield (
            "select name, sum(count * price) as worth from sale join item on item.id = sale.item "
            f"where day between {day} and {day + 60} group by name order by worth desc limit 20;"
        )
    if number % 5 == 0:
        yield f"update item set note = concat(note, ' {word}') where id = {rng.randrange(200)};"
    if number % 10 == 0:
        yield f"delete from sale where day = {rng.randrange(365)};"


def object_files(folder: Path, rng: Random) -> None:
    """400 units of 40 functions that call each other and strings, assembled to object files."""
    for unit in range(400):
        write_lines(folder / f"unit{unit}.s", assembly_lines(rng, unit, 400, 40))
    write_lines(folder / "start.s", [".globl _start", "_start:", " call f0_0", " ret"])


def assembly_lines(rng: Random, unit: int, units: int, functions: int):
    """One unit: each function is a section of its own, strings occur in several units."""
    for number in range(functions):
        name = f"f{unit}_{number}"
        yield f'.section .text.{name},"ax",@progbits'
        yield f".globl {name}"
        yield f"{name}:"
        for _ in range(6):
            yield f" call f{rng.randrange(units)}_{rng.randrange(functions)}"
        yield " ret"
    yield '.section .rodata.str1.1,"aMS",@progbits,1'
    for _ in range(functions):
        yield f'.string "text {rng.randrange(6000)}"'


def text_tree(folder: Path, rng: Random) -> None:
    """tree/: 100 folders of 40 texts, a third of them ignored."""
    words = word_list(rng, 3000)
    for number in range(100):
        place = folder / "tree" / f"part{number // 8}" / f"folder{number}"
        place.mkdir(parents=True)
        write_lines(place / ".gitignore", ["*.o", "build/", "text1?.txt", f"/text{number % 7}*"])
        for i in range(40):
            write_lines(place / f"text{i}.txt", (sentence(rng, words) for _ in range(30)))
