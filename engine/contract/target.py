"""What a module works on: one host, within a time."""

from __future__ import annotations

import copy
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.errors import DeadlineExceeded, ModuleFailed, Overdue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.connections.base import Argv, Connection, Finished, Platform, Script


class Deadline:
    """A point in time by which a task must have ended; monotonic, so no clock jump moves it."""

    __slots__ = ("_at", "seconds")

    def __init__(self, seconds: float) -> None:
        """Start the time now."""
        self.seconds = seconds
        self._at = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, always above zero.

        Raises:
            DeadlineExceeded: none is left.
        """
        left = self._at - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded(f"not done within {self.seconds:g} s")
        return left


def since(started: float) -> float:
    """Seconds since a moment of `time.monotonic()`, to the microsecond."""
    return round(time.monotonic() - started, 6)


class Target:
    """The host that a module works on. It gives these and nothing else; there are no globals.

    Args:
        host: its name in the inventory.
        connection: to it, opened when it is first used.
        deadline: by when the task must have ended.
        environment: variables for every command that is run on it.
        stopped: is set when the run is to stop; None if it never is.
    """

    def __init__(
        self,
        host: str,
        connection: Connection,
        deadline: Deadline,
        *,
        environment: Mapping[str, str] | None = None,
        stopped: threading.Event | None = None,
    ) -> None:
        """Wrap a host's connection."""
        self.host = host
        self.connection = connection
        self.deadline = deadline
        self._environment = environment or {}
        self._stopped = stopped or threading.Event()

    def within(self, seconds: float) -> Target:
        """The same host, for at most so many seconds of the time that is left."""
        narrowed = copy.copy(self)
        narrowed.deadline = Deadline(min(seconds, self.deadline.remaining()))
        return narrowed

    @property
    def platform(self) -> Platform:
        """What the host is."""
        return self.connection.platform

    def pause(self, seconds: float) -> None:
        """Wait, with nothing under way.

        Raises:
            ModuleFailed: there is not that much time, or the run is to stop.
        """
        if seconds >= self.deadline.remaining():
            raise ModuleFailed(f"a wait of {seconds:g} s does not fit into the task's timeout")
        if self._stopped.wait(seconds):
            raise ModuleFailed("interrupted")

    def run(
        self, command: Argv | Script, *, stdin: bytes = b"", keep: int | None = None
    ) -> Finished:
        """Run a command on the host within the task's deadline; see `Connection.run`.

        Its own variables go before those of the task's `environment`.
        """
        if self._environment:
            command = replace(command, env={**self._environment, **command.env})
        left = self.deadline.remaining()
        try:
            return self.connection.run(command, stdin=stdin, timeout=left, keep=keep)
        except Overdue as error:
            # What was left of the task's time is no number that its author knows.
            raise Overdue(self.deadline.seconds, error.found, gone=error.gone) from error
