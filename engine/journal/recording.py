"""What of a run's events is recorded, and which of them a promise hangs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.events import (
    ApprovalAnswered,
    GlassBroken,
    Intent,
    RunEnded,
    RunResumed,
    RunStarted,
    TaskEnded,
)

if TYPE_CHECKING:
    from engine.events import Event

_DURABLE = (RunStarted, RunResumed, GlassBroken, ApprovalAnswered, Intent, RunEnded)


def is_promised(event: Event) -> bool:
    """Whether the event must have reached the disk before anything is done that follows from it."""
    return isinstance(event, _DURABLE) or (
        isinstance(event, TaskEnded) and event.intent is not None
    )
