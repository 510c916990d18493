"""The journal over either store: what is said of runs, read and written with the same SQL."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

from engine.errors import JournalError
from engine.journal import actions, locks, stops
from engine.journal.chain import verify
from engine.journal.choose import check_id, choose
from engine.journal.reading import decoded, head_of
from engine.journal.store import Kept
from engine.journal.summary import damaged, summarise
from engine.journal.writer import this_process

if TYPE_CHECKING:
    from engine.events import Event
    from engine.journal.base import Recorder, RunSummary
    from engine.journal.guards import Hold, Holder, Sent, Target
    from engine.journal.store import Store

_JUDGED = b'{"event":"severity_judged",'
"""How an encoded `SeverityJudged` begins: found without decoding the whole run."""


class StoredJournal:
    """A `Journal` in a store."""

    def __init__(self, store: Store) -> None:
        """Keep runs there."""
        self._store = store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """As `Journal.close`."""
        self._store.close()

    # ── runs ──

    def begin(self, run: str) -> Recorder:
        """As `Journal.begin`."""
        return self._store.begin(check_id(run))

    def alive(self, run: str) -> bool:
        """As `Journal.alive`."""
        with self._store.reading() as transaction:
            return transaction.alive(run)

    def running(self) -> list[str]:
        """As `Journal.running`."""
        claimed = sorted(self._store.claimed())
        with self._store.reading() as transaction:
            return [run for run in claimed if transaction.alive(run)]

    def find(self, prefix: str) -> str:
        """As `Journal.find`."""
        with self._store.reading() as transaction:
            rows = transaction.rows("SELECT run FROM runs ORDER BY number DESC")
        known = [str(run) for (run,) in rows]
        # One that only its claim remembers is found too: its events then say that it is lost.
        return choose(prefix, known + sorted(self._store.claimed() - set(known), reverse=True))

    def events(self, run: str) -> list[Event]:
        """As `Journal.events`."""
        # Its claim is read first: a run that goes on is then only ever ahead of it.
        kept = self._store.kept(run)
        with self._store.reading() as transaction:
            end = head_of(transaction, run)
            records = transaction.rows(
                "SELECT number, event, hash FROM records WHERE run = :run ORDER BY number", run=run
            )
            if kept is None and not records:
                raise JournalError(f"nothing of run {run} is in the journal")
            verify(run, records, end=end, durable=(kept or Kept()).durable)
            events = [decoded(run, number, event) for number, event, _ in records]
            actions.check(transaction, run, events)
        return events

    def missing(self, run: str) -> int:
        """As `Journal.missing`."""
        kept = self._store.kept(run)
        with self._store.reading() as transaction:
            count = head_of(transaction, run).count
        return max(0, kept.last - count) if kept else 0

    def runs(self, limit: int | None = None) -> list[RunSummary]:
        """As `Journal.runs`."""
        with self._store.reading() as transaction:
            rows = transaction.rows(
                "SELECT run FROM runs ORDER BY number DESC LIMIT :limit",
                limit=sys.maxsize if limit is None else limit,
            )
        return [self._summary(str(run)) for (run,) in rows]

    def _summary(self, run: str) -> RunSummary:
        try:
            # In this order: a run that ends in between has then ended, and not broken off.
            alive = self.alive(run)
            with self._store.reading() as transaction:
                rows = transaction.rows(
                    "SELECT number, event FROM records WHERE run = :run AND (number = 1 OR"
                    " number = (SELECT max(number) FROM records WHERE run = :run) OR"
                    " substr(event, 1, :length) = :judged) ORDER BY number",
                    run=run,
                    judged=_JUDGED,
                    length=len(_JUDGED),
                )
            story = [decoded(run, number, event) for number, event in rows]
        except JournalError:
            return damaged(run)
        return summarise(run, story, alive=alive)

    # ── between runs ──

    def history(self, target: Target, module: str | None = None, *, limit: int = 20) -> list[Sent]:
        """As `Journal.history`."""
        with self._store.reading() as transaction:
            return actions.history(transaction, target, module, limit)

    def holder(self, target: Target) -> Holder | None:
        """As `Journal.holder`."""
        with self._store.reading() as transaction:
            found = locks.holder(transaction, target)
            return found if found and transaction.alive(found.run) else None

    def cancel(self, run: str) -> None:
        """As `Journal.cancel`."""
        with self._store.writing() as transaction:
            stops.cancel(transaction, run, this_process())

    def hold(self) -> Hold | None:
        """As `Journal.hold`."""
        with self._store.reading() as transaction:
            return stops.held(transaction)

    def hold_all(self, why: str, seconds: float | None = None) -> Hold:
        """As `Journal.hold_all`."""
        with self._store.writing() as transaction:
            return stops.hold(transaction, this_process(), why, seconds)

    def lift(self) -> Hold | None:
        """As `Journal.lift`."""
        with self._store.writing() as transaction:
            return stops.lift(transaction)
