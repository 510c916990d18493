from __future__ import annotations

import gzip
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import ModuleFailed
from engine.errors import HostError
from tests.modules.fakes import FakeConnection, here, target
from tests.modules.sequence import module, probe
from tests.modules.shells import SHELLS, Shell, tools
from tests.modules.windows import script_of

if TYPE_CHECKING:
    from engine.connections.links import Links
    from tests.lab.lab import Lab
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
    ("content", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"no newline", ["no newline"]),
        (b"dos\r\nlines\r\n", ["dos", "lines"]),
        (b"\xff\xfe broken \x00 bytes\n", ["\ufffd\ufffd broken \x00 bytes"]),
        (b"\xef\xbb\xbfmarked\n", ["marked"]),
        ("\ufeffüber\r\nzwei\r\n".encode("utf-16-le"), ["über", "zwei"]),
        (b"{{ 7 * 7 }} $(id) \x1b[31m\n", ["{{ 7 * 7 }} $(id) \x1b[31m"]),
    ],
)
def test_any_content_is_text(content: bytes, lines: list[str], log: Path) -> None:
    log.write_bytes(content)
    assert texts(look(log)) == lines


@pytest.mark.parametrize("limit", range(26, 40))
def test_utf_16_is_read_wherever_it_is_cut(limit: int, log: Path) -> None:
    log.write_bytes("".join(f"line {n}\r\n" for n in range(9)).encode("utf-16-le"))
    whole = ["line 8"] if limit < 33 else ["line 7", "line 8"]  # of 16 bytes each
    assert texts(look(log, max_bytes=limit)) == whole


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


def test_megabytes_are_read_whole(log: Path) -> None:
    log.write_text("".join(f"line {n:04} {'x' * 988}\n" for n in range(3000)))
    outcome = look(log, tail=5000, pattern="^line ")
    assert (outcome.seen["looked"], outcome.seen["matches"]) == (3000, 3000)


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


def test_several_files_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    for age, name in ((300, "b.log"), (200, "a.log"), (100, "c d.log")):
        file = tmp_path / name
        file.write_text(f"error in {name}\n")
        os.utime(file, (time.time() - age,) * 2)
    (tmp_path / "other.txt").write_text("error elsewhere\n")
    (tmp_path / "dir.log").mkdir()
    outcome = look(tmp_path / "*.log", pattern="error")
    assert texts(outcome) == ["error in b.log", "error in a.log", "error in c d.log"]
    assert outcome.summary.startswith("3 of 3 lines in 3 files: ")
    both = probe("log_search", {"path": [f"{tmp_path}/*.log", f"{tmp_path}/a.log"]}, here())
    assert [Path(file["path"]).name for file in both.seen["files"]] == ["b.log", "a.log", "c d.log"]


def test_a_file_that_was_not_written_to_since_then_is_not_read(tmp_path: Path) -> None:
    old = tmp_path / "old.log"
    old.write_text(stamped(10, "it lies about its time"))
    os.utime(old, (time.time() - 7200,) * 2)
    (tmp_path / "new.log").write_text(stamped(10, "now"))
    outcome = look(tmp_path / "*.log", since="1h")
    assert outcome.seen["looked"] == 1
    assert [file["lines"] for file in outcome.seen["files"]] == [0, 1]
    assert outcome.summary.startswith("1 line in 2 files: ")


def test_packed_files_are_unpacked(tmp_path: Path) -> None:
    packed = tmp_path / "app.log.1.gz"
    packed.write_bytes(gzip.compress(b"one\ntwo\n") + gzip.compress(b"three\n"))
    assert texts(look(packed)) == ["one", "two", "three"]
    lines = b"".join(b"line %06d\n" % n for n in range(20_000))
    packed.write_bytes(gzip.compress(lines))
    outcome = look(packed, tail=20_000, max_bytes=120_000)
    assert outcome.seen["lines"][-1]["text"] == "line 019999"
    assert outcome.seen["looked"] == 10_000
    assert outcome.seen["files"][0]["complete"] is False


