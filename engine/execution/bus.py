"""The one way from a run to its sinks: secrets masked, order kept, the journal first."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from engine.events import PROGRESS
from engine.sinks import GroupSink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.events import Event
    from engine.redact import Redactor
    from engine.sinks import Sink

_WORDS = frozenset(
    {
        "status", "phase", "mode", "run", "digest", "task", "module", "intent", "level", "files",
        "tasks", "moved",
    }
)  # fmt: skip
"""Fields that hold quell's own words; a secret that happens to equal one must not break them."""


class Bus:
    """Tells every sink each event; called from the run's thread and from workers."""

    def __init__(self, redactor: Redactor, sinks: Sequence[Sink]) -> None:
        """Tell these sinks, in this order: the journal comes first."""
        self._redactor = redactor
        self._tells = [_tell_all(sink) for sink in sinks]
        self._lock = threading.Lock()
        self._progress: deque[Event] = deque()

    def tell(self, *events: Event) -> None:
        """Mask events and hand them to each sink.

        Who only says how far it is does not wait: whoever is telling the sinks tells that, too.

        Raises:
            JournalError: they could not be recorded; then no later sink has seen any of them.
        """
        masked = [self._masked(event) for event in events] if self._redactor.knows else events
        if all(isinstance(event, PROGRESS) for event in masked):
            self._progress += masked
        else:
            with self._lock:
                self._hand_on_progress()
                self._hand_on(masked)
        while self._progress and self._lock.acquire(blocking=False):
            try:
                self._hand_on_progress()
            finally:
                self._lock.release()

    def _hand_on_progress(self) -> None:
        while self._progress:
            self._hand_on([self._progress.popleft()])

    def _hand_on(self, events: Sequence[Event]) -> None:
        for tell_all in self._tells:
            tell_all(events)

    def _masked(self, event: Event) -> Event:
        changed = {}
        for name in event.__struct_fields__:
            value = getattr(event, name)
            if name in _WORDS or not isinstance(value, str | list | dict):
                continue
            masked = self._redactor.value(value)
            if masked != value:
                changed[name] = masked
        return msgspec.structs.replace(event, **changed) if changed else event


def _tell_all(sink: Sink) -> Callable[[Sequence[Event]], None]:
    if isinstance(sink, GroupSink):
        return sink.tell_all

    def one_by_one(events: Sequence[Event]) -> None:
        for event in events:
            sink.tell(event)

    return one_by_one
