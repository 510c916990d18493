"""Put off the import of what a library asks for and hardly ever uses."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Stands in for a module until something in it is asked for."""

    def __getattr__(self, name: str) -> Any:
        """Ask the module itself; raises `ImportError` where it is not installed."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def import_later(name: str) -> None:
    """Import a module when something in it is first asked for."""
    # importlib's LazyLoader is not lazy enough: up to Python 3.11 an `import` makes it load.
    sys.modules.setdefault(name, _Later(name))
