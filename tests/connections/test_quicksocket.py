"""The socket under a link."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from engine.connections.quicksocket import connect, quick

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
    assert option(pair[0], socket.TCP_USER_TIMEOUT) == 20_000


def test_a_call_takes_no_longer_than_its_timeout(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, peer = pair
    ours.settimeout(0.05)
    with pytest.raises(TimeoutError):
        ours.recv(1)
    with pytest.raises((TimeoutError, BlockingIOError)):
        ours.sendall(bytes(1 << 26))  # and the peer reads nothing
    ours.settimeout(2.5)
    peer.sendall(b"x")
    assert ours.recv(1) == b"x"
    ours.settimeout(None)
    threading.Timer(0.1, peer.sendall, [b"y"]).start()
    assert ours.recv(1) == b"y"


def test_who_waits_is_woken_when_the_socket_is_shut_down(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, _ = pair
    ours.settimeout(60)
    threading.Timer(0.1, ours.shutdown, [socket.SHUT_RDWR]).start()
    assert ours.recv(1) == b""


def test_each_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        good = listener.getsockname()
        stream = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
        found = [(*stream, ("127.0.0.1", 1)), (*stream, good)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with connect("app1", 22, 5) as ours:
            assert ours.getpeername() == good
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found[:1])
        with pytest.raises(ConnectionRefusedError):
            connect("app1", 22, 5)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_no_resolver_is_asked_for_an_address(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(threading, "Thread", None)
    with (
        socket.create_server((address, 0), family=_family(address)) as server,
        connect(address, server.getsockname()[1], 5) as ours,
    ):
        assert ours.getpeername()[0] == address


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def test_a_resolver_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()

    def ask(*_: object, flags: int = 0, **__: object) -> object:
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "not a number")
        return answer.wait(60)

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    with pytest.raises(socket.gaierror, match=r"no answer from the resolver within 0\.1 s"):
        connect("app1", 22, 0.1)
    answer.set()


def test_what_was_read_ahead_is_handed_out_in_order(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, peer = pair
    peer.sendall(b"0123456789")
    assert [ours.recv(size) for size in (4, 4, 4)] == [b"0123", b"4567", b"89"]
    peer.sendall(b"abc")
    assert ours.recv(1) == b"a"
    peer.close()
    assert [ours.recv(9), ours.recv(9)] == [b"bc", b""]
