"""Whose malloc was called: compares what a program found out about itself with what was meant."""

import os


def is_same(malloc, path):
    """Whether {device, inode, ...} as a program tells it is the file at path."""
    try:
        wanted = os.stat(path)
    except OSError:
        return False
    return (malloc.get("device"), malloc.get("inode")) == (wanted.st_dev, wanted.st_ino)
