"""Streams and forwards: real sockets to addresses as the host sees them."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.connections.base import Address, Connection, Pipe, Tcp, Unix
from engine.errors import DialRefused
from tests.connections.helpers import Resources

if TYPE_CHECKING:
    from tests.connections.helpers import Server


@pytest.fixture(params=["tcp", "unix"])
def address(request: pytest.FixtureRequest, server: Server) -> Address:
    return Tcp("localhost", server.echo) if request.param == "tcp" else Unix(server.path)


def read_all(stream: socket.socket) -> bytes:
    parts = []
    while part := stream.recv(65536):
        parts.append(part)
    return b"".join(parts)


def test_a_stream_is_a_real_socket(connection: Connection, address: Address) -> None:
    with connection.dial(address, timeout=5) as stream:
        assert isinstance(stream, socket.socket)
        assert stream.fileno() >= 0
        assert stream.gettimeout() is None
        stream.sendall(b"ping")
        assert stream.recv(10) == b"ping"


def test_data_passes_whole_and_a_half_close_ends_it(
    connection: Connection, address: Address
) -> None:
    data = os.urandom(5_000_000)
    with connection.dial(address, timeout=5) as stream:

        def send() -> None:
            stream.sendall(data)
            stream.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        assert read_all(stream) == data
        sender.join()


def test_the_servers_hang_up_is_the_end_of_file(connection: Connection, server: Server) -> None:
    with connection.dial(Tcp("localhost", server.hang_up), timeout=5) as stream:
        stream.sendall(b"x")
        assert stream.recv(1) == b""


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (Tcp("localhost", 1), "localhost:1: .*[Cc]onnection refused"),
        (Tcp("no-such-name.invalid", 80), "no-such-name.invalid:80: .*(resol|not known)"),
        (Unix("/nowhere/socket"), "/nowhere/socket: .*([Nn]o such)"),
        (Unix("/etc/passwd"), "/etc/passwd: .*(not a socket|[Cc]onnection refused)"),
        (Pipe("docker_engine"), "docker_engine: .* no named pipes"),
    ],
)
def test_a_refusal_is_told_in_the_hosts_words(
    connection: Connection, refused: Address, why: str
) -> None:
    with pytest.raises(DialRefused, match=why):
        connection.dial(refused, timeout=5)


@pytest.mark.slow
def test_streams_leave_nothing_behind(connection: Connection, server: Server) -> None:
    before = Resources(connection)
    for port in [server.echo, server.hang_up, server.mute] * 100:
        with connection.dial(Tcp("localhost", port), timeout=5) as stream:
            stream.sendall(b"x")
    assert before.back()


@pytest.mark.slow
def test_a_half_closed_stream_is_let_go_when_the_client_closes_it(
    connection: Connection, server: Server
) -> None:
    before = Resources(connection)
    stream = connection.dial(Tcp("localhost", server.mute), timeout=5)
    stream.shutdown(socket.SHUT_WR)
    stream.close()
    assert before.back()


@pytest.mark.slow
def test_a_stream_that_the_server_does_not_read_is_let_go_when_the_client_closes_it(
    connection: Connection, server: Server
) -> None:
    before = Resources(connection)
    stream = connection.dial(Tcp("localhost", server.mute), timeout=5)
    stream.settimeout(0.5)
    with pytest.raises(TimeoutError):
        stream.sendall(bytes(50_000_000))
    stream.close()
    assert before.back()


def client(path: str) -> socket.socket:
    opened = socket.socket(socket.AF_UNIX)
    try:
        opened.connect(path)
    except OSError:
        opened.close()
        raise
    return opened


def test_a_forward_serves_many_clients_at_a_path(connection: Connection, address: Address) -> None:
    with connection.forward(address, timeout=5) as path:
        assert path.endswith("/.s.PGSQL.5432")
        assert Path(path).parent.stat().st_mode & 0o777 == 0o700
        clients = [client(path) for _ in range(5)]
        for number, stream in enumerate(clients):
            stream.sendall(b"%d" % number)
        assert [stream.recv(10) for stream in clients] == [b"0", b"1", b"2", b"3", b"4"]
        for stream in clients:
            stream.close()
    assert not Path(path).parent.exists()


def test_a_forward_tells_at_once_why_it_leads_nowhere(connection: Connection) -> None:
    with (
        pytest.raises(DialRefused, match=r"[Cc]onnection refused"),
        connection.forward(Tcp("localhost", 1), timeout=5),
    ):
        pass


@pytest.mark.slow
def test_a_forwards_end_ends_its_streams(connection: Connection, address: Address) -> None:
    before = Resources(connection)
    with connection.forward(address, timeout=5) as path:
        stream = client(path)
        stream.sendall(b"x")
        assert stream.recv(1) == b"x"
    assert stream.recv(1) == b""
    stream.close()
    assert before.back()


@pytest.mark.slow
def test_at_its_deadline_a_forwards_streams_end(connection: Connection, server: Server) -> None:
    before = Resources(connection)
    with connection.forward(Tcp("localhost", server.mute), timeout=1) as path:
        streams = [client(path), client(path)]
        assert [stream.recv(1) for stream in streams] == [b"", b""]
        with pytest.raises(ConnectionRefusedError):
            client(path)
    for stream in streams:
        stream.close()
    assert before.back()


@pytest.mark.slow
def test_an_unused_forward_leaves_nothing_behind(connection: Connection, address: Address) -> None:
    before = Resources(connection)
    with connection.forward(address, timeout=5):
        pass
    assert before.back()
