from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import ModuleFailed
from tests.modules.fakes import FakeConnection, here, target
from tests.modules.sequence import module, probe

if TYPE_CHECKING:
    from pathlib import Path

    from tests.modules.sequence import Outcome


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def look(path: Path | str, **args: Any) -> Outcome:
    return probe("log_search", {"path": str(path), **args}, here())


def stamped(ago: float, text: str) -> str:
    """A line that was written so many seconds ago."""
    return f"{datetime.fromtimestamp(time.time() - ago, UTC).isoformat()} {text}\n"


def texts(outcome: Outcome) -> list[str]:
    return [line["text"] for line in outcome.seen["lines"]]


def test_lines_that_match(log: Path) -> None:
    log.write_text(
        "2026-11-23T13:37:00Z INFO up\n"
        "2026-11-23T13:38:00Z ERROR out of memory\n"
        "2026-11-23T13:39:00.5Z ERROR out of memory\n"
        "2026-11-23T13:40:00Z INFO down\n"
    )
    outcome = look(log, pattern="ERROR|panic")
    seen = outcome.seen
    assert (seen["looked"], seen["matches"]) == (4, 2)
    assert (seen["first"], seen["last"]) == ("2026-11-23T13:38:00.000Z", "2026-11-23T13:39:00.500Z")
    assert seen["files"] == [{"path": str(log), "lines": 4, "complete": True}]
    assert seen["lines"][1] == {
        "time": "2026-11-23T13:39:00.500Z",
        "file": str(log),
        "text": "2026-11-23T13:39:00.5Z ERROR out of memory",
    }
    assert outcome.finding == "2 lines match, last at 2026-11-23T13:39:00.500Z"
    assert outcome.summary.startswith('2 of 4 lines: "2026-11-23T13:3')


def test_none_matches(log: Path) -> None:
    log.write_text("INFO up\n")
    outcome = look(log, pattern="ERROR")
    assert (outcome.seen["matches"], outcome.seen["first"]) == (0, None)
    assert outcome.finding is None
    assert outcome.summary == "none of 1 line"


def test_patterns_with_names_are_counted_apart(log: Path) -> None:
    log.write_text("panic\njwt expired\njwt invalid\nfine\n")
    outcome = look(log, pattern={"crash": "(?i)PANIC", "auth": "jwt", "disk": "space"})
    assert {name: hits["count"] for name, hits in outcome.seen["counts"].items()} == {
        "crash": 1,
        "auth": 2,
        "disk": 0,
    }
    assert outcome.summary == "3 of 4 lines: auth × 2, crash × 1"
    assert look(log, pattern="jwt", exclude="expired").seen["matches"] == 1


def test_without_a_pattern_the_last_lines_are_shown(log: Path) -> None:
    log.write_text("".join(f"line {n}\n" for n in range(30)))
    outcome = look(log, keep=2)
    assert texts(outcome) == ["line 28", "line 29"]
    assert outcome.finding is None
    assert outcome.summary == '30 lines: "line 29"'


@pytest.mark.parametrize(
    ("zone", "time"),
    [
        ("+0000", "13:37:00"),
        ("+0530", "08:07:00"),
        ("-0330", "17:07:00"),
        ("+1245", "00:52:00"),
    ],
)
def test_times_without_a_zone_are_the_hosts(zone: str, time: str) -> None:
    found = (0, f"now 1795441080 {zone}\nfile 1795441080 /x.log\0\n", "")
    read = (0, "2026-11-23 13:37:00 up\n", "")
    outcome = probe("log_search", {"path": "/x.log"}, target(FakeConnection([found, read])))
    assert outcome.seen["first"] == f"2026-11-23T{time}.000Z"


def test_how_far_back_is_looked(log: Path) -> None:
    log.write_text("".join(f"line {n}\n" for n in range(3000)))
    usual = look(log)
    assert usual.seen["looked"] == 1000
    assert usual.seen["files"][0]["complete"] is True
    assert look(log, tail=5).seen["looked"] == 5
    assert look(log, tail=5000).seen["looked"] == 3000


def test_no_more_is_read_than_said(log: Path) -> None:
    log.write_text("".join(f"line {n:04}\n" for n in range(3000)))  # of ten bytes each
    outcome = look(log, tail=500, max_bytes=1000)
    assert outcome.seen["looked"] == 100
    assert outcome.seen["lines"][0]["text"] == "line 2980"
    assert outcome.seen["files"][0]["complete"] is False
    assert outcome.summary.endswith(f" · only the last 1.0 KiB of {log}")
    exact = look(log, tail=100, max_bytes=1000)
    assert (exact.seen["looked"], exact.seen["files"][0]["complete"]) == (100, True)
    whole = look(log, tail=5000, max_bytes=30_000)
    assert (whole.seen["looked"], whole.seen["files"][0]["complete"]) == (3000, True)


