"""What text of an alert may be before it becomes an input: it ends up as an argument somewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.language.characters import hides

LONGEST = 1000
"""Characters, unless the input's `max_length` says more or less."""


def unfit(value: Any, longest: int | None = None) -> str:
    """What is wrong with text from outside, or with a text in it; empty where nothing is.

    Args:
        value: of an input, typed.
        longest: the characters that its declaration allows.
    """
    for text in _texts(value):
        if wrong := _wrong(text, LONGEST if longest is None else longest):
            return wrong
    return ""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _wrong(text: str, longest: int) -> str:
    if text.startswith("-"):
        return 'begins with "-": a program would take it for an option'
    if len(text) > longest:
        return f"has {len(text)} characters, more than {longest}"
    hidden = next((c for c in text if hides(c)), None)
    if hidden is not None:
        return f"has a control or invisible character (U+{ord(hidden):04X})"
    return ""
