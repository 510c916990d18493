"""Alertmanager's matchers, `severity=~"critical|page"`: text → values that labels are held against.

**Source:** Alertmanager's documentation of matchers. Braces around them and commas between are
optional; names outside of Prometheus's alphabet, and values with a comma, stand in quotes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from engine.language.expressions import Fault, Unreadable
from engine.language.patterns import compiled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SPACE = re.compile(r"\s*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_NAME = re.compile(r"[^\s{}!=~,\"'`\\]+")
_OPERATOR = re.compile(r"=~|!~|!=|=")
_VALUE = re.compile(r"[^,]*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", '"': '"', "\\": "\\"}


class Matcher(Struct, frozen=True):
    """One condition on a label.

    Args:
        name: the label's.
        operator: `=`, `!=`, `=~` or `!~`.
        value: a text, or a pattern in RE2's syntax that the whole value must match.
    """

    name: str
    operator: Literal["=", "!=", "=~", "!~"]
    value: str

    def __str__(self) -> str:
        """As Alertmanager writes it."""
        value = self.value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        return f'{self.name}{self.operator}"{value}"'

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether it holds of these labels; one that is missing is an empty text."""
        label = labels.get(self.name, "")
        if self.operator in ("=", "!="):
            found = label == self.value
        else:
            found = compiled(self.value).fullmatch(label) is not None
        return found == (self.operator in ("=", "=~"))


Trigger = tuple[Matcher, ...]
"""All must hold for an alert to call for the playbook."""


def read_matchers(text: str) -> Trigger:
    """The matchers in a text.

    Raises:
        Unreadable: it holds none, or something else.
    """
    end = len(text.rstrip())
    start = _SPACE.match(text).end()  # type: ignore[union-attr]  # it matches nothing, too
    if text[start : start + 1] == "{":
        if text[end - 1] != "}":
            raise Unreadable(Fault(start, "{ is never closed"))
        start, end = start + 1, end - 1
    found = tuple(_matchers(text[:end], start))
    if not found:
        raise Unreadable(Fault(0, "a matcher is missing", _HINT))
    return found


_HINT = 'such as alertname="DiskFull" or severity=~"critical|page"'


def _matchers(text: str, at: int) -> Iterator[Matcher]:
    while text[at:].strip():
        name, at = _name(text, at)
        operator, at = _operator(text, at)
        start = _after_space(text, at)
        value, at = _value(text, at)
        if operator in ("=~", "!~"):
            _check_pattern(value, start)
        yield Matcher(name, operator, value)
        at = _after_space(text, at)
        if at < len(text) and text[at] != ",":
            raise Unreadable(Fault(at, "a comma is missing between two matchers"))
        at += 1


def _after_space(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too


def _name(text: str, at: int) -> tuple[str, int]:
    at = _after_space(text, at)
    if quoted := _QUOTED.match(text, at):
        return _unescaped(quoted[1]), quoted.end()
    if plain := _NAME.match(text, at):
        return plain[0], plain.end()
    raise Unreadable(Fault(at, "the name of a label is missing", _HINT))


def _operator(text: str, at: int) -> tuple[Literal["=", "!=", "=~", "!~"], int]:
    at = _after_space(text, at)
    found = _OPERATOR.match(text, at)
    if found is None:
        raise Unreadable(Fault(at, "one of =, !=, =~ and !~ is missing", _HINT))
    return found[0], found.end()  # type: ignore[return-value]  # the pattern has no other


def _value(text: str, at: int) -> tuple[str, int]:
    at = _after_space(text, at)
    if quoted := _QUOTED.match(text, at):
        return _unescaped(quoted[1]), quoted.end()
    plain = _VALUE.match(text, at)
    assert plain is not None  # it matches nothing, too
    quote = plain[0].find('"')
    if quote >= 0:
        message = "a quote is never closed" if quote == 0 else "a quote stands inside of a value"
        raise Unreadable(Fault(at + quote, message, 'put the whole value in quotes, and \\" in it'))
    return _unescaped(plain[0].rstrip()), plain.end()


def _unescaped(text: str) -> str:
    """A backslash before another character stays, so that patterns need not double it."""
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[0]), text)


def _check_pattern(pattern: str, at: int) -> None:
    try:
        compiled(pattern)
    except ValueError as error:
        raise Unreadable(Fault(at, f"is not a pattern that RE2 takes: {error}")) from None
