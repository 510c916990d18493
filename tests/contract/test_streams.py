from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from engine.connections.tls import client_context
from engine.contract import DeadlineExceeded, DialRefused, Tcp
from engine.contract.streams import dialled
from engine.errors import LinkLost
from tests.modules.fakes import FakeConnection, target

if TYPE_CHECKING:
    from engine.connections.base import Address, Become

WHERE = Tcp("db", 5432)


@dataclass
class Wire(FakeConnection):
    """Dials the other end of a socket pair."""

    ends: list[socket.socket] = field(default_factory=lambda: list(socket.socketpair()))
    alive = True

    @property
    def far(self) -> socket.socket:
        return self.ends[1]

    def dial(
        self, address: Address, *, timeout: float, become: Become | None = None
    ) -> socket.socket:
        assert (address, become) == (WHERE, None)
        assert timeout > 0
        return self.ends[0]


def test_both_ways() -> None:
    wire = Wire()
    with wire.far, dialled(target(wire), WHERE) as stream:
        stream.send(b"ping")
        assert wire.far.recv(100) == b"ping"
        wire.far.sendall(b"pong")
        assert stream.receive(2) == b"po"
        assert stream.receive() == b"ng"
        wire.far.shutdown(socket.SHUT_WR)
        assert stream.receive() == b""


def test_it_is_closed_afterwards() -> None:
    wire = Wire()
    with wire.far:
        with dialled(target(wire), WHERE):
            pass
        assert wire.far.recv(100) == b""


def test_what_comes_too_late_is_said_so() -> None:
    wire = Wire()
    with (
        wire.far,
        dialled(target(wire, within=0.2), WHERE) as stream,
        pytest.raises(DeadlineExceeded, match=r"within 0\.2 s"),
    ):
        stream.receive()


def test_a_server_that_breaks_off_is_said_so() -> None:
    wire = Wire()
    with dialled(target(wire), WHERE) as stream:
        wire.far.close()
        with pytest.raises(DialRefused, match="db:5432: Broken pipe"):
            stream.send(b"x")


def test_the_end_of_a_dead_link_is_not_the_servers() -> None:
    wire = Wire()
    with dialled(target(wire), WHERE) as stream:
        wire.far.close()
        wire.alive = False
        with pytest.raises(LinkLost):
            stream.receive()
        with pytest.raises(LinkLost):
            stream.send(b"x")
        with pytest.raises(LinkLost):
            stream.secure(client_context(verify=False), "db")


def test_a_handshake_that_fails_is_for_the_caller_to_judge() -> None:
    wire = Wire()
    with wire.far, dialled(target(wire), WHERE) as stream:
        wire.far.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        with pytest.raises(ssl.SSLError, match=r"(?i)wrong version number"):
            stream.secure(client_context(verify=False), "db")


def test_a_handshake_that_never_comes_is_bounded() -> None:
    wire = Wire()
    with (
        wire.far,
        dialled(target(wire, within=0.2), WHERE) as stream,
        pytest.raises(DeadlineExceeded),
    ):
        stream.secure(client_context(verify=False), "db")
