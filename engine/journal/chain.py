"""The hash chain: each record of a run seals all that came before it.

Found: any record that was altered, removed, moved or taken from another run, and the removal of
the last ones; for where the chain ends (its head) is kept twice: in the database, and in the
run's claim file beside it. A run that is gone altogether is found when it is asked for by its id.
Not found: a writer who seals the chain and both heads anew, for there is no key. This tells damage
and careless edits, not a forger.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Iterable


class Head(Struct, frozen=True):
    """Where a run's chain ends: how many records it has, and the last one's hash."""

    count: int
    hash: bytes


BEGINNING = Head(0, bytes(32))
"""Before a run's first record."""


def seal(head: Head, run: str, event: bytes) -> Head:
    """The head after one more record."""
    number = head.count + 1
    parts = (head.hash, number.to_bytes(8, "big"), run.encode(), b"\0", event)
    return Head(number, hashlib.sha256(b"".join(parts)).digest())


def verify(
    run: str, records: Iterable[tuple[int, bytes, bytes]], *, end: Head, durable: Head
) -> None:
    """Check a run's records.

    Args:
        run: its id.
        records: number, encoded event and hash, in the order of their numbers.
        end: where the chain must end.
        durable: a head that it must have gone through.

    Raises:
        JournalError: names the first record that is not what was written.
    """
    head = BEGINNING
    for number, event, digest in records:
        if number != head.count + 1:
            raise _damaged(run, head.count + 1, "is missing")
        if not isinstance(event, bytes) or seal(head, run, event).hash != digest:
            raise _damaged(run, number, "is not what was written")
        head = Head(number, digest)
        if number == durable.count and head != durable:
            raise _damaged(run, number, "is not what was written")
    written = max(end.count, durable.count)
    if head.count < written:
        raise _damaged(run, head.count + 1, f"is missing; {written} were written")
    if head != end:
        raise _damaged(run, head.count, "is not the last that was written")


def _damaged(run: str, number: int, what: str) -> JournalError:
    return JournalError(f"the journal is damaged: in run {run}, record {number} {what}")
