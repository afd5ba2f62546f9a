"""Where matplotlib may keep its settings and its list of fonts. Where it may not (no home, or none
that can be written to), it makes a temporary folder by itself and prints four lines about that;
here it gets one before it asks. The environment stays as it was: what is measured inherits it.
"""

import atexit
import importlib
import logging
import os
import shutil
import tempfile
from pathlib import Path

VARIABLE = "MPLCONFIGDIR"
# Variables that name the folders it uses, and where these are in a home without them.
DEFAULTS = {"XDG_CONFIG_HOME": ".config", "XDG_CACHE_HOME": ".cache"}


def prepare():
    """Sees to it that matplotlib has a folder that it can write to. To be called before its first
    import."""
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # "building the cache"
    before = os.environ.get(VARIABLE)
    usual = [Path(before)] if before else [default_folder(*d) for d in DEFAULTS.items()]
    if all(map(is_usable, usual)):
        return
    os.environ[VARIABLE] = tempfile.mkdtemp(prefix="spanbench-")
    atexit.register(shutil.rmtree, os.environ[VARIABLE], ignore_errors=True)
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.get_configdir()  # it chooses its folders now, once
    matplotlib.get_cachedir()
    del os.environ[VARIABLE]
    if before is not None:
        os.environ[VARIABLE] = before


def default_folder(variable, name):
    """One of the folders that matplotlib would take by itself; None if it cannot be named."""
    base = os.environ.get(variable)
    try:
        return Path(base or Path.home() / name) / "matplotlib"
    except RuntimeError:  # neither HOME nor a user with a home
        return None


def is_usable(folder):
    """Whether the folder is there, or can be made, and can be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (AttributeError, OSError):
        return False
    return os.access(folder, os.W_OK | os.X_OK)
