"""The one exception for what went wrong outside our code: a line for people and an exit status."""

import re
from contextlib import contextmanager

ERROR_NUMBER = re.compile(r"\[Errno \d+\] ([^:]*).*", re.DOTALL)

WORK_FAILED = 1
BAD_INPUT = 2
CANNOT_TELL = 77


class Failure(Exception):
    """Ends the command with `message` (one line, "PATH: what") on stderr and `status`."""

    def __init__(self, message, status=BAD_INPUT):
        super().__init__(message)
        self.status = status


def io_failure(error, path, status=BAD_INPUT):
    """The Failure that tells an OSError about `path`."""
    return Failure(f"{path}: {error_text(error)}", status)


@contextmanager
def blamed_on(path, status=BAD_INPUT):
    """Tells an OSError that is raised within as a Failure about `path`."""
    try:
        yield
    except OSError as error:
        raise io_failure(error, path, status) from error


def error_text(error):
    """What an OSError is about, in one line; of the many in a shutil.Error the first."""
    if error.strerror:
        return error.strerror
    listed = error.args[0] if error.args else error
    text = str(listed[0][-1]) if isinstance(listed, list) and listed else str(error)
    return ERROR_NUMBER.sub(r"\1", text)
