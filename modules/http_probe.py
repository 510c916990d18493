"""`http_probe`: ask an HTTP server, on the host's own network."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import field

from engine.contract import (
    Deadline,
    DeadlineExceeded,
    DialRefused,
    Duration,
    Meta,
    ModuleFailed,
    Pattern,
    Probe,
    Struct,
    Target,
    contains,
    duration,
    http_client,
    seconds,
)

if TYPE_CHECKING:
    import httpx

BODY_LIMIT = 64 * 1024
"""Bytes of a body that are read; the rest is left on the wire."""

Url = Annotated[
    str, Meta(pattern="^https?://", title="URL", examples=["http://localhost:8080/health"])
]
HeaderName = Annotated[str, Meta(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", title="header name")]
HeaderValue = Annotated[str, Meta(pattern=r"^[\x20-\x7e\t]*$", title="header value")]
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


class HttpProbe(Probe[Answer], frozen=True, kw_only=True):
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

    url: Url
    method: Literal["GET", "HEAD", "OPTIONS", "POST"] = "GET"
    headers: dict[HeaderName, HeaderValue] = field(default_factory=dict)
    json: Any = None
    body: str | None = None
    status: HttpStatus | list[HttpStatus] | None = None
    matches: Pattern | None = None
    max_time: Duration = "10s"
    verify: bool = True
    ca: str | None = None
    follow_redirects: bool = False

    def __post_init__(self) -> None:
        """Refuse a URL without a host, two bodies, and a pattern that RE2 cannot read.

        Raises:
            ValueError: the arguments do not go together.
        """
        address = urlsplit(self.url)
        if not address.hostname or address.port == 0:  # .port refuses what is no port
            raise ValueError(f"url: no host or port to connect to in {self.url!r}")
        if self.json is not None and self.body is not None:
            raise ValueError("json and body are both given; a request has one body")
        if self.matches is not None:
            contains("", self.matches)

    def observe(self, target: Target) -> Answer:
        """Send the request and read the answer."""
        import httpx

        deadline = Deadline(min(seconds(self.max_time), target.deadline.remaining()))
        started = time.monotonic()
        try:
            return self._ask(Target(target.host, target.connection, deadline), started)
        except (DeadlineExceeded, httpx.TimeoutException):
            error = f"no answer within {deadline.seconds:g} s"
        except DialRefused as refused:
            error = refused.message
        except httpx.RequestError as failed:
            error = str(failed) or type(failed).__name__
        except httpx.InvalidURL as invalid:
            raise ModuleFailed(f"{self.url}: {invalid}") from None
        return Answer(url=self.url, elapsed=_since(started), error=error)

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
            http_client(
                target,
                verify=self.verify,
                ca=self.ca,
                follow_redirects=self.follow_redirects,
            ) as client,
            client.stream(
                self.method,
                self.url,
                # A body that was asked for unencoded cannot unpack to more than was sent.
                headers={"accept-encoding": "identity", **self.headers},
                json=self.json,
                content=self.body,
            ) as response,
        ):
            content, truncated = _read(response)
            return Answer(
                url=str(response.url),
                elapsed=_since(started),
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


def _read(response: httpx.Response) -> tuple[bytes, bool]:
    content = b""
    for chunk in response.iter_raw():
        content += chunk
        if len(content) > BODY_LIMIT:
            return content[:BODY_LIMIT], True
    return content, False


def _parsed(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return None


def _since(started: float) -> float:
    return round(time.monotonic() - started, 6)


EXAMPLE = """
name: The backend is ready
http_probe:
  url: http://localhost:8080/api/health/ready
  matches: '"status":\\s*"ok"'
  max_time: 2s
register: ready
"""
