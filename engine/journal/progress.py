"""How far a run got, from its events: what `resume` goes on from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import JournalError
from engine.events import (
    ApprovalAnswered,
    Intent,
    PhaseStarted,
    RunEnded,
    RunResumed,
    RunStarted,
    SeverityJudged,
    TaskEnded,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.events import Event, PhaseName

Key = tuple[str, str, str | None]
"""Task id, host, and the loop's item."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run got.

    Args:
        started: how it began.
        results: the last result of each task on each host; failures too.
        severity: the last that was judged.
        approvals: every answer, in order.
        unknown: actions that were sent, or may have been, and whose outcome is not known: no
            result was recorded, or it says `unknown`. Never to be sent again unseen.
        phase: the last that began.
        ended: how it ended; None if it was broken off, also after it was resumed.
    """

    started: RunStarted
    results: Mapping[Key, TaskEnded]
    severity: SeverityJudged | None
    approvals: tuple[ApprovalAnswered, ...]
    unknown: tuple[Intent, ...]
    phase: PhaseName | None
    ended: RunEnded | None


def progress(events: Sequence[Event]) -> Progress:
    """How far the run got that these events tell.

    Raises:
        JournalError: they do not begin with the start of a run.
    """
    if not events or not isinstance(events[0], RunStarted):
        raise JournalError("the run's start is not in the journal")
    results = [event for event in events if isinstance(event, TaskEnded)]
    ends = [event for event in events if isinstance(event, RunEnded | RunResumed)]
    judged = [event for event in events if isinstance(event, SeverityJudged)]
    phases = [event.phase for event in events if isinstance(event, PhaseStarted)]
    end = ends[-1] if ends else None
    return Progress(
        started=events[0],
        results={(result.task, result.host, result.item): result for result in results},
        severity=judged[-1] if judged else None,
        approvals=tuple(event for event in events if isinstance(event, ApprovalAnswered)),
        unknown=unknown(events),
        phase=phases[-1] if phases else None,
        ended=end if isinstance(end, RunEnded) else None,
    )


def unknown(events: Sequence[Event]) -> tuple[Intent, ...]:
    """The actions among these events whose outcome is not known, in the order they were sent."""
    outcome = {event.intent: event.status for event in events if isinstance(event, TaskEnded)}
    return tuple(
        event
        for event in events
        if isinstance(event, Intent) and outcome.get(event.intent, "unknown") == "unknown"
    )
