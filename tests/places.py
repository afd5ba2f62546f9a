"""Where the tests find the project and what was built of it."""

import atexit
import importlib.machinery
import importlib.util
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


def load_script(path):
    """A script of the repository whose name has no .py, as a module."""
    loader = importlib.machinery.SourceFileLoader(Path(path).name, str(REPO / path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


BUILD = preloadable(Path(os.environ.get("SPANBENCH_BUILD", REPO / "build" / "release")))
# The allocator's two builds, to be preloaded.
ALLOCATORS = {"default": BUILD / "libspan.so", "fast": BUILD / "libspan-fast.so"}


def sources_of_fast():
    """Names without .c of the allocator's sources that only libspan-fast is made of."""
    lists = dict(re.findall(r"^(\w+) := (.*)$", (REPO / "Makefile").read_text(), re.MULTILINE))
    return [*lists["HEAP_FAST"].split(), *lists["FAST"].replace("$(HEAP_FAST)", "").split()]
