"""psycopg on a server as a host sees it, through its link."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

from engine.connections.base import Tcp, Unix
from engine.errors import DeadlineExceeded, ModuleFailed

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from engine.connections.base import Address, Connection


USUAL = "/var/run/postgresql"


class Session(psycopg.Connection[dict[str, Any]]):
    """A connection that takes its way to the server down with it."""

    forward: AbstractContextManager[str] | None = None

    def close(self) -> None:
        """End the session, and the forward."""
        super().close()
        forward, self.forward = self.forward, None
        if forward is not None:
            forward.__exit__(None, None, None)


def open_session(
    connection: Connection,
    *,
    database: str,
    user: str,
    password: str | None,
    host: str,
    port: int,
    timeout: float,
) -> psycopg.Connection[dict[str, Any]]:
    """A session with rows as dicts, in autocommit mode.

    Args:
        connection: of the host.
        database: its name.
        user: the role.
        password: for it; None where the server asks for none.
        host: a directory with the server's unix socket, or a name, as the host sees it. The usual
            directory is `localhost` on a Windows host.
        port: the server's.
        timeout: seconds for the connect.

    Raises:
        DialRefused: no server there.
        ModuleFailed: the server refused us, in its own words.
        DeadlineExceeded: it did not answer in time.
    """
    if host == USUAL and connection.platform.family == "windows":
        host = "localhost"
    unix = host.startswith("/")
    address: Address = Unix(f"{host}/.s.PGSQL.{port}") if unix else Tcp(host, port)
    forward = connection.forward(address, timeout=timeout)
    path = forward.__enter__()
    try:
        session = Session.connect(
            host=str(Path(path).parent),
            port=5432,
            dbname=database,
            user=user,
            password=password or "",  # not None: libpq would take the controller's PGPASSWORD
            application_name="quell",
            connect_timeout=max(2, round(timeout)),  # libpq's is in whole seconds, at least two
            autocommit=True,
            row_factory=dict_row,
        )
    except BaseException as error:
        forward.__exit__(None, None, None)
        raise _told(error, address, timeout) from error
    session.forward = forward
    return session


def _told(error: BaseException, address: Address, timeout: float) -> BaseException:
    from engine.connections.base import shown

    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return DeadlineExceeded(f"{shown(address)}: no answer within {timeout:g} s")
    if isinstance(error, psycopg.Error):
        # libpq puts the socket's path before the server's words; ours means nothing to anybody.
        words = str(error).rpartition(" failed: ")[2].strip()
        return ModuleFailed(f"PostgreSQL at {shown(address)}: {words}")
    return error
