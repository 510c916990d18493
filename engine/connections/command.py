"""One command over a channel of its own: sent once, bounded in time and in output."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from typing import TYPE_CHECKING

from engine.connections import shells
from engine.connections.base import Argv, Finished, Script
from engine.connections.channels import drain, exit_status, request_exec
from engine.connections.ending import Leader
from engine.connections.output import LINGER, Marked, Outputs
from engine.connections.sessions import SessionRefused, send
from engine.errors import HostError, Overdue

if TYPE_CHECKING:
    import paramiko

    from engine.connections.sessions import Sessions

_KILL_TIME = 5.0
"""Seconds to wait for the word that an overdue command was ended, on a host that answers."""

_PATIENCE = 1.5
"""Seconds for a host to show that it does."""


class RemoteCommand:
    """A command line with what goes to its stdin and where its output goes.

    Args:
        sessions: of the host.
        outputs: takes what it writes.
    """

    def __init__(self, sessions: Sessions, outputs: Outputs | None = None) -> None:
        """Nothing is sent yet."""
        self._sessions = sessions
        self._outputs = outputs or Outputs()
        self._marker = secrets.token_hex(12)
        self._heard = threading.Event()
        self._stdout = Marked(self._marker, self._outputs.stdout)
        self._stderr = Marked(self._marker, self._outputs.stderr)

    def run(
        self, command: Argv | Script, stdin: bytes, timeout: float, patience: float | None = None
    ) -> Finished:
        """Run a command through the host's `sh`, whatever the account's own shell is.

        Args:
            command: what to run.
            stdin: given to it, then closed.
            timeout: seconds.
            patience: seconds for the session to be opened, if there are fewer for that.

        Raises:
            Unreachable: the link is gone; nothing was sent.
            LinkLost: it died on the way.
            DeadlineExceeded: the time was over; `Overdue` if it had begun.
            HostError: the server runs no command for us.
        """
        data = shells.on_stdin(shells.program(command), stdin, self._marker)
        return self.run_line(shells.LOGIN_LINE, data, timeout, patience)

    def run_line(
        self, line: str, stdin: bytes, timeout: float, patience: float | None = None
    ) -> Finished:
        """Run a line of the account's own shell. Raises as `run`."""
        started = time.monotonic()
        deadline = started + timeout
        channel = self._sessions.open(timeout if patience is None else patience)
        try:
            ended = drain(channel, self._stdout, self._stderr)
            request_exec(channel, line)
            in_time = self._send(channel, stdin, deadline) and self._await(channel, ended, deadline)
            if not in_time:
                raise overdue(self._sessions, self._outputs, self._leader, timeout)
            status = status_of(channel, self._sessions)
        finally:
            self._heard.set()
            channel.close()
        return finished(status, self._outputs, started)

    def _send(self, channel: paramiko.Channel, data: bytes, deadline: float) -> bool:
        if not send(channel, data, deadline):
            return False
        with contextlib.suppress(OSError):
            channel.shutdown_write()
        return True

    def _await(self, channel: paramiko.Channel, ended: threading.Event, deadline: float) -> bool:
        """Whether the command ended in time; its output is complete then, or nobody writes more."""
        if not channel.status_event.wait(max(0.0, deadline - time.monotonic())):
            return False
        self._outputs.grew_quiet(ended, deadline)
        return True

    @property
    def _leader(self) -> Leader | None:
        pid = self._stdout.pid or self._stderr.pid
        return Leader(pid) if pid else None

    def end(self) -> None:
        """End the command from another thread, and wait a moment until `run` has heard of it."""
        if end_command(self._sessions, self._leader):
            self._heard.wait(LINGER)


def status_of(channel: paramiko.Channel, sessions: Sessions) -> int:
    """The status of a session that has ended.

    Raises:
        HostError: the server runs no command for us.
        LinkLost: there is none, for the link died.
    """
    status = exit_status(channel)
    if status is not None:
        return status
    if sessions.alive and not channel.event_ready:
        raise HostError(f"{sessions.where}: its SSH server runs no commands for this account")
    raise sessions.lost()


def finished(status: int, outputs: Outputs, started: float) -> Finished:
    """A command's end, `started` being the monotonic time of its start."""
    seconds = time.monotonic() - started
    return Finished(status, outputs.stdout.output(), outputs.stderr.output(), seconds)


def overdue(sessions: Sessions, outputs: Outputs, leader: Leader | None, timeout: float) -> Overdue:
    """End a command whose time is over; the error says what is known of it."""
    gone = end_command(sessions, leader)
    found = {"stdout": outputs.stdout.output().text, "stderr": outputs.stderr.output().text}
    return Overdue(timeout, found, gone=gone)


def end_command(sessions: Sessions, leader: Leader | None) -> bool:
    """End a command on the host; whether all of it is known to have ended."""
    # By another channel: RFC 4254's `signal` request is refused for root logins.
    if leader is None:
        return False
    with contextlib.suppress(HostError):
        try:
            return _end(sessions, leader)
        except SessionRefused:
            with sessions.apart() as others:
                return _end(others, leader)
    return False


def _end(sessions: Sessions, leader: Leader) -> bool:
    return RemoteCommand(sessions).run(leader.end, b"", _KILL_TIME, _PATIENCE).status == 0
