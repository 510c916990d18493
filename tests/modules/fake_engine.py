"""A Docker engine that says what a real one here would not say."""

from __future__ import annotations

import contextlib
import json
import shutil
import socketserver
import tempfile
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker  # noqa: F401 - loaded before a test's time or memory counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class FakeEngine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers by path; what it is asked is kept.

    Args:
        directory: for its socket.
        answers: bodies by path without version and query: plain values, or a function that gives
            them, or chunks of bytes, or breaks off by raising ConnectionResetError.
        version: of the API that it speaks.
    """

    daemon_threads = True

    def __init__(self, directory: Path, answers: Mapping[str, object], version: str) -> None:
        self.socket_path = str(directory / "docker.sock")
        self.asked: list[str] = []
        self.answers: dict[str, object] = {"/version": {"ApiVersion": version}, **answers}
        self.version = version
        self.over = threading.Event()
        super().__init__(self.socket_path, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeEngine

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.rfile.read(int(self.headers.get("content-length", 0)))
        path = self.path.partition("?")[0].removeprefix(f"/v{self.server.version}")
        answer = self.server.answers.get(path)
        try:
            answer = answer() if callable(answer) else answer
            if answer is None:
                self._whole(404, {"message": f"no such thing: {path}"})
            elif isinstance(answer, dict | list):
                self._whole(200, answer)
            else:
                self._chunks(answer)  # type: ignore[arg-type]
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_POST = do_GET  # noqa: N815 - the base class looks for it

    def _whole(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _chunks(self, chunks: Iterable[bytes]) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def fake_engine(answers: Mapping[str, object], version: str = "1.41") -> Iterator[FakeEngine]:
    """The engine, at `socket_path`; `over` is set when the test is done with it."""
    # A socket's path is short.
    directory = Path(tempfile.mkdtemp(prefix="quell-engine-"))
    try:
        with FakeEngine(directory, answers, version) as engine:
            thread = threading.Thread(target=engine.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield engine
            finally:
                engine.over.set()
                engine.shutdown()
                thread.join()
    finally:
        shutil.rmtree(directory)


def described(name: str = "backend", **changes: Any) -> dict[str, Any]:
    """A container as the engine describes it, as far as it is looked at."""
    state = {
        "Status": "running",
        "Running": True,
        "StartedAt": "2026-11-23T13:37:00.123456789Z",
        "FinishedAt": "0001-01-01T00:00:00Z",
        "ExitCode": 0,
        "OOMKilled": False,
        "Error": "",
    }
    return {
        "Id": "0123456789abcdef" * 4,
        "Name": f"/{name}",
        "RestartCount": 0,
        "State": state,
        "Config": {"Image": "app:1", "Tty": False},
        "HostConfig": {"AutoRemove": False, "LogConfig": {"Type": "json-file"}},
        **changes,
    }
