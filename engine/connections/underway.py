"""A command that is under way: waited for until its deadline, and ended then."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Self

from engine.connections.base import Finished
from engine.connections.entrance import SessionRefused
from engine.connections.output import LINGER
from engine.connections.timers import AFTER, Command
from engine.errors import HostError, LinkLost, Overdue

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.connections.base import Script
    from engine.connections.ending import Leader
    from engine.connections.entrance import Entrance
    from engine.connections.output import Outputs

    Errand = Callable[[Entrance, Script], Finished]
    EndAll = Callable[[Entrance], bool]


_SOON = 0.02
"""Seconds between two looks whether it has said its process id."""


class UnderWay:
    """One command; a context that lasts as long as it does.

    Args:
        sessions: of the account that it runs as.
        leader: finds the process that it began with; None while nothing of that is known.
        timeout: seconds.
        errand: runs a script of ours on the host, in a session of its own; None where the command
            is one.
        end_all: ends it, where no leader is ever known; says whether it is known to be gone.
    """

    def __init__(
        self,
        sessions: Entrance,
        leader: Callable[[], Leader | None],
        timeout: float,
        errand: Errand | None,
        end_all: EndAll | None = None,
    ) -> None:
        """It begins now."""
        self._sessions = sessions
        self._leader = leader
        self._timeout = timeout
        self._errand = errand
        self._end_all = end_all  # a method of its own would make a circle of each command
        self._began = time.monotonic()
        self._over = threading.Event()
        self.deadline = self._began + timeout
        """Monotonic."""

    def __enter__(self) -> Self:
        """It has begun."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """It has ended, or goes on where nobody sees it."""
        self._over.set()
        if kind is LinkLost and not self._sessions.alive:
            self._lose()

    def wait(self, event: threading.Event) -> bool:
        """Whether an event comes before the deadline."""
        if event.wait(min(AFTER, self._left())):
            return True
        leader, errand = self._led(), self._errand
        if leader is not None and errand is not None:
            self._sessions.timers.start(
                lambda script: errand(self._sessions, script),
                Command(leader, self.deadline),
                self._over,
            )
        return event.wait(self._left())

    def overdue(self, outputs: Outputs) -> Overdue:
        """End it, since its time is over; the error says what is known of it."""
        gone = self._end()
        if not gone:
            self._lose()
        found = {"stdout": outputs.stdout.output().text, "stderr": outputs.stderr.output().text}
        return Overdue(self._timeout, found, gone=gone)

    def end(self) -> None:
        """End it from another thread, and wait a moment until that has been heard of."""
        until = time.monotonic() + LINGER
        while self._is_silent() and time.monotonic() < until:
            if self._over.wait(_SOON):
                return
        if self._end():
            self._over.wait(LINGER)

    def finished(self, status: int, outputs: Outputs) -> Finished:
        """Its end."""
        seconds = time.monotonic() - self._began
        return Finished(status, outputs.stdout.output(), outputs.stderr.output(), seconds)

    def _left(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    def _end(self) -> bool:
        """Whether all of it is known to have ended."""
        # By another channel: RFC 4254's `signal` request is refused for root logins.
        end_all = self._end_all or self._end_led
        with contextlib.suppress(HostError):
            try:
                return end_all(self._sessions)
            except SessionRefused:
                with self._sessions.apart() as others:
                    return end_all(others)
        return False

    def _end_led(self, sessions: Entrance) -> bool:
        leader = self._led()
        if leader is None or self._errand is None:
            return False
        return self._errand(sessions, leader.end).status == 0

    def _is_silent(self) -> bool:
        """Whether it may yet say its process id."""
        return self._end_all is None and self._errand is not None and self._led() is None

    def _led(self) -> Leader | None:
        """The process that it began with, once it has said which that is."""
        leader = self._leader()
        return None if leader is None or leader.pid is None else leader

    def _lose(self) -> None:
        leader = self._leader()
        if leader is not None and self._errand is not None:
            self._sessions.timers.lose(Command(leader, self.deadline))
