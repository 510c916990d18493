"""The fields of a payload, each checked when it is read; what is wrong is told with its place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from engine.errors import InputError, Problem
from engine.language.words import shown
from engine.typed import convert

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIME = "2026-11-23T13:37:00Z"
_NEVER = 1
"""The year of Go's zero time: nobody said when."""


class Fields:
    """A value of a payload, and the way to it."""

    def __init__(self, path: str, value: Any, way: str = "") -> None:
        """Look at a value.

        Args:
            path: of the file.
            value: from JSON.
            way: to it in the file: `alerts[0].labels`.
        """
        self._path = path
        self._value = value
        self._way = way

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return isinstance(self._value, list)

    def has(self, key: str) -> bool:
        """Whether it is a mapping with such a key that is not null."""
        return isinstance(self._value, dict) and self._value.get(key) is not None

    def is_mapping(self, key: str) -> bool:
        """Whether there is a mapping under a key."""
        return self.has(key) and isinstance(self._value[key], dict)

    def wrong(self, message: str, hint: str = "") -> InputError:
        """What is wrong with it, to be raised."""
        said = f"{self._way} {message}" if self._way else message
        return InputError(Problem(said, self._path, hint=hint))

    def mapping(self, key: str) -> Fields:
        """The mapping under a key.

        Raises:
            InputError: it is missing, or something else.
        """
        found = self._under(key)
        if not isinstance(found._value, dict):
            raise found.wrong(f"must be a mapping, not {shown(found._value)}")
        return found

    def items(self, what: str) -> Iterator[Fields]:
        """Each item of a list.

        Raises:
            InputError: there is none.
        """
        if not self._value:
            raise self.wrong(f"is an empty list: it holds not even {what}")
        for number, item in enumerate(self._value):
            yield Fields(self._path, item, f"{self._way}[{number}]")

    def listed(self, key: str) -> Fields:
        """The list under a key.

        Raises:
            InputError: it is something else.
        """
        found = self._under(key)
        if not found.is_list:
            raise found.wrong(f"must be a list, not {shown(found._value)}")
        return found

    def text(self, key: str) -> str:
        """The text under a key; empty where there is none.

        Raises:
            InputError: it is something else.
        """
        found = self._under(key)
        if found._value is None:
            return ""
        if not isinstance(found._value, str):
            raise found.wrong(f"must be text, not {shown(found._value)}")
        return _whole(found._value)

    def texts(self, key: str) -> dict[str, str]:
        """The mapping of texts under a key; empty where there is none.

        Raises:
            InputError: it is something else, or holds something else.
        """
        if self._under(key)._value is None:
            return {}
        found = self.mapping(key)
        return {_whole(name): found.text(name) for name in found._value}

    def time(self, key: str) -> datetime | None:
        """The time under a key; None where there is none.

        Raises:
            InputError: it is something else.
        """
        text = self.text(key)
        if not text:
            return None
        found = self._under(key)
        try:
            time = convert(text, datetime)
        except msgspec.ValidationError:
            raise found.wrong(f"must be a time such as {_TIME}, not {shown(text)}") from None
        if time.year == _NEVER:
            return None
        return time if time.tzinfo else time.replace(tzinfo=UTC)

    def number(self, key: str) -> str:
        """The whole number under a key, as text; empty where there is none.

        Raises:
            InputError: it is something else.
        """
        found = self._under(key)
        if found._value is None:
            return ""
        if not isinstance(found._value, int):
            raise found.wrong(f"must be a whole number, not {shown(found._value)}")
        return str(found._value)

    def _under(self, key: str) -> Fields:
        if not isinstance(self._value, dict):
            raise self.wrong(f"must be a mapping, not {shown(self._value)}")
        way = f"{self._way}.{key}" if self._way else key
        return Fields(self._path, self._value.get(key), way)


def _whole(text: str) -> str:
    """The text as UTF-8 can have it: JSON may escape half a character."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
