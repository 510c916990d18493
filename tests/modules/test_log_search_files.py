"""log_search and the files that it finds: their names, their forms, their hosts."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.contract import ModuleFailed
from engine.errors import HostError
from tests.modules.fakes import FakeConnection, here, target
from tests.modules.sequence import probe
from tests.modules.shells import SHELLS, Shell, tools
from tests.modules.windows import script_of

if TYPE_CHECKING:
    from engine.connections.links import Links
    from tests.lab.lab import Lab
    from tests.modules.sequence import Outcome

pytestmark = pytest.mark.slow  # all of it together: each starts programs


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def look(path: Path | str, **args: Any) -> Outcome:
    return probe("log_search", {"path": str(path), **args}, here())


def texts(outcome: Outcome) -> list[str]:
    return [line["text"] for line in outcome.seen["lines"]]


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


def test_megabytes_are_read_whole(log: Path) -> None:
    log.write_text("".join(f"line {n:04} {'x' * 988}\n" for n in range(3000)))
    outcome = look(log, tail=5000, pattern="^line ")
    assert (outcome.seen["looked"], outcome.seen["matches"]) == (3000, 3000)


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


def test_a_file_that_may_not_be_read_is_named() -> None:
    found = (0, "now 1795600000 +0000\nfile 1795600000 /var/log/secret\0\n", "")
    refused = (1, "", "tail: cannot open '/var/log/secret' for reading: Permission denied\n")
    with pytest.raises(HostError) as failed:
        probe("log_search", {"path": "/var/log/secret"}, target(FakeConnection([found, refused])))
    assert failed.value.message == "/var/log/secret: Permission denied"


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
