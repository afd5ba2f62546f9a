"""A share of a comparison: every N-th trace, under all allocators, so that each ratio is of one
machine. What the shares gave is joined by `merge-results`."""

import re
from argparse import ArgumentTypeError
from dataclasses import asdict, dataclass

from frontend.failure import Failure

FORM = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")


@dataclass(frozen=True)
class Shard:
    """The index-th of count shares; both count from 1. Without --shard it is the whole."""

    index: int = 1
    count: int = 1

    @property
    def facts(self):
        """What the context of a result file says of it; nothing of the whole."""
        return {} if self.count == 1 else {"shard": asdict(self)}

    def of(self, things):
        """Its share of a list, which must be in the same order for every shard."""
        return things[self.index - 1 :: self.count]

    def of_paths(self, paths):
        """Its share of files, in the order that they were named in. Who is in it goes by the names
        alone, for shells sort `*.trace` as the language of the machine wants it."""
        by_name = sorted(paths, key=lambda path: str(path).rpartition("/")[2])
        kept = self.of(by_name)
        return [path for path in paths if path in kept]

    def check(self, share, count, what):
        """Fails if it has no share of so many things, called `what`."""
        if not share:
            raise Failure(f"--shard {self.index}/{self.count}: more shards than {what} ({count})")


WHOLE = Shard()


def kind(text):
    """The Shard of "2/3", for argparse."""
    match = FORM.fullmatch(text)
    index, count = map(int, match.groups()) if match else (0, 0)
    if not 1 <= index <= count:
        raise ArgumentTypeError(f"{text}: not a share K/N, K being of 1 to N")
    return Shard(index, count)


def add_shard(parser, what):
    """The option of the verbs that can measure a share."""
    parser.add_argument(
        "--shard",
        type=kind,
        default=WHOLE,
        metavar="K/N",
        help=f"measure the K-th of N shares of {what} only, for instance on another machine; "
        "`spanbench merge-results` joins them (default: all)",
    )
