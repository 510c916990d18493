from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from engine.contract.timestamps import Timestamps

AT = datetime(2026, 11, 23, 13, 37, tzinfo=UTC).timestamp()
HOUR = 3600


def clock(now: float = AT + 60) -> Timestamps:
    """Of a host an hour before UTC."""
    return Timestamps(now, HOUR)


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        ("2026-11-23T13:37:00Z up", AT),
        ("2026-11-23T13:37:00.250Z up", AT + 0.25),
        ("2026-11-23T13:37:00.250000000+00:00 up", AT + 0.25),
        ("2026-11-23 14:37:00,250 INFO up", AT + 0.25),
        ("2026-11-23 14:37:00 up", AT),
        ("2026-11-23T08:07:00-05:30 up", AT),
        ("2026-11-23 15:37:00 +0200 up", AT),
        ("2026/11/23 14:37:00 server.go:12: up", AT),
        ("time=2026-11-23T13:37:00Z level=info msg=up", AT),
        ('{"level":"info","@timestamp":"2026-11-23T13:37:00.250Z"}', AT + 0.25),
        ('10.0.0.1 - - [23/Nov/2026:13:37:00 +0000] "GET / HTTP/1.1" 200 5', AT),
        ("[Mon Nov 23 14:37:00.250000 2026] [core:error] up", AT + 0.25),
        ("[Mon Nov 23 14:37:00 2026] [error] up", AT),
        ("Nov 23 14:37:00 web1 app[7]: up", AT),
        ("<34>Nov 23 14:37:00 web1 app[7]: up", AT),
        ('{"level":"info","ts":1795441020.25,"msg":"up"}', AT + 0.25),
        ('{"level":30,"time":1795441020250,"msg":"up"}', AT + 0.25),
        ("I1123 14:37:00.250000    7 server.go:12] up", AT + 0.25),
        ("1795441020.250    12 10.0.0.1 TCP_MISS/200", AT + 0.25),
        ("2026-12-31T23:59:60Z up", datetime(2027, 1, 1, tzinfo=UTC).timestamp()),
    ],
)
def test_the_forms_of_a_time(line: str, moment: float) -> None:
    assert clock().of(line) == pytest.approx(moment, abs=1e-4)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "no time in here",
        "    at com.example.Main(Main.java:12)",
        "2026-13-45T10:00:00Z",
        "2026-02-30 10:00:00",
        "2026-11-23T25:00:00Z",
        "Feb 30 10:00:00 web1",
        "0000-00-00 00:00:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "port 1795441020",
        "x" * 300 + " 2026-11-23T13:37:00Z",
    ],
)
def test_a_line_that_does_not_tell(line: str) -> None:
    assert clock().of(line) is None


@pytest.mark.parametrize(
    ("line", "year"),
    [
        ("Nov 23 14:37:00 web1", 2026),
        ("Nov  3 14:37:00 web1", 2026),
        ("Nov 24 14:37:00 web1", 2026),
        ("Nov 24 14:39:00 web1", 2025),
        ("Dec 31 23:59:59 web1", 2025),
        ("Jan  1 00:30:00 web1", 2026),
    ],
)
def test_a_time_without_a_year_is_the_last_such_day(line: str, year: int) -> None:
    moment = clock().of(line)
    assert moment is not None
    assert datetime.fromtimestamp(moment, timezone(timedelta(seconds=HOUR))).year == year


def test_new_year_is_seen_through() -> None:
    now = datetime(2027, 1, 1, 0, 5, tzinfo=UTC).timestamp()
    moment = Timestamps(now, 0).of("Dec 31 23:59:00 web1")
    assert moment == datetime(2026, 12, 31, 23, 59, tzinfo=UTC).timestamp()


def test_a_log_of_several_forms() -> None:
    seen = clock()
    for line in ("Nov 23 14:37:00 web1 a", "2026-11-23T13:37:00Z b", "I1123 14:37:00.0 c") * 2:
        assert seen.of(line) == AT


def test_no_line_is_slow() -> None:
    assert clock().of("1" * 1_000_000) is None
    assert clock().of("2026-11-2" * 100_000) is None
