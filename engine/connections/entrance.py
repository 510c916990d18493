"""Where sessions of one account on a host come from, and what is done with one of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from engine.connections import shells
from engine.errors import HostError, LinkLost

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from engine.connections.output import Ending
    from engine.connections.timers import Timers

    Hear = Callable[[Callable[[int], bytes], Ending], object]
    """Reads a session's stdout with what receives so many bytes, and feeds it on."""

CHUNK = 64 * 1024
"""Bytes between two looks at the clock."""


class SessionRefused(HostError):
    """The server opens no further session; nothing was sent."""


class Channel(Protocol):
    """A session's input and its end: what a paramiko channel has of both."""

    status_event: threading.Event
    """Is set when the session has ended."""

    @property
    def exit_status(self) -> int:
        """Of what ran in it; negative while there is none."""
        ...

    @property
    def closed(self) -> bool:
        """Whether it was given up, on either side."""
        ...

    @property
    def event_ready(self) -> bool:
        """Whether the server has agreed to run something in it."""
        ...

    def settimeout(self, timeout: float | None, /) -> None:
        """Seconds that what follows may take."""
        ...

    def send(self, data: bytes, /) -> int:
        """As much as it takes; how much that is."""
        ...

    def sendall(self, data: bytes, /) -> None:
        """All of it, or OSError."""
        ...

    def recv(self, size: int, /) -> bytes:
        """The next bytes; none at the stream's end."""
        ...

    def shutdown(self, how: int, /) -> None:
        """Close one direction or both, as `socket.shutdown`."""
        ...

    def shutdown_write(self) -> None:
        """There is no more input."""
        ...

    def close(self) -> None:
        """Give it up."""
        ...


class Entered(Struct, frozen=True):
    """A session whose shell takes commands.

    Args:
        channel: its input and its end.
        ended: is set when both of its outputs have ended.
        group: the process group of what runs in it, where that is known beforehand.
    """

    channel: Channel
    ended: threading.Event
    group: int | None = None


class Entrance(Protocol):
    """Opens sessions that act as one account."""

    where: str
    """`user@address`, for messages."""

    timers: Timers
    """Of the account's commands on this host, whichever link they were begun over."""

    @property
    def alive(self) -> bool:
        """Whether the host can still be reached, as far as is known."""
        ...

    def enter(
        self,
        stdout: Ending,
        stderr: Ending,
        deadline: float,
        *,
        line: str = shells.LOGIN_LINE,
        hear: Hear | None = None,
    ) -> Entered:
        """Open a session and start a shell in it, without waiting for an answer of it.

        Args:
            stdout: is fed what the shell writes.
            stderr: likewise.
            deadline: on the monotonic clock.
            line: for the account's own shell.
            hear: reads stdout; unless given, all of it goes to the sink as it comes.

        Raises:
            Unreachable: the link is gone.
            SessionRefused: the server allows no more of them.
            BecomeRefused: the host does not let us act as the account.
            DeadlineExceeded: the time was over; nothing was run.
        """
        ...

    def enter_shell(
        self, marker: str, stdout: Ending, stderr: Ending, deadline: float, *, ask: bool = False
    ) -> Entered:
        """As `enter`, but what is started is a bare `sh`: it runs what it finds on its stdin.

        Args:
            marker: its argument.
            stdout: is fed what the shell writes.
            stderr: likewise.
            deadline: on the monotonic clock.
            ask: whether the account's own shell is to say first what it is.
        """
        ...

    def attend(self, timeout: float) -> None:
        """Make sure that the host is there, where there is reason to doubt it.

        Raises:
            Unreachable: the link is gone; nothing was sent.
            DeadlineExceeded: the host did not answer within `timeout` seconds.
        """
        ...

    def send(self, channel: Channel, data: bytes, deadline: float) -> bool:
        """As the function of this name, on a host that may stand still."""
        ...

    def hurried(self, patience: float) -> Entrance:
        """The same, but that the server has so many seconds at most to open a session."""
        ...

    def apart(self) -> AbstractContextManager[Entrance]:
        """Another one for the account, for what must be done where this one has no session left.

        Raises:
            SessionRefused: there is none.
            Unreachable: it cannot be opened.
        """
        ...

    def lost(self) -> LinkLost:
        """The error of a command that the link died under."""
        ...


class Login(Entrance, Protocol):
    """Opens sessions of the account that we are without further ado."""

    def enter_terminal(self, output: Ending, deadline: float, line: str) -> Channel:
        """As `enter`, with a terminal, which shows nothing of what it is sent."""
        ...

    def cut_off(self, channel: Channel) -> bool:
        """Whether it has ended because the link did, or we wanted it to."""
        ...

    def hurried(self, patience: float) -> Login:
        """As in `Entrance`."""
        ...

    def apart(self) -> AbstractContextManager[Login]:
        """As in `Entrance`."""
        ...


def time_left(deadline: float) -> float:
    """Seconds until then, on the monotonic clock; at least a few milliseconds to fail in."""
    return max(0.01, deadline - time.monotonic())


def send(channel: Channel, data: bytes, deadline: float) -> bool:
    """Send all that the other side cares to read.

    Returns:
        Whether there was time for it.
    """
    try:
        for start in range(0, len(data), CHUNK):
            channel.settimeout(time_left(deadline))
            channel.sendall(data[start : start + CHUNK])
    except TimeoutError:
        return False
    except OSError:
        pass  # it ended without reading all of it, or the link did
    return time.monotonic() < deadline


def exit_status(channel: Channel) -> int | None:
    """The command's status, negative for a signal's number; None while none has come."""
    by_signal = getattr(channel, "ended_by", 0)
    if by_signal:
        return -int(by_signal)
    return channel.exit_status if channel.exit_status >= 0 else None
