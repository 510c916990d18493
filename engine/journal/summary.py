"""A run in one line, from the few events that tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.events import RunEnded, RunStarted, SeverityJudged, now
from engine.journal.base import RunSummary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.events import Event
    from engine.journal.base import State


def summarise(run: str, story: Sequence[Event], *, alive: bool) -> RunSummary:
    """The run in a line.

    Args:
        run: its id.
        story: its first and last events, and every `SeverityJudged`; others do no harm.
        alive: whether a living process is writing it.
    """
    if not story or not isinstance(story[0], RunStarted):
        return damaged(run)
    first, last = story[0], story[-1]
    end = last if isinstance(last, RunEnded) else None
    state: State = "ended" if end else "running" if alive else "broken off"
    until = now() if state == "running" else last.at
    # A session that goes on may have found evidence that was not to be had before.
    judged = [e.level for e in story if isinstance(e, SeverityJudged) and not e.before]
    return RunSummary(
        run=run,
        state=state,
        started=first.at,
        playbook=first.playbook,
        severity=judged[-1] if judged else None,
        outcome=end.outcome if end else state,
        exit_code=end.exit_code if end else None,
        seconds=end.seconds if end else (until - first.at).total_seconds(),
        hosts=first.hosts,
    )


def damaged(run: str) -> RunSummary:
    """A run that can no longer be read; `quell show` says what is wrong with it."""
    return RunSummary(run=run, state="damaged", outcome="damaged")
