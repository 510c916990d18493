"""One command over a channel of its own: sent once, bounded in time and in output."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from typing import TYPE_CHECKING

from engine.connections import shells
from engine.connections.base import Argv, Finished, Script
from engine.connections.entrance import exit_status, send
from engine.connections.output import LINGER, Marked, Outputs
from engine.errors import DeadlineExceeded, HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.connections.entrance import Channel, Entrance
    from engine.connections.session import Shell

KILL_TIME = 5.0
"""Seconds to wait for the word that an overdue command was ended."""


class RemoteCommand:
    """A command line with what goes to its stdin and where its output goes.

    Args:
        sessions: of the account that it runs as.
        outputs: takes what it writes.
        marker: what its streams begin with, if not with one made here.
        end_all: ends what it has started on the host, and says whether that is known to be gone;
            None for its process group.
    """

    def __init__(
        self,
        sessions: Entrance,
        outputs: Outputs | None = None,
        *,
        marker: str = "",
        end_all: Callable[[], bool] | None = None,
    ) -> None:
        """Nothing is sent yet."""
        self._sessions = sessions
        self._outputs = outputs or Outputs()
        self._marker = marker or secrets.token_hex(12)
        self._end_all = end_all or (lambda: end_group(self._sessions, self._pid))
        self._heard = threading.Event()
        self._group: int | None = None
        self._stdout = Marked(self._marker, self._outputs.stdout)
        self._stderr = Marked(self._marker, self._outputs.stderr)

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
        entered = self._sessions.enter(self._stdout, self._stderr, deadline, line=line)
        channel, self._group = entered.channel, entered.group
        try:
            in_time = self._send(channel, stdin, deadline) and self._await(
                channel, entered.ended, deadline
            )
            if not in_time:
                raise overdue(self._outputs, timeout, ended=self._end_all())
            status = status_of(channel, self._sessions)
        finally:
            self._heard.set()
            channel.close()
        return finished(status, self._outputs, started)

    def _send(self, channel: Channel, data: bytes, deadline: float) -> bool:
        if not send(channel, data, deadline):
            return False
        with contextlib.suppress(OSError):
            channel.shutdown_write()
        return True

    def _await(self, channel: Channel, ended: threading.Event, deadline: float) -> bool:
        """Whether the command ended in time; its output is complete then, or nobody writes more."""
        if not channel.status_event.wait(max(0.0, deadline - time.monotonic())):
            return False
        self._outputs.grew_quiet(ended, deadline)
        return True

    @property
    def _pid(self) -> int | None:
        return self._group or self._stdout.pid or self._stderr.pid

    def end(self) -> None:
        """End the command from another thread, and wait a moment until `run` has heard of it."""
        if self._end_all():
            self._heard.wait(LINGER)


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


def finished(status: int, outputs: Outputs, started: float) -> Finished:
    """A command's end, `started` being the monotonic time of its start."""
    seconds = time.monotonic() - started
    return Finished(status, outputs.stdout.output(), outputs.stderr.output(), seconds)


def overdue(outputs: Outputs, timeout: float, *, ended: bool) -> DeadlineExceeded:
    """The error of a command whose time was over; it says what is known of it."""
    outcome = "it was ended" if ended else "whether it has ended is not known"
    return DeadlineExceeded(
        f"not done within {round(timeout, 2):g} s; {outcome}",
        {"stdout": outputs.stdout.output().text, "stderr": outputs.stderr.output().text},
    )


def end_each(running: Sequence[RemoteCommand | Shell]) -> None:
    """End commands from another thread, all at once, and wait until that is done."""
    ending = [threading.Thread(target=remote.end) for remote in running]
    for thread in ending:
        thread.start()
    for thread in ending:
        thread.join()


def end_group(sessions: Entrance, pid: int | None) -> bool:
    """End a process group on the host, by its leader; whether it is known to have ended."""
    # By another channel: RFC 4254's `signal` request is refused for root logins.
    if pid is None:
        return False
    with contextlib.suppress(HostError):
        script = Script(shells.KILL, (str(pid),))
        return RemoteCommand(sessions).run(script, b"", KILL_TIME).status == 0
    return False
