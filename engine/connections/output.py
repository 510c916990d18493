"""A command's output, kept within bounds while it comes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from engine.connections.base import OUTPUT_HEAD, OUTPUT_TAIL, Output

if TYPE_CHECKING:
    from collections.abc import Callable

LINGER = 1.0
"""Seconds without output after a command's end, while a child that it left holds its output."""

_NOISE = 64 * 1024
"""Bytes that a login shell's start-up files may write before the command begins."""


class Keeper:
    """Takes all of a stream and keeps its head and its tail.

    Args:
        head: bytes kept from the start.
        tail: bytes kept from the end of what is longer than the head.
        tell: is called with each chunk; it must neither raise nor wait.
    """

    def __init__(
        self,
        *,
        head: int = OUTPUT_HEAD,
        tail: int = OUTPUT_TAIL,
        tell: Callable[[bytes], None] | None = None,
    ) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._head = bytearray()
        self._tail = bytearray()
        self._limits = head, tail
        self._size = 0
        self._tell = tell

    def feed(self, data: bytes) -> None:
        """Take the next chunk."""
        head, tail = self._limits
        with self._lock:
            self._size += len(data)
            room = head - len(self._head)
            self._head += data[:room]
            self._tail += data[room:]
            if len(self._tail) > 2 * tail:  # cut seldom: each cut moves what remains
                del self._tail[: len(self._tail) - tail]
        if self._tell and data:
            self._tell(data)

    def output(self) -> Output:
        """What there was so far."""
        _, tail = self._limits
        with self._lock:
            kept = bytes(self._tail[max(0, len(self._tail) - tail) :])
            return Output(bytes(self._head), kept, self._size)


class Marked:
    """Passes a stream on from behind its marker line; what came before is a start-up file's noise.

    Args:
        marker: unguessable, followed by the command's process id on the same line.
        keeper: is fed the rest. A stream that never had the marker is all output.
    """

    def __init__(self, marker: str, keeper: Keeper) -> None:
        """Wait for the marker."""
        self._marker = marker.encode() + b" "
        self._keeper = keeper
        self._pending: bytes | None = b""
        self.pid: int | None = None

    def feed(self, data: bytes) -> None:
        """Take the next chunk."""
        if self._pending is None:
            self._keeper.feed(data)
            return
        self._pending += data
        start = self._pending.find(self._marker)
        end = self._pending.find(b"\n", start)
        if start >= 0 and end >= 0:
            self.pid = int(self._pending[start + len(self._marker) : end])
            self._pass_on(self._pending[end + 1 :])
        elif start < 0 and len(self._pending) > _NOISE:
            self._pass_on(self._pending)

    def finish(self) -> None:
        """The stream ended."""
        if self._pending:
            self._pass_on(self._pending)

    def _pass_on(self, data: bytes) -> None:
        self._pending = None
        if data:
            self._keeper.feed(data)
