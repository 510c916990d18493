"""A TCP socket for a link: nothing waits in it, and a dead peer is noticed."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

_FEW, _MANY = 4 * 1024, 64 * 1024
"""Bytes read at once: room for so many is taken while nothing comes, and while much does."""

_FIRST = 80
"""Bytes kept of what a peer says first."""

_USER_TIMEOUT = 20
"""Seconds that what was sent may stay unacknowledged; keepalive alone finds no dead peer."""

_STREAM = socket.SOCK_STREAM
_ACKNOWLEDGES = hasattr(socket, "TCP_QUICKACK")
_LINUX = sys.platform == "linux"


class QuickSocket(socket.socket):
    """A TCP socket that neither holds back small packets nor their acknowledgements.

    sshd leaves Nagle's algorithm on for forwards: each delayed acknowledgement of ours would
    cost 40 ms. The kernel forgets TCP_QUICKACK, so it is set again after each read. paramiko asks
    for a message's length and for the rest of it one after the other, and for the next message
    then: what has come is read at once, and kept until it is asked for.

    A timeout of Python's own means a `poll` before each call, and for many links that each of them
    waits twice for Python's lock; the kernel's means neither.
    """

    _held = b""
    _room = _FEW

    first = b""
    """What the peer said first: what it is, if it is no SSH server."""

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Read, and acknowledge at once."""
        held = self._held or self._read_on(size, flags)
        self._held = held[size:]
        return held[:size]

    def settimeout(self, value: float | None, /) -> None:
        """Seconds that each call may take; none for as long as it takes."""
        if not _LINUX or value == 0:
            super().settimeout(value)
            return
        super().settimeout(None)
        interval = struct.pack("@ll", *divmod(round((value or 0) * 1_000_000), 1_000_000))
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.setsockopt(socket.SOL_SOCKET, option, interval)

    def _read_on(self, size: int, flags: int) -> bytes:
        try:
            data = super().recv(max(size, self._room), flags)
        except BlockingIOError as error:
            raise TimeoutError("timed out") from error
        self._room = _FEW if len(data) < _FEW else _MANY
        self.first = self.first or data[:_FIRST]
        if _ACKNOWLEDGES:
            with contextlib.suppress(OSError):
                self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data


def connect(address: str, port: int, timeout: float) -> QuickSocket:
    """A connected socket, within `timeout` seconds altogether.

    Raises:
        socket.gaierror: the name cannot be resolved, or not in time.
        OSError: of the last of the name's addresses that was tried.
    """
    deadline = time.monotonic() + timeout
    failure = OSError(f"{address} has no address")
    for family, kind, protocol, _, where in _resolve(address, port, timeout):
        plain = socket.socket(family, kind, protocol)
        try:
            plain.settimeout(max(0.001, deadline - time.monotonic()))
            plain.connect(where)
        except OSError as error:
            plain.close()
            failure = error
        else:
            return quick(plain)
    raise failure


def _resolve(address: str, port: int, timeout: float) -> list[tuple[Any, ...]]:
    with contextlib.suppress(OSError, UnicodeError):  # a name, of which somebody must be asked
        numeric = socket.AI_NUMERICHOST
        return socket.getaddrinfo(address.encode("ascii"), port, type=_STREAM, flags=numeric)
    # The resolver has its own idea of patience, and no way to be told of ours.
    answer: Future[list[tuple[Any, ...]]] = Future()

    def ask() -> None:
        try:
            answer.set_result(socket.getaddrinfo(address, port, type=_STREAM))
        except (OSError, UnicodeError) as error:
            answer.set_exception(error)

    threading.Thread(target=ask, daemon=True, name="resolver").start()
    try:
        return answer.result(timeout)
    except FutureTimeout as error:
        said = f"no answer from the resolver within {timeout:g} s"
        raise socket.gaierror(socket.EAI_AGAIN, said) from error


def quick(plain: socket.socket) -> QuickSocket:
    """Take over a connected TCP socket; a peer that vanished is noticed within 20 seconds."""
    sock = QuickSocket(plain.family, plain.type, plain.proto, plain.detach())
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT * 1000)
    return sock
