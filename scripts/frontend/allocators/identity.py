"""Whose malloc was called: compares what a program found out about itself with what was meant."""

import os


# The operators of C++ by the beginnings of their names, which stand for all their forms.
OPERATORS = {
    "_Znw": "operator new",
    "_Zna": "operator new[]",
    "_Zdl": "operator delete",
    "_Zda": "operator delete[]",
}


def served_elsewhere(caller, path):
    """Which function a process would not get from the allocator at path, in words, going by the
    line that the probe wrote of it; None if all is well."""
    if caller["program_defines_malloc"]:
        return "has a malloc of its own"
    if not is_same(caller["malloc"], path):
        return f"malloc comes from {caller['malloc']['path']}, not {path}"
    if caller["elsewhere"]:
        return f"{caller['elsewhere']} does not come from {path}"
    foreign = caller.get("foreign")
    if foreign:
        function = OPERATORS.get(foreign["function"][:4], foreign["function"])
        return f"{function} comes from {foreign['object']['path']}, not {path}"
    return None


def is_same(malloc, path):
    """Whether {device, inode, ...} as a program tells it is the file at path."""
    try:
        wanted = os.stat(path)
    except OSError:
        return False
    return (malloc.get("device"), malloc.get("inode")) == (wanted.st_dev, wanted.st_ino)
