"""A unix socket on the controller that leads to an address as a host sees it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from engine.connections.pumps import End, join
from engine.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable

SOCKET_NAME = ".s.PGSQL.5432"
"""libpq looks for this name in a directory; other clients take any path."""

_PREFIX = "quell-forward-"

_YOUNG = 60.0
"""Seconds for which a directory is left alone: it may not be locked yet."""


class Forward:
    """A context: while it lasts, its path leads to the other end.

    Args:
        dial: opens one stream to the address within so many seconds, and says why it cannot.
        timeout: seconds for all of it. A client's own patience counts from each of its requests
            anew, or has no end: at the deadline its streams do.
    """

    def __init__(self, dial: Callable[[float], End], timeout: float) -> None:
        """Nothing is opened before the context is entered."""
        self._dial = dial
        self._timeout = timeout
        self._streams: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._over = threading.Event()

    def __enter__(self) -> str:
        """Dial once, so that the caller hears the true reason, then listen.

        Returns:
            The socket's path.
        """
        self._ends = time.monotonic() + self._timeout
        self._first: End | None = self._dial(self._timeout)
        try:
            path = self._listen()
        except OSError as error:
            self._first.close()
            raise HostError(f"no socket can be made on the controller: {error}") from error
        self._thread = threading.Thread(target=self._accept, daemon=True, name="forward")
        self._thread.start()
        return path

    def _listen(self) -> str:
        self._listener = unix_socket()
        try:
            return self._bind()
        except OSError:
            self._listener.close()
            raise

    def _bind(self) -> str:
        sweep(Path(tempfile.gettempdir()))
        # mkdtemp's mode is 0700: nobody else on the controller can speak through the link.
        self._directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._claim = _locked(self._directory)
        path = str(self._directory / SOCKET_NAME)
        try:
            self._listener.bind(path)
        except OSError:
            self._remove()
            raise
        self._listener.listen(64)
        return path

    def __exit__(self, *_: object) -> None:
        """Stop listening, end the streams, and remove the directory."""
        with contextlib.suppress(OSError):  # wakes the accept; macOS says that it is not connected
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(1.0)
        self._end_streams()
        self._remove()

    def _end_streams(self) -> None:
        self._over.set()
        for stream in list(self._streams):
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
        first, self._first = self._first, None
        if first is not None:
            first.close()

    def _remove(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)
        if self._claim is not None:
            os.close(self._claim)

    def _accept(self) -> None:
        while True:
            try:
                self._listener.settimeout(self._left())
                accepted, _ = self._listener.accept()
            except TimeoutError:
                self._listener.close()
                self._end_streams()
                return
            except OSError:
                return  # closed: the context is over
            if not self._may_enter(accepted):
                accepted.close()
                continue
            far, self._first = self._first, None
            if far is not None:
                self._join(accepted, far)
            else:
                # Dialled apart, so that one slow answer does not hold up the next client.
                threading.Thread(target=self._dial_for, args=(accepted,), daemon=True).start()

    def _may_enter(self, accepted: socket.socket) -> bool:
        """Whether it is a client of ours; the directory lets nobody else in."""
        del accepted
        return True

    def _left(self) -> float:
        return max(0.001, self._ends - time.monotonic())

    def _dial_for(self, accepted: socket.socket) -> None:
        try:
            far = self._dial(self._left())
        except HostError:
            accepted.close()  # the client sees a closed connection; the reason was heard at first
        else:
            self._join(accepted, far)

    def _join(self, accepted: socket.socket, far: End) -> None:
        self._streams.add(accepted)
        join(accepted, far)
        if self._over.is_set():  # in the meantime
            self._end_streams()


def unix_socket() -> socket.socket:
    """A unix socket that is connected to nothing yet.

    Raises:
        OSError: there are none here.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("Python has no unix sockets on this system")
    return socket.socket(socket.AF_UNIX)


def sweep(directory: Path) -> None:
    """Remove the directories of processes that were killed before they could.

    Who is alive is told by a lock and not by a pid: containers may share a temporary directory
    and have pids of their own.
    """
    for path in directory.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _YOUNG and (claim := _locked(path)) is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(claim)


def _locked(directory: Path) -> int | None:
    """A descriptor that holds the directory's lock until it is closed; None: another has it."""
    import fcntl

    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
