"""Types for a module's arguments, and what is done with their values."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta

Port = Annotated[int, Meta(ge=1, le=65535, title="port number", examples=[8080])]
"""A TCP port."""

HostName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_:][A-Za-z0-9_.:%-]*$",
        title="host name or address",
        examples=["localhost"],
    ),
]
"""A host as another host sees it: a name, or an IPv4 or IPv6 address without brackets."""

HeaderName = Annotated[str, Meta(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", title="header name")]
HeaderValue = Annotated[str, Meta(pattern=r"^[\x20-\x7e\t]*$", title="header value")]
"""Of HTTP: what nobody can put a second header or a body into."""

Duration = Annotated[
    Annotated[str, Meta(pattern=r"^\s*(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+$")]
    | Annotated[float, Meta(ge=0)],
    Meta(title="duration", examples=["10s", "5m", "1h30m"]),
]
"""A length of time: `500ms`, `10s`, `5m`, `1h30m`, `2d`; a bare number is seconds."""

Moment = Annotated[
    Annotated[
        str,
        Meta(
            pattern=r"^\s*(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+$"
            r"|^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?$"
        ),
    ]
    | Annotated[float, Meta(ge=0)],
    Meta(title="duration before now, or time", examples=["10m", "2026-11-23T13:37:00Z"]),
]
"""A point in time: a `Duration` before now, or RFC 3339; one without an offset is UTC."""

Bytes = Annotated[
    Annotated[str, Meta(pattern=r"^\s*\d+(\.\d+)?\s*([kKmMgGtT]i?)?[bB]?\s*$")]
    | Annotated[int, Meta(ge=0)],
    Meta(title="size", examples=["512m", "2g"]),
]
"""An amount of memory or disk: `512m`, `2g`, as Docker reads them (powers of 1024)."""

Pattern = Annotated[str, Meta(title="RE2 pattern", extra_json_schema={"format": "re2"})]
"""A regular expression in RE2's syntax, which no text can make slow."""

Program = Annotated[str, Meta(extra_json_schema={"format": "program"})]
"""Text that the host runs, as a shell or a database does: no word of an alert may be in it."""

SslMode = Annotated[
    Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
    Meta(title="TLS mode"),
]
"""How a PostgreSQL client uses TLS, in libpq's words."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


def seconds(duration: str | float) -> float:
    """A `Duration` in seconds: `"1h30m"` → 5400.0.

    Raises:
        ValueError: the text is not a duration.
    """
    if not isinstance(duration, str):
        return float(duration)
    if not re.fullmatch(r"\s*(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+", duration):
        raise ValueError(f"not a duration: {duration!r}")
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(ms|[smhd])", duration)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def when(moment: str | float, now: float) -> float:
    """A `Moment` in seconds since the epoch: `"10m"` → ten minutes before `now`.

    Raises:
        ValueError: the text is not a moment.
    """
    try:
        return now - seconds(moment)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(str(moment))
    except ValueError as error:
        raise ValueError(f"not a time: {moment!r}: {error}") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def size(amount: str | float) -> int:
    """A `Bytes` amount in bytes: `"2g"` → 2147483648.

    Raises:
        ValueError: the text is not an amount.
    """
    if not isinstance(amount, str):
        return int(amount)
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*", amount.lower())
    if match is None:
        raise ValueError(f"not a size: {amount!r}")
    return int(float(match[1]) * _SIZES[match[2]])


def contains(text: str, pattern: str) -> bool:
    """Whether the text has a match of a `Pattern` in it.

    Raises:
        ValueError: it is not an RE2 pattern.
    """
    return matcher(pattern)(text)


def matcher(pattern: str) -> Callable[[str], bool]:
    """What tells of many texts whether they have a match of a `Pattern` in them.

    Raises:
        ValueError: it is not an RE2 pattern.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        raise ValueError(f"not an RE2 pattern: {pattern!r}: {error}") from None
    return lambda text: compiled.search(text) is not None


class Condition:
    """An argument that is a bare expression: the engine evaluates it, the module sees both.

    Args:
        text: the expression as the playbook has it.
        holds: what it came to.
    """

    __slots__ = ("holds", "text")

    def __init__(self, text: str, *, holds: bool) -> None:
        """Keep the expression and its value."""
        self.text = text
        self.holds = holds
