"""Changes behind a journal's back, as damage or a careless hand makes them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any


def meddle(url: str, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    """What a statement on a journal's database gives back; its `:name`s stand for the values."""
    with closing(sqlite3.connect(url, isolation_level=None)) as database:
        return database.execute(sql, values).fetchall()
