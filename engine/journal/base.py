"""The journal's seam: what runs write and the commands read, whatever keeps it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from datetime import datetime

    from engine.events import Event

State = Literal["running", "ended", "broken off", "damaged"]
"""`broken off`: no end was recorded, and no living process writes the run."""


class RunSummary(Struct, frozen=True, kw_only=True):
    """One run, in a line.

    Args:
        run: its id.
        state: whether it goes on, ended, was broken off, or can no longer be read.
        started: when; None if that cannot be read.
        playbook: its name.
        severity: the last that was judged.
        outcome: how it ended, in the run's own words; the state where it did not.
        exit_code: the program's; None without an end.
        seconds: how long it took, or has taken so far.
        hosts: the playbook's hosts.
    """

    run: str
    state: State
    started: datetime | None = None
    playbook: str = ""
    severity: str | None = None
    outcome: str
    exit_code: int | None = None
    seconds: float | None = None
    hosts: list[str] = []


class Recorder(AbstractContextManager["Recorder"], Protocol):
    """Writes one run: an `events.Sink`. While it is open, no other process can write that run."""

    def tell(self, event: Event) -> None:
        """Record the event; safe to call from several threads.

        What a promise hangs on (the start, the end, answers, intents and their outcomes) has
        reached the disk when this returns; the rest outlives the process, not a power cut.
        `events.PROGRESS` is not recorded.

        Raises:
            JournalError: it is not recorded: what it announces must not be done.
        """
        ...

    def close(self) -> None:
        """Let go of the run; safe to call twice."""
        ...


class Journal(AbstractContextManager["Journal"], Protocol):
    """All runs. Several processes may use it at once."""

    def begin(self, run: str) -> Recorder:
        """Write a run: a new one, or go on with one that stopped.

        To resume, begin first and read its events then: nobody else can be resuming it.

        Raises:
            GuardRefused: a living process is writing it; says which.
            JournalError: it cannot be written.
        """
        ...

    def alive(self, run: str) -> bool:
        """Whether a living process is writing it."""
        ...

    def find(self, prefix: str) -> str:
        """The run's id, from its id, the start of it, or `last`.

        Raises:
            InputError: no such run, with the nearest; or several.
            JournalError: it was recorded, and the journal has lost it.
        """
        ...

    def events(self, run: str) -> list[Event]:
        """What happened in a run, every record checked.

        Raises:
            JournalError: names the first record that was altered, moved or removed.
        """
        ...

    def missing(self, run: str) -> int:
        """How many of the last records are gone that had not been promised to reach the disk.

        Above zero after a power cut of the controller, or damage to the file.
        """
        ...

    def runs(self, limit: int | None = None) -> list[RunSummary]:
        """The last runs, newest first; their chains are not checked."""
        ...

    def close(self) -> None:
        """Let go of the journal; safe to call twice."""
        ...
