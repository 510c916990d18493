"""One command over a channel of its own: sent once, bounded in time and in output."""

from __future__ import annotations

import contextlib
import secrets
import threading
from typing import TYPE_CHECKING

from engine.connections import shells
from engine.connections.ending import Leader
from engine.connections.entrance import exit_status
from engine.connections.output import Marked, Outputs
from engine.connections.underway import UnderWay
from engine.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.connections.base import Argv, Finished, Script
    from engine.connections.entrance import Channel, Entrance
    from engine.connections.session import Shell

_PATIENCE = 1.5
"""Seconds for a host to show that it answers, before an overdue command is given up."""

WORK = 5.0
"""Seconds for an errand, on a host that does."""


class RemoteCommand:
    """A command line with what goes to its stdin and where its output goes.

    Args:
        sessions: of the account that it runs as.
        outputs: takes what it writes.
        marker: what its streams begin with, if not with one made here.
        end_all: ends what it has started on the host, in a session of its own, and says whether
            that is known to be gone; None where its first process tells what that is.
        ours: it is an errand of ours, which nothing ends but its own session.
    """

    def __init__(
        self,
        sessions: Entrance,
        outputs: Outputs | None = None,
        *,
        marker: str = "",
        end_all: Callable[[Entrance], bool] | None = None,
        ours: bool = False,
    ) -> None:
        """Nothing is sent yet."""
        self._sessions = sessions
        self._outputs = outputs or Outputs()
        self._marker = marker or secrets.token_hex(12)
        self._end_all = end_all
        self._ours = ours
        self._group: int | None = None
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
        under_way = UnderWay(
            self._sessions,
            lambda: self._leader,
            timeout,
            None if self._ours else errand,
            self._end_all,
        )
        with under_way:
            entered = self._sessions.enter(
                self._stdout, self._stderr, under_way.deadline, line=line
            )
            channel, self._group = entered.channel, entered.group
            self._under_way = under_way
            try:
                if not (self._send(channel, stdin) and self._await(channel, entered.ended)):
                    raise under_way.overdue(self._outputs)
                return under_way.finished(status_of(channel, self._sessions), self._outputs)
            finally:
                channel.close()

    def _send(self, channel: Channel, data: bytes) -> bool:
        assert self._under_way is not None
        if not self._sessions.send(channel, data, self._under_way.deadline):
            return False
        with contextlib.suppress(OSError):
            channel.shutdown_write()
        return True

    def _await(self, channel: Channel, ended: threading.Event) -> bool:
        """Whether the command ended in time; its output is complete then, or nobody writes more."""
        assert self._under_way is not None
        if not self._under_way.wait(channel.status_event):
            return False
        self._outputs.grew_quiet(ended, self._under_way.deadline)
        return True

    @property
    def _leader(self) -> Leader | None:
        said = self._stdout if self._stdout.pid else self._stderr
        return Leader(said.pid, self._group, since=said.since) if said.pid else None

    def end(self) -> None:
        """End the command from another thread, and wait a moment until `run` has heard of it."""
        if self._under_way is not None:
            self._under_way.end()


def errand(sessions: Entrance, script: Script) -> Finished:
    """Run a script of ours in a session of its own. Raises as `RemoteCommand.run`."""
    return RemoteCommand(sessions.hurried(_PATIENCE), ours=True).run(script, b"", WORK)


def errand_line(sessions: Entrance, line: str) -> Finished:
    """The same with a line of the account's own shell."""
    return RemoteCommand(sessions.hurried(_PATIENCE), ours=True).run_line(line, b"", WORK)


def status_of(channel: Channel, sessions: Entrance) -> int:
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


def end_each(running: Sequence[RemoteCommand | Shell]) -> None:
    """End commands from another thread, all at once, and wait until that is done."""
    ending = [threading.Thread(target=remote.end) for remote in running]
    for thread in ending:
        thread.start()
    for thread in ending:
        thread.join()
