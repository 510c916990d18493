"""How far a run got, from its events: what `resume` goes on from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from engine.errors import JournalError
from engine.events import (
    ApprovalAnswered,
    PhaseStarted,
    RunEnded,
    RunResumed,
    RunStarted,
    SeverityJudged,
)
from engine.journal.tale import Tale, key_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.events import Event, Intent, PhaseName, TaskEnded
    from engine.journal.tale import Key


class Progress(Struct, frozen=True):
    """How far a run got.

    Args:
        started: how it began.
        options: what the command line said, the last time.
        files: what was read for it, with the sha256 of each, the last time.
        tasks: each task's id with its digest, the last time.
        finished: the last result of each task on each host. Failures too, as long as the session
            that they belong to has not ended; after that, only what needs no other try.
        severity: the last that was judged.
        approvals: every answer, in order.
        unknown: actions that may have been sent and whose outcome is not known, in the order they
            were sent. Never to be sent again unseen.
        doubtful: actions that were done, and may have been taken back since: by a rollback, or by
            the rescue or the end of a block that failed. To be looked at before they are sent.
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
    doubtful: tuple[Intent, ...]
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
    tale = Tale()
    for event in events:
        tale.tell(event)
    end = ends[-1] if ends else None
    return Progress(
        started=events[0],
        options=next((event.options for event in reversed(begun) if event.options), {}),
        files=said[-1].files,
        tasks=said[-1].tasks,
        finished=tale.results,
        severity=judged[-1] if judged else None,
        approvals=tuple(event for event in events if isinstance(event, ApprovalAnswered)),
        unknown=tuple(tale.sent.values()),
        doubtful=tuple(tale.doubted.values()),
        phase=phases[-1] if phases else None,
        ended=end if isinstance(end, RunEnded) else None,
    )


def renamed(so_far: Progress, moved: Mapping[str, str]) -> Progress:
    """The same for a playbook whose tasks have other ids by now, as `RunResumed.moved` has it."""
    unknown, doubtful = (
        {key_of(intent): intent for intent in intents}
        for intents in (so_far.unknown, so_far.doubtful)
    )
    tale = Tale(dict(so_far.finished), unknown, doubtful)
    tale.rename(moved)
    return replace(
        so_far,
        finished=tale.results,
        unknown=tuple(tale.sent.values()),
        doubtful=tuple(tale.doubted.values()),
    )
