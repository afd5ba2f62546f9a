"""Counts in sentences: "1 thread", "12 threads"."""


def counted(number, noun):
    """The number and its noun: "1 thread", "1,200 threads"."""
    return f"{number:,} {plural(number, noun)}"


def plural(number, noun):
    """The noun as it stands behind the number."""
    return noun if number == 1 else f"{noun}s"
