"""`http_probe`: ask an HTTP server, on the host's own network."""

from __future__ import annotations

import time
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import field

from engine.contract import (
    DeadlineExceeded,
    DialRefused,
    Meta,
    Pattern,
    Probe,
    Struct,
    Target,
    contains,
    duration,
    since,
)
from engine.contract.http import HttpClient, read_body

BODY_LIMIT = 64 * 1024
"""Bytes of a body that are read; the rest is left on the wire."""

HttpStatus = Annotated[int, Meta(ge=100, le=599, title="HTTP status")]


class Answer(Struct, frozen=True, kw_only=True):
    """What the server answered.

    Args:
        url: where the answer came from, after redirects.
        status: None where there was no answer.
        elapsed: seconds from sending the request to the end of what was read.
        headers: their names in lower case.
        body: the first 64 KiB as UTF-8, undecodable bytes replaced.
        truncated: whether there was more.
        json: the body as JSON; None where it is not, or was truncated.
        error: why there was no answer; None where there was one.
    """

    url: str
    elapsed: float
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    truncated: bool = False
    json: Any = None
    error: str | None = None


class HttpProbe(HttpClient, Probe[Answer], frozen=True, kw_only=True):
    """Send one HTTP request from the host's own network and look at the answer.

    `localhost`, private names and addresses are the host's; nothing is needed there. A server
    that does not answer is evidence and not an error: `status` is then None, `error` says why,
    and the task has a finding. Without `expect` a finding is also a status other than the
    expected, and a body that does not match.

    Args:
        url: `http://` or `https://`, as the host sees it.
        method: a probe only reads, so PUT, PATCH and DELETE are not offered; a POST is sent on
            the author's word that it changes nothing.
        headers: sent with the request.
        json: sent as the body, as JSON.
        body: sent as the body, as it is.
        status: the expected status or statuses; any 2xx unless given.
        matches: an RE2 pattern that the body must contain.
        max_time: how long the whole answer may take; then it counts as none.
        verify: whether to check TLS certificates and names.
        ca: a PEM file on the controller with the authorities to trust.
        follow_redirects: whether to; if not, the redirect is the answer.

    **Source:** RFC 9110; `max_time` is curl's `--max-time`.
    """

    primary: ClassVar[str] = "url"

    method: Literal["GET", "HEAD", "OPTIONS", "POST"] = "GET"
    json: Any = None
    body: str | None = None
    status: HttpStatus | list[HttpStatus] | None = None
    matches: Pattern | None = None
    follow_redirects: bool = False

    def __post_init__(self) -> None:
        """Refuse a URL without a host, two bodies, and a pattern that RE2 cannot read.

        Raises:
            ValueError: the arguments do not go together.
        """
        super().__post_init__()
        if self.json is not None and self.body is not None:
            raise ValueError("json and body are both given; a request has one body")
        if self.matches is not None:
            contains("", self.matches)

    def observe(self, target: Target) -> Answer:
        """Send the request and read the answer."""
        started = time.monotonic()
        try:
            return self._ask(target, started)
        except (DeadlineExceeded, DialRefused) as failure:
            return Answer(url=self.url, elapsed=since(started), error=failure.message)

    def finding(self, seen: Answer) -> str | None:
        """No answer, another status, a body that does not match."""
        if seen.status is None:
            return f"no answer: {seen.error}"
        if not self._expects(seen.status):
            return f"status {seen.status}, expected {self._expected()}"
        if self.matches is not None and not contains(seen.body, self.matches):
            where = "the first 64 KiB of the body" if seen.truncated else "the body"
            return f"{where} does not match {self.matches!r}"
        return None

    def summary(self, seen: Answer) -> str:
        """`200 in 12 ms`."""
        what = seen.error if seen.status is None else str(seen.status)
        return f"{what} in {duration(seen.elapsed)}"

    def _ask(self, target: Target, started: float) -> Answer:
        with (
            self.client(target, follow_redirects=self.follow_redirects) as client,
            client.stream(
                self.method,
                self.url,
                # A body that was asked for unencoded cannot unpack to more than was sent.
                headers={"accept-encoding": "identity", **self.headers},
                json=self.json,
                content=self.body,
            ) as response,
        ):
            content, truncated = read_body(response, BODY_LIMIT)
            return Answer(
                url=str(response.url),
                elapsed=since(started),
                status=response.status_code,
                headers=dict(response.headers.items()),
                body=content.decode("utf-8", "replace"),
                truncated=truncated,
                json=None if truncated else _parsed(content),
            )

    def _expects(self, status: int) -> bool:
        if self.status is None:
            return 200 <= status <= 299
        return status in (self.status if isinstance(self.status, list) else [self.status])

    def _expected(self) -> str:
        if self.status is None:
            return "2xx"
        accepted = self.status if isinstance(self.status, list) else [self.status]
        return " or ".join(str(status) for status in accepted)


def _parsed(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return None


EXAMPLE = """
name: The backend is ready
http_probe:
  url: http://localhost:8080/api/health/ready
  matches: '"status":\\s*"ok"'
  max_time: 2s
register: ready
"""
