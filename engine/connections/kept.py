"""Something that is opened when it is first needed, and anew when it has died."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from engine.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_REST = 1.0
"""Seconds at least between two attempts."""

ENDED = "the run has ended"


class Kept(Generic[T]):
    """Holds one thing, such as a host's connection. Thread-safe: all wait for the one attempt.

    A failure answers whoever comes next, for as long as the attempt took: so no more than half of
    a run is spent waiting for a dead host, and one that comes back is seen. A failure that another
    attempt cannot mend answers for good, unless there was a success before: then it is of a host
    that is just starting, and lets nobody in yet.

    Args:
        name: for messages.
        open_: opens it, or raises `Unreachable`; called on a thread of its own.
        alive: whether it can still be used.
        close: gives it up.
    """

    def __init__(
        self,
        name: str,
        open_: Callable[[], T],
        alive: Callable[[T], bool],
        close: Callable[[T], None],
    ) -> None:
        """Open nothing yet."""
        self._name = name
        self._open = open_
        self._alive = alive
        self._close = close
        self._changed = threading.Condition()
        self._opened: T | None = None
        self._failure: Exception | None = None
        self._rests_until = 0.0
        self._trying = False
        self._succeeded = False
        self._interruptions = 0
        self._ended = False

    @property
    def opened(self) -> T | None:
        """What was opened last, alive or not."""
        return self._opened

    def get(self, timeout: float | None = None) -> T:
        """What is open, or will be.

        Args:
            timeout: seconds to wait; None for as long as the attempt takes.

        Raises:
            Unreachable: it cannot be opened, or not in time.
        """
        with self._changed:
            if not self._ended and self._opened is not None and self._alive(self._opened):
                return self._opened
            self._recall()
            if not self._trying:
                self._begin()
            self._wait(timeout)
            if self._failure is not None:
                raise self._told(self._failure)
            assert self._opened is not None
            return self._opened

    def _recall(self) -> None:
        """Answer with what is known already."""
        if self._ended:
            raise Unreachable(ENDED)
        if self._failure is not None and not self._trying and time.monotonic() < self._rests_until:
            raise self._told(self._failure)

    def _begin(self) -> None:
        self._trying = True
        self._failure = None
        threading.Thread(target=self._try, daemon=True, name="connect").start()

    def _wait(self, timeout: float | None) -> None:
        seen = self._interruptions

        def settled() -> bool:
            return self._ended or not self._trying or self._interruptions != seen

        in_time = self._changed.wait_for(settled, timeout)
        if self._ended:
            raise Unreachable(ENDED)
        if not in_time:
            raise Unreachable(f"{self._name}: no connection within {round(timeout or 0, 2):g} s")
        if self._trying:
            raise Unreachable(f"{self._name}: interrupted before there was a connection")

    def _try(self) -> None:
        started = time.monotonic()
        opened: T | None = None
        failure: Exception | None = None
        if self._opened is not None:
            self._close(self._opened)
        try:
            opened = self._open()
        except Exception as error:  # noqa: BLE001  # raised again where it is waited for
            failure = error
        with self._changed:
            self._trying = False
            self._opened, self._failure = opened, failure
            self._succeeded = self._succeeded or opened is not None
            self._rests_until = self._rest(failure, time.monotonic() - started)
            self._changed.notify_all()
            too_late = self._ended
        if too_late and opened is not None:
            self._close(opened)

    def _rest(self, failure: Exception | None, took: float) -> float:
        if not isinstance(failure, Unreachable):
            return 0.0
        if failure.lasting and not self._succeeded:
            return float("inf")
        return time.monotonic() + max(_REST, took)

    def _told(self, failure: Exception) -> Exception:
        if isinstance(failure, Unreachable):  # each thread's own: it will have its own traceback
            return Unreachable(failure.message, lasting=failure.lasting)
        return failure

    @property
    def interruptions(self) -> int:
        """How often it was interrupted."""
        return self._interruptions

    def interrupt(self) -> None:
        """Let those go who wait for an attempt; it goes on, and serves whoever comes next."""
        with self._changed:
            self._interruptions += 1
            self._changed.notify_all()

    def rest(self) -> None:
        """Close what is open; whoever comes next opens it anew."""
        with self._changed:
            opened, self._opened = self._opened, None
        if opened is not None:
            self._close(opened)

    def close(self) -> None:
        """Give it up; it is not opened again. What is being opened now is closed when it is."""
        with self._changed:
            self._ended = True
            opened = self._opened
            self._changed.notify_all()
        if opened is not None:
            self._close(opened)
