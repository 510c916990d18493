"""A port of the loopback, which anybody on the controller can connect to."""

from __future__ import annotations

import socket
import subprocess
import sys

from engine.connections.loopback import ADDRESS, Loopback

_STRANGER = """
import socket, sys
stranger = socket.create_connection((sys.argv[1], int(sys.argv[2])))
stranger.sendall(b"let me in")
try:
    said = stranger.recv(10)
except ConnectionResetError:
    said = b""
sys.exit(said != b"")
"""


def test_another_process_is_not_let_through() -> None:
    far, server = socket.socketpair()
    with server, Loopback(lambda _: far, 10) as port:
        argv = [sys.executable, "-c", _STRANGER, ADDRESS, port]
        assert subprocess.run(argv, check=False).returncode == 0
        with socket.create_connection((ADDRESS, int(port))) as ours:
            ours.sendall(b"it is us")
            assert server.recv(20) == b"it is us"
            server.sendall(b"welcome")
            assert ours.recv(20) == b"welcome"


def test_after_it_nobody_is() -> None:
    far, server = socket.socketpair()
    with server:
        with Loopback(lambda _: far, 10) as port:
            pass
        assert server.recv(1) == b""
        with socket.socket() as late:
            assert late.connect_ex((ADDRESS, int(port))) != 0
