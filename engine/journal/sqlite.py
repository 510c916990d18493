"""The journal in one SQLite file, with a claim file for each run in a directory beside it."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import msgspec

from engine import events
from engine.errors import JournalError
from engine.journal.chain import BEGINNING, verify
from engine.journal.choose import choose
from engine.journal.claim import Claim, held, kept
from engine.journal.database import connect, plain_errors, prepare
from engine.journal.recorder import SqliteRecorder, read_head
from engine.journal.summary import damaged, summarise

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from engine.events import Event
    from engine.journal.base import RunSummary

_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_JUDGED = b'{"event":"severity_judged",'
"""How an encoded `SeverityJudged` begins: found without decoding the whole run."""


class SqliteJournal:
    """A `Journal` in a file."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            JournalError: it cannot be made, opened or written, or is not a journal that we know.
        """
        self._path = path
        self._claims = path.with_name(f"{path.name}-runs")
        prepare(path, used=bool(self._claimed()))
        self._lock = threading.Lock()
        with plain_errors(path):
            self._database = connect(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """As `Journal.close`."""
        self._database.close()

    def begin(self, run: str) -> SqliteRecorder:
        """As `Journal.begin`."""
        claim = Claim(self._claim(run), run)
        try:
            return SqliteRecorder(self._path, run, claim)
        except BaseException:
            claim.close()
            raise

    def alive(self, run: str) -> bool:
        """As `Journal.alive`."""
        return held(self._claim(run))

    def find(self, prefix: str) -> str:
        """As `Journal.find`."""
        with self._reading() as database:
            rows = database.execute("SELECT run FROM runs ORDER BY number DESC").fetchall()
        known = [str(run) for (run,) in rows]
        # One that only its claim remembers is found too: its events then say that it is lost.
        return choose(prefix, known + sorted(self._claimed() - set(known), reverse=True))

    def events(self, run: str) -> list[Event]:
        """As `Journal.events`."""
        # The claim is read first: a run that goes on is then only ever ahead of it.
        claim = kept(self._claim(run))
        with self._reading() as database:
            end = read_head(database, run)
            records = database.execute(
                "SELECT number, event, hash FROM records WHERE run = ? ORDER BY number", (run,)
            ).fetchall()
        if claim is None and not records:
            raise JournalError(f"nothing of run {run} is in the journal")
        verify(run, records, end=end, durable=claim.durable if claim else BEGINNING)
        return [_decoded(run, number, event) for number, event, _ in records]

    def missing(self, run: str) -> int:
        """As `Journal.missing`."""
        claim = kept(self._claim(run))
        with self._reading() as database:
            count = read_head(database, run).count
        return max(0, claim.last - count) if claim else 0

    def runs(self, limit: int | None = None) -> list[RunSummary]:
        """As `Journal.runs`."""
        with self._reading() as database:
            rows = database.execute(
                "SELECT run FROM runs ORDER BY number DESC LIMIT ?",
                (-1 if limit is None else limit,),
            ).fetchall()
        return [self._summary(str(run)) for (run,) in rows]

    def _summary(self, run: str) -> RunSummary:
        try:
            # In this order: a run that ends in between has then ended, and not broken off.
            alive = self.alive(run)
            with self._reading() as database:
                rows = database.execute(
                    "SELECT number, event FROM records WHERE run = :run AND (number = 1 OR"
                    " number = (SELECT max(number) FROM records WHERE run = :run) OR"
                    " substr(event, 1, :length) = :judged) ORDER BY number",
                    {"run": run, "judged": _JUDGED, "length": len(_JUDGED)},
                ).fetchall()
            story = [_decoded(run, number, event) for number, event in rows]
        except JournalError:
            return damaged(run)
        return summarise(run, story, alive=alive)

    def _claim(self, run: str) -> Path:
        # It becomes a file's name, and may come from a file that somebody else has written.
        if not _RUN.fullmatch(run):
            raise JournalError(f"not a run's id: {run!r}")
        return self._claims / run

    def _claimed(self) -> set[str]:
        """The runs that were ever begun, as the claims have it."""
        if not self._claims.is_dir():
            return set()
        return {path.name for path in self._claims.iterdir()}

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """The database as it is at one moment."""
        with self._lock, plain_errors(self._path):
            self._database.execute("BEGIN")
            try:
                yield self._database
            finally:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")


def _decoded(run: str, number: int, event: bytes) -> Event:
    try:
        return events.decode(event)
    except (msgspec.DecodeError, TypeError, UnicodeDecodeError) as error:
        raise JournalError(
            f"run {run}, record {number} is not an event that this quell knows: {error}"
        ) from error
