"""Changes behind a journal's back, as damage or a careless hand makes them."""

from __future__ import annotations

import re
import sqlite3
from typing import Any, Self

import psycopg


class Meddler:
    """A connection to a journal's database; a context manager."""

    def __init__(self, url: str) -> None:
        self._server: psycopg.Connection[tuple[Any, ...]] | None = None
        self._file: sqlite3.Connection | None = None
        if url.startswith("postgresql:"):
            options = "-c search_path=quell"
            self._server = psycopg.connect(url, options=options, autocommit=True)
        else:
            self._file = sqlite3.connect(url, isolation_level=None)

    def __call__(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        """What a statement gives back; its `:name`s stand for the values."""
        if self._file:
            return self._file.execute(sql, values).fetchall()
        assert self._server
        cursor = self._server.execute(re.sub(r"(?<!:):([a-z_]+)", r"%(\1)s", sql), values or None)
        return cursor.fetchall() if cursor.description is not None else []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in (self._file, self._server):
            if connection is not None:
                connection.close()


def meddle(url: str, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    """One statement on a journal's database."""
    with Meddler(url) as meddler:
        return meddler(sql, **values)
