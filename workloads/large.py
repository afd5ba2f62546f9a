"""The large ones: two programs of the corpus on so much input that they have a gigabyte live or
make fifty million calls. They are recorded on demand, their traces kept out of git.
"""

from dataclasses import replace
from pathlib import Path
from random import Random

import corpus_inputs as inputs
from corpus import PROGRAMS


def large_feed(folder: Path, rng: Random) -> None:
    """feed.xml: about 130 MB of nested elements with attributes, text, entities and name spaces."""
    inputs.write_lines(folder / "feed.xml", inputs.xml_lines(rng, 350000))


def large_log(folder: Path, rng: Random) -> None:
    """job.awk and an access.log of 250000 lines, whose hosts, pages, words it counts and sorts."""
    inputs.awk_job(folder, rng)
    inputs.access_log(folder, rng, 250000)


def enlarged(name, world, generate):
    """A program of the corpus on larger input, under a name of its own."""
    program = next(program for program in PROGRAMS if program.name == name)
    return replace(program, name=f"{name}-large", world=world, generate=generate)


LARGE = (
    enlarged("xmllint", "a tree of more than a gigabyte, twenty million calls", large_feed),
    enlarged("gawk", "fifty million calls for strings and associative arrays", large_log),
)
