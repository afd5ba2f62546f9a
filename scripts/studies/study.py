"""What all studies need: options that are read as those of the verbs, and a file that keeps what
was measured, so that an interrupted study goes on where it was."""

import argparse
import json
from pathlib import Path

from frontend import cli
from frontend.failure import Failure, io_failure

KEPT = "interrupted; what was measured is kept"


def parser(name, doc, example=""):
    """The parser of a study's command, which its docstring describes."""
    return argparse.ArgumentParser(
        prog=name,
        description=doc,
        epilog="\n\n".join(filter(None, (example, cli.STATUSES))),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


class Record:
    """The file of what was measured, as `data`."""

    PARTS = ()  # of the data, each of them an empty object or list to begin with

    def __init__(self, path, reads=True):
        self.path = path and Path(path)
        self.data = {name: kind() for name, kind in self.PARTS}
        if not (path and reads):
            return
        try:
            self.data = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            pass  # nothing has been measured yet
        except OSError as error:
            raise io_failure(error, path) from error
        except ValueError as error:
            raise Failure(f"{path}: no JSON: {error}") from error
