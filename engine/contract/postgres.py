"""What the modules that speak to PostgreSQL share: how they log in."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from engine.contract.arguments import Port
from engine.contract.clients import postgres_errors, postgres_session
from engine.contract.module import Module

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from engine.contract.target import Target


class PostgresLogin(Module, frozen=True, kw_only=True):
    """Base of modules that log in at a server as the host sees it.

    A module adds the database and the role, which it may have other uses for.
    """

    password: str | None = None
    host: str = "/var/run/postgresql"
    port: Port = 5432

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
            ) as session,
        ):
            yield session
