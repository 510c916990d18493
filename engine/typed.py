"""Plain values made into types, from any thread.

msgspec collects what it knows of a type when it first meets it, and lets other threads see that
while it is half made: they crash the process (`StructInfo_Convert` in msgspec 0.22, `_core.c`).
So a type is met under a lock, once, and all conversions go through this file.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_met: set[Any] = set()
_meeting = threading.Lock()


def convert(
    value: Any,
    kind: type[T],
    *,
    strict: bool = True,
    hook: Callable[[type, Any], Any] | None = None,
) -> T:
    """A value of JSON's or YAML's kinds as a value of a type.

    Args:
        value: the plain value.
        kind: the type.
        strict: whether text is no number.
        hook: makes values of the types that msgspec does not know.

    Raises:
        msgspec.ValidationError: it is not one.
    """
    _meet(kind)
    return msgspec.convert(value, kind, strict=strict, dec_hook=hook)


def from_json(text: bytes | str, kind: type[T]) -> T:
    """JSON as a value of a type.

    Raises:
        msgspec.DecodeError: it is not JSON, or of another type (a msgspec.ValidationError).
    """
    _meet(kind)
    return msgspec.json.decode(text, type=kind)


def _meet(kind: Any) -> None:
    if kind not in _met:
        with _meeting:
            msgspec.json.Decoder(kind)
            _met.add(kind)
