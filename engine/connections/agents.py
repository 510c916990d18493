"""The SSH agent's keys: listed once a run, and asked to sign over a connection for each time.

**Source:** draft-miller-ssh-agent, sections 4.4 and 4.6.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.agent import get_agent_connection

from engine.connections.forward import unix_socket
from engine.connections.settings import AGENT

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIST, _LISTED = bytes([11]), 12
_PATIENCE = 60.0
"""Seconds to wait for an agent; it may ask a person whether its key may be used."""


class AgentKey(paramiko.AgentKey):
    """A key that an agent holds, perhaps as a certificate."""

    def asbytes(self) -> bytes:
        """What the agent knows it by: paramiko would name a certificate's key instead."""
        return self.blob

    def __copy__(self) -> AgentKey:
        # paramiko's own would ask a key for its parts that has none yet.
        return AgentKey(self.agent, self.blob, self.comment)


class Agent:
    """Where keys are signed with. Any number of threads may sign at once.

    Args:
        path: of its socket; `AGENT` for the environment's, `none` for none.
    """

    def __init__(self, path: str) -> None:
        """Ask for its keys; there are none where no agent answers."""
        self._path = path
        self.keys: list[AgentKey] = []
        try:
            kind, answer = self._send_message(_LIST)
        except (OSError, paramiko.SSHException):
            return
        if kind == _LISTED:
            for _ in range(answer.get_int()):
                blob, comment = answer.get_binary(), answer.get_text()
                self.keys.append(AgentKey(self, blob, comment))  # type: ignore[arg-type]

    def _send_message(self, message: Any) -> tuple[int, Any]:
        # This is the one method of paramiko's own agent that its keys call.
        data = message if isinstance(message, bytes) else message.asbytes()
        with self._connection() as connection:
            connection.send(struct.pack(">I", len(data)) + data)
            (size,) = struct.unpack(">I", _read(connection, 4))
            answer = paramiko.Message(_read(connection, size))
        return answer.get_byte()[0], answer

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Any]:
        if self._path == "none":
            raise OSError("there shall be no agent")
        connection = get_agent_connection() if self._path == AGENT else unix_socket()
        if connection is None:
            raise OSError("no agent answers")
        try:
            if isinstance(connection, socket.socket):
                connection.settimeout(_PATIENCE)
                if self._path != AGENT:
                    connection.connect(self._path)
            yield connection
        finally:
            connection.close()


def _read(connection: Any, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise paramiko.SSHException("the agent hung up")
        data += more
    return data
