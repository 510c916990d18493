"""Whether a run goes on: a signal, the failure budget or a fatal failure may end it early."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Halt:
    """The one place that says so. Signal handlers only raise flags here."""

    def __init__(self, cancel: Callable[[], None], revive: Callable[[], None]) -> None:
        """Nothing is halted.

        Args:
            cancel: stops what is under way on the hosts; safe from a signal handler.
            revive: lets work go on after that, for what must be done whatever happened.
        """
        self._cancel = cancel
        self._revive = revive
        self._cancelled = threading.Event()
        self._signals = 0
        self.signal = ""
        """That asked to stop; empty where none did."""
        self.reason = ""
        """Why no host is begun any more, other than by a signal."""

    def interrupt(self, signal: str) -> None:
        """A signal asks to stop: now; a second one drops what would have been done after it."""
        self._signals += 1
        self.signal = signal
        self._cancelled.set()
        self._cancel()

    @property
    def stops(self) -> bool:
        """Whether nothing more is begun, but for what must be done whatever happened."""
        return bool(self.signal or self.reason)

    @property
    def abandons(self) -> bool:
        """Whether nothing more is begun at all."""
        return self._signals > 1

    def go_on(self) -> None:
        """Make what follows possible after a signal: it must be done whatever happened."""
        if self._cancelled.is_set() and not self.abandons:
            self._cancelled.clear()
            self._revive()
