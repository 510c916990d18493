"""put and get: whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from engine.connections.base import Connection, Script
from engine.errors import HostError

if TYPE_CHECKING:
    from pathlib import Path

# tmp_path is on a disk that the controller and the lab's hosts share: both ends can be looked at.


def test_a_file_arrives_with_its_mode(connection: Connection, tmp_path: Path) -> None:
    path, data = tmp_path / "a file's name", os.urandom(3_000_000)
    connection.put(data, str(path), 0o640, timeout=20)
    assert path.read_bytes() == data
    assert path.stat().st_mode & 0o7777 == 0o640
    assert connection.get(str(path), 10_000_000, timeout=20) == data
    assert connection.get(str(path), 1000, timeout=20) == data[:1000]


def test_an_empty_file_is_a_file(connection: Connection, tmp_path: Path) -> None:
    connection.put(b"", str(tmp_path / "empty"), 0o600, timeout=10)
    assert connection.get(str(tmp_path / "empty"), 10, timeout=10) == b""


def test_a_file_is_replaced_and_leaves_nothing_beside_it(
    connection: Connection, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    reader = path.open()
    connection.put(b"new", str(path), 0o600, timeout=10)
    assert reader.read() == "old"  # who reads the old file is not disturbed
    reader.close()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("place", "word"),
    [("missing/file", "No such file"), ("", "Is a directory")],
)
def test_a_put_that_fails_says_why_and_leaves_nothing(
    connection: Connection, tmp_path: Path, place: str, word: str
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(HostError, match=rf"put .*{word}"):
        connection.put(b"data", str(target / place), 0o600, timeout=10)
    assert list(tmp_path.iterdir()) == [target]
    assert list(target.iterdir()) == []


def test_a_get_that_fails_says_why(connection: Connection, tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"get .*No such file"):
        connection.get(str(tmp_path / "nothing"), 10, timeout=10)


@pytest.mark.lab
def test_a_file_that_arrives_short_is_not_put_in_place(ssh: Connection, tmp_path: Path) -> None:
    from engine.connections.files import PUT

    path = tmp_path / "file"
    finished = ssh.run(Script(PUT, (str(path), "600", "10")), stdin=b"short", timeout=10)
    assert finished.stderr.text == "only 5 of 10 bytes arrived\n"
    assert list(tmp_path.iterdir()) == []
