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
    from collections.abc import Iterable, Mapping, Sequence

    from engine.events import Event, PhaseName

Key = tuple[str, str, str | None]
"""Task id, host, and the loop's item."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run got.

    Args:
        started: how it began.
        finished: the last result of each task on each host, failures too; none for a task whose
            action is in `unknown`.
        severity: the last that was judged.
        approvals: every answer, in order.
        unknown: actions that may have been sent and whose outcome is not known. Never to be sent
            again unseen.
        phase: the last that began.
        ended: how it ended; None if it was broken off, also after it was resumed.
    """

    started: RunStarted
    finished: Mapping[Key, TaskEnded]
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
    results = {_key(event): event for event in events if isinstance(event, TaskEnded)}
    ends = [event for event in events if isinstance(event, RunEnded | RunResumed)]
    judged = [event for event in events if isinstance(event, SeverityJudged)]
    phases = [event.phase for event in events if isinstance(event, PhaseStarted)]
    unsure = unknown(events)
    doubtful = {_key(intent) for intent in unsure}
    end = ends[-1] if ends else None
    return Progress(
        started=events[0],
        finished={key: result for key, result in results.items() if key not in doubtful},
        severity=judged[-1] if judged else None,
        approvals=tuple(event for event in events if isinstance(event, ApprovalAnswered)),
        unknown=unsure,
        phase=phases[-1] if phases else None,
        ended=end if isinstance(end, RunEnded) else None,
    )


def unknown(events: Iterable[Event]) -> tuple[Intent, ...]:
    """The actions whose outcome is not known, in the order they were sent.

    No result was recorded, or it says `unknown`; and nothing since has told: neither a result of
    the same task that found it done or did it, nor a new intent, which follows a new look.
    """
    sent: dict[Key, Intent] = {}
    for event in events:
        if isinstance(event, Intent):
            sent.pop(_key(event), None)
            sent[_key(event)] = event
        elif isinstance(event, TaskEnded) and (intent := sent.get(_key(event))):
            told = event.intent == intent.intent and event.status != "unknown"
            if told or event.status in ("ok", "changed"):
                del sent[_key(event)]
    return tuple(sent.values())


def _key(event: TaskEnded | Intent) -> Key:
    return (event.task, event.host, event.item)
