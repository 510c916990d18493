"""Writes one run's events into the database, through lost connections and new ones."""

from __future__ import annotations

import time
from contextlib import nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

import psycopg
from msgspec import Struct

from engine.errors import JournalError
from engine.events import PROGRESS, Intent, TaskEnded, encode
from engine.journal import actions, locks, stops
from engine.journal.chain import BEGINNING, Head, seal
from engine.journal.postgres import claiming, claims
from engine.journal.postgres.errors import told
from engine.journal.postgres.link import Link
from engine.journal.postgres.transaction import PostgresTransaction
from engine.journal.reading import head_of
from engine.journal.recording import is_promised
from engine.journal.writer import this_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from engine.events import Event
    from engine.journal.guards import Heeded, Holder, Target
    from engine.journal.postgres.address import Address
    from engine.journal.postgres.link import Database

PATIENCE = 10.0
"""Seconds: for one answer of the server, and to get a lost connection back."""

_SIGN_OF_LIFE = 5.0
"""Seconds between two of them."""

_MOST = 1000
_MOST_BYTES = 4 * 2**20
"""What is kept here of records that the server has, but may not have on its disk yet."""

_FIRST = "INSERT INTO runs (run, count, head) VALUES (:run, :count, :hash) RETURNING run"
_NEXT = (
    "UPDATE runs SET count = :count, head = :hash"
    " WHERE run = :run AND count = :before_count AND head = :before_hash RETURNING run"
)
_REST = (
    "claim AS (UPDATE claims SET last = :count, seen = extract(epoch FROM clock_timestamp()),"
    " durable = CASE WHEN :durable THEN :count ELSE durable END,"
    " durable_hash = CASE WHEN :durable THEN :hash ELSE durable_hash END"
    " FROM head WHERE claims.run = head.run AND epoch = :epoch RETURNING claims.run)"
    # Without a claim of ours or with another head, the run is null, which undoes all of it.
    " INSERT INTO records (run, number, event, hash)"
    " SELECT claim.run, :count, :event, :hash FROM (SELECT) AS one LEFT JOIN claim ON true"
)
_NOT_OURS = (psycopg.errors.NotNullViolation, psycopg.errors.UniqueViolation)

Came = TypeVar("Came")


class _Record(Struct, frozen=True):
    """A sealed record: `before` and `head` are the chain's ends without it and with it."""

    before: Head
    head: Head
    event: Event
    encoded: bytes
    durable: bool


