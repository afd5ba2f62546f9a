"""Real programs run the same with libspan.so preloaded as without: output and exit status."""

import os
import shutil
import subprocess

import pytest

from places import BUILD

SQL = (
    "create table t(a integer primary key, b text);"
    "with recursive c(x) as (select 1 union all select x+1 from c where x<50000)"
    " insert into t select x, hex(x*7) from c;"
    "create index i on t(b); select count(*), sum(length(b)), max(b) from t;"
)
PYTHON = (
    "import json, re, threading\n"
    "data = [{'k%d' % i: list(range(i % 50))} for i in range(5000)]\n"
    "text = json.dumps(data)\n"
    "print(len(text), len(re.findall('k1', text)), json.loads(text) == data)\n"
    "out = []\n"
    "work = lambda n: out.append(sum(len(str(i) * n) for i in range(20000)))\n"
    "threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]\n"
    "[t.start() for t in threads]; [t.join() for t in threads]\n"
    "print(sorted(out))\n"
)
C_PROGRAM = '#include <stdio.h>\nint main(void) { return printf("%d\\n", 6 * 7) != 3; }\n'

PROGRAMS = {
    "python3": ["/usr/bin/python3", "-c", PYTHON],
    "perl": [
        "perl",
        "-e",
        'my %h; $h{$_} = "x" x ($_ % 99) for 1..50000; print length join "", values %h',
    ],
    "git": ["git", "-c", "core.pager=cat", "init", "--help"],
    "sqlite3": ["sqlite3", ":memory:", SQL],
    "gcc": ["gcc", "-O2", "-S", "-x", "c", "-o", "-", "program.c"],
    "sort": ["sort", "--parallel=2", "-r", "lines"],
    "tar": ["tar", "cf", "-", "--mtime=2020-01-01", "--owner=0", "lines", "program.c"],
    "awk": ["awk", "{ n[$1 % 97]++ } END { for (i = 0; i < 97; i++) print i, n[i] }", "lines"],
    "find": ["find", "/usr/share/perl5", "-name", "*.pm"],
    "xargs": ["sh", "-c", "seq 2000 | xargs -n 20 -P 4 echo | sort | cksum"],
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with the files that the programs read."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "lines").write_text("".join(f"{i * 7919 % 100003}\n" for i in range(100000)))
    (folder / "program.c").write_text(C_PROGRAM)
    return folder


def run(command, folder, preload):
    environment = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    environment["PYTHONMALLOC"] = "malloc"
    if preload:
        environment["LD_PRELOAD"] = preload
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=120)


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_runs_the_same(name, inputs):
    command = PROGRAMS[name]
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    plain = run(command, inputs, None)
    preloaded = run(command, inputs, str(BUILD / "libspan.so"))
    assert preloaded.stdout == plain.stdout
    assert preloaded.returncode == plain.returncode
    assert preloaded.stderr == plain.stderr
