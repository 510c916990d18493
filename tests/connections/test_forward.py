"""What a forward leaves behind when its process could not clean up."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from engine.connections.forward import Forward, sweep
from engine.errors import HostError

if TYPE_CHECKING:
    from pathlib import Path


def test_directories_of_dead_processes_are_swept(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    stale = tmp_path / f"quell-forward-{ended.pid}-abc"
    ours = tmp_path / f"quell-forward-{os.getpid()}-abc"
    others = [tmp_path / "quell-forward-x-abc", tmp_path / "something-else"]
    for directory in (stale, ours, *others):
        directory.mkdir()
        (directory / ".s.PGSQL.5432").touch()
    sweep(tmp_path)
    assert not stale.exists()
    assert all(directory.exists() for directory in (ours, *others))


def test_a_controller_without_room_for_a_socket_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    far, other = socket.socketpair()
    with other, pytest.raises(HostError, match="no socket can be made on the controller"):
        Forward(lambda: far).__enter__()
    assert far.fileno() == -1
    assert list(long.iterdir()) == []
