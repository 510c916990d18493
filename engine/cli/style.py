"""Small words and colours that every command says in the same way."""

from __future__ import annotations

import os
from itertools import pairwise
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


def duration(seconds: float) -> str:
    """A length of time for people: `340 ms`, `1.2 s`, `4 min 5 s`, `2 h 10 min`, `3 d 4 h`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    whole = round(seconds)
    for (size, name), (next_size, next_name) in pairwise(units):
        if whole >= size:
            rest = whole % size // next_size
            return f"{whole // size} {name}" + (f" {rest} {next_name}" if rest else "")
    return f"{whole} s"


def count(number: int, noun: str) -> str:
    """`1 host`, `3 hosts`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def names(hosts: list[str], most: int = 4) -> str:
    """Host names as far as they fit: `app1, app2` or `app1, app2, app3, app4 and 12 more`."""
    shown = ", ".join(hosts[:most])
    more = len(hosts) - most
    return f"{shown} and {more} more" if more > 0 else shown
