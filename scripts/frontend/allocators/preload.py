"""Names for LD_PRELOAD, and the environment of what is measured.

The loader splits LD_PRELOAD at spaces and colons and knows no escape, so a library is preloaded by
a link in a temporary folder whose name has neither. All links have names of one length: the
environment lies on the stack, and its size would shift what is above it.
"""

import os
import re
import tempfile
import threading
from pathlib import Path

from frontend.failure import Failure
from frontend.paths import temporary_folder

# What changes an allocator, or is ours: only what was asked for may reach a measured program.
TUNING = re.compile(
    r"LD_PRELOAD|_?(RJEM_|JE_)?MALLOC_CONF|GLIBC_TUNABLES|SCUDO_OPTIONS|MALLOC_.*|MIMALLOC_.*"
    r"|TCMALLOC_.*|TBB_MALLOC_.*|HEAPPROFILE|HEAPCHECK|SPANBENCH_.*|SPAN_.*"
)
SPLITS = re.compile(r"[\s:]")


class Links:
    """A folder of links to libraries, for as long as a `with` lasts."""

    def __init__(self):
        self.made = self.folder = None
        self.links = {}
        self.lock = threading.Lock()  # warm-ups run side by side

    def __enter__(self):
        self.made = temporary_folder(plain_folder())
        self.folder = self.made.__enter__()
        return self

    def __exit__(self, *reason):
        return self.made.__exit__(*reason)

    def link(self, path):
        """A name for the library that LD_PRELOAD can hold."""
        path = Path(path).resolve()
        with self.lock:
            if path not in self.links:
                link = self.folder / f"{len(self.links):03}.so"
                link.symlink_to(path)
                self.links[path] = str(link)
            return self.links[path]


def plain_folder():
    """A folder for temporary files whose name LD_PRELOAD can hold."""
    for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"):
        if not SPLITS.search(folder) and os.access(folder, os.W_OK | os.X_OK):
            return folder
    raise Failure("/tmp: not writable, and TMPDIR names no folder without spaces and colons")


def measured_environment(settings, preload=()):
    """The environment of a measured program: ours, without what tunes allocators, plus settings."""
    environment = {k: v for k, v in os.environ.items() if not TUNING.fullmatch(k)}
    if preload:
        environment["LD_PRELOAD"] = " ".join(preload)
    return {**environment, **settings}
