"""Processes that listen on a port, in the ways that they do in the wild."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROGRAM = """
import ctypes, os, signal, socket, sys, time
address, port, *manner = sys.argv[1:]
if "deaf" in manner:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
if ":" in address:
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
listener.bind((address, int(port)))
listener.listen()
for word in manner:
    if word.startswith("named="):
        ctypes.CDLL(None).prctl(15, word[6:].encode())
    if word.startswith("uid="):
        os.setuid(int(word[4:]))
if "forks" in manner:
    for _ in range(2):
        if os.fork() == 0:
            time.sleep(600)
print(os.getpid(), flush=True)
time.sleep(600)
"""


@contextlib.contextmanager
def listener(
    port: int, *manner: str, address: str = "127.0.0.1"
) -> Iterator[subprocess.Popen[str]]:
    """A process that listens; it is gone afterwards, with its children.

    Args:
        port: to listen on.
        manner: `deaf` ignores TERM, `forks` shares the socket with two children, `named=…` calls
            itself so, `uid=…` becomes that account.
        address: to listen on; one with a colon is IPv6 only.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, address, str(port), *manner],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert int(process.stdout.readline()) == process.pid
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            _signal_group(process.pid)
        process.communicate()


def _signal_group(pid: int) -> None:
    import os

    os.killpg(pid, signal.SIGKILL)


def listens(port: int, address: str = "127.0.0.1") -> bool:
    """Whether a connection to the port is accepted."""
    try:
        socket.create_connection((address, port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True
