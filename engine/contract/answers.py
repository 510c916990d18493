"""What the modules that send one HTTP request share: how it is sent, how its answer is judged."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from engine.contract.arguments import Pattern, contains
from engine.contract.http import HttpClient, read_body
from engine.contract.target import since
from engine.typed import from_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.contract.target import Target

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


class OneRequest(HttpClient, frozen=True, kw_only=True):
    """Base of modules that send one request and judge its answer."""

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

    def ask(self, target: Target, method: str, *, form: Mapping[str, Any] | None = None) -> Answer:
        """Send the request and read the answer.

        Args:
            target: the host.
            method: of the request.
            form: the body's fields; None for one without a form.

        Raises:
            As `HttpClient.client`.
        """
        started = time.monotonic()
        with (
            self.client(target, follow_redirects=self.follow_redirects) as client,
            client.stream(
                method,
                self.url,
                # A body that was asked for unencoded cannot unpack to more than was sent.
                headers={"accept-encoding": "identity", **self.headers},
                json=self.json,
                content=self.body,
                data=form,
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

    def unexpected(self, seen: Answer) -> str | None:
        """What is wrong with an answer: another status, a body that does not match."""
        assert seen.status is not None
        accepted = self.status if isinstance(self.status, list) else [self.status]
        if self.status is None:
            if not 200 <= seen.status <= 299:
                return f"status {seen.status}, expected 2xx"
        elif seen.status not in accepted:
            return f"status {seen.status}, expected {' or '.join(map(str, accepted))}"
        if self.matches is not None and not contains(seen.body, self.matches):
            where = "the first 64 KiB of the body" if seen.truncated else "the body"
            return f"{where} does not match {self.matches!r}"
        return None


def _parsed(content: bytes) -> Any:
    try:
        return from_json(content, object)
    except (msgspec.DecodeError, RecursionError):
        return None
