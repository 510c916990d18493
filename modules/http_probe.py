"""`http_probe`: ask an HTTP server, on the host's own network."""

from __future__ import annotations

import time
from typing import ClassVar, Literal

from engine.contract import DeadlineExceeded, DialRefused, Probe, Target, duration, since
from engine.contract.answers import Answer, OneRequest


class HttpProbe(OneRequest, Probe[Answer], frozen=True, kw_only=True):
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

    def observe(self, target: Target) -> Answer:
        """Send the request and read the answer."""
        started = time.monotonic()
        try:
            return self.ask(target, self.method)
        except (DeadlineExceeded, DialRefused) as failure:
            return Answer(url=self.url, elapsed=since(started), error=failure.message)

    def finding(self, seen: Answer) -> str | None:
        """No answer, another status, a body that does not match."""
        return f"no answer: {seen.error}" if seen.status is None else self.unexpected(seen)

    def summary(self, seen: Answer) -> str:
        """`200 in 12 ms`."""
        what = f"no answer: {seen.error}" if seen.status is None else str(seen.status)
        return f"{what} in {duration(seen.elapsed)}"


EXAMPLE = """
name: The backend is ready
http_probe:
  url: http://localhost:8080/api/health/ready
  matches: '"status":\\s*"ok"'
  max_time: 2s
register: ready
"""
