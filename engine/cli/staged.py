"""The two processes of the demo's incident: `python -m engine.cli.staged stale|service PORT`.

Both end when their standard input does: whatever becomes of the demo, they do not stay behind.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RETRY = 0.3
"""Seconds between the service's tries to start, as a service manager would restart it."""


def main(role: str, port: int) -> None:
    """Play one of the roles until standard input ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    answer = (503, b"stale\n") if role == "stale" else (200, b"ready\n")
    while True:
        try:
            server = _Server(("127.0.0.1", port), _handler(*answer))
        except OSError:
            time.sleep(RETRY)
            continue
        server.serve_forever()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


class _Server(ThreadingHTTPServer):
    def handle_error(self, *args: object) -> None:
        """Say nothing of a client that left, as an interrupted run does."""


def _handler(status: int, body: bytes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the base class finds it by this name
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing: the run is what should be read."""

    return Handler


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