def test_all_that_was_not_read_is_counted(tmp_path: Path) -> None:
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text("line\n" * 100)
        os.utime(tmp_path / name, (1_700_000_000, 1_700_000_000))
    told = look(tmp_path / "*.log", max_bytes=50).summary
    assert told.endswith(f" · only the last 50 B of {tmp_path}/a.log and 1 other")


def test_a_line_longer_than_what_is_read_is_told_in_part(log: Path) -> None:
    log.write_text("x" * 5000)
    assert [len(text) for text in texts(look(log, max_bytes=100))] == [101]


def test_since_and_until(log: Path) -> None:
    log.write_text(
        "before any time\n"
        + stamped(7200, "two hours")
        + "    at Main.java\n"
        + stamped(1800, "half an hour")
        + "    at Main.java\n"
        + stamped(60, "a minute")
    )
    hour = look(log, since="1h")
    assert [text.split(" ", 1)[1].strip() for text in texts(hour)] == [
        "half an hour",
        "at Main.java",
        "a minute",
    ]
    assert hour.seen["files"][0]["complete"] is True
    assert hour.seen["lines"][1]["time"] == hour.seen["lines"][0]["time"]
    assert look(log, since="3h", until="1h").seen["looked"] == 2
    assert (
        look(log, until=datetime.fromtimestamp(time.time() - 3600, UTC).isoformat()).seen["looked"]
        == 2
    )
    assert look(log, since="1h", tail=1).seen["looked"] == 1
    assert look(log, since="1s").seen["looked"] == 0


def test_what_was_not_read_since_then_is_said(log: Path) -> None:
    log.write_text("".join(stamped(3600 - n, f"line {n:04}") for n in range(3000)))
    cut = look(log, since="3h", max_bytes=1000)
    assert cut.seen["files"][0]["complete"] is False
    assert " · only the last 1.0 KiB of " in cut.summary
    enough = look(log, since="605s", max_bytes=1000)
    assert enough.seen["files"][0]["complete"] is True
    assert enough.seen["looked"] >= 1


def test_a_log_that_tells_no_time_is_a_failure_where_that_matters(log: Path) -> None:
    log.write_text("no time\nnor here\n")
    with pytest.raises(ModuleFailed, match="no line tells when it was written, so since"):
        look(log, since="1h")
    with pytest.raises(ModuleFailed, match=r"until \(1h\) is not after since \(10m\)"):
        look(log, since="10m", until="1h")
    log.write_text("")
    assert look(log, since="1h").seen["looked"] == 0


def test_a_file_that_was_not_written_to_since_then_is_not_read(tmp_path: Path) -> None:
    old = tmp_path / "old.log"
    old.write_text(stamped(10, "it lies about its time"))
    os.utime(old, (time.time() - 7200,) * 2)
    (tmp_path / "new.log").write_text(stamped(10, "now"))
    outcome = look(tmp_path / "*.log", since="1h")
    assert outcome.seen["looked"] == 1
    assert [file["lines"] for file in outcome.seen["files"]] == [0, 1]
    assert outcome.summary.startswith("1 line in 2 files: ")


def test_a_pattern_never_reaches_the_host(log: Path) -> None:
    host = FakeConnection(
        [(0, f"now 1795600000 +0000\nfile 1795600000 {log}\0\n", ""), (0, "x\n", "")]
    )
    probe("log_search", {"path": str(log), "pattern": "sesame"}, target(host))
    assert len(host.commands) == 2
    assert "sesame" not in repr(host.commands)


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"path": ""},
        {"path": []},
        {"path": "x", "pattern": "("},
        {"path": "x", "pattern": {"a": "(?=x)"}},
        {"path": "x", "exclude": "("},
        {"path": "x", "tail": 0},
        {"path": "x", "since": "yesterday"},
        {"path": "x", "since": "2026-13-01T00:00"},
        {"path": "x", "max_bytes": 0},
        {"path": "x", "max_bytes": "1g"},
        {"path": "x", "keep": 1001},
    ],
)
def test_wrong_arguments_are_refused(args: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        module("log_search", args)
