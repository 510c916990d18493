"""The journal in a PostgreSQL database: for a team, whose controllers see one another's runs."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg

from engine.journal.chain import Head
from engine.journal.postgres.database import prepare
from engine.journal.postgres.errors import plain_errors
from engine.journal.postgres.link import Link
from engine.journal.postgres.recorder import PostgresRecorder
from engine.journal.postgres.transaction import PostgresTransaction
from engine.journal.store import Kept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.journal.postgres.address import Address
    from engine.journal.postgres.link import Database

_ANSWERS_WITHIN = 60.0
"""Seconds that reading may take."""


class PostgresStore:
    """A `Store` in a database."""

    def __init__(self, address: Address, *, create: bool) -> None:
        """Connect, and make the tables if they are missing and are to be made.

        Raises:
            InputError: there is no journal, and none is to be made.
            JournalError: the database cannot be reached, or holds none that we know.
        """
        self._address = address
        self._link = Link(address, answers_within=_ANSWERS_WITHIN)
        try:
            with plain_errors(address):
                self._link.do(lambda database: prepare(database, address, create=create))
        except BaseException:
            self._link.close()
            raise

    def close(self) -> None:
        """As `Journal.close`."""
        with self._link.alone():
            self._link.close()

    def begin(self, run: str) -> PostgresRecorder:
        """As `Journal.begin`."""
        return PostgresRecorder(self._address, run)

    def kept(self, run: str) -> Kept | None:
        """As `Store.kept`: what its claim says."""
        with self.reading() as transaction:
            rows = transaction.rows(
                "SELECT durable, durable_hash, last FROM claims WHERE run = :run AND epoch > 0",
                run=run,
            )
        return Kept(Head(*rows[0][:2]), rows[0][2]) if rows else None

    def claimed(self) -> set[str]:
        """As `Store.claimed`: those that have a claim."""
        with self.reading() as transaction:
            return {str(run) for (run,) in transaction.rows("SELECT run FROM claims")}

    @contextmanager
    def reading(self) -> Iterator[PostgresTransaction]:
        """As `Store.reading`."""
        with self._begun("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as database:
            yield PostgresTransaction(database)

    @contextmanager
    def writing(self) -> Iterator[PostgresTransaction]:
        """As `Store.writing`."""
        with self._begun("BEGIN") as database:
            yield PostgresTransaction(database)
            database.execute("COMMIT")

    @contextmanager
    def _begun(self, begin: str) -> Iterator[Database]:
        with self._link.alone(), plain_errors(self._address):

            def begun(database: Database) -> Database:
                database.execute(begin)
                return database

            database = self._link.do(begun)
            try:
                yield database
            finally:
                with suppress(psycopg.Error):  # of a connection that broke: it is made anew
                    database.rollback()
