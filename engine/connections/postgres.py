"""psycopg on a server as a host sees it, through its link."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

from engine.connections.base import Tcp, Unix, shown
from engine.connections.loopback import ADDRESS, Loopback
from engine.connections.patience import Patience
from engine.errors import DeadlineExceeded, ModuleFailed

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from psycopg.abc import RV, PQGen

    from engine.connections.base import Address, Connection
    from engine.errors import HostError


_ATTEMPT = re.compile(r"(?:connection failed: )?connection to server .*? failed: ")
_NO_FILE = f"{os.devnull}/none"
"""Of a name that none can have; of one that is no plain file libpq complains to the terminal."""

USUAL = "/var/run/postgresql"


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
    sslmode: str | None = None,
    ca: str | None = None,
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
        timeout: seconds for the connect, and for all that is done with the session: a statement
            that is under way then raises DeadlineExceeded, one that its link dies under LinkLost.
        sslmode: libpq's word for how TLS is used with a server that has a name; `prefer` unless
            given.
        ca: a PEM file on the controller with the authorities to trust.

    Raises:
        DialRefused: no server there.
        ModuleFailed: the server refused us, in its own words.
        DeadlineExceeded: it did not answer in time.
        LinkLost: the link died.
    """
    if host == USUAL and connection.platform.family == "windows":
        host = "localhost"
    unix = host.startswith("/")
    address: Address = Unix(f"{host}/.s.PGSQL.{port}") if unix else Tcp(host, port)
    patience = Patience(connection, timeout, f"PostgreSQL at {shown(address)}")
    forward = _forward(connection, address, timeout, sslmode)
    way = forward.__enter__()
    try:
        session = Session.connect(
            **_way(way, host, sslmode, ca),
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


def _forward(
    connection: Connection, address: Address, timeout: float, sslmode: str | None
) -> AbstractContextManager[str]:
    """A way to the server that libpq can take: a unix socket, over which it speaks no TLS."""
    if isinstance(address, Unix) or sslmode == "disable":
        return connection.forward(address, timeout=timeout)
    return Loopback(lambda left: connection.dial(address, timeout=left), timeout)


def _way(way: str, host: str, sslmode: str | None, ca: str | None) -> dict[str, Any]:
    """For libpq; it says the server's name, which its certificate is checked with.

    What the controller has in its own `~/.postgresql` and `~/.pgpass` is not the host's.
    """
    if way.startswith("/"):
        return {"host": str(Path(way).parent), "port": 5432, "passfile": _NO_FILE}
    return {
        "host": host,
        "hostaddr": ADDRESS,
        "port": int(way),
        "sslmode": sslmode or "prefer",
        "sslrootcert": ca or _NO_FILE,
        "sslcertmode": "disable",
        "gssencmode": "disable",
        "passfile": _NO_FILE,
    }


def _told(
    error: BaseException, address: Address, timeout: float, cut: HostError | None
) -> BaseException:
    if not isinstance(error, psycopg.Error):
        return error
    if isinstance(cut, DeadlineExceeded) or isinstance(error, psycopg.errors.ConnectionTimeout):
        seconds = round(timeout, 2)
        return DeadlineExceeded(f"PostgreSQL at {shown(address)}: no answer within {seconds:g} s")
    if cut is not None:
        return cut
    # libpq puts the socket's path before the server's words; ours means nothing to anybody. Where
    # it has tried with TLS and without, both answers count.
    words = [part.strip() for part in _ATTEMPT.split(str(error))[1:]] or [str(error)]
    return ModuleFailed(f"PostgreSQL at {shown(address)}: {'; '.join(dict.fromkeys(words))}")