def test_what_cannot_be_unpacked_is_a_failure(tmp_path: Path) -> None:
    packed = tmp_path / "app.log.gz"
    packed.write_bytes(b"this is none")
    with pytest.raises(ModuleFailed, match=r"app\.log\.gz: cannot be unpacked: "):
        look(packed)
    packed.write_bytes(gzip.compress(os.urandom(5000)))
    with pytest.raises(ModuleFailed, match="only 1000 bytes are read, and it is longer packed"):
        look(packed, max_bytes=1000)
    packed.write_bytes(gzip.compress(b"cut off in the middle\n" * 1000)[:-20])
    assert texts(look(packed))[0] == "cut off in the middle"


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    packed = tmp_path / "bomb.gz"
    packed.write_bytes(gzip.compress(bytes(2**20)))
    assert len(texts(look(packed, max_bytes="16k"))) == 1
    with pytest.raises(ModuleFailed, match=r"bomb\.gz: unpacks to more than 64 times max_bytes"):
        look(packed, max_bytes="15k")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none.log", "no such file"),
        ("*.none", "no such file"),
        ("-n", "no such file"),
        ("$(id).log", "no such file"),
        ("", "is a directory"),
        ("fifo", "is no regular file"),
    ],
)
def test_what_is_no_file_is_named(name: str, why: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    path = f"{tmp_path}/{name}"
    with pytest.raises(ModuleFailed) as failed:
        look(path)
    assert failed.value.message == f"{path}: {why}"


@pytest.mark.parametrize(
    "name", ["a b.log", "-c.log", "new\nline.log", "$(id).log", "*.log", "ü.log"]
)
def test_any_name_of_a_file(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("found\n")
    assert texts(look(tmp_path / name)) == ["found"]
    assert texts(look(tmp_path / "*")) == ["found"]


def test_a_name_that_is_no_utf8_is_read_and_told(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/\xff.log", "w") as file:  # noqa: PTH123
        file.write("found\n")
    (line,) = look(tmp_path / "*.log").seen["lines"]
    assert (line["file"], line["text"]) == (f"{tmp_path}/\ufffd.log", "found")


def test_too_many_files_are_a_failure(tmp_path: Path) -> None:
    for number in range(51):
        (tmp_path / f"{number}.log").touch()
    assert len(look(tmp_path / "?.log").seen["files"]) == 10
    with pytest.raises(ModuleFailed, match="more than 50 files"):
        look(tmp_path / "*.log")


def test_a_pattern_never_reaches_the_host(log: Path) -> None:
    host = FakeConnection(
        [(0, f"now 1795600000 +0000\nfile 1795600000 {log}\0\n", ""), (0, "x\n", "")]
    )
    probe("log_search", {"path": str(log), "pattern": "sesame"}, target(host))
    assert len(host.commands) == 2
    assert "sesame" not in repr(host.commands)


WINDOWS = (
    '{"offset":3600,"now":1795441080,"files":[{"changed":1795441070,'
    '"path":"C:\\\\logs\\\\app.log"}]}\r\n'
)


def test_a_windows_host_is_asked_through_powershell() -> None:
    said = "2026-11-23 14:37:00,000 ERROR down\r\n2026-11-23 14:37:30,000 INFO up\r\n"
    data = ("\ufeff" + said).encode("utf-16-le").decode("utf-8", "surrogateescape")
    host = FakeConnection([(0, WINDOWS, ""), (0, data, "")], family="windows")
    args = {"path": "C:\\logs\\*.log", "pattern": "ERROR", "since": "60s"}
    outcome = probe("log_search", args, target(host))
    assert outcome.seen["looked"] == 2
    assert outcome.finding == "1 line matches, last at 2026-11-23T13:37:00.000Z"
    (finds, given), (reads, which) = (script_of(command) for command in host.commands)
    assert "Get-Item -Path $pattern" in finds
    assert given == {"patterns": ["C:\\logs\\*.log"]}
    assert "'ReadWrite, Delete'" in reads
    assert which == {"path": "C:\\logs\\app.log", "last": 4 * 2**20 + 1, "whole": False}


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


@pytest.mark.lab
@pytest.mark.parametrize("kit", ["usual", "busybox"])
@pytest.mark.parametrize("shell", SHELLS)
def test_in_other_shells_with_few_tools(shell: str, kit: str, tmp_path: Path) -> None:
    program = "/bin/busybox" if kit == "busybox" else ""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    path = tools(bin_, ["date", "head", "stat", "tail"], program)
    (tmp_path / "a b.log").write_text("one\nerror\n")
    (tmp_path / "c.log.gz").write_bytes(gzip.compress(b"error\n"))
    args = {"path": f"{tmp_path}/*.log*", "pattern": "error"}
    outcome = probe("log_search", args, target(Shell(through=SHELLS[shell], path=path)))
    assert (outcome.seen["looked"], outcome.seen["matches"]) == (3, 2)


@pytest.mark.lab
def test_logs_of_another_machine(lab: Lab, links: Links) -> None:
    lab.h1.write("/srv/app/app.log", "x" * 3_000_000 + "\nerror: down\n")
    lab.h1.write("/srv/app/secret.log", "error\n", mode=0o600)
    outcome = probe(
        "log_search", {"path": "/srv/app/app.log", "pattern": "^error"}, target(links.get("h1"))
    )
    assert (outcome.seen["looked"], outcome.seen["matches"]) == (2, 1)


def test_a_file_that_may_not_be_read_is_named() -> None:
    found = (0, "now 1795600000 +0000\nfile 1795600000 /var/log/secret\0\n", "")
    refused = (1, "", "tail: cannot open '/var/log/secret' for reading: Permission denied\n")
    with pytest.raises(HostError) as failed:
        probe("log_search", {"path": "/var/log/secret"}, target(FakeConnection([found, refused])))
    assert failed.value.message == "/var/log/secret: Permission denied"
