"""Transactions of the database."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from engine.journal import clock
from engine.journal.postgres import claims

if TYPE_CHECKING:
    import psycopg

    from engine.journal.clock import Moment

_NAMED = re.compile(r"(?<!:):([a-z_]+)")


class PostgresTransaction:
    """A `Transaction`, on a connection that commits by itself unless told otherwise."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        """On this connection."""
        self._connection = connection

    def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        """As `Transaction.rows`."""
        cursor = self._connection.execute(_in_psycopgs_words(sql), values)
        return cursor.fetchall() if cursor.description is not None else []

    def alone(self) -> None:
        """As `Transaction.alone`."""
        claims.alone(self)

    def moment(self) -> Moment:
        """Now, by the server's clock: it is the same one for every controller."""
        [(wall,)] = self.rows("SELECT extract(epoch FROM clock_timestamp())::double precision")
        return clock.moment(wall)

    def alive(self, run: str) -> bool:
        """As `Transaction.alive`."""
        claim = claims.read(self, run)
        return claim is not None and claim.alive

    def bury(self, run: str) -> None:
        """As `Transaction.bury`: what it goes on to write is of an epoch that is over."""
        claims.end(self, run)


@lru_cache(maxsize=256)
def _in_psycopgs_words(sql: str) -> str:
    return _NAMED.sub(r"%(\1)s", sql)
