"""HTTP servers in this process, well-behaved and otherwise."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path, _, argument = self.path.lstrip("/").partition("/")
        if path == "status":
            self._answer(int(argument), b"as you wish")
        elif path == "body":
            self._answer(200, b"x" * int(argument))
        elif path == "json":
            self._answer(200, b'{"status": "ok", "pool": {"free": 3}}')
        elif path == "redirect":
            self._answer(302, b"", location=f"/{argument}" if argument != "redirect" else self.path)
        elif path == "slow":
            time.sleep(float(argument))
            self._answer(200, b"at last")
        elif path == "bytes":
            self._answer(200, bytes.fromhex(argument))
        else:
            self._echo()

    do_POST = do_HEAD = do_OPTIONS = do_GET  # noqa: N815 - the base class looks for these

    def _echo(self) -> None:
        length = int(self.headers.get("content-length", 0))
        told = {
            "method": self.command,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": self.rfile.read(length).decode(),
        }
        self._answer(200, json.dumps(told).encode())

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("X-Served-By", "test")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def http_server(context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server on a free port of the loopback; gives its URL.

    `/status/N`, `/body/SIZE`, `/json`, `/redirect/PATH`, `/slow/SECONDS` and `/bytes/HEX` do as
    they are called; anything else tells what was asked.
    """
    with serving(_Handler, context) as url:
        yield url


@contextlib.contextmanager
def serving(
    handler: type[BaseHTTPRequestHandler],
    context: ssl.SSLContext | None = None,
    *,
    address: str = "127.0.0.1",
) -> Iterator[str]:
    """A server with such a handler on a free port of the loopback, or of another address."""
    server = ThreadingHTTPServer((address, 0), handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        scheme = "http" if context is None else "https"
        yield f"{scheme}://{address}:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def saying(*parts: bytes, pause: float = 0.0) -> Iterator[str]:
    """A server that answers one connection with these bytes, whatever they are, and closes it."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            stream, _ = listening.accept()
            with stream:
                stream.recv(65536)
                for part in parts:
                    stream.sendall(part)
                    time.sleep(pause)

    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
