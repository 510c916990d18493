"""One command over a channel of its own: sent once, bounded in time and in output."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from typing import TYPE_CHECKING

from engine.connections import shells
from engine.connections.base import Argv, Finished, Listener, Script
from engine.connections.channels import drain, exit_status, request_exec
from engine.connections.output import LINGER, Keeper, Marked
from engine.connections.transport import LinkDown, OpenRefused, OpenTimeout
from engine.errors import DeadlineExceeded, HostError, LinkLost, Unreachable

if TYPE_CHECKING:
    import paramiko

    from engine.connections.transport import Link

_KILL_TIME = 5.0
"""Seconds to wait for the word that an overdue command was ended."""

_CHUNK = 1024 * 1024


class RemoteCommand:
    """A command line with what goes to its stdin and where its output goes.

    Args:
        link: of the host.
        where: `user@address`, for messages.
        keep: bytes of stdout to keep from its start; None for the usual head and tail.
        listener: hears output as it comes.
    """

    def __init__(
        self, link: Link, where: str, *, keep: int | None = None, listener: Listener | None = None
    ) -> None:
        """Nothing is sent yet."""
        self._link = link
        self._where = where
        self._marker = secrets.token_hex(12)
        tell_out = (lambda data: listener("stdout", data)) if listener else None
        tell_err = (lambda data: listener("stderr", data)) if listener else None
        bounds = {} if keep is None else {"head": keep, "tail": 0}
        self._keepers = Keeper(tell=tell_out, **bounds), Keeper(tell=tell_err)
        self._heard = threading.Event()
        self._stdout, self._stderr = (Marked(self._marker, keeper) for keeper in self._keepers)

    def run(self, command: Argv | Script, stdin: bytes, timeout: float) -> Finished:
        """Run a command through the host's `sh`, whatever the account's own shell is.

        Raises:
            Unreachable: the link is gone; nothing was sent.
            LinkLost: it died on the way.
            DeadlineExceeded: the time was over; the command's process group was ended.
            HostError: the server runs no command for us.
        """
        data = shells.on_stdin(shells.program(command), stdin, self._marker)
        return self.run_line(shells.LOGIN_LINE, data, timeout)

    def run_line(self, line: str, stdin: bytes, timeout: float) -> Finished:
        """Run a line of the account's own shell. Raises as `run`."""
        started = time.monotonic()
        deadline = started + timeout
        channel = self._open(timeout)
        try:
            ended = drain(channel, self._stdout, self._stderr)
            request_exec(channel, line)
            in_time = self._send(channel, stdin, deadline) and self._await(channel, ended, deadline)
            if not in_time:
                self._overdue(timeout)
            status = self._status(channel)
        finally:
            self._heard.set()
            channel.close()
        stdout, stderr = (keeper.output() for keeper in self._keepers)
        return Finished(status, stdout, stderr, time.monotonic() - started)

    def _open(self, timeout: float) -> paramiko.Channel:
        try:
            return self._link.open("session", timeout=timeout)
        except LinkDown as error:
            raise Unreachable(f"{self._where}: {error}") from error
        except OpenTimeout as error:
            raise DeadlineExceeded(
                f"{self._where}: no session opened within {timeout:g} s; nothing was run"
            ) from error
        except OpenRefused as error:
            raise HostError(
                f"{self._where}: no session opened, nothing was run: {error.reason} "
                f"(more at once than its MaxSessions?)"
            ) from error

    def _send(self, channel: paramiko.Channel, data: bytes, deadline: float) -> bool:
        """Whether there was time to send all that the command cared to read."""
        try:
            for start in range(0, len(data), _CHUNK):
                channel.settimeout(max(0.01, deadline - time.monotonic()))
                channel.sendall(data[start : start + _CHUNK])
            channel.shutdown_write()
        except TimeoutError:
            return False
        except OSError:
            return True  # it ended without reading all of its stdin, or the link did
        return True

    def _await(self, channel: paramiko.Channel, ended: threading.Event, deadline: float) -> bool:
        """Whether the command ended in time; its output is complete then, or nobody writes more."""
        if not channel.status_event.wait(max(0.0, deadline - time.monotonic())):
            return False
        size = -1
        while size != (size := self._size()) and time.monotonic() < deadline:
            if ended.wait(LINGER):
                break
        return True

    def _size(self) -> int:
        return sum(keeper.output().size for keeper in self._keepers)

    def _status(self, channel: paramiko.Channel) -> int:
        status = exit_status(channel)
        if status is not None:
            return status
        if self._link.is_active() and not channel.event_ready:
            raise HostError(f"{self._where}: its SSH server runs no commands for this account")
        raise LinkLost(
            f"{self._where}: the SSH connection broke under a command; "
            f"whether it took effect is not known"
        )

    def end(self) -> None:
        """End the command from another thread, and wait a moment until `run` has heard of it."""
        if self._kill():
            self._heard.wait(LINGER)

    def _overdue(self, timeout: float) -> None:
        outcome = "it was ended" if self._kill() else "whether it has ended is not known"
        stdout, stderr = (keeper.output().text for keeper in self._keepers)
        raise DeadlineExceeded(
            f"not done within {round(timeout, 2):g} s; {outcome}",
            {"stdout": stdout, "stderr": stderr},
        )

    def _kill(self) -> bool:
        # By another channel: RFC 4254's `signal` request is refused for root logins.
        pid = self._stdout.pid or self._stderr.pid
        if pid is None:
            return False
        killer = RemoteCommand(self._link, self._where)
        with contextlib.suppress(HostError):
            return killer.run(Script(shells.KILL, (str(pid),)), b"", _KILL_TIME).status == 0
        return False
