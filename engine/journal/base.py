"""The journal's seam: what runs write and the commands read, whatever keeps it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from engine.events import Event
    from engine.journal.guards import Heeded, Hold, Holder, Sent, Target

State = Literal["running", "ended", "broken off", "damaged"]
"""`broken off`: no end was recorded, and no living process writes the run."""


class RunSummary(Struct, frozen=True, kw_only=True):
    """One run, in a line.

    Args:
        run: its id.
        state: whether it goes on, ended, was broken off, or can no longer be read.
        started: when; None if that cannot be read.
        playbook: its name.
        severity: that was judged of the incident, before anything was done about it.
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
            GuardRefused: the event is an intent, and all actions are on hold, or somebody asked
                the run to stop; it is not recorded, and must not be done.
            JournalError: it is not recorded: what it announces must not be done.
        """
        ...

    def tell_all(self, events: Sequence[Event]) -> None:
        """Record several, in order, as `tell` does each; at the first that fails it ends."""
        ...

    def lock(self, targets: Iterable[Target]) -> dict[Target, Holder]:
        """Take the locks of all of these targets for the run, or of none.

        Kept until `unlock` or the run's end, however it ends; taken twice is taken. Those that are
        held by a run which no living process executes are taken over.

        Returns:
            Who holds which of them, for those that other runs hold; empty: they are ours.

        Raises:
            JournalError: they cannot be taken.
        """
        ...

    def unlock(self, targets: Iterable[Target] | None = None) -> None:
        """Give locks back, all of the run's unless said.

        Raises:
            JournalError: they cannot be given back; they are once the run ends.
        """
        ...

    def heed(self) -> Heeded:
        """What others want of this run: to be asked for about once a second.

        It is the run's sign of life, too. Where the journal was lost on the way it is found again
        here, or not: then nothing more may be done.

        Raises:
            JournalError: the journal is out of reach.
        """
        ...

    def close(self) -> None:
        """Let go of the run and its locks; safe to call twice."""
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

    def running(self) -> list[str]:
        """The runs that a living process is writing, by their ids."""
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

    def history(self, target: Target, module: str | None = None, *, limit: int = 20) -> list[Sent]:
        """What was sent to a target by any run, newest first.

        Args:
            target: as `guards.targets` names those of a change.
            module: only what this module did.
            limit: no more than the last of them.

        Raises:
            JournalError: one of them is not what was written.
        """
        ...

    def holder(self, target: Target) -> Holder | None:
        """Which run, that may be alive, holds the lock of a target."""
        ...

    def cancel(self, run: str) -> None:
        """Ask a run to stop, wherever it is executed: no action of it is sent from now on.

        Raises:
            JournalError: it cannot be asked.
        """
        ...

    def hold(self) -> Hold | None:
        """The hold that is in force: no run sends an action."""
        ...

    def hold_all(self, why: str, seconds: float | None = None) -> Hold:
        """Hold all actions of all runs, instead of any hold before.

        Args:
            why: in the words of who says so.
            seconds: until it ends by itself; None: when it is lifted.

        Raises:
            JournalError: it cannot be said.
        """
        ...

    def lift(self) -> Hold | None:
        """End the hold; what it was, None where there was none.

        Raises:
            JournalError: it cannot be lifted.
        """
        ...

    def close(self) -> None:
        """Let go of the journal; safe to call twice."""
        ...
