"""Writes one run's events into the SQLite file, durably where a promise hangs on it."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING, Self

from engine.errors import JournalError
from engine.events import PROGRESS, Intent, encode
from engine.journal import actions, locks, stops
from engine.journal.chain import Head, seal
from engine.journal.reading import head_of
from engine.journal.recording import is_promised
from engine.journal.sqlite.database import connect, plain_errors
from engine.journal.sqlite.transaction import SqliteTransaction, looking, writing
from engine.journal.writer import this_process

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from engine.events import Event
    from engine.journal.guards import Heeded, Holder, Target
    from engine.journal.sqlite.claim import Claim

    _Record = tuple[str, int, bytes, bytes]


# In one statement: with each, SQLite lets go of the interpreter, which others then keep for long.
_INSERT, _ROW = "INSERT INTO records VALUES ", "(?, ?, ?, ?)"
_AT_ONCE = 100
"""Records; SQLite's parameters are counted."""


class SqliteRecorder:
    """A `Recorder` into a SQLite file, with a connection of its own."""

    def __init__(self, path: Path, run: str, claim: Claim) -> None:
        """Write this run, whose claim we hold and give back.

        Raises:
            JournalError: the file cannot be opened or written.
        """
        self._path = path
        self._run = run
        self._claim = claim
        self._lock = threading.Lock()
        self._level = ""
        with plain_errors(path):
            self._database = connect(path)
            self._transaction = SqliteTransaction(self._database, claim.path.parent)
            try:
                with self._writing(durable=False):
                    # What is left of an earlier session of the run, which is over.
                    locks.release(self._transaction, run)
                    stops.forget(self._transaction, run)
            except BaseException:
                self._database.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """As `Recorder.close`."""
        with suppress(JournalError):  # without its claim, the run's locks count no more
            self.unlock()
        with self._lock:
            self._database.close()
            self._claim.close()

    def tell(self, event: Event) -> None:
        """As `Recorder.tell`."""
        self.tell_all([event])

    def tell_all(self, events: Sequence[Event]) -> None:
        """As `Recorder.tell_all`, in one transaction."""
        kept = [(event, encode(event)) for event in events if not isinstance(event, PROGRESS)]
        if not kept:
            return
        durable = any(is_promised(event) for event, _ in kept)
        with self._lock, plain_errors(self._path):
            with self._writing(durable=durable):
                head = self._append(kept)
            self._claim.note(head, durable=durable)

    def _append(self, kept: Sequence[tuple[Event, bytes]]) -> Head:
        transaction, run = self._transaction, self._run
        # Read back each time: after a failed or interrupted commit only the file knows.
        head = head_of(transaction, run)
        first = head.count + 1
        records: list[_Record] = []
        for event, encoded in kept:
            if isinstance(event, Intent):
                stops.permit(transaction, run)
            head = seal(head, run, encoded)
            records.append((run, head.count, encoded, head.hash))
        for some in _batches(records):
            self._database.execute(_INSERT + ", ".join([_ROW] * len(some)), [*chain(*some)])
        for number, (event, _) in enumerate(kept, first):
            actions.index(transaction, run, number, event)
        transaction.rows(
            "INSERT INTO runs (run, count, head) VALUES (:run, :count, :head)"
            " ON CONFLICT (run) DO UPDATE SET count = excluded.count, head = excluded.head",
            run=run,
            count=head.count,
            head=head.hash,
        )
        return head

    def lock(self, targets: Iterable[Target]) -> dict[Target, Holder]:
        """As `Recorder.lock`."""
        with self._lock, plain_errors(self._path), self._writing(durable=False):
            return locks.take(self._transaction, self._run, targets, this_process())

    def unlock(self, targets: Iterable[Target] | None = None) -> None:
        """As `Recorder.unlock`."""
        with self._lock, plain_errors(self._path), self._writing(durable=False):
            locks.release(self._transaction, self._run, targets)

    def heed(self) -> Heeded:
        """As `Recorder.heed`."""
        with self._lock, plain_errors(self._path), looking(self._database):
            return stops.heed(self._transaction, self._run)

    @contextmanager
    def _writing(self, *, durable: bool) -> Iterator[None]:
        # With FULL the commit waits for the disk, and for all commits before it.
        level = "FULL" if durable else "NORMAL"
        if level != self._level:
            self._database.execute(f"PRAGMA synchronous = {level}")
            self._level = level
        with writing(self._database):
            yield


def _batches(records: Sequence[_Record]) -> Iterator[Sequence[_Record]]:
    for start in range(0, len(records), _AT_ONCE):
        yield records[start : start + _AT_ONCE]
