"""Markdown: tables, and documents of which a part, between two markers, is written by us."""

from pathlib import Path

from frontend.failure import Failure, blamed_on


def table(lines, texts=1, last=0):
    """A table of lists of cells, of which the first one has the heads. Its first columns are texts,
    and so are the last ones, so many each; those between are numbers, to the right."""
    heads, *rows = lines
    rule = ["---"] * texts + ["---:"] * (len(heads) - texts - last) + ["---"] * last
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in (heads, rule, *rows))


def filled(path, markers, text):
    """(a document, the same with a text between its two markers), which must be there once."""
    with blamed_on(path):
        old = Path(path).read_text(encoding="utf-8")
    begin, end = markers
    head, _, rest = old.partition(begin)
    _, has_end, tail = rest.partition(end)
    if not has_end or old.count(begin) != 1 or old.count(end) != 1:
        raise Failure(f"{path}: needs {begin} and {end}, each once, in this order")
    return old, f"{head}{begin}\n{text}\n{end}{tail}"
