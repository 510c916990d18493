"""Ways to a host's SSH server: directly, through a jump host, or through a command.

A jump host is a connection that another is dialled through: its link is shared by all hosts behind.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.connections import direct
from engine.connections.direct import where
from engine.connections.kept import Kept
from engine.connections.living import LinkDown, OpenTimeout
from engine.connections.transport import Link, OpenRefused
from engine.errors import Unreachable

if TYPE_CHECKING:
    import paramiko

    from engine.connections.credentials import Credentials
    from engine.connections.settings import Settings

Reach = Callable[["Settings"], Link]
"""Finds the link of a jump host, or opens it."""

_PROHIBITED = 1
_GRACE = 1.0
"""Seconds that a proxy's command has to end: by itself when its input does, then by a signal."""


class Way(Struct, frozen=True):
    """How streams to a host's SSH server are opened.

    Args:
        settings: the host's.
        jump: the link of the host that it is reached through.
    """

    settings: Settings
    jump: Link | None = None

    def open(self, timeout: float) -> socket.socket | paramiko.Channel:
        """One stream, within so many seconds.

        Raises:
            Unreachable: why not.
        """
        if self.settings.proxy_command:
            return _command(self.settings)
        if self.jump is not None:
            return self._through(self.jump, timeout)
        return direct.stream(self.settings, timeout)

    def _through(self, jump: Link, timeout: float) -> paramiko.Channel:
        settings = self.settings
        assert settings.jump is not None
        name = settings.jump.name
        target = (settings.address, settings.port, "127.0.0.1", 0)
        try:
            return jump.open("direct-tcpip", *target, timeout=timeout)
        except OpenRefused as error:
            why = f"jump host {name} cannot reach it: {error.reason}"
            if error.code == _PROHIBITED:
                why = f"jump host {name} forbids it (AllowTcpForwarding, PermitOpen)"
            raise Unreachable(f"{where(settings)}: {why}") from error
        except OpenTimeout as error:
            raise Unreachable(
                f"{where(settings)}: no answer through jump host {name} "
                f"within {settings.timeout:g} s"
            ) from error
        except LinkDown as error:
            raise Unreachable(
                f"{where(settings)}: the connection of jump host {name} broke"
            ) from error


class CommandSocket(socket.socket):
    """Our end of a proxy's command; the command ends with it.

    Args:
        ours: a connected socket, taken over.
        theirs: the other end, for the command.
        command: a shell's.
    """

    def __init__(self, ours: socket.socket, theirs: socket.socket, command: str) -> None:
        """Start the command."""
        super().__init__(ours.family, ours.type, ours.proto, ours.detach())
        self._lock = threading.Lock()
        self._ended: str | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the socket
        # A session of its own: a Ctrl-C is for quell, which then ends the link in good order.
        self._process = subprocess.Popen(
            [os.environ.get("SHELL") or "/bin/sh", "-c", f"exec {command}"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=self._errors,
            start_new_session=True,
        )

    def said(self) -> str:
        """How the command ended by itself, with its last words; empty if it did not."""
        with self._lock:
            if self._ended is None:
                self._ended = self._last_words()
            return self._ended

    def _last_words(self) -> str:
        try:
            status = self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            return ""
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return f"it ended with status {status}" + (f": {lines[-1]}" if lines else "")

    def close(self) -> None:
        """Hang up, and end the command."""
        super().close()
        self.said()
        with self._lock:
            self._end()
            self._errors.close()

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _command(settings: Settings) -> CommandSocket:
    if os.name != "posix":
        raise Unreachable(f"{where(settings)}: ProxyCommand is not supported on this system")
    ours, theirs = socket.socketpair()
    with theirs:
        return CommandSocket(ours, theirs, settings.proxy_command)


class JumpHosts:
    """The links of a run's jump hosts, one each. Thread-safe.

    Args:
        credentials: the run's.
    """

    def __init__(self, credentials: Credentials) -> None:
        """Open nothing yet."""
        self._credentials = credentials
        self._lock = threading.Lock()
        self._hosts: dict[Settings, Kept[Link]] = {}

    def link(self, settings: Settings) -> Link:
        """The link of a jump host; whoever comes second waits for the first.

        Raises:
            Unreachable: why there is none.
        """
        from engine.connections.handshake import connect

        with self._lock:
            if settings not in self._hosts:
                self._hosts[settings] = Kept(
                    where(settings),
                    lambda: connect(settings, self._credentials, self.link),
                    lambda link: link.alive,
                    Link.close,
                )
            host = self._hosts[settings]
        return host.get()

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            hosts = list(self._hosts.values())
        for host in hosts:
            with contextlib.suppress(OSError):
                host.close()
