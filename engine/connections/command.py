"""One command over a channel of its own: sent once, bounded in time and in output."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING

from engine.connections import shells
from engine.connections.channels import drain, exit_status, request_exec
from engine.connections.ending import Leader
from engine.connections.output import Marked, Outputs
from engine.connections.underway import UnderWay
from engine.errors import HostError

if TYPE_CHECKING:
    import threading

    import paramiko

    from engine.connections.base import Argv, Finished, Script
    from engine.connections.sessions import Sessions


_PATIENCE = 1.5
"""Seconds for a host to show that it answers, before an overdue command is given up."""

_WORK = 5.0
"""Seconds for an errand, on a host that does."""


class RemoteCommand:
    """A command line with what goes to its stdin and where its output goes.

    Args:
        sessions: of the host.
        outputs: takes what it writes.
        patience: seconds for its session to be opened, if it is an errand of ours.
    """

    def __init__(
        self, sessions: Sessions, outputs: Outputs | None = None, patience: float | None = None
    ) -> None:
        """Nothing is sent yet."""
        self._sessions = sessions
        self._outputs = outputs or Outputs()
        self._patience = patience
        self._marker = secrets.token_hex(12)
        self._stdout = Marked(self._marker, self._outputs.stdout)
        self._stderr = Marked(self._marker, self._outputs.stderr)
        self._under_way: UnderWay | None = None

    def run(self, command: Argv | Script, stdin: bytes, timeout: float) -> Finished:
        """Run a command through the host's `sh`, whatever the account's own shell is.

        Raises:
            Unreachable: the link is gone; nothing was sent.
            LinkLost: it died on the way.
            DeadlineExceeded: the time was over; `Overdue` if it had begun.
            HostError: the server runs no command for us.
        """
        data = shells.on_stdin(shells.program(command), stdin, self._marker)
        return self.run_line(shells.LOGIN_LINE, data, timeout)

    def run_line(self, line: str, stdin: bytes, timeout: float) -> Finished:
        """Run a line of the account's own shell. Raises as `run`."""
        ours = self._patience is not None
        under_way = UnderWay(
            self._sessions, lambda: self._leader, timeout, None if ours else errand
        )
        with under_way:
            channel = self._sessions.open(self._patience or timeout)
            self._under_way = under_way
            try:
                ended = drain(channel, self._stdout, self._stderr)
                request_exec(channel, line)
                if not (self._send(channel, stdin) and self._await(channel, ended)):
                    raise under_way.overdue(self._outputs)
                return under_way.finished(status_of(channel, self._sessions), self._outputs)
            finally:
                channel.close()

    def _send(self, channel: paramiko.Channel, data: bytes) -> bool:
        assert self._under_way is not None
        if not self._sessions.send(channel, data, self._under_way.deadline):
            return False
        with contextlib.suppress(OSError):
            channel.shutdown_write()
        return True

    def _await(self, channel: paramiko.Channel, ended: threading.Event) -> bool:
        """Whether the command ended in time; its output is complete then, or nobody writes more."""
        assert self._under_way is not None
        if not self._under_way.wait(channel.status_event):
            return False
        self._outputs.grew_quiet(ended, self._under_way.deadline)
        return True

    @property
    def _leader(self) -> Leader | None:
        pid = self._stdout.pid or self._stderr.pid
        return Leader(pid) if pid else None

    def end(self) -> None:
        """End the command from another thread, and wait a moment until `run` has heard of it."""
        if self._under_way is not None:
            self._under_way.end()


def errand(sessions: Sessions, script: Script) -> Finished:
    """Run a script of ours in a session of its own. Raises as `RemoteCommand.run`."""
    return RemoteCommand(sessions, patience=_PATIENCE).run(script, b"", _WORK)


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
