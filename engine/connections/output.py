"""A command's output, kept within bounds while it comes."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

from engine.connections.base import OUTPUT_HEAD, OUTPUT_TAIL, Output

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.connections.base import Listener

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

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._size

    def output(self) -> Output:
        """What there was so far."""
        _, tail = self._limits
        with self._lock:
            kept = bytes(self._tail[max(0, len(self._tail) - tail) :])
            return Output(bytes(self._head), kept, self._size)


class Outputs:
    """Both streams of one command.

    Args:
        keep: bytes of stdout to keep from its start; None for the usual head and tail.
        listener: hears output as it comes.
    """

    def __init__(self, *, keep: int | None = None, listener: Listener | None = None) -> None:
        """Start empty."""
        tell_out = (lambda data: listener("stdout", data)) if listener else None
        tell_err = (lambda data: listener("stderr", data)) if listener else None
        bounds = {} if keep is None else {"head": keep, "tail": 0}
        self.stdout = Keeper(tell=tell_out, **bounds)
        self.stderr = Keeper(tell=tell_err)

    def grew_quiet(self, ended: threading.Event, deadline: float) -> None:
        """Return when both have ended or nothing came for a while, at the deadline at last."""
        size = -1
        while size != (size := self._size()) and time.monotonic() < deadline:
            if ended.wait(LINGER):
                break

    def _size(self) -> int:
        return self.stdout.size + self.stderr.size


class Sink(Protocol):
    """Where a stream goes."""

    def feed(self, data: bytes) -> None:
        """Take the next chunk."""
        ...


class Ending(Sink, Protocol):
    """A sink that is told of the stream's end."""

    def finish(self) -> None:
        """The stream ended."""
        ...


class Marked:
    """Passes a stream on from behind its marker line; what came before is a start-up file's noise.

    Args:
        marker: unguessable, followed by the command's process id on the same line.
        sink: is fed the rest. A stream that never had the marker is all output.
        hold: whether such a stream is kept back until somebody has looked at it.
    """

    def __init__(self, marker: str, sink: Sink, *, hold: bool = False) -> None:
        """Wait for the marker."""
        self._hold = hold
        self._marker = marker.encode() + b" "
        self._sink = sink
        self._pending: bytes | None = b""
        self.pid: int | None = None
        self.since = 0.0
        """Monotonic time at which the process id came."""

    def feed(self, data: bytes) -> None:
        """Take the next chunk."""
        if self._pending is None:
            self._sink.feed(data)
            return
        self._pending += data
        start = self._pending.find(self._marker)
        while start >= 0:
            end = self._pending.find(b"\n", start)
            if end < 0:
                return
            pid = self._pending[start + len(self._marker) : end].strip()
            if pid.isdigit():
                self.since = time.monotonic()
                self.pid = int(pid)
                self._pass_on(self._pending[end + 1 :])
                return
            start = self._pending.find(self._marker, end)  # that was an echo of our own line
        if len(self._pending) > _NOISE:
            self._pass_on(self._pending)

    def finish(self) -> None:
        """The stream ended."""
        if not self._hold:
            self.release()

    @property
    def held(self) -> bytes:
        """What has come of a stream that had no marker yet."""
        return self._pending or b""

    def release(self) -> None:
        """It is output after all."""
        if self._pending:
            self._pass_on(self._pending)

    def _pass_on(self, data: bytes) -> None:
        self._pending = None
        if data:
            self._sink.feed(data)


class Framed:
    """Cuts one command's output after the other out of a shell's stream.

    Args:
        greeting: what the stream begins with, before the first command; without it the stream is
            none of a shell of ours, and all of it is output.
        ended: is called when the command's output has ended.
    """

    def __init__(self, greeting: bytes, ended: Callable[[], None]) -> None:
        """Belong to no command yet."""
        self._lock = threading.Lock()
        self._greeting = greeting
        self._ended = ended
        self._mark = b""
        self._keeper: Keeper | None = None
        self._pending = b""
        self.end: bytes | None = None
        """What the shell says behind the mark; None before that."""
        self.stray = False
        """Whether something came that belongs to no command: the stream is not to be trusted."""

    @property
    def greeted(self) -> bool:
        """Whether the greeting has come."""
        return not self._greeting

    def begin(self, mark: bytes, keeper: Keeper) -> None:
        """What comes is the next command's.

        Args:
            mark: unguessable; ends the output, and stands at the start of the shell's own line.
                Its first byte is nowhere else in it.
            keeper: is fed the output.
        """
        with self._lock:
            self._mark, self._keeper, self._pending, self.end = mark, keeper, b"", None

    def leave(self) -> None:
        """What comes from here on is nobody's."""
        with self._lock:
            self._keeper = None

    def feed(self, data: bytes) -> None:
        """Take the next chunk."""
        with self._lock:
            self._take(data)

    def _take(self, data: bytes) -> None:
        if self._greeting:
            data = self._greet(data)
        if self._keeper is None or self.end is not None:
            self._spill(data)
            return
        data = self._pending + data
        at = self._find(data)
        if at:
            self._keeper.feed(data[:at])
        self._pending = data[at:]
        line, newline, rest = self._pending.partition(b"\n")
        if newline and line.startswith(self._mark):
            self.end = line[len(self._mark) :]
            self._spill(rest)
            self._ended()

    def _greet(self, data: bytes) -> bytes:
        size = min(len(data), len(self._greeting))
        if data[:size] != self._greeting[:size]:
            return data
        self._greeting = self._greeting[size:]
        return data[size:]

    def _find(self, data: bytes) -> int:
        """Where the mark begins, or may begin in what has come of it."""
        at = data.find(self._mark)
        if at < 0:
            start = data.rfind(self._mark[:1], max(0, len(data) - len(self._mark)))
            at = start if start >= 0 and self._mark.startswith(data[start:]) else len(data)
        return at

    def _spill(self, data: bytes) -> None:
        """A process that the command left behind still writes."""
        if data:
            self.stray = True
            if self._keeper is not None:
                self._keeper.feed(data)
