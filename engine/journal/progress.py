"""How far a run got, from its events: what `resume` goes on from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

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

_Told = TypeVar("_Told", TaskEnded, Intent)

Key = tuple[str, str, str | None]
"""Task id, host, and the loop's item."""

_LAST_WORDS = frozenset({"resolve", "always"})
"""Phases that belong to the end of a session: one that goes on is to end, and ends anew."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run got.

    Args:
        started: how it began.
        options: what the command line said, the last time.
        files: what was read for it, with the sha256 of each, the last time.
        tasks: each task's id with its digest, the last time.
        finished: the last result of each task on each host, failures too; none for a task whose
            action is in `unknown`, and none of a `resolve` or `always` that is over.
        severity: the last that was judged.
        approvals: every answer, in order.
        unknown: actions that may have been sent and whose outcome is not known, in the order they
            were sent. Never to be sent again unseen.
        phase: the last that began.
        ended: how it ended; None if it was broken off, also after it was resumed.
    """

    started: RunStarted
    options: Mapping[str, Any]
    files: Mapping[str, str]
    tasks: Mapping[str, str]
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
    ends = [event for event in events if isinstance(event, RunEnded | RunResumed)]
    judged = [event for event in events if isinstance(event, SeverityJudged)]
    phases = [event.phase for event in events if isinstance(event, PhaseStarted)]
    begun = [event for event in events if isinstance(event, RunStarted | RunResumed)]
    # Older quells did not say it again, or not at all.
    said = [event for event in begun if event.files or event.tasks] or begun[:1]
    tale = _Tale()
    for event in events:
        tale.tell(event)
    end = ends[-1] if ends else None
    return Progress(
        started=events[0],
        options=next((event.options for event in reversed(begun) if event.options), {}),
        files=said[-1].files,
        tasks=said[-1].tasks,
        finished={key: result for key, result in tale.results.items() if key not in tale.sent},
        severity=judged[-1] if judged else None,
        approvals=tuple(event for event in events if isinstance(event, ApprovalAnswered)),
        unknown=tuple(tale.sent.values()),
        phase=phases[-1] if phases else None,
        ended=end if isinstance(end, RunEnded) else None,
    )


def renamed(so_far: Progress, moved: Mapping[str, str]) -> Progress:
    """The same for a playbook whose tasks have other ids by now, as `RunResumed.moved` has it."""
    tale = _Tale(dict(so_far.finished), {_key(intent): intent for intent in so_far.unknown})
    tale.rename(moved)
    return replace(so_far, finished=tale.results, unknown=tuple(tale.sent.values()))


@dataclass(slots=True)
class _Tale:
    """What is known of each task, as the run is told.

    Args:
        results: the last of each.
        sent: actions whose outcome is not known: no result was recorded, or it says `unknown`;
            and nothing since has told: neither a result of the same task that found it done or
            did it, nor a new intent, which follows a new look.
    """

    results: dict[Key, TaskEnded] = field(default_factory=dict)
    sent: dict[Key, Intent] = field(default_factory=dict)

    def tell(self, event: Event) -> None:
        """What happened next."""
        if isinstance(event, Intent):
            self.sent.pop(_key(event), None)
            self.sent[_key(event)] = event
        elif isinstance(event, TaskEnded):
            self._ended(event)
        elif isinstance(event, RunEnded):
            kept = self.results.items()
            self.results = {key: last for key, last in kept if last.phase not in _LAST_WORDS}
        elif isinstance(event, RunResumed) and event.moved:
            self.rename(event.moved)

    def rename(self, moved: Mapping[str, str]) -> None:
        """Tasks have other ids from now on; those without one are forgotten."""
        self.results = _renamed(self.results, moved)
        self.sent = _renamed(self.sent, moved)

    def _ended(self, event: TaskEnded) -> None:
        self.results[_key(event)] = event
        if intent := self.sent.get(_key(event)):
            told = event.intent == intent.intent and event.status != "unknown"
            if told or event.status in ("ok", "changed"):
                del self.sent[_key(event)]


def _renamed(told: Mapping[Key, _Told], moved: Mapping[str, str]) -> dict[Key, _Told]:
    found = (
        msgspec.structs.replace(event, task=moved.get(event.task, event.task))
        for event in told.values()
    )
    return {_key(event): event for event in found if event.task}


def _key(event: TaskEnded | Intent) -> Key:
    return (event.task, event.host, event.item)
