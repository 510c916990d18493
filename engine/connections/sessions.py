"""Opening a link's sessions, of which its server allows so many at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.connections import shells
from engine.connections.channels import (
    drain,
    drain_errors,
    drain_output,
    request_exec,
    request_terminal,
)
from engine.connections.entrance import Entered, SessionRefused, time_left
from engine.connections.transport import LinkDown, OpenRefused, OpenTimeout
from engine.errors import DeadlineExceeded, LinkLost, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    import paramiko

    from engine.connections.entrance import Channel, Hear
    from engine.connections.output import Ending
    from engine.connections.transport import Link


class Sessions:
    """Opens sessions of one link.

    Args:
        link: of the host.
        where: `user@address`, for messages.
    """

    def __init__(self, link: Link, where: str) -> None:
        """Open nothing yet."""
        self._link = link
        self.where = where
        self.spare: Callable[[], bool] = lambda: False
        """Gives up a session that nobody uses; False if there is none."""

    @property
    def alive(self) -> bool:
        """Whether the link still stands, as far as is known."""
        return self._link.is_active()

    def open(self, timeout: float) -> paramiko.Channel:
        """A session.

        Raises:
            Unreachable: the link is gone.
            DeadlineExceeded: the server did not answer within `timeout` seconds.
            SessionRefused: it allows no more of them.
        """
        # The server may still count a session that has just ended: it clears up after it has
        # answered what came in the same breath. So a refusal is believed the second time.
        believed = False
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
                    continue
                if believed:
                    raise SessionRefused(
                        f"{self.where}: no session opened, nothing was run: {error.reason} "
                        f"(more at once than its MaxSessions?)"
                    ) from error
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

    def lost(self) -> LinkLost:
        """The error of a command that the link died under."""
        return LinkLost(
            f"{self.where}: the SSH connection broke under a command; "
            f"whether it took effect is not known"
        )