class PostgresRecorder:
    """A `Recorder` into a database, with a connection and a session of its own.

    Where the connection breaks in the middle of an append, only the server knows whether the
    record is there. It is asked on the next connection, by the record's number and seal: what it
    has not is sent again, and nothing is sent twice. So are the records before it that the server
    may have lost by a crash, for they had not been promised to reach its disk.
    """

    def __init__(self, address: Address, run: str) -> None:
        """Begin to write this run.

        Raises:
            GuardRefused: another process writes it, or may still come back to it.
            JournalError: it cannot be written.
        """
        self._address = address
        self._run = run
        self._writer = this_process()
        self._epoch = 0
        self._sessions: list[tuple[object, ...]] = []
        self._stored = self._durable = BEGINNING
        self._tail: list[_Record] = []
        self._tail_size = 0
        self._sending: _Record | None = None
        self._level = ""
        self._durable_level = "on"
        self._sign_of_life = 0.0
        self._over = ""
        self._link = Link(
            address, answers_within=PATIENCE, patience=PATIENCE, first=self._on_connected
        )
        try:
            self._do(lambda _: None)
        except BaseException:
            self._link.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """As `Recorder.close`."""
        with self._link.alone():
            if not self._over and self._link.is_open:
                with suppress(psycopg.Error):  # the session ends, and its lock with it
                    self._link.once(self._let_go)
            self._over = self._over or f"run {self._run} was closed"
            self._link.close()

    def tell(self, event: Event) -> None:
        """As `Recorder.tell`."""
        if isinstance(event, PROGRESS):
            return
        encoded = encode(event)
        with self._link.alone():
            durable = is_promised(event) or self._tail_is_long()
            head = seal(self._stored, self._run, encoded)
            self._sending = _Record(self._stored, head, event, encoded, durable)
            try:
                self._do(partial(self._append, self._sending))
            finally:
                sent, self._sending = self._sending, None
            if durable:
                self._durable = head
                self._tail, self._tail_size = [], 0
            else:
                self._tail.append(sent)
                self._tail_size += len(encoded)

    def tell_all(self, events: Sequence[Event]) -> None:
        """As `Recorder.tell_all`."""
        for event in events:
            self.tell(event)

    def lock(self, targets: Iterable[Target]) -> dict[Target, Holder]:
        """As `Recorder.lock`."""
        wanted = tuple(targets)

        def take(database: Database) -> dict[Target, Holder]:
            transaction = PostgresTransaction(database)
            with database.transaction():
                self._see_that_it_is_ours(transaction)
                return locks.take(transaction, self._run, wanted, self._writer)

        with self._link.alone():
            return self._do(take)

    def unlock(self, targets: Iterable[Target] | None = None) -> None:
        """As `Recorder.unlock`."""
        own = None if targets is None else tuple(targets)

        def release(database: Database) -> None:
            with database.transaction():
                locks.release(PostgresTransaction(database), self._run, own)

        with self._link.alone():
            self._do(release)

    def heed(self) -> Heeded:
        """As `Recorder.heed`."""

        def heed(database: Database) -> Heeded:
            transaction = PostgresTransaction(database)
            if time.monotonic() - self._sign_of_life > _SIGN_OF_LIFE:
                self._see_that_it_is_ours(transaction)
                self._sign_of_life = time.monotonic()
            return stops.heed(transaction, self._run)

        with self._link.alone():
            return self._do(heed)

    # ── below the link's lock ──

    def _do(self, work: Callable[[Database], Came]) -> Came:
        if self._over:
            raise JournalError(self._over)
        try:
            return self._link.do(work)
        except _NOT_OURS as failed:
            error = self._why_not(failed)
        except psycopg.Error as failed:
            error = told(failed, self._address)
            if self._link.is_open:
                raise error from failed
        except JournalError as final:
            error = final
        # Given up for good: by now others may have taken over what was ours.
        self._over = str(error)
        raise error

    def _on_connected(self, database: Database) -> None:
        transaction = PostgresTransaction(database)
        [(level,)] = transaction.rows("SHOW synchronous_commit")
        self._level, self._durable_level = level, "remote_apply" if "apply" in level else "on"
        before = list(self._sessions)
        self._sessions.append(claims.session(transaction))
        if not self._epoch:
            self._epoch = claiming.take(database, self._run, self._writer)
            self._stored = self._durable = head_of(transaction, self._run)
        else:
            claiming.retake(database, self._run, self._epoch, before)
            self._settle(transaction)
        del self._sessions[:-1]

    def _settle(self, transaction: PostgresTransaction) -> None:
        """Find out what the server has of what it was sent, and send it what it lost."""
        found = head_of(transaction, self._run)
        known = [self._durable, *(record.head for record in self._tail)]
        if self._sending:
            known.append(self._sending.head)
        if found not in known:
            raise JournalError(
                f"the journal {self._address.shown} has not what it had acknowledged of run"
                f" {self._run}: the server was set back, or another one took its place"
            )
        self._stored = found
        for record in self._tail:
            if record.head.count > found.count:
                self._choose_level(transaction, record)
                self._write(transaction, record)
                self._stored = record.head

    def _append(self, record: _Record, database: Database) -> None:
        if self._stored == record.head:
            return  # a connection before this one got it there
        transaction = PostgresTransaction(database)
        self._choose_level(transaction, record)
        with database.transaction() if _acts(record.event) else nullcontext():
            if isinstance(record.event, Intent):
                stops.permit(transaction, self._run)
            self._write(transaction, record)
            actions.index(transaction, self._run, record.head.count, record.event)
        self._stored = record.head

    def _choose_level(self, transaction: PostgresTransaction, record: _Record) -> None:
        # With `off` the commit does not wait for the server's disk. It is said outside of any
        # transaction, for one that is undone would take it back.
        level = self._durable_level if record.durable else "off"
        if self._level != level:
            transaction.rows("SELECT set_config('synchronous_commit', :level, false)", level=level)
            self._level = level

    def _write(self, transaction: PostgresTransaction, record: _Record) -> None:
        first = record.before == BEGINNING
        transaction.rows(
            f"WITH head AS ({_FIRST if first else _NEXT}), {_REST}",
            run=self._run,
            epoch=self._epoch,
            count=record.head.count,
            hash=record.head.hash,
            before_count=record.before.count,
            before_hash=record.before.hash,
            event=record.encoded,
            durable=record.durable,
        )

    def _tail_is_long(self) -> bool:
        return len(self._tail) >= _MOST or self._tail_size > _MOST_BYTES

    def _see_that_it_is_ours(self, transaction: PostgresTransaction) -> None:
        if not claims.is_current(transaction, self._run, self._epoch):
            raise claiming.lost(transaction, self._run)

    def _why_not(self, failed: psycopg.Error) -> JournalError:
        """Why an append found another head, or no claim of ours."""
        try:
            self._link.once(
                lambda database: self._see_that_it_is_ours(PostgresTransaction(database))
            )
        except JournalError as error:
            return error
        except psycopg.Error:
            return told(failed, self._address)
        return JournalError(
            f"the journal is damaged: run {self._run} was altered while it was written"
        )

    def _let_go(self, database: Database) -> None:
        transaction = PostgresTransaction(database)
        with database.transaction():
            locks.release(transaction, self._run)
            claims.release(transaction, self._run, self._epoch)


def _acts(event: Event) -> bool:
    """Whether it is of an action that was sent."""
    return isinstance(event, Intent | TaskEnded) and event.intent is not None
