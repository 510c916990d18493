"""A host over SSH: one link for the whole run, shells for commands, a channel for each stream."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from engine.connections import platform as platforms
from engine.connections import refusals
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
from engine.connections.command import RemoteCommand
from engine.connections.forward import Forward
from engine.connections.output import Outputs
from engine.connections.pool import Shells
from engine.connections.pumps import join
from engine.connections.session import NoShell, Shell
from engine.connections.sessions import Sessions
from engine.connections.transport import Link, LinkDown, OpenRefused, OpenTimeout
from engine.errors import DeadlineExceeded, DialRefused, HostError, Unreachable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import paramiko

_PROBE_TIME = 30.0
"""Seconds for the question what the host is, and for why it refused something."""

PUT = """\
[ -d "$1" ] && { echo "Is a directory" >&2; exit 1; }
temporary=$(mktemp "$1.XXXXXX") || exit
trap 'rm -f -- "$temporary"' EXIT
cat >"$temporary" || exit
size=$(wc -c <"$temporary") || exit
[ "$size" -eq "$3" ] || { echo "only $size of $3 bytes arrived" >&2; exit 1; }
chmod "$2" "$temporary" && mv -f -- "$temporary" "$1"
"""
"""Arguments: path, mode in octal, size. A link that dies on the way is an early end of file."""

_GET = 'LC_ALL=C exec head -c "$2" -- "$1"'


class SshConnection:
    """Runs commands on a host and dials from it, over one link.

    Args:
        link: authenticated.
        where: `user@address`, for messages.
    """

    def __init__(self, link: Link, where: str) -> None:
        """Take over the link."""
        self._link = link
        self._where = where
        self._lock = threading.Lock()
        self._probing = threading.Lock()
        self._platform: Platform | None = None
        self._sessions = Sessions(link, where)
        self._shells = Shells(self._sessions)
        self._sessions.spare = self._shells.spare
        self._running: set[RemoteCommand] = set()

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
        if become is not None:
            raise HostError("becoming another account is not supported yet")
        return self._run(command, stdin, timeout, Outputs(keep=keep, listener=listener))

    def _run(
        self, command: Argv | Script, stdin: bytes, timeout: float, outputs: Outputs
    ) -> Finished:
        if not stdin:
            with contextlib.suppress(NoShell):
                return self._shells.run(command, outputs, timeout)
        remote = RemoteCommand(self._sessions, outputs)
        with self._lock:
            self._running.add(remote)
        try:
            return remote.run(command, stdin, timeout)
        finally:
            with self._lock:
                self._running.discard(remote)

    def dial(self, address: Address, *, timeout: float) -> socket.socket:
        """As in `Connection`."""
        channel = self._stream(address, timeout)
        ours, theirs = socket.socketpair()
        join(theirs, channel)
        return ours

    def forward(self, address: Address, *, timeout: float) -> AbstractContextManager[str]:
        """As in `Connection`."""
        return Forward(lambda: self._stream(address, timeout))

    def _stream(self, address: Address, timeout: float) -> paramiko.Channel:
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

    def put(self, data: bytes, path: str, mode: int, *, timeout: float) -> None:
        """As in `Connection`."""
        script = Script(PUT, (path, f"{mode:o}", str(len(data))))
        self._file(f"put {path}", script, data, timeout, keep=None)

    def get(self, path: str, limit: int, *, timeout: float) -> bytes:
        """As in `Connection`."""
        script = Script(_GET, (path, str(limit)))
        return self._file(f"get {path}", script, b"", timeout, keep=limit)

    def _file(
        self, what: str, script: Script, stdin: bytes, timeout: float, keep: int | None
    ) -> bytes:
        finished = self._run(script, stdin, timeout, Outputs(keep=keep))
        if finished.status != 0:
            raise HostError(f"{what}: {finished.stderr.text.strip() or 'failed'}")
        return finished.stdout.head

    def interrupt(self) -> None:
        """As in `Connection`; the streams end with the link, which is opened anew when needed."""
        with self._lock:
            running: list[RemoteCommand | Shell] = [*self._running, *self._shells.busy()]
        ending = [threading.Thread(target=remote.end) for remote in running]
        for thread in ending:
            thread.start()
        for thread in ending:
            thread.join()
        self._link.close()

    def close(self) -> None:
        """As in `Connection`."""
        self._link.close()
