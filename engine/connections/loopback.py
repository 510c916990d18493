"""A port of the controller's loopback that leads to an address as a host sees it.

For libpq, which speaks TLS over TCP alone. Anybody on the controller may connect to such a port;
only this very process is let through.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import Any

from engine.connections.forward import Forward

ADDRESS = "127.0.0.1"

_DESCRIPTORS = "/dev/fd"
"""**Source:** fd(4) on macOS, proc_pid_fd(5) on Linux: the process's own descriptors."""


class Loopback(Forward):
    """A context: while it lasts, its port leads to the other end."""

    def _listen(self) -> str:
        if not Path(_DESCRIPTORS).is_dir():
            raise OSError("this system does not tell who connects to it")
        self._listener = socket.create_server((ADDRESS, 0))
        return str(self._listener.getsockname()[1])

    def _remove(self) -> None:
        """There is no directory."""

    def _may_enter(self, accepted: socket.socket) -> bool:
        ends = (accepted.getpeername(), accepted.getsockname())
        return any(_ends(int(one.name)) == ends for one in Path(_DESCRIPTORS).iterdir())


def _ends(descriptor: int) -> tuple[Any, Any] | None:
    """Both ends of a socket of ours; None if it is no socket, or not connected, or gone."""
    try:
        copy = os.dup(descriptor)
    except OSError:
        return None
    try:
        ours = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        return None
    with ours, contextlib.suppress(OSError):
        return ours.getsockname(), ours.getpeername()
    return None
