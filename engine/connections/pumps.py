"""Two ends joined into one stream, by a thread for each direction."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import Protocol

_CHUNK = 64 * 1024


_LOOK = 5.0
"""Seconds between two looks whether the client has gone, while the far end takes nothing."""


class End(Protocol):
    """What a socket and an SSH channel have in common."""

    def settimeout(self, seconds: float, /) -> None:
        """Of each `recv` and `send`, which raise TimeoutError then."""
        ...

    def recv(self, size: int, /) -> bytes:
        """The next bytes; none at the stream's end."""
        ...

    def send(self, data: bytes, /) -> int:
        """As much as it takes; how much that is."""
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
    far.settimeout(_LOOK)
    down = threading.Thread(target=_copy_down, args=(far, near), daemon=True, name="stream down")
    up = threading.Thread(target=_copy_up, args=(near, far, down), daemon=True, name="stream up")
    down.start()
    up.start()


def _copy_up(near: socket.socket, far: End, down: threading.Thread) -> None:
    with contextlib.suppress(OSError):
        while data := near.recv(_CHUNK):
            _push(data, near, far)
        far.shutdown(socket.SHUT_WR)
        _has_hung_up(near, wait=True)
    # Both ends are shut before either is closed: that is what wakes the other thread.
    for end in (far, near):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    far.close()
    down.join()
    near.close()


def _push(data: bytes, near: socket.socket, far: End) -> None:
    while data:
        try:
            data = data[far.send(data) :]
        except TimeoutError:
            if _has_hung_up(near, wait=False):
                raise


def _copy_down(far: End, near: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := _pull(far):
            near.sendall(data)
    with contextlib.suppress(OSError):
        near.shutdown(socket.SHUT_WR)


def _pull(far: End) -> bytes:
    while True:
        with contextlib.suppress(TimeoutError):
            return far.recv(_CHUNK)


def _has_hung_up(near: socket.socket, *, wait: bool) -> bool:
    """Whether the client has closed its end, and not only finished writing."""
    if not hasattr(select, "poll"):  # Windows has none: there the first end of file is the last
        return wait
    poll = select.poll()
    poll.register(near, 0)  # an empty mask still reports that both directions are shut
    return bool(poll.poll(None if wait else 0))
