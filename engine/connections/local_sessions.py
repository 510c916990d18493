"""Sessions on the controller itself: processes that are used as an SSH link's channels are."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import threading
import time
import weakref
from typing import TYPE_CHECKING

from engine.connections import shells
from engine.connections.entrance import Entered, send
from engine.connections.timers import Timers
from engine.errors import LinkLost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.connections.entrance import Channel, Hear
    from engine.connections.output import Ending

_CHUNK = 64 * 1024

_ON_TERMINAL = 'exec <>"$0" >&0 2>&0;exec /bin/sh -c "$1"'
"""A terminal that the leader of a session without one opens becomes the session's."""


class LocalSessions:
    """Opens sessions of the account that quell runs as."""

    where = "localhost"
    alive = True

    def __init__(self) -> None:
        """Open nothing yet."""
        self.timers = Timers()
        self._open: weakref.WeakSet[LocalChannel] = weakref.WeakSet()
        self._cut_off: weakref.WeakSet[LocalChannel] = weakref.WeakSet()

    def enter(
        self,
        stdout: Ending,
        stderr: Ending,
        deadline: float,
        *,
        line: str = shells.LOGIN_LINE,
        hear: Hear | None = None,
    ) -> Entered:
        """As in `Entrance`; a process is there at once."""
        del deadline
        (theirs_in, ours_in), (out, theirs_out), (err, theirs_err) = (os.pipe() for _ in range(3))
        argv = ("/bin/sh", "-c", line)
        errors = _Output(err)
        channel = LocalChannel(argv, (theirs_in, theirs_out, theirs_err), ours_in, out, errors)
        self._open.add(channel)
        threads = [errors.into(stderr)]
        if hear is None:
            threads.append(channel.output.into(stdout))
        else:
            hear(channel.recv, stdout)
        return Entered(channel, _all_ended(threads))

    def enter_shell(
        self, marker: str, stdout: Ending, stderr: Ending, deadline: float, *, ask: bool = False
    ) -> Entered:
        """As in `Entrance`; nobody asks here."""
        assert not ask
        return self.enter(stdout, stderr, deadline, line=shells.bare(marker))

    def enter_terminal(self, output: Ending, deadline: float, line: str) -> LocalChannel:
        """As in `Login`."""
        del deadline
        ours, theirs = os.openpty()
        _silence(theirs)
        argv = ("/bin/sh", "-c", _ON_TERMINAL, os.ttyname(theirs), line)
        channel = LocalChannel(argv, (theirs, theirs, theirs), os.dup(ours), ours)
        self._open.add(channel)
        channel.output.into(output)
        return channel

    def cut_off(self, channel: Channel) -> bool:
        """As in `Login`."""
        return channel in self._cut_off

    def close(self) -> None:
        """End all that are open; others may be opened."""
        for channel in list(self._open):
            self._cut_off.add(channel)
            channel.close()

    def attend(self, timeout: float) -> None:
        """As in `Entrance`: there is no doubt."""

    def send(self, channel: Channel, data: bytes, deadline: float) -> bool:
        """As in `Entrance`."""
        return send(channel, data, deadline)

    def hurried(self, patience: float) -> LocalSessions:
        """As in `Entrance`."""
        del patience
        return self

    @contextlib.contextmanager
    def apart(self) -> Iterator[LocalSessions]:
        """As in `Login`; none is ever refused here."""
        yield self

    def lost(self) -> LinkLost:
        """As in `Entrance`."""
        return LinkLost("localhost: how a command ended is not known")


def _silence(terminal: int) -> None:
    """Let it show nothing of what it is sent, and alter nothing of what it shows."""
    import termios

    attributes = termios.tcgetattr(terminal)
    attributes[1] &= ~termios.OPOST
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)


def _all_ended(threads: list[threading.Thread]) -> threading.Event:
    ended = threading.Event()

    def wait() -> None:
        for thread in threads:
            thread.join()
        ended.set()

    threading.Thread(target=wait, daemon=True, name="local outputs").start()
    return ended


