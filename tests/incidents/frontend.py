"""The frontend of the incident lab: a page, and a session that it gets from the backend.

`python -m tests.incidents.frontend PORT BACKEND`, where BACKEND is a URL.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import httpx

from tests.incidents.backend import log

USER = {"email": "frontend@example.com", "password": "of the lab"}


class Handler(BaseHTTPRequestHandler):
    """The page, and the session as JSON."""

    backend: ClassVar[str]

    def do_GET(self) -> None:
        session = self.path == "/api/auth/session"
        error = sign_in(self.backend) if session else ""
        body = json.dumps({"error": error} if error else {"page": self.path}).encode()
        self.send_response(500 if error else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Not every request."""


def sign_in(backend: str) -> str:
    """Get a session; why there is none, empty if there is."""
    try:
        answer = httpx.post(f"{backend}/api/auth/login", json=USER, timeout=3)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        log("error", f"[next-auth][error][SESSION] {str(error).splitlines()[0]}")
        return "no session"
    return ""


def visit(backend: str) -> None:
    """Be its users: sign in, again and again."""
    while True:
        sign_in(backend)
        time.sleep(0.5)


def main() -> None:
    """Serve until ended."""
    port, Handler.backend = int(sys.argv[1]), sys.argv[2]
    server = ThreadingHTTPServer(("0.0.0.0", port), Handler)
    log("info", f"listening on port {port}")
    threading.Thread(target=visit, args=[Handler.backend], daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
