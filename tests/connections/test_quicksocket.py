"""The socket under a link."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from engine.connections.quicksocket import quick

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        plain = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
        with quick(plain) as ours, peer:
            yield ours, peer


def option(sock: socket.socket, name: int) -> int:
    return sock.getsockopt(socket.IPPROTO_TCP, name)


def test_small_packets_are_not_held_back(pair: tuple[socket.socket, socket.socket]) -> None:
    assert option(pair[0], socket.TCP_NODELAY) == 1


def test_acknowledgements_are_not_held_back_after_a_read(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, peer = pair
    for _ in range(20):  # a conversation, which makes the kernel delay them
        ours.sendall(b"x")
        peer.recv(1)
        peer.sendall(b"y")
        assert ours.recv(1) == b"y"
        assert option(ours, socket.TCP_QUICKACK) == 1


def test_a_peer_that_vanished_is_noticed(pair: tuple[socket.socket, socket.socket]) -> None:
    assert option(pair[0], socket.TCP_USER_TIMEOUT) == 30_000
