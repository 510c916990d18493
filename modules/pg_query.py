"""`pg_query`: ask PostgreSQL one question."""

from __future__ import annotations

import math
import re
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

from engine.contract import (
    Duration,
    Meta,
    ModuleFailed,
    Probe,
    Program,
    Struct,
    Target,
    count,
    seconds,
)
from engine.contract.postgres import PostgresLogin

if TYPE_CHECKING:
    import psycopg

ROW_LIMIT = 1000
TEXT_LIMIT = 10_000
"""Characters kept of one value."""

LARGEST_INT = 2**53
"""Beyond it JSON's readers disagree about whole numbers."""

_FIRST_WORD = re.compile(r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*([a-z]+)", re.IGNORECASE | re.DOTALL)
_WITH_CURSOR = frozenset({"select", "with", "values", "table"})
_READING = _WITH_CURSOR | {"show", "explain"}
# These the read-only transaction refuses, and its words are better than ours.
_REFUSED_BY_SERVER = frozenset(
    {"insert", "update", "delete", "merge", "truncate", "create", "drop", "alter", "grant"}
)
# Functions that act at once, whatever the transaction is.
_ACTING = re.compile(
    r"\b(pg_(?:terminate|cancel)_backend|pg_reload_conf|pg_rotate_logfile|pg_promote|pg_switch_wal"
    r"|pg_wal_replay_\w+|pg_create_\w+|pg_drop_\w+|pg_copy_\w+|pg_replication_\w+|pg_file_\w+"
    r"|pg_stat_reset\w*|pg_stat_statements_reset|pg_(?:try_)?advisory_\w+|lo_\w+|dblink\w*)"
    r'"?\s*\(',
    re.IGNORECASE,
)
# The server's own text, which knows infinity and years that Python does not.
_AS_TEXT = ("date", "time", "timetz", "timestamp", "timestamptz")


class Rows(Struct, frozen=True, kw_only=True):
    """What the server answered.

    Args:
        columns: the names; one that comes again gets a number: `count`, `count_2`.
        rows: each a mapping of column to value, at most 1000.
        truncated: whether there were more.
        value: the first column of the first row; None without a row.
    """

    columns: list[str]
    rows: list[dict[str, Any]]
    truncated: bool
    value: Any


class PgQuery(PostgresLogin, Probe[Rows], frozen=True, kw_only=True):
    """Run one SQL statement in a read-only transaction, on a server as the host sees it.

    What it would write the server refuses, and nothing happened. Several statements, utility
    commands such as `copy` and `vacuum`, and functions that act whatever the transaction is
    (`pg_terminate_backend`, `pg_reload_conf`) are refused before they are sent. Dates and times
    come as the server's text, intervals as seconds, numerics as numbers.

    Args:
        database: its name.
        query: one statement: `select`, `with`, `values`, `table`, `show` or `explain`.
        params: values for `%s` (a list) or `%(name)s` (a mapping); they are bound and never part
            of the text. A percent sign is then written `%%`.
        user: the role to log in as; the account that we are on the host unless given.
        password: the role's; not needed where the server trusts the host's account.
        host: a directory with the server's unix socket, or a host name.
        port: the server's.
        sslmode: how TLS is used with a server that has a name, in libpq's words; `prefer` unless
            given.
        ca: a PEM file on the controller with the authorities to trust, for `verify-full` and
            `verify-ca`.
        statement_timeout: after which the server ends the statement.

    **Source:** PostgreSQL, "SET TRANSACTION" (what READ ONLY refuses, and what it does not).
    """

    database: str
    query: Annotated[Program, Meta(title="SQL", examples=["select count(*) from pg_stat_activity"])]
    params: list[Any] | dict[str, Any] | None = None
    user: str | None = None
    statement_timeout: Duration = "10s"

    def __post_init__(self) -> None:
        """Refuse what a read-only transaction would let through.

        Raises:
            ValueError: the statement does not only read, or the arguments do not go together.
        """
        super().__post_init__()
        word = self._first_word()
        if word not in _READING | _REFUSED_BY_SERVER:
            raise ValueError(f"query may not start with {word!r}: pg_query only reads")
        acting = _ACTING.search(self.query)
        if acting:
            raise ValueError(f"query calls {acting[1]}, which acts; pg_query only reads")

    def observe(self, target: Target) -> Rows:
        """Run the statement; the transaction is rolled back in any case."""
        with self.login(target, database=self.database, user=self.user) as session:
            timeout = min(seconds(self.statement_timeout), target.deadline.remaining())
            try:
                return self._ask(session, timeout)
            except TypeError as error:  # psycopg's, of a mapping for %s or a list for %(name)s
                raise ModuleFailed(f"params: {error}") from error

    def summary(self, seen: Rows) -> str:
        """The one value, or how many rows."""
        if len(seen.rows) == 1 and len(seen.columns) == 1:
            return str(seen.value)
        more = "more than " if seen.truncated else ""
        return f"{more}{count(len(seen.rows), 'row')}"

    def _first_word(self) -> str:
        match = _FIRST_WORD.match(self.query)
        return match[1].lower() if match else ""

    def _ask(self, session: psycopg.Connection[dict[str, Any]], timeout: float) -> Rows:
        from psycopg.rows import tuple_row
        from psycopg.types.string import TextLoader

        for name in _AS_TEXT:
            session.adapters.register_loader(name, TextLoader)
        session.read_only = True
        with session.transaction(force_rollback=True):
            milliseconds = f"{max(1, round(timeout * 1000))}ms"
            session.execute("select set_config('statement_timeout', %s, true)", [milliseconds])
            # A cursor on the server, so that a table of any size costs 1001 rows. Both ways use
            # the extended protocol, in which the server refuses a second statement.
            if self._first_word() in _WITH_CURSOR:
                with session.cursor("quell", row_factory=tuple_row) as cursor:
                    cursor.execute(self.query.encode(), self.params)
                    return _rows(cursor)
            with session.cursor(row_factory=tuple_row) as plain:
                plain.execute(self.query.encode(), self.params, prepare=True)
                return _rows(plain)


def _rows(cursor: psycopg.Cursor[tuple[Any, ...]] | psycopg.ServerCursor[tuple[Any, ...]]) -> Rows:
    columns = _distinct([column.name for column in cursor.description or ()])
    fetched = cursor.fetchmany(ROW_LIMIT + 1)
    rows = [dict(zip(columns, map(_plain, row), strict=True)) for row in fetched[:ROW_LIMIT]]
    value = rows[0][columns[0]] if rows and columns else None
    return Rows(columns=columns, rows=rows, truncated=len(fetched) > ROW_LIMIT, value=value)


def _distinct(names: list[str]) -> list[str]:
    seen: Counter[str] = Counter()
    distinct = []
    for name in names:
        seen[name] += 1
        distinct.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return distinct


def _plain(value: object) -> Any:
    """The value as JSON knows it."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return _scalar(value)


def _scalar(value: object) -> str | int | float | None:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float | Decimal):
        return _number(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    return _short(value.hex() if isinstance(value, bytes) else str(value))


def _number(value: float | Decimal) -> float | int | None:
    number = float(value)
    if not math.isfinite(number):
        return None
    whole = isinstance(value, Decimal) and value == value.to_integral_value()
    return int(value) if whole and abs(number) < LARGEST_INT else number


def _short(text: str) -> str:
    if len(text) <= TEXT_LIMIT:
        return text
    return f"{text[:TEXT_LIMIT]}… {len(text) - TEXT_LIMIT} characters left out"


EXAMPLE = """
name: Connections in use
pg_query:
  database: insightengine
  query: >-
    select count(*)::float / current_setting('max_connections')::int
    from pg_stat_activity where datname = %s
  params: [insightengine]
register: pool
expect: result.value < 0.9
"""
