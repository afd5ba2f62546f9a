"""Markdown: tables, and documents of which a part, between two markers, is written by us."""

from pathlib import Path

from frontend.failure import Failure, blamed_on


def table(lines):
    """A table of lists of cells, the second of which is the rule."""
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)


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
