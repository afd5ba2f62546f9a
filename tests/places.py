"""Where the tests find the project and what was built of it."""

import atexit
import os
import re
import shutil
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent


def preloadable(folder):
    """The folder, or a link to it if its path has what LD_PRELOAD splits at: spaces and colons."""
    if not set(" :") & set(str(folder)):
        return folder
    links = tempfile.mkdtemp(prefix="spanbench-tests-")
    atexit.register(shutil.rmtree, links)
    link = Path(links) / "build"
    link.symlink_to(folder)
    return link


BUILD = preloadable(Path(os.environ.get("SPANBENCH_BUILD", REPO / "build" / "release")))
# The allocator's two builds, to be preloaded.
ALLOCATORS = {"default": BUILD / "libspan.so", "fast": BUILD / "libspan-fast.so"}


def sources_of_fast():
    """Names without .c of the allocator's sources that only libspan-fast is made of."""
    lists = dict(re.findall(r"^(\w+) := (.*)$", (REPO / "Makefile").read_text(), re.MULTILINE))
    return [*lists["HEAP_FAST"].split(), *lists["FAST"].replace("$(HEAP_FAST)", "").split()]
