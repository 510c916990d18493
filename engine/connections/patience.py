"""How long a client may wait, and why its stream ended if neither it nor its server did that."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engine.errors import DeadlineExceeded, HostError, LinkLost

if TYPE_CHECKING:
    from engine.connections.base import Connection


class Patience:
    """Of one client, for all that is done with it.

    Args:
        connection: of the host.
        seconds: from now on.
        what: it speaks with, for messages.
    """

    def __init__(self, connection: Connection, seconds: float, what: str) -> None:
        """Begin to count."""
        self._connection = connection
        self._seconds = seconds
        self._ends = time.monotonic() + seconds
        self._what = what

    @property
    def left(self) -> float:
        """Seconds, above zero."""
        return max(0.001, self._ends - time.monotonic())

    def cut(self) -> HostError | None:
        """What to say of a stream that ended early; None where it was the server that ended it."""
        if time.monotonic() >= self._ends:
            return DeadlineExceeded(f"{self._what}: not done within {round(self._seconds, 2):g} s")
        return self.lost()

    def lost(self) -> LinkLost | None:
        """What to say where the link has died; None where it stands."""
        if self._connection.alive:
            return None
        return LinkLost(
            f"{self._what}: the SSH connection broke under it; whether it took effect is not known"
        )
