"""A TCP socket for a link: nothing waits in it, and a dead peer is noticed."""

from __future__ import annotations

import contextlib
import socket

_USER_TIMEOUT = 30
"""Seconds that what was sent may stay unacknowledged; keepalive alone finds no dead peer."""


class QuickSocket(socket.socket):
    """A TCP socket that neither holds back small packets nor their acknowledgements.

    sshd leaves Nagle's algorithm on for forwards: each delayed acknowledgement of ours would
    cost 40 ms. The kernel forgets TCP_QUICKACK, so it is set again after each read.
    """

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Read, then acknowledge at once."""
        data = super().recv(size, flags)
        if hasattr(socket, "TCP_QUICKACK"):
            with contextlib.suppress(OSError):
                self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data


def quick(plain: socket.socket) -> QuickSocket:
    """Take over a connected TCP socket; a peer that vanished is noticed within half a minute."""
    sock = QuickSocket(plain.family, plain.type, plain.proto, plain.detach())
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT * 1000)
    return sock
