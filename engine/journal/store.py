"""The seam between the journal and what keeps it: one file, or a database for a team.

The SQL of the journal itself is written once, in the words that both kinds of database know; what
only one of them has stands behind this seam.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from engine.journal.chain import BEGINNING, Head

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from engine.journal.base import Recorder
    from engine.journal.clock import Moment


class Kept(Struct, frozen=True):
    """What is kept of a run beside its records.

    Args:
        durable: the head when a record had last reached the disk.
        last: the number of the last record that was written at all.
    """

    durable: Head = BEGINNING
    last: int = 0


class Transaction(Protocol):
    """All or nothing."""

    def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        """What a statement gives back; its `:name`s stand for the values."""
        ...

    def alone(self) -> None:
        """Wait until nobody else is in such a transaction, and keep others waiting."""
        ...

    def moment(self) -> Moment:
        """Now, by the journal's clock."""
        ...

    def alive(self, run: str) -> bool:
        """Whether the run is, or may still be, executed by a living process."""
        ...

    def bury(self, run: str) -> None:
        """Let nothing more be written of a run that was found dead, until it is begun again."""
        ...


class Store(Protocol):
    """A place for runs."""

    def begin(self, run: str) -> Recorder:
        """As `Journal.begin`."""
        ...

    def reading(self) -> AbstractContextManager[Transaction]:
        """The journal as it is at one moment.

        Raises:
            JournalError: it cannot be read.
        """
        ...

    def writing(self) -> AbstractContextManager[Transaction]:
        """A change of what is no run's own.

        Raises:
            JournalError: it cannot be written.
        """
        ...

    def kept(self, run: str) -> Kept | None:
        """What is kept of a run beside its records; None if it was never begun."""
        ...

    def claimed(self) -> set[str]:
        """The runs that were ever begun."""
        ...

    def close(self) -> None:
        """As `Journal.close`."""
        ...
