"""A TCP wire to a server that can be cut at any message of a client, or go silent."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Literal, Self

When = Literal["before", "after", "unnoticed"]


class Wire:
    """Leads from a port of the loopback to a server; a context manager.

    Args:
        port: of the server.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
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
            when: `before` the server has it, or `after` it has answered, unheard; `unnoticed`: the
                server does not have it, and does not see that the client is gone.
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
            doomed = threading.Event()
            for source, sink, ours in ((client, server, True), (server, client, False)):
                arguments = (source, sink, doomed, ours)
                self._threads.append(threading.Thread(target=self._pump, args=arguments))
                self._threads[-1].start()

    def _pump(
        self, source: socket.socket, sink: socket.socket, doomed: threading.Event, ours: bool
    ) -> None:
        with suppress(OSError):
            while data := source.recv(2**16):
                while self.silent.is_set():
                    threading.Event().wait(0.01)
                if ours and (when := self._cut_now()):
                    if when == "unnoticed":
                        _end(source)
                        return
                    doomed.set()
                    if when == "after":
                        sink.sendall(data)
                        continue
                    break
                if not ours and doomed.is_set():
                    break
                sink.sendall(data)
        _end(source)
        _end(sink)

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


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
