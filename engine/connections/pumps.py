"""Two ends joined into one stream, by a thread for each direction."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import Protocol

_CHUNK = 64 * 1024


class End(Protocol):
    """What a socket and an SSH channel have in common."""

    def recv(self, size: int, /) -> bytes:
        """The next bytes; none at the stream's end."""
        ...

    def sendall(self, data: bytes, /) -> None:
        """All of it, or OSError."""
        ...

    def shutdown(self, how: int, /) -> None:
        """Close one direction or both, as `socket.shutdown`."""
        ...

    def close(self) -> None:
        """Close both."""
        ...


def join(near: socket.socket, far: End) -> None:
    """Copy both ways until both sides have finished, or the near one hung up; then close both.

    Args:
        near: a unix socket whose other end the client has.
        far: what it is to speak with.
    """
    down = threading.Thread(target=_copy_down, args=(far, near), daemon=True, name="stream down")
    up = threading.Thread(target=_copy_up, args=(near, far, down), daemon=True, name="stream up")
    down.start()
    up.start()


def _copy_up(near: socket.socket, far: End, down: threading.Thread) -> None:
    with contextlib.suppress(OSError):
        while data := near.recv(_CHUNK):
            far.sendall(data)
        far.shutdown(socket.SHUT_WR)
        _await_hang_up(near)
    # Both ends are shut before either is closed: that is what wakes the other thread.
    for end in (far, near):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    far.close()
    down.join()
    near.close()


def _copy_down(far: End, near: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := far.recv(_CHUNK):
            near.sendall(data)
    with contextlib.suppress(OSError):
        near.shutdown(socket.SHUT_WR)


def _await_hang_up(near: socket.socket) -> None:
    """Return when the client has closed its end, and not only finished writing."""
    if hasattr(select, "poll"):  # Windows has none: there the first end of file is the last
        poll = select.poll()
        poll.register(near, 0)  # an empty mask still reports that both directions are shut
        poll.poll()
