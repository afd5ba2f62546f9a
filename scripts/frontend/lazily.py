"""Imports that wait for their first use. numpy, scipy and rich take most of a second to load, and
help for a verb needs none of them. It knows no module by name; who uses one says which."""

import importlib
import importlib.util


class Lazy:
    """Stands for a module, or for what a module calls `name`, and imports it when it is used: an
    attribute is read or it is called. It is no class to derive from or to ask isinstance for."""

    def __init__(self, module, name=None):
        self._module, self._name = module, name

    def __getattr__(self, key):
        found = getattr(self._loaded(), key)
        setattr(self, key, found)  # the next time nobody asks us
        return found

    def __call__(self, *arguments, **named):
        return self._loaded()(*arguments, **named)

    def _loaded(self):
        """What this stands for."""
        module = importlib.import_module(self._module)
        return getattr(module, self._name) if self._name else module


def require(*modules):
    """Raises ModuleNotFoundError for the first of the modules that is not installed; loads none.
    For work that needs them only at its end."""
    for name in modules:
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
