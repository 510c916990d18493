"""Opening a link's sessions, of which its server allows so many at once."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from engine.connections.living import LinkDown, OpenTimeout
from engine.connections.timers import Timers
from engine.connections.transport import OpenRefused
from engine.errors import DeadlineExceeded, HostError, LinkLost, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import paramiko

    from engine.connections.transport import Link

_CHUNK = 64 * 1024
"""Bytes between two looks at the clock."""

_STUCK = 0.5
"""Seconds beyond its deadline that a command waits for the link to take what it is given."""


class SessionRefused(HostError):
    """The server opens no further session; nothing was sent."""


class Sessions:
    """Opens sessions of one link.

    Args:
        link: of the host.
        where: `user@address`, for messages.
        another: opens one more link to the host; none where there is no need for it.
        timers: of the host's commands.
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
        self.where = where
        self.timers = timers or Timers()
        self.spare: Callable[[], bool] = lambda: False
        """Gives up a session that nobody uses; False if there is none."""

    @property
    def alive(self) -> bool:
        """Whether the link still stands, as far as is known."""
        return self._link.alive

    def attend(self, timeout: float) -> None:
        """Make sure that the host is there, where there is reason to doubt it.

        Raises:
            Unreachable: the link is gone; nothing was sent.
            DeadlineExceeded: the server did not answer within `timeout` seconds.
        """
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
        # The server may still count a session that has just ended: it clears up after it has
        # answered what came in the same breath. So a refusal is believed the second time.
        believed = False
        while True:
            try:
                return self._link.open("session", timeout=timeout)
            except LinkDown as error:
                raise Unreachable(f"{self.where}: {error}") from error
            except OpenTimeout as error:
                raise DeadlineExceeded(
                    f"{self.where}: no session opened within {round(timeout, 2):g} s; "
                    f"nothing was run"
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

    @contextlib.contextmanager
    def apart(self) -> Iterator[Sessions]:
        """Sessions of a link of their own, for what must be done where this one has none left.

        Raises:
            SessionRefused: there is no such link.
            Unreachable: it cannot be opened.
        """
        if self._another is None:
            raise SessionRefused(f"{self.where}: no session is left, and no link to open one on")
        link = self._another()
        try:
            yield Sessions(link, self.where, timers=self.timers)
        finally:
            link.close()

    def send(self, channel: paramiko.Channel, data: bytes, deadline: float) -> bool:
        """Send all that the other side cares to read.

        Returns:
            Whether there was time for it.
        """
        # Where the server stands still, much data fills the link, and then nothing that waits to
        # be sent can look at the clock: nobody but the link's end wakes it.
        watch = threading.Timer(deadline + _STUCK - time.monotonic(), self._link.close)
        watch.daemon = True
        if len(data) > _CHUNK:
            watch.start()
        try:
            for start in range(0, len(data), _CHUNK):
                channel.settimeout(max(0.01, deadline - time.monotonic()))
                channel.sendall(data[start : start + _CHUNK])
        except TimeoutError:
            return False
        except OSError:
            pass  # it ended without reading all of it, or the link did
        finally:
            watch.cancel()
        return time.monotonic() < deadline

    def lost(self) -> LinkLost:
        """The error of a command that the link died under."""
        return LinkLost(
            f"{self.where}: the SSH connection broke under a command{self._link.cause}; "
            f"whether it took effect is not known"
        )
