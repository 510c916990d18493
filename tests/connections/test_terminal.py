"""What carries the streams of a command beside a terminal leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from engine.connections import shells, terminal
from engine.connections.base import Script
from tests.connections.helpers import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHELLS = ("sh", "bash", "/bin/busybox sh")


_WAITING = 6
"""Processes, when all wait: the shell, a `cat` for each output, both sides of the input's pipe, and
the `cat` of the first."""


def group(process: subprocess.Popen[bytes]) -> list[str]:
    """The pids of its process group."""
    listed = ["pgrep", "--pgroup", str(process.pid)]
    return subprocess.run(listed, capture_output=True, text=True, check=False).stdout.split()


@pytest.fixture(params=SHELLS)
def relay(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One that waits for the terminal's side."""
    program = shells.program(Script(terminal.RELAY, ("name",)))
    with subprocess.Popen(
        [*request.param.split(), "-c", shells.READER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        start_new_session=True,
    ) as process:
        assert process.stdin
        process.stdin.write(shells.on_stdin(program, b"said"))
        process.stdin.flush()
        assert eventually(lambda: len(group(process)) == _WAITING)
        yield process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_it_ends_where_the_other_side_never_comes(
    relay: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    assert relay.stdin
    relay.stdin.close()  # as when its link is cut off
    relay.wait(20)
    assert eventually(lambda: not group(relay))
    assert list(tmp_path.iterdir()) == []


def test_it_can_be_ended_while_it_waits(relay: subprocess.Popen[bytes], tmp_path: Path) -> None:
    os.killpg(relay.pid, signal.SIGTERM)
    relay.wait(20)
    assert eventually(lambda: not group(relay))
    assert list(tmp_path.iterdir()) == []


def test_it_carries_three_streams(relay: subprocess.Popen[bytes], tmp_path: Path) -> None:
    script = '(cat; echo error >&2) >"$1/out" 2>"$1/err" <"$1/in"'
    with subprocess.Popen(["sh", "-c", script, "sh", tmp_path / "quell-name"]) as other:
        assert relay.communicate(b" more", timeout=20) == (b"said more", b"error\n")
        assert (relay.returncode, other.wait(20)) == (0, 0)
    assert list(tmp_path.iterdir()) == []
