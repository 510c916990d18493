"""A host over SSH: one link for the whole run, shells for commands, a channel for each stream."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from engine.connections import bridge, refusals
from engine.connections import platform as platforms
from engine.connections.base import (
    Address,
    Argv,
    Become,
    Finished,
    Listener,
    Pipe,
    Platform,
    Script,
    Tcp,
    Unix,
    shown,
)
from engine.connections.become import Ladders
from engine.connections.command import RemoteCommand
from engine.connections.forward import Forward
from engine.connections.output import Outputs
from engine.connections.pumps import End, join
from engine.connections.runner import Runner
from engine.connections.session import NoShell
from engine.connections.sessions import Sessions
from engine.connections.transport import Link, LinkDown, OpenRefused, OpenTimeout
from engine.errors import DeadlineExceeded, DialRefused, HostError, Unreachable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import paramiko

    from engine.connections.entrance import Entrance

_PROBE_TIME = 30.0
"""Seconds for the question what the host is, and for why it refused something."""


class SshConnection:
    """Runs commands on a host and dials from it, over one link.

    Args:
        link: authenticated.
        where: `user@address`, for messages.
        ladders: the host's, with what is known of them from an earlier link.
    """

    def __init__(self, link: Link, where: str, ladders: Ladders | None = None) -> None:
        """Take over the link."""
        self._link = link
        self._where = where
        self._probing = threading.Lock()
        self._platform: Platform | None = None
        self._sessions = Sessions(link, where)
        self._runner = Runner(self._sessions, ladders or Ladders())
        self._shells = self._runner.shells
        self._sessions.spare = self._shells.spare

    @property
    def alive(self) -> bool:
        """Whether the link still stands, as far as is known."""
        return self._link.is_active()

    @property
    def platform(self) -> Platform:
        """As in `Connection`."""
        with self._probing:
            if self._platform is None:
                self._platform = self._probe()
            return self._platform

    def _probe(self) -> Platform:
        said = ""
        for ask in (self._ask_shell, self._ask, self._ask_again):
            said = ask()
            found = platforms.read(said)
            if found is not None:
                return found
        raise HostError(f"{self._where}: what system this is was not recognised: {said[:200]!r}")

    def _ask_shell(self) -> str:
        """Ask through a shell that is kept for what follows: that saves opening one for it."""
        before = "" if self._shells.proven else platforms.BEFORE
        command = Script(platforms.POSIX)
        with contextlib.suppress(NoShell):
            return self._shells.run(command, Outputs(), _PROBE_TIME, before=before).stdout.text
        return ""

    def _ask(self) -> str:
        command = RemoteCommand(self._sessions)
        return command.run_line(platforms.PROBE, b"", _PROBE_TIME).stdout.text

    def _ask_again(self) -> str:
        command = RemoteCommand(self._sessions)
        return command.run_line(platforms.PROBE_AGAIN, b"", _PROBE_TIME).stdout.text

    def run(
        self,
        command: Argv | Script,
        *,
        stdin: bytes = b"",
        timeout: float,
        keep: int | None = None,
        become: Become | None = None,
        listener: Listener | None = None,
    ) -> Finished:
        """As in `Connection`."""
        entrance = self._entrance(become)
        outputs = Outputs(keep=keep, listener=listener)
        return self._runner.run(command, stdin, timeout, outputs, entrance)

    def _entrance(self, become: Become | None) -> Entrance:
        return self._runner.entrance(become, self.platform) if become else self._sessions

    def dial(
        self, address: Address, *, timeout: float, become: Become | None = None
    ) -> socket.socket:
        """As in `Connection`."""
        channel = self._stream(address, timeout, become)
        ours, theirs = socket.socketpair()
        join(theirs, channel)
        return ours

    def forward(
        self, address: Address, *, timeout: float, become: Become | None = None
    ) -> AbstractContextManager[str]:
        """As in `Connection`."""
        return Forward(lambda: self._stream(address, timeout, become))

    def _stream(self, address: Address, timeout: float, become: Become | None) -> End:
        if isinstance(address, Unix):
            entrance = self._entrance(become)
            if entrance is not self._sessions:
                return bridge.stream(entrance, address.path, timeout)
        return self._forwarded(address, timeout)

    def _forwarded(self, address: Address, timeout: float) -> paramiko.Channel:
        try:
            match address:
                case Tcp(host, port):
                    return self._link.open(
                        "direct-tcpip", host, port, "127.0.0.1", 0, timeout=timeout
                    )
                case Unix(path):
                    return self._link.open(
                        "direct-streamlocal@openssh.com", path, "", 0, timeout=timeout
                    )
                case Pipe(_):
                    raise DialRefused(f"{shown(address)}: named pipes are not supported yet")
        except LinkDown as error:
            raise Unreachable(f"{self._where}: {error}") from error
        except OpenTimeout as error:
            raise DeadlineExceeded(f"{shown(address)}: no answer within {timeout:g} s") from error
        except OpenRefused as error:
            why = refusals.explain(error, address, self._look)
            raise DialRefused(f"{shown(address)}: {why}") from error

    def _look(self, script: Script) -> Finished:
        return self.run(script, timeout=_PROBE_TIME)

    def put(
        self, data: bytes, path: str, mode: int, *, timeout: float, become: Become | None = None
    ) -> None:
        """As in `Connection`."""
        self._runner.put(data, path, mode, timeout, self._entrance(become))

    def get(self, path: str, limit: int, *, timeout: float, become: Become | None = None) -> bytes:
        """As in `Connection`."""
        return self._runner.get(path, limit, timeout, self._entrance(become))

    def interrupt(self) -> None:
        """As in `Connection`; the streams end with the link, which is opened anew when needed."""
        self._runner.end()
        self._link.close()

    def close(self) -> None:
        """As in `Connection`."""
        self._link.close()
