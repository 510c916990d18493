"""When a line of a log was written, as far as it tells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

LOOKED_AT = 300
"""Characters of a line in which its time may stand."""

_END = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = f"(?P<name>{'|'.join(_MONTHS)})"
_CLOCK = r"(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d):(?P<second>[0-5]\d|60)"
_FRACTION = r"(?:[.,](?P<fraction>\d{1,9}))?"
_ZONE = r"(?: ?(?P<zone>Z|[+-]\d\d:?\d\d))?"
_HINT = r"\d\d:\d\d:\d\d|\d{10}"
"""What every form has in it."""
_FORMS = (
    # 2026-11-23T13:37:00.123Z, 2026-11-23 13:37:00,123, 2026/11/23 13:37:00
    rf"(?P<year>\d{{4}})[-/](?P<month>\d\d)[-/](?P<day>\d\d)[T ]{_CLOCK}{_FRACTION}{_ZONE}",
    # [23/Nov/2026:13:37:00 +0000]
    rf"(?P<day>\d\d)/{_MONTH}/(?P<year>\d{{4}}):{_CLOCK}{_ZONE}",
    # Mon Nov 23 13:37:00.123456 2026
    rf"{_MONTH} +(?P<day>\d\d?) {_CLOCK}{_FRACTION} (?P<year>\d{{4}})",
    # Nov 23 13:37:00
    rf"^(?:<\d+>)?{_MONTH} +(?P<day>\d\d?) {_CLOCK}",
    # "ts":1795441020.123, "time":1795441020123
    r'"@?(?:ts|time|timestamp)": ?(?P<epoch>\d{10})(?:\.(?P<fraction>\d{1,9})|(?P<milli>\d{3}))?\b',
    # I1123 13:37:00.123456
    rf"^[IWEF](?P<month>\d\d)(?P<day>\d\d) {_CLOCK}{_FRACTION}",
    # 1795441020.123
    r"^\[?(?P<epoch>\d{10})(?:\.(?P<fraction>\d{1,9})|(?P<milli>\d{3}))?\b",
)


class Timestamps:
    """Reads the times of one log's lines. The form that the last one had is tried first.

    Args:
        now: seconds since 1970, by the clock of the host that wrote it.
        offset: that clock's, in seconds before UTC; for times that do not tell theirs.
    """

    def __init__(self, now: float, offset: float) -> None:
        """Know no form yet."""
        self._now = now
        self._zone = timezone(timedelta(seconds=offset))
        self._hint, *self._forms = _compiled()

    def of(self, line: str) -> float | None:
        """Seconds since 1970; None where the line does not tell."""
        start = line[:LOOKED_AT]
        if self._hint(start) is None:  # most lines of a stack trace end here
            return None
        for at, search in enumerate(self._forms):
            found = search(start)
            if found is not None:
                if at:
                    self._forms.insert(0, self._forms.pop(at))
                moment = self._read(found.groupdict())
                return moment if moment is not None and 0 <= moment < _END else None
        return None

    def _read(self, parts: dict[str, str | None]) -> float | None:
        fraction = float(f"0.{parts.get('fraction') or 0}")
        epoch = parts.get("epoch")
        if epoch is not None:
            return int(epoch) + fraction + int(parts.get("milli") or 0) / 1000
        year = parts.get("year")
        try:
            if year is not None:
                return self._moment(int(year), parts) + fraction
            # Without a year it is the last such day that is not yet to come.
            this = datetime.fromtimestamp(self._now, self._zone).year
            at = self._moment(this, parts)
            late = at > self._now + timedelta(days=1).total_seconds()
            return (self._moment(this - 1, parts) if late else at) + fraction
        except ValueError:
            return None

    def _moment(self, year: int, parts: dict[str, str | None]) -> float:
        name = parts.get("name")
        month = _MONTHS.index(name) + 1 if name else int(parts["month"] or 0)
        day, hour, minute, second = (
            int(parts[word] or 0) for word in ("day", "hour", "minute", "second")
        )
        zone = parts.get("zone")
        at = datetime(
            year,
            month,
            day,
            hour,
            minute,
            min(second, 59),
            tzinfo=_zone(zone) if zone else self._zone,
        )
        return at.timestamp() + second // 60  # a leap second


def _zone(text: str) -> timezone:
    if text == "Z":
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:])
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)


@cache
def _compiled() -> tuple[Callable[[str], Any], ...]:
    import re2

    return tuple(re2.compile(form).search for form in (_HINT, *_FORMS))
