"""Lines of a log, counted as they go by: what the modules that look through logs share."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from engine.contract.arguments import matcher
from engine.units import cut

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT_LIMIT = 1000
"""Characters shown of one line."""
SUMMARY_WIDTH = 100
KINDS_LIMIT = 1000
"""Kinds of lines that are told apart; what comes after so many is not among the commonest."""
COMMONEST = 5

_DIGITS = str.maketrans(dict.fromkeys("123456789", "0"))


class Written(Protocol):
    """A line of a log; a frozen struct."""

    @property
    def time(self) -> str | None:
        """When it was written, RFC 3339 in UTC; None where that is not known."""
        ...

    @property
    def text(self) -> str:
        """What it says."""
        ...


Line = TypeVar("Line", bound=Written)


class Hits(Struct, frozen=True, kw_only=True):
    """The lines that match one pattern.

    Args:
        count: how many.
        first: when the first was written; None without one.
        last: when the last was.
    """

    count: int
    first: str | None
    last: str | None


class Kind(Struct, frozen=True, kw_only=True):
    """Lines that differ in their numbers only.

    Args:
        count: how many.
        text: the last of them.
    """

    count: int
    text: str


class Tally(Generic[Line]):
    """Counts lines as they go by, and keeps few of them.

    Args:
        patterns: by name; a line matches that matches one of them, or any if there are none.
        exclude: a line that matches this one does not.
        keep: how many lines.
    """

    def __init__(self, patterns: Mapping[str, str], exclude: str | None, keep: int) -> None:
        """Nothing has gone by yet."""
        self.looked = 0
        self._matchers = {name: matcher(pattern) for name, pattern in patterns.items()}
        self._excluded = None if exclude is None else matcher(exclude)
        self._all = _Span()
        self._each = {name: _Span() for name in patterns}
        self._kinds: dict[str, _Span] = {}
        self._kept: deque[Line] = deque(maxlen=keep)

    def add(self, line: Line) -> None:
        """One more line."""
        self.looked += 1
        if self._excluded is not None and self._excluded(line.text):
            return
        names = [name for name, matches in self._matchers.items() if matches(line.text)]
        if self._matchers and not names:
            return
        for name in names:
            self._each[name].add(line)
        self._all.add(line)
        kind = _kind(line.text[:TEXT_LIMIT])
        if kind in self._kinds or len(self._kinds) < KINDS_LIMIT:
            self._kinds.setdefault(kind, _Span()).add(line)
        self._kept.append(replace(line, text=cut(line.text, TEXT_LIMIT)))  # type: ignore[type-var]

    @property
    def all(self) -> Hits:
        """All lines that match."""
        return self._all.hits

    @property
    def counts(self) -> dict[str, Hits]:
        """Those that match each pattern that has a name."""
        return {name: span.hits for name, span in self._each.items() if name}

    @property
    def commonest(self) -> list[Kind]:
        """The five commonest kinds of them."""
        common = sorted(self._kinds.values(), key=lambda span: -span.count)[:COMMONEST]
        return [Kind(count=span.count, text=span.text) for span in common]

    @property
    def lines(self) -> list[Line]:
        """The last of them."""
        return list(self._kept)


class _Span:
    """How many lines, from when to when, and how the last one went."""

    __slots__ = ("count", "first", "last", "text")

    def __init__(self) -> None:
        self.count = 0
        self.first: str | None = None
        self.last: str | None = None
        self.text = ""

    def add(self, line: Written) -> None:
        self.count += 1
        self.first = self.first or line.time
        self.last = line.time or self.last
        self.text = cut(line.text, TEXT_LIMIT)

    @property
    def hits(self) -> Hits:
        return Hits(count=self.count, first=self.first, last=self.last)


def in_short(matches: int, counts: Mapping[str, Hits], commonest: list[Kind]) -> str:
    """`"fatal error: out of memory" × 9 …`, or by the patterns' names: for a summary."""
    if counts:
        hits = sorted(counts.items(), key=lambda each: -each[1].count)
        return ", ".join(f"{name} × {each.count}" for name, each in hits if each.count)
    first = commonest[0]
    times = f" × {first.count}" if first.count > 1 else ""
    more = " …" if first.count < matches else ""
    return f"{quoted(first.text)}{times}{more}"


def quoted(text: str) -> str:
    """A line for a summary."""
    return f'"{cut(text.strip(), SUMMARY_WIDTH)}"'


def _kind(text: str) -> str:
    """The same for lines that differ in their numbers only."""
    kind = text.translate(_DIGITS)
    while "00" in kind:
        kind = kind.replace("00", "0")
    return kind
