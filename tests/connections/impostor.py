"""What answers where an SSH server should."""

from __future__ import annotations

import socket
import struct
import threading


class Impostor:
    """A server on loopback that says something other than SSH, or nothing.

    Args:
        says: to each visitor.
        stay: does not hang up.
        patience: hangs up on so many visitors, and on none after them.
        reset: hangs up as a server does that has not read all it was sent.
    """

    def __init__(
        self, says: bytes, *, stay: bool, patience: int = 10**9, reset: bool = False
    ) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._says, self._stay = says, stay
        self._patience, self._reset = patience, reset
        self.visits = 0
        self._open: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                visitor, _ = self._listener.accept()
            except OSError:
                return
            self.visits += 1
            visitor.sendall(self._says)
            if self._stay or self.visits > self._patience:
                self._open.append(visitor)
                continue
            if self._reset:
                visitor.recv(100)
                visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            visitor.close()

    def __enter__(self) -> Impostor:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for visitor in self._open:
            visitor.close()
