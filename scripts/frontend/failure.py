"""The one exception for what went wrong outside our code: a line for people and an exit status."""

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
    return Failure(f"{path}: {error.strerror or error}", status)
