"""psycopg on a server as a host sees it, through its link."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

from engine.connections.base import Tcp, Unix, shown
from engine.connections.patience import Patience
from engine.errors import DeadlineExceeded, ModuleFailed

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from psycopg.abc import RV, PQGen

    from engine.connections.base import Address, Connection
    from engine.errors import HostError


class Session(psycopg.Connection[dict[str, Any]]):
    """A connection that takes its way to the server down with it.

    libpq waits for an answer for as long as its socket stands: at the deadline the forward ends,
    and with it the waiting.
    """

    forward: AbstractContextManager[str] | None = None
    patience: Patience | None = None

    def wait(self, gen: PQGen[RV], *args: Any, **options: Any) -> RV:
        """As in psycopg, which does all of its waiting here once it is connected."""
        try:
            return super().wait(gen, *args, **options)
        except psycopg.OperationalError as error:
            cut = self.patience.cut() if self.patience and error.sqlstate is None else None
            raise cut or error from error

    def __exit__(self, *raised: Any) -> None:
        """As in psycopg, which does not close what it has found to be closed."""
        try:
            super().__exit__(*raised)
        finally:
            self.close()

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
        host: a directory with the server's unix socket, or a name, as the host sees it.
        port: the server's.
        timeout: seconds for the connect, and for all that is done with the session: a statement
            that is under way then raises DeadlineExceeded, one that its link dies under LinkLost.

    Raises:
        DialRefused: no server there.
        ModuleFailed: the server refused us, in its own words.
        DeadlineExceeded: it did not answer in time.
        LinkLost: the link died.
    """
    unix = host.startswith("/")
    address: Address = Unix(f"{host}/.s.PGSQL.{port}") if unix else Tcp(host, port)
    patience = Patience(connection, timeout, f"PostgreSQL at {shown(address)}")
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
        raise _told(error, address, timeout, patience.cut()) from error
    session.forward, session.patience = forward, patience
    return session


def _told(
    error: BaseException, address: Address, timeout: float, cut: HostError | None
) -> BaseException:
    late = isinstance(cut, DeadlineExceeded) or isinstance(error, psycopg.errors.ConnectionTimeout)
    if late and isinstance(error, psycopg.Error):
        seconds = round(timeout, 2)
        return DeadlineExceeded(f"PostgreSQL at {shown(address)}: no answer within {seconds:g} s")
    if isinstance(error, psycopg.Error):
        if cut is not None:
            return cut
        # libpq puts the socket's path before the server's words; ours means nothing to anybody.
        words = str(error).rpartition(" failed: ")[2].strip()
        return ModuleFailed(f"PostgreSQL at {shown(address)}: {words}")
    return error
