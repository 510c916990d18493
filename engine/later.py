"""Put off what libraries do when they are imported, and what hardly ever serves us.

Each thing here is worth more than a hundredth of a short run.
"""

from __future__ import annotations

import os
import re
import sys
import typing
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

_COMPILE = re.compile


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


class _Functions(_Later):
    """Stands in for a module, no package, whose functions are also taken by name.

    Args:
        name: of the module.
        functions: those.
    """

    def __init__(self, name: str, functions: tuple[str, ...]) -> None:
        """Load nothing yet."""
        super().__init__(name)
        for function in functions:
            setattr(self, function, partial(self._call, function))

    def _call(self, function: str, *args: Any, **options: Any) -> Any:
        return super().__getattr__(function)(*args, **options)

    def __getattr__(self, name: str) -> Any:
        """As any other."""
        if name == "__path__":
            raise AttributeError(name)
        return super().__getattr__(name)


def call_later(name: str, *functions: str) -> None:
    """Import a module when one of these functions is called, or else something is asked for."""
    sys.modules.setdefault(name, _Functions(name, functions))


class _Metadata(_Later):
    """Stands in for `importlib.metadata`: most want nothing but a version, and it is not read."""

    def version(self, name: str) -> str:
        """The installed version of a distribution, from its directory's name."""
        prefix, suffix = f"{name}-", ".dist-info"
        for directory in filter(os.path.isdir, sys.path):
            for found in os.listdir(directory):  # noqa: PTH208  # a tenth of the time
                if found.startswith(prefix) and found.endswith(suffix):
                    return found.removeprefix(prefix).removesuffix(suffix)
        known: str = self.__getattr__("version")(name)
        return known


def look_up_versions_by_name() -> None:
    """Let nobody parse a distribution's metadata as an e-mail to learn of its version."""
    sys.modules.setdefault("importlib.metadata", _Metadata("importlib.metadata"))


class _Platform(_Later):
    """Stands in for `platform`: `uuid` asks it what the system is called, and nothing else."""

    _NAMES: typing.ClassVar = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}

    def system(self) -> str:
        """The operating system's name."""
        known: str = self._NAMES.get(sys.platform) or self.__getattr__("system")()
        return known


def look_up_the_system_by_name() -> None:
    """Let nobody find out about the machine and its libc to learn what the system is called."""
    sys.modules.setdefault("platform", _Platform("platform"))


def import_msgspec() -> None:
    """Import it without `typing_extensions`, of which `typing` has all that it wants."""
    if "typing_extensions" in sys.modules:
        return
    sys.modules["typing_extensions"] = typing
    try:
        import_module("msgspec")
    finally:
        del sys.modules["typing_extensions"]


class _Pattern:
    """A regular expression that is compiled when something is first asked of it."""

    def __init__(self, pattern: Any, flags: int = 0) -> None:
        self._said = pattern, flags

    def __getattr__(self, name: str) -> Any:
        """Ask the pattern itself, once."""
        value = getattr(_COMPILE(*self._said), name)
        setattr(self, name, value)
        return value


def import_unread(name: str) -> Any:
    """Import a module, and let it and all that it imports compile no pattern before it is used.

    A run needs a third of them.
    """
    re.compile = _Pattern  # type: ignore[assignment]  # another thread may get one, too
    try:
        return import_module(name)
    finally:
        re.compile = _COMPILE
