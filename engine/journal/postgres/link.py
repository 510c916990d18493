"""The connection to the database: made again where it breaks, cut where no answer comes."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg.conninfo import make_conninfo

from engine.journal.postgres import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.journal.postgres.address import Address

_PAUSE = 0.2
"""Seconds between two attempts to connect."""

_SETTINGS = {
    "search_path": f"{schema.NAME}, pg_catalog",
    "idle_in_transaction_session_timeout": "60s",
    # The server lets go of what a controller held that is gone without a word.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

Database = psycopg.Connection[tuple[Any, ...]]
"""A connection to it; each statement commits by itself unless told otherwise."""

Came = TypeVar("Came")


class Link:
    """One connection, used by several threads one after the other."""

    def __init__(
        self,
        address: Address,
        *,
        answers_within: float,
        patience: float = 0.0,
        first: Callable[[Database], None] | None = None,
    ) -> None:
        """Connect when it is first used.

        Args:
            address: where to.
            answers_within: seconds that a statement may take.
            patience: seconds to get a lost connection back.
            first: what is done before anything else on every connection.
        """
        self._address = address
        self._answers_within = answers_within
        self._patience = patience
        self._first = first
        self._turn = threading.Lock()
        self._database: Database | None = None
        self._asked_at: float | None = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Use it, while other threads wait. Whom no answer reaches is cut off."""
        while not self._turn.acquire(timeout=1.0):
            self._cut_if_stuck()
        try:
            yield
        finally:
            self._turn.release()

    def do(self, work: Callable[[Database], Came]) -> Came:
        """Do something, and again on a new connection where the old one breaks under it.

        Args:
            work: what to do; it must find out for itself whether it was done already.

        Raises:
            psycopg.Error: it could not be done.
        """
        end: float | None = None
        while True:
            had = self._database
            try:
                return self.once(work)
            except psycopg.Error:
                if not self._is_lost():
                    raise
                self.close()
                if had is not None:
                    end = time.monotonic() + self._patience
                    continue
                if end is None or time.monotonic() >= end:
                    raise
            time.sleep(_PAUSE)

    def once(self, work: Callable[[Database], Came]) -> Came:
        """Do something, or fail.

        Raises:
            psycopg.Error: it could not be done.
        """
        try:
            self._asked_at = time.monotonic()
            return work(self._connected())
        finally:
            self._asked_at = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return not self._is_lost()

    def close(self) -> None:
        """End it; it is made again when it is used again."""
        database, self._database = self._database, None
        if database is not None:
            with suppress(psycopg.Error):
                database.close()

    def _connected(self) -> Database:
        if self._database is None:
            conninfo = make_conninfo(**self._address.parameters)
            database = psycopg.Connection.connect(conninfo, autocommit=True)
            try:
                self._prepare(database)
            except BaseException:
                database.close()
                raise
            self._database = database
        return self._database

    def _prepare(self, database: Database) -> None:
        settings = {**_SETTINGS, "statement_timeout": f"{self._answers_within * 1000:.0f}"}
        each = ", ".join(["set_config(%s, %s, false)"] * len(settings))
        database.execute(f"SELECT {each}", [word for pair in settings.items() for word in pair])
        if self._first:
            self._first(database)

    def _is_lost(self) -> bool:
        return self._database is None or self._database.closed

    def _cut_if_stuck(self) -> None:
        database, asked_at = self._database, self._asked_at
        if database is None or asked_at is None or database.closed:
            return
        if time.monotonic() - asked_at > 2 * self._answers_within:
            # Whoever waits for the answer then sees the connection end.
            with suppress(OSError, psycopg.Error):
                cut = socket.socket(fileno=os.dup(database.fileno()))
                cut.shutdown(socket.SHUT_RDWR)
                cut.close()