class LocalChannel:
    """A process, and our ends of its streams; a `Channel`.

    Args:
        argv: what is started.
        theirs: its stdin, stdout and stderr; closed here.
        ours_in: what it reads is written here.
        ours_out: what it writes is read here.
        errors: and its stderr here, unless it is the same.
    """

    event_ready = True

    def __init__(
        self,
        argv: tuple[str, ...],
        theirs: tuple[int, int, int],
        ours_in: int,
        ours_out: int,
        errors: _Output | None = None,
    ) -> None:
        """Start it, in a session of its own."""
        self.status_event = threading.Event()
        self.exit_status = -1
        self.ended_by = 0
        self.closed = False
        self.output = _Output(ours_out)
        self._errors = errors
        self._input = ours_in
        self._timeout: float | None = None
        os.set_blocking(ours_in, False)
        try:
            stdin, stdout, stderr = theirs
            self._process = subprocess.Popen(
                argv, stdin=stdin, stdout=stdout, stderr=stderr, cwd="/", start_new_session=True
            )
        finally:
            for descriptor in set(theirs):
                os.close(descriptor)
        threading.Thread(target=self._wait, daemon=True, name="local session").start()

    def _wait(self) -> None:
        status = self._process.wait()
        self.ended_by = max(0, -status)
        self.exit_status = max(-1, status)
        self.status_event.set()

    def settimeout(self, timeout: float | None, /) -> None:
        """As in `Channel`."""
        self._timeout = timeout

    def send(self, data: bytes, /) -> int:
        """As in `Channel`."""
        return self._write(memoryview(data), self._until())

    def sendall(self, data: bytes, /) -> None:
        """As in `Channel`."""
        until = self._until()
        rest = memoryview(data)
        while rest:
            rest = rest[self._write(rest, until) :]

    def _until(self) -> float | None:
        return None if self._timeout is None else time.monotonic() + self._timeout

    def _write(self, data: memoryview, until: float | None) -> int:
        while True:
            if self._input < 0:
                raise BrokenPipeError
            try:
                return os.write(self._input, data)
            except BlockingIOError:
                _await(self._input, select.POLLOUT, until)

    def recv(self, size: int, /) -> bytes:
        """As in `Channel`."""
        return self.output.read(size, self._timeout)

    def shutdown(self, how: int, /) -> None:
        """As in `Channel`: 0 is reading, 1 writing, 2 both."""
        if how != 0:
            self.shutdown_write()
        if how != 1:
            self.output.close()

    def shutdown_write(self) -> None:
        """As in `Channel`."""
        descriptor, self._input = self._input, -1
        if descriptor >= 0:
            os.close(descriptor)

    def close(self) -> None:
        """As in `Channel`."""
        self.closed = True
        self.shutdown(2)
        if self._errors is not None:
            self._errors.close()


class _Output:
    """A descriptor that one thread reads and another may close."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._closing, self._close = os.pipe()
        self._reading = threading.Lock()
        self._ending = threading.Lock()
        self._closed = False

    def read(self, size: int, timeout: float | None = None) -> bytes:
        """The next bytes; none at the end, or once it is closed."""
        until = None if timeout is None else time.monotonic() + timeout
        with self._reading:
            if not self._closed:
                _await(self._descriptor, select.POLLIN, until, self._closing)
            return b"" if self._closed else self._read(size)

    def _read(self, size: int) -> bytes:
        try:
            return os.read(self._descriptor, size)
        except OSError:  # Linux's word for a terminal that nobody has open any more
            return b""

    def into(self, sink: Ending) -> threading.Thread:
        """Let all of it run into a sink, and close it."""

        def run() -> None:
            while data := self.read(_CHUNK):
                sink.feed(data)
            self.close()
            sink.finish()

        thread = threading.Thread(target=run, daemon=True, name="local output")
        thread.start()
        return thread

    def close(self) -> None:
        """End it; whoever writes to it gets SIGPIPE."""
        with self._ending:
            if self._closed:
                return
            self._closed = True
        os.close(self._close)  # wakes who reads
        with self._reading:
            os.close(self._descriptor)
            os.close(self._closing)


def _await(descriptor: int, event: int, until: float | None, *others: int) -> None:
    """Return when the descriptor is ready, or one of the others has something to say.

    Raises:
        TimeoutError: the time was over.
    """
    poll = select.poll()
    poll.register(descriptor, event)
    for other in others:
        poll.register(other, select.POLLIN)
    left = None if until is None else max(0.0, until - time.monotonic()) * 1000
    if not poll.poll(left):
        raise TimeoutError
