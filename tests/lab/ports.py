"""Ports for servers that tests start."""

from __future__ import annotations

import secrets
import socket

_EPHEMERAL = 32_768
"""**Source:** ip(7): the first of the ports that Linux gives out by itself."""


def free_port() -> int:
    """A port that nothing listens on, nor on the next one.

    It is none of those that connections are given for their own end, so that it stays free.
    """
    while True:
        port = 10_000 + secrets.randbelow(_EPHEMERAL - 10_000)
        if not any(_is_taken(each) for each in (port, port + 1)):
            return port


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return True
    return False
