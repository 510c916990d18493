"""PagerDuty's APIs through PagerDuty's own client: how it is asked, and what can go wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from engine.contract.extras import SILENT, from_extra
from engine.errors import DeadlineExceeded, DialRefused, ModuleFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.contract.target import Target

Api = Literal["rest", "events"]

_WAIT = 5.0
"""Seconds until a call that was one too many is made again, where PagerDuty does not say."""


class _TooMany(Exception):
    """A call was refused because there were too many; the next one may be made so much later."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class PagerDuty:
    """An account or a service, from the controller; close it, or use it as a context.

    Args:
        target: whose time it must be done in.
        api: which of the APIs.
        secret: a key of the REST API, or the routing key of an integration.
        url: of the API; None for PagerDuty's own.
        user: the mail address of who does it, for the REST API.
        ca: a PEM file on the controller with the authorities to trust; None for the usual ones.

    Raises:
        ModuleFailed: the client is not installed, or takes no such URL.
    """

    def __init__(
        self, target: Target, api: Api, secret: str, *, url: str | None, user: str, ca: str | None
    ) -> None:
        """Make a client; nothing is sent yet."""
        with from_extra("pagerduty"):
            import pagerduty

        from engine.connections.tls import http_context

        self._target = target
        how: dict[str, Any] = {
            "verify": http_context(ca=ca),
            "event_hooks": {"response": [_limited]},
        }
        self.client: Any
        if api == "rest":
            self.client = pagerduty.RestApiV2Client(secret, user, base_url=url, **how)
        else:
            self.client = pagerduty.EventsApiV2Client(secret, base_url=url, **how)
        # What went wrong on its way may have been done: nothing is sent again by itself. The
        # client's own waits know nothing of the task's time.
        self.client.max_network_attempts = 0
        self.client.retry = {}
        self.client.log = SILENT

    def __enter__(self) -> PagerDuty:
        """Use it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.client.close()

    def call(self, method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """What PagerDuty answers to one of the client's methods.

        A call that is refused because there were too many is made again, once we may.

        Raises:
            ModuleFailed: it says no, with its HTTP status as `found["status"]`.
            DialRefused, DeadlineExceeded: it does not answer.
        """
        import pagerduty

        while True:
            self.client.timeout = self._target.deadline.remaining()
            try:
                return method(*arguments, **named)
            except _TooMany as refused:
                self._target.pause(refused.seconds)
            except pagerduty.Error as error:
                raise self._failure(error) from error

    def _failure(self, error: Any) -> ModuleFailed | DialRefused | DeadlineExceeded:
        if error.response is not None:
            status = error.response.status_code
            message = f"PagerDuty says: {_words(error.response)} (status {status})"
            return ModuleFailed(message, {"status": status})
        if "Timeout" in type(error.__cause__).__name__:
            late = f"no answer within {self._target.deadline.seconds:g} s"
            return DeadlineExceeded(f"PagerDuty: {late}")
        return DialRefused(f"PagerDuty: {error.__cause__ or error}")


def _limited(response: Any) -> None:
    if response.status_code == 429:
        said = response.headers.get("ratelimit-reset") or response.headers.get("retry-after")
        raise _TooMany(float(said) if said and said.isdigit() else _WAIT)


def _words(response: Any) -> str:
    """What the API has to say of an error; both of them wrap it differently."""
    try:
        body = response.json()
    except ValueError:
        return response.text[:200] or "nothing"
    told = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(told, dict):
        return str(told)
    words = [str(told.get("message", "")), *map(str, told.get("errors") or ())]
    return ": ".join(word for word in words if word) or "nothing"
