"""What the modules that speak to PostgreSQL share: how they log in, and what a session is."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Self

from msgspec import Struct

from engine.contract.arguments import Port, SslMode
from engine.contract.clients import postgres_errors, postgres_session
from engine.contract.masking import masked
from engine.contract.module import Module

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import psycopg

    from engine.contract.target import Target

QUERY_LIMIT = 1000
"""Characters of a session's statement that are shown."""

_TIME = "to_char({} at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


class PostgresSession(Struct, frozen=True, kw_only=True):
    """One client's session. Of one that our role may not look at only the first few are known.

    Args:
        pid: of its backend process.
        backend_start: when it connected, UTC with microseconds: with the pid its identity.
        query_start: when its current or last statement began.
        database: that it is connected to.
        user: its role.
        application: what it calls itself.
        client: its address, or `local`.
        state: `active`, `idle`, `idle in transaction`…
        wait: what its statement waits for, such as `Lock: transactionid`; None if for nothing.
        query: its current or last statement, the first 1000 characters; passwords are masked.
        in_state: seconds since it came to be in this state.
        transaction_age: seconds since its transaction began; None without one.
    """

    BACKEND_START: ClassVar[str] = _TIME.format("a.backend_start")
    QUERY_START: ClassVar[str] = _TIME.format("a.query_start")
    COLUMNS: ClassVar[str] = f"""
    a.pid, coalesce({BACKEND_START}, '') as backend_start, {QUERY_START} as query_start,
    coalesce(a.datname, '') as database, coalesce(a.usename, '') as user,
    coalesce(a.application_name, '') as application,
    coalesce(host(a.client_addr), 'local') as client,
    coalesce(a.state, '') as state, coalesce(a.query, '') as query,
    case when a.state = 'active' then a.wait_event_type || ': ' || a.wait_event end as wait,
    extract(epoch from now() - a.state_change)::float as in_state,
    extract(epoch from now() - a.xact_start)::float as transaction_age
    """
    """Of `pg_stat_activity a`, for a statement whose rows `of` takes."""

    pid: int
    backend_start: str
    query_start: str | None
    database: str
    user: str
    application: str
    client: str
    state: str
    wait: str | None
    query: str
    in_state: float | None
    transaction_age: float | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """The session of a row that has `COLUMNS`."""
        values = {name: row[name] for name in cls.__struct_fields__}
        return cls(**{**values, "query": masked(row["query"], QUERY_LIMIT)})


class PostgresLogin(Module, frozen=True, kw_only=True):
    """Base of modules that log in at a server as the host sees it.

    A module adds the database and the role, which it may have other uses for.
    """

    password: str | None = None
    host: str = "/var/run/postgresql"
    port: Port = 5432
    sslmode: SslMode | None = None
    ca: str | None = None

    def __post_init__(self) -> None:
        """Refuse what would be passed over.

        Raises:
            ValueError: the arguments do not go together.
        """
        if (self.sslmode or self.ca) and self.host.startswith("/"):
            raise ValueError("sslmode and ca are for a host with a name; a unix socket has no TLS")
        verifies = self.sslmode in {"verify-ca", "verify-full"}
        if verifies and not self.ca:
            raise ValueError(
                f"sslmode {self.sslmode} needs ca: the file with the authorities to trust"
            )
        if self.ca and not verifies:
            raise ValueError("ca is checked with sslmode verify-full (or verify-ca) only")

    @contextmanager
    def login(
        self, target: Target, *, database: str, user: str | None
    ) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        """A session while the context lasts; the server's refusals are the module's failure.

        Args:
            target: the host.
            database: its name.
            user: the role; None for the account that we are on the host.

        Raises:
            As `postgres_session` and `postgres_errors`.
        """
        with (
            postgres_errors(),
            postgres_session(
                target,
                database=database,
                user=user,
                password=self.password,
                host=self.host,
                port=self.port,
                sslmode=self.sslmode,
                ca=self.ca,
            ) as session,
        ):
            yield session
