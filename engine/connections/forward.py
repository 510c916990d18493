"""A unix socket on the controller that leads to an address as a host sees it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import tempfile
import threading
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


class Forward:
    """A context: while it lasts, its path leads to the other end.

    Args:
        dial: opens one stream to the address, and says why it cannot.
    """

    def __init__(self, dial: Callable[[], End]) -> None:
        """Nothing is opened before the context is entered."""
        self._dial = dial
        self._streams: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def __enter__(self) -> str:
        """Dial once, so that the caller hears the true reason, then listen.

        Returns:
            The socket's path.
        """
        self._first: End | None = self._dial()
        try:
            path = self._listen()
        except OSError as error:
            self._first.close()
            raise HostError(f"no socket can be made on the controller: {error}") from error
        self._thread = threading.Thread(target=self._accept, daemon=True, name="forward")
        self._thread.start()
        return path

    def _listen(self) -> str:
        if not hasattr(socket, "AF_UNIX"):
            raise OSError("Python has no unix sockets on this system")
        sweep(Path(tempfile.gettempdir()))
        # mkdtemp's mode is 0700: nobody else on the controller can speak through the link.
        self._directory = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        path = str(self._directory / SOCKET_NAME)
        self._listener = socket.socket(socket.AF_UNIX)
        try:
            self._listener.bind(path)
        except OSError:
            self._listener.close()
            shutil.rmtree(self._directory, ignore_errors=True)
            raise
        self._listener.listen(64)
        return path

    def __exit__(self, *_: object) -> None:
        """Stop listening, end the streams, and remove the directory."""
        with contextlib.suppress(OSError):  # wakes the accept; macOS says that it is not connected
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(1.0)
        for stream in list(self._streams):
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
        if self._first is not None:
            self._first.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return  # closed: the context is over
            far, self._first = self._first, None
            if far is not None:
                self._join(accepted, far)
            else:
                # Dialled apart, so that one slow answer does not hold up the next client.
                threading.Thread(target=self._dial_for, args=(accepted,), daemon=True).start()

    def _dial_for(self, accepted: socket.socket) -> None:
        try:
            far = self._dial()
        except HostError:
            accepted.close()  # the client sees a closed connection; the reason was heard at first
        else:
            self._join(accepted, far)

    def _join(self, accepted: socket.socket, far: End) -> None:
        self._streams.add(accepted)
        join(accepted, far)


def sweep(directory: Path) -> None:
    """Remove the directories of processes that were killed before they could."""
    for path in directory.glob(f"{_PREFIX}*"):
        match = re.fullmatch(_PREFIX + r"(\d+)-.*", path.name)
        if match and not _runs(int(match[1])):
            shutil.rmtree(path, ignore_errors=True)


def _runs(pid: int) -> bool:
    # On POSIX this only asks; on Windows it would end the process, but no forward gets here there.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
