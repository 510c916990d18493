"""A TCP wire to a server that can be cut at any message of a client, or go silent."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

When = Literal["before", "after", "unheard", "unnoticed"]


class Wire:
    """Leads from a port of the loopback to a server; a context manager.

    Args:
        port: of the server.
        address: of the server.
    """

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self._target = (address, port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="wire")]
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._left: int | None = None
        self._when: When = "before"
        self.silent = threading.Event()
        """While it is set, nothing passes and nothing ends."""
        self.cuts = 0
        """How often it was cut."""

    def cut(self, message: int, when: When) -> None:
        """Cut the wire at the client's message of that number, from 0: the next one.

        Args:
            message: which.
            when: `before` the server has it, or `after` it has answered, unheard; of the others the
                server does not see that the client is gone: `unheard` as `after`, and `unnoticed`
                where it does not have it.
        """
        with self._lock:
            self._left, self._when = message, when

    def mend(self) -> None:
        """Cut nothing any more."""
        with self._lock:
            self._left = None

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.silent.clear()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self._open:
            _end(each)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            self._open += [client, server]
            doomed: list[When] = []
            for pump, source, sink in ((self._up, client, server), (self._down, server, client)):
                self._threads.append(threading.Thread(target=pump, args=(source, sink, doomed)))
                self._threads[-1].start()

    def _up(self, client: socket.socket, server: socket.socket, doomed: list[When]) -> None:
        for data in self._received(client):
            when = self._cut_now()
            if when == "unnoticed":
                _end(client)
                return
            if when is not None:
                doomed.append(when)
            if when == "before" or not _sent(server, data):
                break
        _end(client)
        if doomed != ["unheard"]:
            _end(server)

    def _down(self, server: socket.socket, client: socket.socket, doomed: list[When]) -> None:
        for data in self._received(server):
            if doomed == ["unheard"]:
                _end(client)
            elif doomed or not _sent(client, data):
                break
        _end(server)
        _end(client)

    def _received(self, source: socket.socket) -> Iterator[bytes]:
        with suppress(OSError):
            while data := source.recv(2**16):
                while self.silent.is_set():
                    threading.Event().wait(0.01)
                yield data

    def _cut_now(self) -> When | None:
        with self._lock:
            if self._left is None:
                return None
            self._left -= 1
            if self._left >= 0:
                return None
            self._left = None
            self.cuts += 1
            return self._when


def _sent(sink: socket.socket, data: bytes) -> bool:
    try:
        sink.sendall(data)
    except OSError:
        return False
    return True


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
