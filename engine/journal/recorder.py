"""Writes one run's events, durably where a promise hangs on it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from engine.events import (
    PROGRESS,
    ApprovalAnswered,
    Intent,
    RunEnded,
    RunResumed,
    RunStarted,
    TaskEnded,
    encode,
)
from engine.journal.chain import BEGINNING, Head, seal
from engine.journal.database import connect, plain_errors

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from engine.events import Event
    from engine.journal.claim import Claim

_DURABLE = (RunStarted, RunResumed, ApprovalAnswered, Intent, RunEnded)


class SqliteRecorder:
    """A `Recorder` into a SQLite file, with a connection of its own."""

    def __init__(self, path: Path, run: str, claim: Claim) -> None:
        """Write this run, whose claim we hold and give back.

        Raises:
            JournalError: the file cannot be opened.
        """
        self._path = path
        self._run = run
        self._claim = claim
        self._lock = threading.Lock()
        with plain_errors(path):
            self._database = connect(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """As `Recorder.close`."""
        with self._lock:
            self._database.close()
            self._claim.close()

    def tell(self, event: Event) -> None:
        """As `Recorder.tell`."""
        if isinstance(event, PROGRESS):
            return
        durable = _promised(event)
        encoded = encode(event)
        with self._lock, plain_errors(self._path):
            # With FULL the commit waits for the disk, and for all commits before it.
            level = "FULL" if durable else "NORMAL"
            self._database.execute(f"PRAGMA synchronous = {level}")
            head = self._append(encoded)
            self._claim.note(head, durable=durable)

    def _append(self, encoded: bytes) -> Head:
        database, run = self._database, self._run
        try:
            database.execute("BEGIN IMMEDIATE")
            # Read back each time: after a failed or interrupted commit only the file knows.
            head = seal(read_head(database, run), run, encoded)
            database.execute(
                "INSERT INTO records VALUES (?, ?, ?, ?)", (run, head.count, encoded, head.hash)
            )
            database.execute(
                "INSERT INTO runs (run, count, head) VALUES (?, ?, ?)"
                " ON CONFLICT (run) DO UPDATE SET count = excluded.count, head = excluded.head",
                (run, head.count, head.hash),
            )
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
        return head


def _promised(event: Event) -> bool:
    """Whether the event must have reached the disk before anything is done that follows from it."""
    return isinstance(event, _DURABLE) or (
        isinstance(event, TaskEnded) and event.intent is not None
    )


def read_head(database: sqlite3.Connection, run: str) -> Head:
    """Where the run's chain ends, as the database has it."""
    row = database.execute("SELECT count, head FROM runs WHERE run = ?", (run,)).fetchone()
    return Head(*row) if row else BEGINNING
