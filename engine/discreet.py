"""Structs that hold what must not be seen."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import Struct


class Discreet(Struct, frozen=True):
    """Its repr leaves out the fields that it `hides`: no traceback and no log shows them."""

    hides: ClassVar[tuple[str, ...]]

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({said})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """The fields that may be shown, for `rich`."""
        shown = (name for name in self.__struct_fields__ if name not in self.hides)
        return [(name, getattr(self, name)) for name in shown]
