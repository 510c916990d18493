"""Transactions of the SQLite file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from engine.journal import clock
from engine.journal.choose import check_id
from engine.journal.sqlite.claim import held

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from engine.journal.clock import Moment


class SqliteTransaction:
    """A `Transaction`; it is begun and ended by `looking` or `writing`."""

    def __init__(self, database: sqlite3.Connection, claims: Path) -> None:
        """Of this database, whose runs' claims are in that directory."""
        self.database = database
        self._claims = claims

    def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        """As `Transaction.rows`."""
        return self.database.execute(sql, values).fetchall()

    def alone(self) -> None:
        """Of those that write there is only ever one."""

    def moment(self) -> Moment:
        """This machine's, for nobody else can use the file."""
        return clock.moment()

    def alive(self, run: str) -> bool:
        """Whether its claim is held."""
        return held(self._claims / check_id(run))

    def bury(self, run: str) -> None:
        """Its claim is free, so nobody writes it."""


@contextmanager
def looking(database: sqlite3.Connection) -> Iterator[None]:
    """The database as it is at one moment."""
    database.execute("BEGIN")
    try:
        yield
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")


@contextmanager
def writing(database: sqlite3.Connection) -> Iterator[None]:
    """All that is written within, or none of it; others wait."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")
