"""A host's connection on which everything is done as another account."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.connections.base import Argv
from engine.errors import HostError

if TYPE_CHECKING:
    import socket
    from contextlib import AbstractContextManager

    from engine.connections.base import (
        Address,
        Become,
        Connection,
        Finished,
        Listener,
        Platform,
        Script,
    )

_LOOK_TIME = 30.0
"""Seconds for the question what the account's number is."""


class Acting:
    """A `Connection` that acts as an account unless a call names another.

    Args:
        connection: of the host.
        account: as whom to act.
    """

    def __init__(self, connection: Connection, account: Become) -> None:
        """Nothing is asked of the host yet."""
        self._connection = connection
        self._account = account

    @cached_property
    def platform(self) -> Platform:
        """As in `Connection`, with the account as the one that commands run as."""
        found = self._connection.platform
        if found.family == "windows" or found.user == self._account.user:
            return found
        uid = 0 if self._account.user == "root" else self._uid()
        return replace(found, user=self._account.user, uid=uid)

    def _uid(self) -> int:
        said = self.run(Argv(("id", "-u")), timeout=_LOOK_TIME)
        if said.status != 0:
            raise HostError(f"who {self._account.user} is: {said.stderr.text.strip()}")
        return int(said.stdout.text)

    @property
    def alive(self) -> bool:
        """As in `Connection`."""
        return self._connection.alive

    def run(
        self,
        command: Argv | Script,
        *,
        stdin: bytes = b"",
        timeout: float,
        keep: int | None = None,
        become: Become | None = None,
        listener: Listener | None = None,
    ) -> Finished:
        """As in `Connection`."""
        become = become or self._account
        return self._connection.run(
            command, stdin=stdin, timeout=timeout, keep=keep, become=become, listener=listener
        )

    def dial(
        self, address: Address, *, timeout: float, become: Become | None = None
    ) -> socket.socket:
        """As in `Connection`."""
        return self._connection.dial(address, timeout=timeout, become=become or self._account)

    def forward(
        self, address: Address, *, timeout: float, become: Become | None = None
    ) -> AbstractContextManager[str]:
        """As in `Connection`."""
        return self._connection.forward(address, timeout=timeout, become=become or self._account)

    def put(
        self, data: bytes, path: str, mode: int, *, timeout: float, become: Become | None = None
    ) -> None:
        """As in `Connection`."""
        self._connection.put(data, path, mode, timeout=timeout, become=become or self._account)

    def get(self, path: str, limit: int, *, timeout: float, become: Become | None = None) -> bytes:
        """As in `Connection`."""
        become = become or self._account
        return self._connection.get(path, limit, timeout=timeout, become=become)

    def interrupt(self) -> None:
        """As in `Connection`."""
        self._connection.interrupt()

    def close(self) -> None:
        """As in `Connection`."""
        self._connection.close()
