"""The programs of the staged incidents, run inside a host: `python actors.py ROLE ARGUMENTS…`.

Each says a line of JSON when it is there, and ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer


def stale(port: str) -> None:
    """Hold the port, and answer 503."""
    server = HTTPServer(("127.0.0.1", int(port)), _handler(503))
    _say(os.getpid())
    server.serve_forever()


def service(port: str) -> None:
    """Try to listen on the port until it is free, as a service manager would; then answer 200."""
    _say(os.getpid())
    while True:
        try:
            server = HTTPServer(("127.0.0.1", int(port)), _handler(200))
        except OSError:
            time.sleep(0.1)
        else:
            server.serve_forever()


def sessions(idle: str) -> None:
    """Hold database sessions: so many idle ones, and one of each kind that must survive."""
    import psycopg

    def connect(user: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(dbname="insightengine", user=user, autocommit=True)

    leaked = [connect("insight") for _ in range(int(idle))]
    active, in_transaction, superuser = connect("insight"), connect("insight"), connect("postgres")
    in_transaction.execute("begin; select 1")
    threading.Thread(target=active.execute, args=["select pg_sleep(600)"], daemon=True).start()
    for session in (*leaked, superuser):
        session.execute("select 1")
    kept = {"active": active, "in_transaction": in_transaction, "superuser": superuser}
    _say(
        {
            "idle": [session.info.backend_pid for session in leaked],
            **{name: session.info.backend_pid for name, session in kept.items()},
        }
    )
    threading.Event().wait()


def _handler(status: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = str(os.getpid()).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    return Handler


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_input, daemon=True).start()
    {"stale": stale, "service": service, "sessions": sessions}[sys.argv[1]](sys.argv[2])
