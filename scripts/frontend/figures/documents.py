"""JSON files that a user names: read whole, up to a size, or refused in one line that says where
the fault is. What their objects mean is no business of this module."""

import gc
import json
import os
from contextlib import contextmanager

from frontend.failure import Failure, blamed_on

MOST_BYTES = 1 << 30  # arbitrary: far beyond any that was seen; a device has no end
TRACE = b"\x89SPTRACE"  # how a trace begins


class NoNumber(ValueError):
    """NaN or Infinity where a number is meant."""


@contextmanager
def uncollected():
    """Puts Python's garbage collector aside where many objects are made that all stay: it would
    walk through them again and again, for as long as the work itself takes. It frees nothing here:
    what is in no cycle goes by itself."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def read(path, what):
    """(document, text) of the JSON file at `path`; `what` it should be ("result file") is for the
    Failure that tells what else it is."""
    with blamed_on(path):
        data = read_bytes(path)
    try:
        if len(data) > MOST_BYTES:
            raise Failure(f"{path}: no {what}: it is larger than 1 GiB")
        if data.startswith(TRACE):
            raise Failure(f"{path}: no {what}: it is a trace (`spanbench replay` measures with it)")
        text = data.decode("utf-8-sig")
        with uncollected():
            return json.loads(text, parse_constant=refuse_constant), text
    except UnicodeDecodeError as error:
        raise Failure(f"{path}: no {what}: it is no text") from error
    except ValueError as error:
        raise Failure(f"{path}: no JSON: {fault_of(error)}") from error
    except RecursionError as error:
        raise Failure(f"{path}: no {what}: it is nested too deep") from error


def read_bytes(path):
    """What a file holds, at most one byte more than is read. A pipe is read to its end; one that
    nobody writes to is empty."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        os.set_blocking(file.fileno(), True)
        return file.read(MOST_BYTES + 1)


def refuse_constant(name):
    """NaN and Infinity are no JSON, though Python reads them."""
    raise NoNumber(f"{name} is no number")


def fault_of(error):
    """Where a text is no JSON, and why. Python's own words for a long number are about Python."""
    if isinstance(error, NoNumber):
        return str(error)
    if not isinstance(error, json.JSONDecodeError):
        return "a number has too many digits"
    if not error.doc.strip():
        return "it is empty"
    if not error.doc[: error.pos].strip():
        return "it does not begin with {"
    return f"line {error.lineno}, column {error.colno}: {error.msg}"
