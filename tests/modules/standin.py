"""Services that cannot run here: an HTTP server that answers as their published API says."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections import deque
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.modules.descriptions import description
from tests.modules.servers import serving

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True)
class Asked:
    """A request.

    Args:
        query: each name with all its values.
        headers: their names in lower case.
        parts: of the path, where the route has `{name}`.
    """

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    parts: tuple[str, ...] = ()

    def json(self) -> Any:
        """The body, which is JSON and says so."""
        kind = self.headers.get("content-type", "none")
        assert kind.startswith("application/json"), f"the body is not JSON: Content-Type is {kind}"
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        """The body as a form's fields."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True)
class Answer:
    """A response; what it holds is sent as JSON, text as it is."""

    status: int
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class StandIn:
    """Remembers what it was asked, and answers from `routes`, `POST /api/things/{id}` → how.

    With `*` a route is for any method. What has no route, breaks what answers, or is not as the
    service's published description says fails the test when the server ends.
    """

    published: str | None = None
    """The description in `published/` that all requests and answers are held against."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.instead: deque[Answer] = deque()
        """Answers to the next requests, whatever they are."""
        self.routes: dict[str, Callable[[Asked], Answer]] = {}
        self._problems: list[object] = []
        self._lock = threading.Lock()

    def answer(self, asked: Asked) -> Answer:
        """What the service says."""
        with self._lock:
            self.asked.append(asked)
            try:
                return self._answered(asked)
            except Exception as error:  # noqa: BLE001 - told by the thread of the test
                self._problems.append(error)
                return Answer(500, {"message": repr(error)})

    def _answered(self, asked: Asked) -> Answer:
        route, parts = self._route(asked)
        known = description(self.published) if self.published and route else None
        if known:
            known.check_request(route, asked)
        injected = bool(self.instead)
        if injected:
            answer = self.instead.popleft()
        elif route:
            answer = self.routes[route](replace(asked, parts=parts))
        else:
            self._problems.append(f"no such route: {asked.method} {asked.path}")
            answer = Answer(404, {"message": "Not Found"})
        if known:
            known.check_answer(route, answer, injected=injected)
        return answer

    def _route(self, asked: Asked) -> tuple[str, tuple[str, ...]]:
        """The route of a request, with the parts of its path; an empty one if there is none."""
        for route in self.routes:
            method, _, path = route.partition(" ")
            found = re.fullmatch(re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(path)), asked.path)
            if found and method in (asked.method, "*"):
                return route, tuple(unquote(part) for part in found.groups())
        return "", ()

    @contextlib.contextmanager
    def serve(
        self, context: ssl.SSLContext | None = None, *, address: str = "127.0.0.1"
    ) -> Iterator[str]:
        """On a free port of the loopback, or of another address of ours; gives its URL."""
        with serving(_handler(self), context, address=address) as url:
            yield url
        assert self._problems == [], self._problems

    def calls(self) -> list[str]:
        """`GET /path` of each request."""
        return [f"{asked.method} {asked.path}" for asked in self.asked]


def _handler(service: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            where = urlsplit(self.path)
            asked = Asked(
                self.command,
                where.path,
                parse_qs(where.query, keep_blank_values=True),
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(int(self.headers.get("content-length", 0))),
            )
            self._say(service.answer(asked))

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the base class's names

        def _say(self, answer: Answer) -> None:
            text = answer.content if isinstance(answer.content, str) else None
            body = b"" if answer.content is None else json.dumps(answer.content).encode()
            body = text.encode() if text is not None else body
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(answer.status)
                if "Content-Type" not in answer.headers:
                    self.send_header("Content-Type", "application/json" if text is None else "text")
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
