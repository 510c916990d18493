"""What a forward leaves behind when its process could not clean up."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from engine.connections.forward import Forward, sweep
from engine.errors import HostError

_HOLD = """
import fcntl, os, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


def test_directories_that_nobody_holds_are_swept(tmp_path: Path) -> None:
    stale, young, held = (tmp_path / f"quell-forward-{name}" for name in ("a", "b", "c"))
    other = tmp_path / "something-else"
    for directory in (stale, young, held, other):
        directory.mkdir()
        (directory / ".s.PGSQL.5432").touch()
    for directory in (stale, held, other):
        os.utime(directory, (1, 1))
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, held], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        sweep(tmp_path)
    assert not stale.exists()
    assert all(directory.exists() for directory in (young, held, other))


def test_a_forward_holds_its_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    far, other = socket.socketpair()
    # A socket's path must be short, and pytest's own directories may not be.
    with other, tempfile.TemporaryDirectory() as short:
        monkeypatch.setattr("tempfile.tempdir", short)
        with Forward(lambda _: far, 10) as path:
            os.utime(Path(path).parent, (1, 1))
            sweep(Path(short))
            assert Path(path).exists()
        assert list(Path(short).iterdir()) == []


def test_a_controller_without_room_for_a_socket_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    far, other = socket.socketpair()
    with other, pytest.raises(HostError, match="no socket can be made on the controller"):
        Forward(lambda _: far, 10).__enter__()
    assert far.fileno() == -1
    assert list(long.iterdir()) == []
