"""A PostgreSQL server for the journals of a team: on the controller's own loopback."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from tests.lab.namespace import Namespace
from tests.lab.ports import free_port
from tests.lab.postgres import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLE = "quell"
_SMALL = "/srv/small"
_CONFIG = """
port = {port}
unix_socket_directories = '{sockets}'
max_connections = 60
# A crash then loses what was not to wait for the disk.
wal_writer_delay = 10s
"""


class TeamServer:
    """The server; a context manager. Each test has a database of its own in it."""

    def __init__(self) -> None:
        self.password = secrets.token_hex(8)
        self._machine = Namespace("team", network=False)
        self.cluster = Cluster(
            self._machine, free_port(), "/srv/postgresql", "/srv/postgresql/sockets"
        )
        try:
            config = _CONFIG.format(port=self.cluster.port, sockets=self.cluster.socket_dir)
            self.cluster.make(config)
            self.cluster.start()
            self.cluster.psql(f"create role {ROLE} login password '{self.password}'")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def database(self, options: str = "") -> Iterator[str]:
        """The URL of an empty database, which is dropped afterwards.

        Args:
            options: of `create database`.
        """
        name = f"journal_{secrets.token_hex(4)}"
        self.cluster.psql(f"create database {name} owner {ROLE} {options}")
        try:
            yield self.url(name)
        finally:
            self.cluster.psql(f"drop database {name} with (force)")

    @contextmanager
    def small_tablespace(self) -> Iterator[str]:
        """An option of `create database`: on a disk that has little room beside the catalogue."""
        make = f"mkdir {_SMALL} && mount -t tmpfs -o size=12m tmpfs {_SMALL}"
        self._machine.exec(["sh", "-ec", f"{make} && chown postgres: {_SMALL}"], check=True)
        self.cluster.psql(f"create tablespace small location '{_SMALL}'")
        self.cluster.psql(f"grant create on tablespace small to {ROLE}")
        try:
            yield "tablespace small"
        finally:
            self.cluster.psql("drop tablespace small")
            self._machine.exec(["sh", "-ec", f"umount {_SMALL} && rmdir {_SMALL}"], check=True)

    def make_room(self) -> None:
        """Give the small tablespace a larger disk."""
        self._machine.exec(["mount", "-o", "remount,size=64m", _SMALL], check=True)

    def url(self, database: str, *, port: int | None = None) -> str:
        """Of a database; through another port where something stands in between."""
        return (
            f"postgresql://{ROLE}:{self.password}@127.0.0.1:{port or self.cluster.port}/{database}"
        )

    def close(self) -> None:
        """End it."""
        self._machine.close()
