"""The incident lab's backend: a small service over PostgreSQL that goes wrong as real ones do.

`python -m tests.incidents.backend FILE`, where FILE has a setting a line:

    PORT=8080                     readiness, login, events and metrics
    WEBSOCKET_PORT=8081
    DATABASE_URL=postgresql://…
    POOL_SIZE=5                   connections at most; one is opened anew after a second
    JWT_KEY_FILE=/etc/…           what tokens are signed with, at least 32 bytes

Nothing in it knows of incidents: they come from its database, its files, its port and its memory.
`POST /api/export` of a report that does not exist is its one bug, and ends it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import queue
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg
from prometheus_client import Counter, Gauge, Histogram, generate_latest
from websockets.sync.server import ServerConnection, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    Connection = psycopg.Connection[tuple[Any, ...]]

REQUESTS = Counter("http_requests", "Requests answered.", ["path", "status"])
QUERIES = Histogram(
    "query_execution_duration_seconds",
    "How long a query took.",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
POOL = Gauge("connection_pool_connections", "Connections to the database.", ["state"])
READY = Gauge("backend_ready", "Whether it can serve.")
WEBSOCKETS = Gauge("websocket_connections", "Open WebSockets.")
THREADS = Gauge("go_goroutines", "What the runtime runs at once.")

KEY_BYTES = 32
LIFETIME = 1.0
"""Seconds after which a connection is not used again."""
PATIENCE = "2s"
"""After which the database gives a statement up."""


def log(level: str, message: str) -> None:
    """Write a line to the log, which is Docker's."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    sys.stdout.write(f"{at} {level} {message}\n")
    sys.stdout.flush()


class Pool:
    """So many connections at most, each opened when it is needed."""

    def __init__(self, url: str, size: int) -> None:
        self._url = url
        self._free: queue.Queue[tuple[float, Connection] | None] = queue.Queue()
        for _ in range(size):
            self._free.put(None)
        POOL.labels("max").set(size)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """One of them.

        Raises:
            queue.Empty: none became free within a second.
            psycopg.Error: none can be opened, or what was done with it failed.
        """
        held = self._free.get(timeout=1)
        POOL.labels("in_use").inc()
        try:
            held = self._fresh(held)
            yield held[1]
        except psycopg.Error:
            if held is not None:
                held[1].close()
                held = None
            raise
        finally:
            POOL.labels("in_use").dec()
            self._free.put(held)

    def _fresh(self, held: tuple[float, Connection] | None) -> tuple[float, Connection]:
        if held is not None and held[0] > time.monotonic() and not held[1].closed:
            return held
        if held is not None:
            held[1].close()
        options = f"-c statement_timeout={PATIENCE}"
        opened = psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=2,
            application_name="backend",
            options=options,
        )
        return time.monotonic() + LIFETIME, opened


class Backend:
    """What it can do."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._pool = Pool(settings["DATABASE_URL"], int(settings["POOL_SIZE"]))
        self._key = Path(settings["JWT_KEY_FILE"])
        self._cache = bytearray()

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a query, whose time is measured, however it ends."""
        with QUERIES.time(), self._pool.connection() as connection:
            return connection.execute(sql.encode(), values).fetchall()

    def ready(self) -> str:
        """Why it cannot serve; empty if it can."""
        try:
            self.query("select 1")
        except (psycopg.Error, queue.Empty) as error:
            READY.set(0)
            return str(error).strip() or "no connection is free"
        READY.set(1)
        return ""

    def events(self) -> int:
        """How many events there are."""
        [[count]] = self.query("select count(*) from events")
        return int(count)

    def login(self, email: str, password: str) -> str | None:
        """A token; None if these are not right.

        Raises:
            ValueError: it cannot be signed.
        """
        digest = hashlib.sha256(password.encode()).hexdigest()
        key = self._signing_key()
        sql = "select 1 from users where email = %s and password = %s"
        if not self.query(sql, email, digest):
            return None
        body = base64.urlsafe_b64encode(json.dumps({"sub": email}).encode()).decode()
        signature = hmac.new(key, body.encode(), "sha256").hexdigest()
        return f"{body}.{signature}"

    def _signing_key(self) -> bytes:
        try:
            key = self._key.read_bytes()
        except OSError as error:
            raise ValueError(f"jwt: cannot sign a token: {error}") from None
        if len(key) < KEY_BYTES:
            raise ValueError(f"jwt: cannot sign a token: {self._key}: key of {len(key)} bytes")
        return key

    def fill_cache(self) -> None:
        """Hold as much in memory as the database says, a megabyte at a time."""
        [[megabytes]] = self.query("select value from settings where name = 'cache_megabytes'")
        while len(self._cache) < int(megabytes) << 20:
            self._cache += os.urandom(1 << 20)

    def work(self) -> None:
        """What it does all the time: be ready, fill its cache, answer its users."""
        while True:
            THREADS.set(threading.active_count())
            self.ready()
            for step in (self.fill_cache, self.events):
                try:
                    step()
                except (psycopg.Error, queue.Empty) as error:
                    log("error", f"database: {str(error).strip() or 'no connection is free'}")
            time.sleep(0.2)


class Handler(BaseHTTPRequestHandler):
    """The pages."""

    backend: ClassVar[Backend]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._answer(200, generate_latest(), "text/plain; version=0.0.4")
        elif self.path == "/api/health/ready":
            reason = self.backend.ready()
            if reason:
                log("warn", f"not ready: {reason}")
                self._json(503, {"status": "unready", "error": reason})
            else:
                self._json(200, {"status": "ok"})
        else:
            self._json(404, {"error": "not found"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/api/auth/login":
            self._login(json.loads(body))
        elif self.path == "/api/export":
            log("fatal", "panic: runtime error: invalid memory address or nil pointer dereference")
            os._exit(2)
        else:
            self._json(404, {"error": "not found"})

    def _login(self, given: dict[str, str]) -> None:
        try:
            token = self.backend.login(given["email"], given["password"])
        except (ValueError, psycopg.Error, queue.Empty) as error:
            log("error", f"auth: login failed: {error}")
            self._json(500, {"error": "internal"})
            return
        self._json(200 if token else 401, {"token": token})

    def _json(self, status: int, value: object) -> None:
        REQUESTS.labels(self.path, str(status)).inc()
        self._answer(status, json.dumps(value).encode(), "application/json")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Not every request."""


def live(websocket: ServerConnection) -> None:
    """Say back what is said."""
    with WEBSOCKETS.track_inprogress():
        for message in websocket:
            websocket.send(message)


def main() -> None:
    """Serve until ended."""
    lines = Path(sys.argv[1]).read_text().split("\n")
    settings = dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")
    Handler.backend = Backend(settings)
    address = ("0.0.0.0", int(settings["PORT"]))
    ThreadingHTTPServer.allow_reuse_address = True
    try:
        server = ThreadingHTTPServer(address, Handler)
        websockets = serve(live, address[0], int(settings["WEBSOCKET_PORT"]))
    except OSError as error:
        log("fatal", f"listen tcp :{address[1]}: bind: {os.strerror(error.errno or 0).lower()}")
        sys.exit(1)
    log("info", f"listening on port {address[1]}")
    threading.Thread(target=websockets.serve_forever, daemon=True).start()
    threading.Thread(target=Handler.backend.work, daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
