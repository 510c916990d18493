"""Clients. Those that speak through the host's link see the network as the host does."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from engine.errors import LinkLost, ModuleFailed

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    import docker
    import httpx
    import psycopg

    from engine.contract.arguments import SslMode
    from engine.contract.target import Target


def http_client(
    target: Target,
    *,
    verify: bool = True,
    ca: str | None = None,
    follow_redirects: bool = False,
) -> httpx.Client:
    """An httpx client whose every connection is dialled from the host.

    Args:
        target: the host.
        verify: check TLS certificates and names.
        ca: a PEM file on the controller with the authorities to trust; None for the usual ones.
        follow_redirects: whether to.
    """
    from engine.connections.http import open_client

    return open_client(
        target.connection,
        timeout=target.deadline.remaining(),
        verify=verify,
        ca=ca,
        follow_redirects=follow_redirects,
    )


def controller_client(target: Target, *, ca: str | None = None) -> httpx.Client:
    """An httpx client of the controller's own, through its proxies, for services on the Internet.

    Args:
        target: whose time it must be done in.
        ca: a PEM file on the controller with the authorities to trust; None for the usual ones.
    """
    import httpx

    from engine.connections.tls import http_context

    return httpx.Client(timeout=target.deadline.remaining(), verify=http_context(ca=ca))


def tls_context(*, verify: bool = True, ca: str | None = None) -> ssl.SSLContext:
    """Settings for the client's side of TLS, with the trust that `http_client` has.

    Args:
        verify: check the server's certificate and its name.
        ca: a PEM file on the controller with the authorities to trust; None for the usual ones.

    Raises:
        ModuleFailed: there are no authorities in that file.
    """
    from engine.connections.tls import client_context

    return client_context(verify=verify, ca=ca)


def docker_client(target: Target, *, socket: str = "/var/run/docker.sock") -> docker.DockerClient:
    """A Docker SDK client on the host's own engine; close it, or use it as a context.

    Raises:
        DialRefused: there is no engine at that socket, or no right to it.
    """
    from engine.connections.docker import open_client

    return open_client(target.connection, socket, timeout=target.deadline.remaining())


def postgres_session(
    target: Target,
    *,
    database: str,
    user: str | None = None,
    password: str | None = None,
    host: str = "/var/run/postgresql",
    port: int = 5432,
    sslmode: SslMode | None = None,
    ca: str | None = None,
) -> psycopg.Connection[dict[str, Any]]:
    """A psycopg connection to a server as the host sees it; rows come as dicts; autocommit.

    Args:
        target: the host.
        database: its name.
        user: the role; None for the account that we are on the host.
        password: for it; None where the server asks for none.
        host: a directory with the server's unix socket, or a host name.
        port: the server's.
        sslmode: how TLS is used with a server that has a name; `prefer` unless given.
        ca: a PEM file on the controller with the authorities to trust.

    Raises:
        DialRefused: no server there.
        ModuleFailed: the server refused us, in its own words.
    """
    from engine.connections.postgres import open_session

    return open_session(
        target.connection,
        database=database,
        user=user or target.platform.user,
        password=password,
        host=host,
        port=port,
        timeout=target.deadline.remaining(),
        sslmode=sslmode,
        ca=ca,
    )


@contextmanager
def postgres_errors() -> Iterator[None]:
    """Raise the server's refusal as `ModuleFailed`, and a connection that broke as `LinkLost`.

    **Source:** psycopg leaves `sqlstate` empty where the connection and not the server failed.
    """
    import psycopg

    try:
        yield
    except psycopg.OperationalError as error:
        if error.sqlstate is None:
            raise LinkLost(f"the connection to PostgreSQL was lost: {error}") from error
        raise _refusal(error) from error
    except psycopg.Error as error:
        raise _refusal(error) from error


def _refusal(error: psycopg.Error) -> ModuleFailed:
    hint = f" ({error.diag.message_hint})" if error.diag.message_hint else ""
    return ModuleFailed(f"PostgreSQL says: {error.diag.message_primary or error}{hint}")
