"""Small words and colours that every command says in the same way."""

from __future__ import annotations

import os
import re
from typing import IO, Any

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "magenta": "35",
    "cyan": "36",
}


class Painter:
    """Colours text on a terminal, and leaves it alone elsewhere."""

    def __init__(self, *, colour: bool) -> None:
        """Colour or not."""
        self._colour = colour

    def __call__(self, style: str, text: str) -> str:
        """The text in that style."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self._colour and text else text


def is_terminal(stream: IO[Any]) -> bool:
    """Whether a person is watching this stream."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def wants_colour(stream: IO[Any]) -> bool:
    """Whether to colour what goes there; NO_COLOR is honoured."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts as people do: `app2` before `app10`."""
    parts = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def names(hosts: list[str], most: int = 4) -> str:
    """Host names as far as they fit: `app1, app2` or `app1, app2, app3, app4 and 12 more`."""
    shown = ", ".join(hosts[:most])
    more = len(hosts) - most
    return f"{shown} and {more} more" if more > 0 else shown
