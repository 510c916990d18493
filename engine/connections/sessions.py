"""Opening a link's sessions, of which its server allows so many at once."""

from __future__ import annotations

import contextlib
import copy
import threading
import time
from typing import TYPE_CHECKING

from engine.connections import platform as platforms
from engine.connections import shells
from engine.connections.channels import (
    drain,
    drain_errors,
    drain_output,
    request_exec,
    request_terminal,
)
from engine.connections.entrance import CHUNK, Entered, SessionRefused, send, time_left
from engine.connections.living import LinkDown, OpenTimeout
from engine.connections.timers import Timers
from engine.connections.transport import OpenRefused
from engine.errors import DeadlineExceeded, LinkLost, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import paramiko

    from engine.connections.entrance import Channel, Hear
    from engine.connections.output import Ending
    from engine.connections.transport import Link

_STUCK = 0.5
"""Seconds beyond its deadline that a command waits for the link to take what it is given."""

_CLEARING, _AGAIN = 1.0, 0.02
"""Seconds that a busy server may need to clear up a session, and between two questions for one."""


class Sessions:
    """Opens sessions of one link.

    Args:
        link: of the host.
        where: `user@address`, for messages.
        another: opens one more link to the host; none where there is no need for it.
        timers: of the login account's commands.
    """

    def __init__(
        self,
        link: Link,
        where: str,
        another: Callable[[], Link] | None = None,
        timers: Timers | None = None,
    ) -> None:
        """Open nothing yet."""
        self._link = link
        self._another = another
        self._patience = float("inf")
        self.where = where
        self.timers = timers or Timers()
        self.spare: Callable[[], bool] = lambda: False
        """Gives up a session that nobody uses; False if there is none."""

    @property
    def alive(self) -> bool:
        """Whether the link still stands, as far as is known."""
        return self._link.alive

    def attend(self, timeout: float) -> None:
        """As in `Entrance`."""
        try:
            self._link.attend(timeout)
        except LinkDown as error:
            raise Unreachable(f"{self.where}: {error}") from error
        except OpenTimeout as error:
            raise DeadlineExceeded(
                f"{self.where}: no answer within {round(timeout, 2):g} s; nothing was sent"
            ) from error

    def open(self, timeout: float) -> paramiko.Channel:
        """A session.

        Raises:
            Unreachable: the link is gone.
            DeadlineExceeded: the server did not answer within `timeout` seconds.
            SessionRefused: it allows no more of them.
        """
        timeout = min(timeout, self._patience)
        # The server may still count a session that has just ended: it clears up after it has
        # answered what came in the same breath. So a refusal is believed the second time, and
        # after we gave up a session only when that must have been cleared up.
        believed, clear = False, 0.0
        while True:
            try:
                return self._link.open("session", timeout=timeout)
            except LinkDown as error:
                raise Unreachable(f"{self.where}: {error}") from error
            except OpenTimeout as error:
                seconds = f"{round(timeout, 2):g} s"
                raise DeadlineExceeded(
                    f"{self.where}: no session opened within {seconds}; nothing was run"
                ) from error
            except OpenRefused as error:
                if self.spare():
                    clear = time.monotonic() + min(_CLEARING, timeout)
                elif believed and time.monotonic() >= clear:
                    raise SessionRefused(
                        f"{self.where}: no session opened, nothing was run: {error.reason} "
                        f"(more at once than its MaxSessions?)"
                    ) from error
                elif believed:
                    time.sleep(_AGAIN)
                else:
                    believed = True

    def enter(
        self,
        stdout: Ending,
        stderr: Ending,
        deadline: float,
        *,
        line: str = shells.LOGIN_LINE,
        hear: Hear | None = None,
    ) -> Entered:
        """As in `Entrance`."""
        channel = self.open(time_left(deadline))
        if hear is None:
            ended = drain(channel, stdout, stderr)
        else:
            ended = drain_errors(channel, stderr)
            hear(channel.recv, stdout)
        request_exec(channel, line)
        return Entered(channel, ended)

    def enter_shell(
        self, marker: str, stdout: Ending, stderr: Ending, deadline: float, *, ask: bool = False
    ) -> Entered:
        """As in `Entrance`."""
        line = shells.bare(marker)
        line = platforms.asking(line) if ask else line
        return self.enter(stdout, stderr, deadline, line=line)

    def enter_terminal(self, output: Ending, deadline: float, line: str) -> paramiko.Channel:
        """As in `Login`."""
        channel = self.open(time_left(deadline))
        drain_output(channel, output)
        request_terminal(channel)
        request_exec(channel, line)
        return channel

    def cut_off(self, channel: Channel) -> bool:
        """As in `Login`."""
        del channel
        return not self.alive

    def hurried(self, patience: float) -> Sessions:
        """As in `Entrance`."""
        other = copy.copy(self)
        other._patience = patience
        return other

    @contextlib.contextmanager
    def apart(self) -> Iterator[Sessions]:
        """As in `Login`: sessions of a link of their own."""
        if self._another is None:
            raise SessionRefused(f"{self.where}: no session is left, and no link to open one on")
        link = self._another()
        try:
            yield Sessions(link, self.where, timers=self.timers)
        finally:
            link.close()

    def send(self, channel: Channel, data: bytes, deadline: float) -> bool:
        """As in `Entrance`."""
        if len(data) <= CHUNK:
            return send(channel, data, deadline)
        # Where the server stands still, much data fills the link, and then nothing that waits to
        # be sent can look at the clock: nobody but the link's end wakes it.
        watch = threading.Timer(deadline + _STUCK - time.monotonic(), self._link.close)
        watch.daemon = True
        watch.start()
        try:
            return send(channel, data, deadline)
        finally:
            watch.cancel()

    def lost(self) -> LinkLost:
        """The error of a command that the link died under."""
        return LinkLost(
            f"{self.where}: the SSH connection broke under a command{self._link.cause}; "
            f"whether it took effect is not known"
        )
