"""The traces that are held out: programs recorded as the corpus is, by whose traces nothing of the
allocator is chosen, so that they tell how far what the corpus says holds elsewhere.

Only `make reference` reads them. Whoever learns anything from one of them moves it to the corpus in
the same commit; the first of RESERVE that satisfies the rule takes its place.

The rule, written down before any of them was recorded:

1. The worlds are sections of Debian's archive of which the corpus has no program, in alphabetical
   order. From each comes the program that CANDIDATES names, chosen for being typical of its section
   and for running without a display and without a network beyond this machine.
2. It is recorded once on generated input, and is in the set if its main process makes 100,000 calls
   or more and its trace takes 700 kB or less. Its input may be made longer or shorter for that, and
   for nothing else.
3. A program that cannot be recorded so is replaced by the first of RESERVE that can.
4. At least four have threads, at least two have more than 200 MiB live; if too few have, RESERVE
   fills up.
5. None is left out, and no input is changed, for what a replay says.
"""

import held_out_inputs as inputs
from corpus import Program

DRAWN = "2026-11-29"  # the day on which the set was recorded

CANDIDATES = (
    Program(
        "emacs",
        "emacs-nox",
        "editors: an interpreter of Lisp; buffers, regular expressions, a byte compiler",
        ("emacs", "--batch", "-Q", "-l", "index.el"),
        inputs.lisp_job,
    ),
    Program(
        "yosys",
        "yosys",
        "electronics: a chip synthesised from Verilog; many small C++ objects, hash tables",
        ("yosys", "-q", "-p", "read_verilog chip.v; synth -top chip -noabc", "-o", "chip.json"),
        inputs.verilog_chip,
    ),
    Program(
        "fontforge",
        "fontforge-nox",
        "fonts: outlines of a font reworked and written as another kind of font",
        ("fontforge", "-lang=ff", "-script", "outline.pe"),
        inputs.font_job,
        needs=("fonts-dejavu-core",),
    ),
    Program(
        "R",
        "r-base-core",
        "gnu-r: statistics; vectors of 120 MiB, tables joined and fitted",
        (
            "/usr/lib/R/bin/exec/R",
            *("--no-echo", "--no-restore", "--vanilla", "--file=survey.R"),
        ),
        inputs.statistics_job,
        environment={"R_HOME": "/usr/lib/R", "LD_LIBRARY_PATH": "/usr/lib/R/lib"},
    ),
    Program(
        "nginx",
        "nginx-light",
        "httpd: a web server with a pool for each request; compression",
        ("/usr/sbin/nginx", "-p", ".", "-e", "stderr", "-c", "nginx.conf"),
        inputs.web_server,
        needs=("python3",),
        ready="web.sock",
        clients=(("/usr/bin/python3", "get_pages.py"),),
    ),
    Program(
        "java",
        "openjdk-17-jdk-headless",
        "java: a virtual machine; its compilers' and collector's own memory, a dozen threads",
        ("/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "-Xmx256m", "Orders.java"),
        inputs.java_job,
    ),
    Program(
        "mu",
        "maildir-utils",
        "mail: 300 messages read by several threads and put into a full-text index",
        ("mu", "index", "--quiet", "--muhome=index"),
        inputs.maildir,
        prepare=(("mu", "init", "--quiet", "--muhome=index", "--maildir=Mail"),),
    ),
    Program(
        "ssconvert",
        "gnumeric",
        "math: a table with formulas read, recalculated and written as a spreadsheet",
        ("ssconvert", "--recalc", "ledger.csv", "ledger.xlsx"),
        inputs.ledger_csv,
    ),
    Program(
        "unbound",
        "unbound",
        "net: a name server with three threads, asked by UDP and TCP",
        ("/usr/sbin/unbound", "-d", "-c", "unbound.conf"),
        inputs.name_server,
        needs=("python3",),
        ready="unbound.pid",
        clients=(("/usr/bin/python3", "ask_names.py"),),
    ),
    Program(
        "csound",
        "csound",
        "sound: 30000 short notes of four instruments",
        ("csound", "piece.csd"),
        inputs.score,
    ),
    Program(
        "node",
        "nodejs",
        "web: a JavaScript engine; 200 MiB of buffers, worker threads, compression",
        ("node", "shop.js"),
        inputs.script_job,
    ),
)

# In the order in which they fill up: also from sections that the corpus has, as the last resort.
RESERVE = (
    ("comm", "gnuradio"),
    ("httpd", "apache2-bin"),
    ("math", "gretl"),
    ("net", "tshark"),
    ("sound", "fluidsynth"),
    ("graphics", "povray"),
    ("graphics", "openscad"),
    ("science", "gdal-bin"),
)

HELD_OUT = CANDIDATES
