"""What is read of a run's records, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine import events
from engine.errors import JournalError
from engine.journal.chain import BEGINNING, Head

if TYPE_CHECKING:
    from engine.events import Event
    from engine.journal.store import Transaction


def head_of(transaction: Transaction, run: str) -> Head:
    """Where the run's chain ends, as the store has it."""
    rows = transaction.rows("SELECT count, head FROM runs WHERE run = :run", run=run)
    return Head(*rows[0]) if rows else BEGINNING


def decoded(run: str, number: int, event: bytes) -> Event:
    """The event of a record.

    Raises:
        JournalError: it is none that this quell knows.
    """
    try:
        return events.decode(event)
    except (msgspec.DecodeError, TypeError, UnicodeDecodeError) as error:
        raise JournalError(
            f"run {run}, record {number} is not an event that this quell knows: {error}"
        ) from error
