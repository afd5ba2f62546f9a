"""What the programs that are held out work on: one generator each.

As in corpus_inputs.py, a generator writes into `folder` and takes every random choice from `rng`.
What a program is told to do lies in jobs/, as files of their own.
"""

from pathlib import Path
from random import Random

import corpus_inputs as inputs
from program_inputs import with_jobs


def prose_lines(folder: Path, rng: Random) -> None:
    """text.txt: 20000 lines of made-up words."""
    inputs.prose(folder, rng, 20000)


lisp_job = with_jobs("index.el", generate=prose_lines)


def verilog_chip(folder: Path, rng: Random) -> None:
    """chip.v: a state machine with adders, shifters and tables of constants."""
    inputs.write_lines(folder / "chip.v", chip_lines(rng, 1))


def chip_lines(rng: Random, count: int):
    """The lines of chip.v."""
    for number in range(count):
        yield from machine_lines(rng, number)
    yield "module chip(input clk, input [15:0] in, output [15:0] out);"
    for number in range(count):
        source = "in" if number == 0 else f"w{number - 1}"
        yield f"  wire [15:0] w{number};"
        yield f"  machine{number} m{number}(clk, {source}, w{number});"
    yield f"  assign out = w{count - 1};"
    yield "endmodule"


def machine_lines(rng: Random, number: int):
    """The lines of one state machine."""
    yield f"module machine{number}(input clk, input [15:0] in, output reg [15:0] out);"
    yield "  reg [3:0] state;"
    yield "  always @(posedge clk) begin"
    yield "    case (state)"
    for state in range(8):
        sum_, shift, next_ = rng.randrange(1 << 16), rng.randrange(1, 9), rng.randrange(8)
        yield f"      {state}: begin out <= (in + {sum_}) ^ (out << {shift});"
        yield f"        state <= in[{rng.randrange(16)}] ? {next_} : {(state + 1) % 8}; end"
    yield "    endcase"
    yield "  end"
    yield "endmodule"


font_job = with_jobs("outline.pe")


statistics_job = with_jobs("survey.R")


def pages(folder: Path, rng: Random) -> None:
    """pages/: 200 pages of made-up words."""
    words = inputs.word_list(rng, 2000)
    (folder / "pages").mkdir()
    for number in range(200):
        lines = (f"<p>{inputs.sentence(rng, words)}</p>" for _ in range(rng.randint(5, 200)))
        inputs.write_lines(folder / "pages" / f"{number}.html", lines)


web_server = with_jobs("nginx.conf", "get_pages.py", generate=pages)


java_job = with_jobs("Orders.java")


def maildir(folder: Path, rng: Random) -> None:
    """Mail/: 300 messages, a third of them in two parts, answering each other."""
    words = inputs.word_list(rng, 4000)
    for name in ("cur", "new", "tmp"):
        (folder / "Mail" / name).mkdir(parents=True)
    for number in range(300):
        path = folder / "Mail" / "cur" / f"{1600000000 + number}.{number}.host:2,S"
        inputs.write_lines(path, message_lines(rng, words, number))


def message_lines(rng: Random, words: list[str], number: int):
    """The lines of one message."""
    person = rng.choice(words[:200])
    yield f"From: {person.title()} <{person}@example.org>"
    yield f"To: {', '.join(f'{w}@example.org' for w in rng.sample(words[:200], 3))}"
    yield f"Subject: {inputs.sentence(rng, words, 6)}"
    yield f"Date: Mon, {number % 28 + 1} Mar 2021 10:{number % 60:02}:00 +0000"
    yield f"Message-ID: <{number}@example.org>"
    if number > 10 and rng.random() < 0.6:
        yield f"References: <{rng.randrange(number)}@example.org>"
    body = [inputs.sentence(rng, words) for _ in range(rng.randint(3, 40))]
    if number % 3:
        yield "Content-Type: text/plain; charset=utf-8"
        yield ""
        yield from body
        return
    yield 'Content-Type: multipart/mixed; boundary="part"'
    for kind in ("plain", "html"):
        yield from ("", "--part", f"Content-Type: text/{kind}; charset=utf-8", "")
        yield from body
    yield "--part--"


def ledger_csv(folder: Path, rng: Random) -> None:
    """ledger.csv: 6000 rows of eight columns, numbers, dates, words and formulas."""
    words = inputs.word_list(rng, 800)
    rows = (
        f"{i},{rng.choice(words)},2021-{i % 12 + 1:02}-{i % 28 + 1:02},{rng.random() * 1e4:.2f},"
        f"{rng.randrange(100)},{inputs.sentence(rng, words, 5)},=D{i + 1}*E{i + 1},"
        f"=SUM(D{max(1, i - 9)}:D{i + 1})"
        for i in range(6000)
    )
    inputs.write_lines(folder / "ledger.csv", rows)


def zone(folder: Path, rng: Random) -> None:
    """zone.conf: 20000 names of a local zone."""
    words = inputs.word_list(rng, 3000)
    rows = (
        f'local-data: "{rng.choice(words)}{i}.example. IN A 10.{i >> 16}.{i >> 8 & 255}.{i & 255}"'
        for i in range(20000)
    )
    inputs.write_lines(folder / "zone.conf", ["server:", *rows])


name_server = with_jobs("unbound.conf", "ask_names.py", generate=zone)


def score(folder: Path, rng: Random) -> None:
    """piece.csd: 30000 short notes of four instruments."""
    head = (inputs_folder() / "piece.csd").read_text(encoding="utf-8")
    notes = (
        f"i{rng.randint(1, 4)} {i * 0.002:.3f} {rng.uniform(0.05, 0.4):.3f} "
        f"{rng.randint(800, 3000)} {rng.uniform(80, 900):.2f}"
        for i in range(30000)
    )
    text = head.replace("; notes", "\n".join(notes))
    (folder / "piece.csd").write_text(text, encoding="utf-8")


def inputs_folder() -> Path:
    """Where the jobs lie."""
    return Path(__file__).resolve().parent / "jobs"


script_job = with_jobs("shop.js")
