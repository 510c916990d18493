"""Processes on the controller: bounded in time and output, and ended with all they started."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from typing import IO, TYPE_CHECKING, Any

from engine.connections import ending
from engine.connections.base import Finished
from engine.connections.output import LINGER
from engine.errors import Overdue

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from engine.connections.output import Keeper, Outputs

_REAPED = 1.0
"""Seconds until the kernel has told us of a process that was ended."""

_CHUNK = 64 * 1024

# A Ctrl-C is for quell, which then ends its commands in good order.
_APART: dict[str, Any] = (
    {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    if os.name == "nt"
    else {"start_new_session": True}
)


class Process:
    """A process whose streams are pumped by threads, so that none can block another.

    Args:
        argv: what is started; on Windows a whole command line, too.
        stdin: given to it, then closed.
        outputs: take what it writes.
        cwd: its directory.
        env: its variables, besides our own.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self,
        argv: str | list[str],
        stdin: bytes,
        outputs: Outputs,
        *,
        cwd: Path,
        env: Mapping[str, str],
    ) -> None:
        """Start it; nothing of it is read yet."""
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env={**os.environ, **env},
            **_APART,
        )
        self._stdin = stdin
        self._ended = threading.Event()
        self.stdout = outputs.stdout
        self.stderr = outputs.stderr

    def _pump(self) -> list[threading.Thread]:
        """Start all that flows; returns the threads that read."""
        process = self._process
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdin is not None
        readers = [
            start(_drain, process.stdout, self.stdout),
            start(_drain, process.stderr, self.stderr),
        ]
        if self._stdin:
            start(_feed, process.stdin, self._stdin)
        else:
            process.stdin.close()
        start(self._wait)
        return readers

    def _wait(self) -> None:
        self._process.wait()
        self._ended.set()

    def finish(self, timeout: float) -> Finished:
        """Wait for the end, or bring it about at the deadline."""
        deadline = self._started + timeout
        readers = self._pump()
        if not self._ended.wait(max(0.0, deadline - time.monotonic())):
            gone = self._kill()
            found = {"stdout": self.stdout.output().text, "stderr": self.stderr.output().text}
            raise Overdue(timeout, found, gone=gone)
        # A child that it left behind may hold the output open, and then still write to it unread.
        linger = min(deadline, time.monotonic() + LINGER)
        for reader in readers:
            reader.join(max(0.0, linger - time.monotonic()))
        return Finished(
            status=self._process.returncode,
            stdout=self.stdout.output(),
            stderr=self.stderr.output(),
            seconds=time.monotonic() - self._started,
        )

    def end(self) -> None:
        """End the process from another thread; `finish` returns then. Ended ones are left alone."""
        if not self._ended.is_set():
            self._kill()

    def _kill(self) -> bool:
        """Whether all of it is known to have ended."""
        if not hasattr(os, "killpg"):
            gone = self._kill_tree()
        else:
            script = ending.Leader(self._process.pid).end
            argv = ["/bin/sh", "-c", script.text, "sh", *script.args]
            gone = subprocess.run(argv, stdin=subprocess.DEVNULL, check=False).returncode == 0
        return self._ended.wait(_REAPED) and gone

    def _kill_tree(self) -> bool:
        """On Windows: all that it has started, by `taskkill`, which is where Windows is."""
        argv = ["taskkill", "/F", "/T", "/PID", str(self._process.pid)]
        gone = False
        with contextlib.suppress(OSError):
            done = subprocess.run(argv, check=False, capture_output=True, stdin=subprocess.DEVNULL)
            gone = done.returncode == 0
        self._process.kill()
        return gone


def start(target: object, *arguments: object) -> threading.Thread:
    """A thread of its own for a call."""
    thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread


def _drain(stream: IO[bytes], keeper: Keeper) -> None:
    with stream:
        while data := os.read(stream.fileno(), _CHUNK):
            keeper.feed(data)


def _feed(stream: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(OSError), stream:  # it need not read what it was given
        stream.write(data)
