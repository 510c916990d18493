"""A host over SSH: one link for the whole run, shells for commands, a channel for each stream."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

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
    ShellType,
    Tcp,
    Unix,
    shown,
)
from engine.connections.become import Ladders
from engine.connections.command import RemoteCommand
from engine.connections.entrance import time_left
from engine.connections.forward import Forward
from engine.connections.living import LinkDown, OpenTimeout
from engine.connections.output import Outputs
from engine.connections.pumps import End, join
from engine.connections.runner import Runner
from engine.connections.session import NoShell, OnWindows
from engine.connections.sessions import Sessions
from engine.connections.transport import Link, OpenRefused
from engine.errors import DeadlineExceeded, DialRefused, HostError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import paramiko

    from engine.connections.entrance import Entrance
    from engine.connections.timers import Timers
    from engine.connections.windows.host import WindowsHost

_PROBE_TIME = 30.0
"""Seconds for the question what the host is, and for why it refused something."""


class SshConnection:
    """Runs commands on a host and dials from it, over one link.

    Args:
        link: authenticated.
        where: `user@address`, for messages.
        ladders: the host's, with what is known of them from an earlier link.
        shell: what scripts are written for; None for the account's own.
        another: opens one more link to the host.
        timers: of the host's commands, those of earlier links among them.
    """

    def __init__(
        self,
        link: Link,
        where: str,
        ladders: Ladders | None = None,
        shell: ShellType | None = None,
        *,
        another: Callable[[], Link] | None = None,
        timers: Timers | None = None,
    ) -> None:
        """Take over the link."""
        self._link = link
        self._where = where
        self._shell = shell
        self._lock = threading.Lock()
        self._windows: WindowsHost | None = None
        self._probing = threading.Lock()
        self._platform: Platform | None = None
        self._sessions = Sessions(link, where, another, timers)
        self._runner = Runner(self._sessions, ladders or Ladders())
        self._shells = self._runner.shells
        self._sessions.spare = self._shells.spare

    @property
    def alive(self) -> bool:
        """Whether the link still stands, as far as is known."""
        return self._link.alive

    @property
    def platform(self) -> Platform:
        """As in `Connection`."""
        return self._found(time.monotonic() + _PROBE_TIME)

    def _found(self, deadline: float) -> Platform:
        """What the host is, asked where it is not known yet."""
        if not self._probing.acquire(timeout=time_left(deadline)):
            raise DeadlineExceeded(f"{self._where}: it has not said in time what system it is")
        try:
            if self._platform is None:
                self._platform = self._probe(min(_PROBE_TIME, time_left(deadline)))
            return self._platform
        finally:
            self._probing.release()

    def _probe(self, timeout: float) -> Platform:
        said = ""
        for ask in (self._ask_shell, self._ask):
            try:
                said = ask(timeout)
            except OnWindows as found_there:
                return self._on_windows(found_there.platform)
            found = platforms.read(said)
            if found is not None:
                return self._on_windows(found) if found.family == "windows" else found
        raise HostError(f"{self._where}: what system this is was not recognised: {said[:200]!r}")

    def _ask_shell(self, timeout: float) -> str:
        """Ask through a shell that is kept for what follows: that saves opening one for it."""
        command = Script(platforms.POSIX)
        with contextlib.suppress(NoShell):
            return self._shells.run(command, Outputs(), timeout, ask=self._asks).stdout.text
        return ""

    @property
    def _asks(self) -> bool:
        """Whether the account's shell is still to say what it is."""
        return self._shell != "sh" and not self._shells.proven

    def _windows_host(self, deadline: float) -> WindowsHost | None:
        """The host's Windows, if that is what it runs; asked where it is not known yet."""
        self._found(deadline)
        return self._windows

    def _on_windows(self, found: Platform) -> Platform:
        """The host is Windows; what it says of its shell is what lines are written for."""
        from engine.connections.windows.host import WindowsHost

        language = self._shell or found.shell
        with self._lock:
            if self._windows is None:
                self._windows = WindowsHost(self._sessions, found.shell, language)
        self._platform = replace(found, shell=language)
        return self._platform

    def _ask(self, timeout: float) -> str:
        command = RemoteCommand(self._sessions)
        return command.run_line(platforms.PROBE, b"", timeout).stdout.text

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
        deadline = time.monotonic() + timeout
        entrance = self._entrance(become, deadline)
        outputs = Outputs(keep=keep, listener=listener)
        if stdin and self._asks:
            self._windows_host(deadline)  # what the command reads can be sent but once
        if self._windows is None:
            run, asks, left = self._runner.run, self._asks, time_left(deadline)
            try:
                return run(command, stdin, left, outputs, entrance, ask=asks)
            except OnWindows as found:
                self._on_windows(found.platform)
        assert self._windows is not None
        return self._windows.run(command, stdin, time_left(deadline), outputs)

    def _entrance(self, become: Become | None, deadline: float) -> Entrance:
        """Where the sessions of an account come from, on a host that is there."""
        self._sessions.attend(time_left(deadline))
        if become is None:
            return self._sessions
        return self._runner.entrance(become, self._found(deadline))

    def dial(
        self, address: Address, *, timeout: float, become: Become | None = None
    ) -> socket.socket:
        """As in `Connection`."""
        channel = self._stream(address, become, timeout)
        ours, theirs = socket.socketpair()
        join(theirs, channel)
        return ours

    def forward(
        self, address: Address, *, timeout: float, become: Become | None = None
    ) -> AbstractContextManager[str]:
        """As in `Connection`."""
        return Forward(partial(self._stream, address, become), timeout)

    def _stream(self, address: Address, become: Become | None, timeout: float) -> End:
        deadline = time.monotonic() + timeout
        entrance = self._entrance(become, deadline)
        if isinstance(address, Unix) and entrance is not self._sessions:
            return bridge.stream(entrance, address.path, time_left(deadline))
        return self._forwarded(address, timeout, deadline)

    def _forwarded(self, address: Address, timeout: float, deadline: float) -> paramiko.Channel:
        left = time_left(deadline)
        try:
            match address:
                case Tcp(host, port):
                    return self._link.open("direct-tcpip", host, port, "127.0.0.1", 0, timeout=left)
                case Unix(path):
                    return self._link.open(
                        "direct-streamlocal@openssh.com", path, "", 0, timeout=left
                    )
                case Pipe(name):
                    return self._pipe(name, deadline)
        except LinkDown as error:
            raise Unreachable(f"{self._where}: {error}") from error
        except OpenTimeout as error:
            raise DeadlineExceeded(
                f"{shown(address)}: no answer within {round(timeout, 2):g} s"
            ) from error
        except OpenRefused as error:
            why = self._why(error, address)
            raise DialRefused(f"{shown(address)}: {why}") from error

    def _pipe(self, name: str, deadline: float) -> paramiko.Channel:
        windows = self._windows_host(deadline)
        if windows is None:
            raise DialRefused(f"{name}: a {self.platform.family} host has no named pipes")
        return windows.pipe(name, time_left(deadline))

    def _why(self, refused: OpenRefused, address: Address) -> str:
        if isinstance(address, Unix) and self.platform.family == "windows":
            return "OpenSSH for Windows leads to no unix sockets"
        return refusals.explain(refused, address, self._look)

    def _look(self, script: Script) -> Finished:
        return self.run(script, timeout=_PROBE_TIME)

    def put(
        self, data: bytes, path: str, mode: int, *, timeout: float, become: Become | None = None
    ) -> None:
        """As in `Connection`."""
        deadline = time.monotonic() + timeout
        entrance = self._entrance(become, deadline)
        windows = self._windows_host(deadline)
        left = time_left(deadline)
        if windows is not None:
            windows.files.put(data, path, timeout=left)
        else:
            self._runner.put(data, path, mode, left, entrance)

    def get(self, path: str, limit: int, *, timeout: float, become: Become | None = None) -> bytes:
        """As in `Connection`."""
        deadline = time.monotonic() + timeout
        entrance = self._entrance(become, deadline)
        windows = self._windows_host(deadline)
        left = time_left(deadline)
        if windows is not None:
            return windows.files.get(path, limit, timeout=left)
        return self._runner.get(path, limit, left, entrance)

    def interrupt(self) -> None:
        """As in `Connection`; the streams end with the link, which is opened anew when needed."""
        self._runner.end()
        if self._windows is not None:
            self._windows.end()
        self._link.close()

    def close(self) -> None:
        """As in `Connection`."""
        self._link.close()
