"""Keeps what Alertmanager sends: `python receiver.py PORT DIRECTORY`, a file for each alert."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """Takes one payload a request; the last one of a name that fires is kept."""

    def do_POST(self) -> None:
        payload = self.rfile.read(int(self.headers["Content-Length"]))
        found = json.loads(payload)
        if found["status"] == "firing":
            path = Path(sys.argv[2], f"{found['groupLabels']['alertname']}.json")
            path.with_suffix(".part").write_bytes(payload)
            path.with_suffix(".part").replace(path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
