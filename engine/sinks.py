"""Whoever is told a run's events: the journal, the console, lines of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.events import Event


class Tell(Protocol):
    """Makes events known, in order."""

    def __call__(self, *events: Event) -> None:
        """Return when every sink has been told."""


class Sink(Protocol):
    """Is told every event, in order, under the run's lock."""

    def tell(self, event: Event) -> None:
        """Take note of it. The journal makes `Intent` and what ends an action durable first."""


@runtime_checkable
class GroupSink(Sink, Protocol):
    """One that takes several events for less than each of them would cost."""

    def tell_all(self, events: Sequence[Event]) -> None:
        """Take note of them, in order."""
        ...
