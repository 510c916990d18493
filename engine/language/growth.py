"""Bounds on what a template may build: a slip in a playbook must not fill the memory."""

from __future__ import annotations

import functools
import itertools
import re
from typing import TYPE_CHECKING, Any

from jinja2.exceptions import SecurityError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MAX_TEXT = 1024 * 1024
"""Characters of a text, or entries of a list."""

MAX_BITS = 4096
"""Of an integer."""

MAX_WIDTH = 10_000
"""Of a padded or indented text; also the number of parts of a split list."""

_LONG_FIELD = re.compile(r"%[^%a-zA-Z]*?(?:\d{5}|\*)")


def check_growth(symbol: str, left: Any, right: Any) -> None:
    """Refuse an operation whose result would be too large, before it is made.

    Args:
        symbol: `+`, `*`, `**` or `%`.
        left: of the operator.
        right: of the operator.

    Raises:
        SecurityError: it would be.
    """
    if isinstance(left, int) and isinstance(right, int):
        _check_integers(symbol, left, right)
    elif symbol == "%" and isinstance(left, str):
        check_format(left)
    elif symbol == "*":
        _check_repetition(left, right)
    elif symbol == "+" and isinstance(left, str | list) and isinstance(right, str | list):
        check_length(len(left) + len(right))


def _check_integers(symbol: str, left: int, right: int) -> None:
    bits = {
        "*": left.bit_length() + right.bit_length(),
        "**": left.bit_length() * abs(right),
    }
    if bits.get(symbol, 0) > MAX_BITS:
        raise SecurityError(f"a number of more than {MAX_BITS} bits")


def _check_repetition(left: Any, right: Any) -> None:
    for text, times in ((left, right), (right, left)):
        if isinstance(text, str | list | tuple) and isinstance(times, int):
            check_length(len(text) * times)


def check_length(length: int) -> None:
    """Refuse a text or list of that length.

    Raises:
        SecurityError: it is too long.
    """
    if length > MAX_TEXT:
        raise SecurityError(f"a text or list longer than {MAX_TEXT}")


def check_format(form: str) -> None:
    """Refuse a `%` format with a field as wide as a book.

    Raises:
        SecurityError: it has one.
    """
    if _LONG_FIELD.search(form):
        raise SecurityError("a format with a width of five digits or of *")


def narrow(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter with its numbers bounded: widths, counts, indentations."""

    @functools.wraps(function)
    def checked(*args: Any, **named: Any) -> Any:
        for value in itertools.chain(args[1:], named.values()):
            if isinstance(value, int) and abs(value) > MAX_WIDTH:
                raise SecurityError(f"a width or count of more than {MAX_WIDTH}")
        return function(*args, **named)

    return checked


def replace(text: str, old: str, new: str, count: int = -1) -> str:
    """`str.replace`, bounded."""
    text, old, new = str(text), str(old), str(new)
    check_length(len(text) + text.count(old) * len(new))
    return text.replace(old, new, count)


def join_with(separator: str, values: Iterable[Any]) -> str:
    """`str.join`, bounded."""
    return "".join(limited(_between(separator, values)))


def _between(separator: str, values: Iterable[Any]) -> Iterator[str]:
    for number, value in enumerate(values):
        if number:
            yield separator
        yield str(value)


def limited(parts: Iterable[str]) -> Iterator[str]:
    """The parts of a text, until there are too many characters.

    Raises:
        SecurityError: there are.
    """
    total = 0
    for part in parts:
        total += len(part)
        check_length(total)
        yield part
