"""What others say of a run while it goes on: stop, or hold all actions."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.errors import GuardRefused, JournalError
from engine.events import GuardHeld

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from engine.events import Event
    from engine.journal.base import Recorder
    from engine.journal.guards import Heeded, Hold

EVERY = 0.5
"""Seconds between two looks: so much later, at most, does a run begin to stop."""


class Heeder:
    """The journal as a sink, that heeds what others have written there of the run."""

    def __init__(self, recorder: Recorder) -> None:
        """Record there, and look there."""
        self._recorder = recorder
        self._stop: Callable[[str], None] = lambda _: None
        self._lock = threading.Lock()
        self._heard = 0

    def tell(self, event: Event) -> None:
        """Record it. An action that is refused because the run is to stop stops it at once."""
        self.tell_all([event])

    def tell_all(self, events: Sequence[Event]) -> None:
        """Record several, likewise."""
        try:
            self._recorder.tell_all(events)
        except GuardRefused as refused:
            if refused.guard == "cancel":
                self._heed()
            raise

    @contextmanager
    def watching(
        self, stop: Callable[[str], None], tell: Callable[[Event], None]
    ) -> Iterator[None]:
        """Look again and again, from a thread of its own: it is the run's sign of life, too.

        Args:
            stop: asks the run to stop, and says for whom.
            tell: makes an event known; the run's start has been.
        """
        self._stop = stop
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(tell, over), name="heed", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _watch(self, tell: Callable[[Event], None], over: threading.Event) -> None:
        hold: Hold | None = None
        try:
            while not over.is_set():
                heeded = self._heed()
                if heeded.hold and heeded.hold != hold:
                    message = f"all actions are on hold by {heeded.hold}"
                    tell(GuardHeld(guard="hold", message=message))
                hold = heeded.hold
                over.wait(EVERY)
        except JournalError:
            # What is under way on the hosts is ended: others may soon take the run for dead.
            self._stop("the loss of the journal")

    def _heed(self) -> Heeded:
        heeded = self._recorder.heed()
        with self._lock:
            for cancel in heeded.cancels[self._heard :]:
                self._stop(f"quell cancel ({cancel})")
            self._heard = max(self._heard, len(heeded.cancels))
        return heeded
