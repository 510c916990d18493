"""`postgresql://…`: where the database is, and how that is shown without its password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from engine.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORM = "write it as postgresql://USER@HOST:PORT/DATABASE, and what is special in it as %40"

_DEFAULTS = {
    "application_name": "quell",
    "client_encoding": "UTF8",
    "connect_timeout": "5",
    # A server that is gone without a word is noticed after about ten seconds.
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""**Source:** PostgreSQL's libpq, "Parameter Key Words"."""


class Address(Struct, frozen=True):
    """Where a journal is.

    Args:
        parameters: of the connection, as libpq calls them.
        shown: without what is secret.
    """

    parameters: Mapping[str, str]
    shown: str


def parse(url: str) -> Address:
    """What a URL says.

    Raises:
        InputError: it is none that libpq understands.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        given = {name: str(value) for name, value in conninfo_to_dict(url).items() if value}
    except psycopg.ProgrammingError:
        # In its own words libpq would repeat the URL, and the password with it.
        problem = Problem("the URL of the journal is not understood", "--journal", hint=_FORM)
        raise InputError(problem) from None
    return Address({**_DEFAULTS, **given}, _shown(given))


def _shown(given: Mapping[str, str]) -> str:
    user = f"{given['user']}@" if "user" in given else ""
    hosts = given.get("host", "").split(",")
    ports = given.get("port", "").split(",")
    ports += ports[-1:] * (len(hosts) - len(ports))  # one port is that of all hosts
    places = (f"{host}:{port}" if port else host for host, port in zip(hosts, ports, strict=False))
    return f"postgresql://{user}{','.join(places)}/{given.get('dbname', '')}"
