from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.errors import LinkLost, Unreachable
from tests.lab.ports import free_port
from tests.modules.fakes import FakeConnection, here, target
from tests.modules.sequence import module, probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.connections.links import Links
    from tests.lab.lab import Lab
    from tests.modules.sequence import Outcome


@contextmanager
def serving(talk: Callable[[socket.socket], object]) -> Iterator[int]:
    """A server that talks so with one client; gives its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        with listening.accept()[0] as client:
            talk(client)
            over.wait(20)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listening.getsockname()[1]
    over.set()
    thread.join()
    listening.close()


def ask(port: int, **args: Any) -> Outcome:
    return probe("tcp_probe", {"host": "127.0.0.1", "port": port, **args}, here())


def banner(client: socket.socket) -> None:
    client.sendall(b"220 mail ESMTP ready\r\n")


def mute(client: socket.socket) -> None:
    assert client.fileno() > 0


def pong(client: socket.socket) -> None:
    client.sendall({b"PING\r\n": b"+PONG\r\n"}[client.recv(100)])


def test_a_port_that_accepts() -> None:
    with serving(mute) as port:
        outcome = ask(port)
    assert outcome.seen["connected"] is True
    assert 0 < outcome.seen["connect_time"] <= outcome.seen["elapsed"] < 5
    assert (outcome.seen["answer"], outcome.seen["matched"]) == ("", None)
    assert outcome.seen["error"] is None
    assert outcome.finding is None
    assert outcome.summary.startswith("connected in ")


def test_a_banner_is_read_until_it_matches() -> None:
    with serving(banner) as port:
        outcome = ask(port, matches="^220 .*ready")
    assert outcome.seen["answer"] == "220 mail ESMTP ready\r\n"
    assert outcome.seen["matched"] is True
    assert outcome.finding is None
    assert outcome.summary.endswith(": 220 mail ESMTP ready")


def test_a_banner_that_comes_in_parts() -> None:
    def drip(client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"220 ready":
            client.sendall(bytes([byte]))

    with serving(drip) as port:
        assert ask(port, matches="^220 ready$").finding is None


def test_another_banner_is_a_finding() -> None:
    def say(client: socket.socket) -> None:
        client.sendall(b"554 no\r\n")
        client.shutdown(socket.SHUT_WR)

    with serving(say) as port:
        outcome = ask(port, matches="^220")
    assert outcome.seen["matched"] is False
    assert outcome.finding == (
        "the server says '554 no', which does not match '^220' (then it ended the connection)"
    )


@pytest.mark.slow
def test_a_server_that_says_nothing_is_a_finding() -> None:
    with serving(mute) as port:
        outcome = ask(port, matches="^220", max_time="500ms")
        late = f"127.0.0.1:{port}: no answer within 0.5 s"
    assert outcome.seen["connected"] is True
    assert outcome.finding == f"the server says nothing, which does not match '^220' ({late})"


def test_a_request_and_its_answer() -> None:
    with serving(pong) as port:
        outcome = ask(port, send="PING\r\n", matches="^[+]PONG")
    assert outcome.seen["answer"] == "+PONG\r\n"
    assert outcome.finding is None


def test_what_the_server_says_is_bounded() -> None:
    def flood(client: socket.socket) -> None:
        client.sendall(b"x" * 100_000)

    with serving(flood) as port:
        outcome = ask(port, matches="y")
    assert len(outcome.seen["answer"]) == 4096
    assert outcome.finding == f"the server says '{'x' * 79}…', which does not match 'y'"


def test_any_bytes_are_kept_as_text() -> None:
    with serving(lambda client: client.sendall(b"\xff\x00ok")) as port:
        assert ask(port, matches="ok").seen["answer"] == "\ufffd\x00ok"


def test_a_connection_that_is_reset_is_evidence() -> None:
    def reset(client: socket.socket) -> None:
        client.recv(1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()

    with serving(reset) as port:
        outcome = ask(port, send="PING", matches="x")
    assert outcome.seen["connected"] is True
    assert "Connection reset by peer" in str(outcome.finding)


def test_a_closed_port_is_evidence() -> None:
    port = free_port()
    outcome = ask(port)
    assert (outcome.seen["connected"], outcome.seen["connect_time"]) == (False, None)
    assert outcome.finding == f"no connection: 127.0.0.1:{port}: Connection refused"
    assert outcome.summary == outcome.finding


def test_a_name_that_does_not_exist_is_evidence() -> None:
    outcome = probe("tcp_probe", {"host": "no-such-host.invalid", "port": 80}, here())
    assert outcome.seen["connected"] is False


@pytest.mark.parametrize("error", [Unreachable("no route"), LinkLost("the link died")])
def test_a_host_that_cannot_be_reached_is_no_evidence_of_the_port(error: Exception) -> None:
    with pytest.raises(type(error)):
        probe("tcp_probe", {"port": 80}, target(FakeConnection(refuse=error)))


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"port": 0},
        {"port": 80, "host": ""},
        {"port": 80, "host": "-oProxyCommand=x"},
        {"port": 80, "host": "a b"},
        {"port": 80, "host": "http://x"},
        {"port": 80, "matches": "("},
        {"port": 80, "max_time": "soon"},
    ],
)
def test_wrong_arguments_are_refused(args: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        module("tcp_probe", args)


@pytest.mark.lab
def test_a_port_as_the_host_sees_it(lab: Lab, links: Links) -> None:
    there = target(links.get("h1"))
    args = {"host": lab.h1.address, "port": 22, "matches": "^SSH-2.0-"}
    assert probe("tcp_probe", args, there).finding is None
    closed = probe("tcp_probe", {"port": 9}, there)
    assert closed.finding is not None
    assert "refused" in closed.finding.lower()
