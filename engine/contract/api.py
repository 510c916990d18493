"""What the modules for services with a JSON API share: how one is asked, and what it refuses."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from engine.contract.clients import controller_client
from engine.contract.http import told
from engine.contract.masking import masked
from engine.errors import ModuleFailed
from engine.typed import from_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

    from engine.contract.target import Target

_SHOWN = 300
"""Characters of what a service says of an error."""
_WORDS = ("message", "error", "error_description", "errors", "errorMessages")
"""Where services put them."""


class Api:
    """A service's JSON API.

    Args:
        who: the service, for messages: `Grafana`.
        target: whose time it must be done in.
        client: that asks.
        url: its address, without a slash at the end.
        headers: of every request.
    """

    def __init__(
        self,
        who: str,
        target: Target,
        client: httpx.Client,
        url: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Ask it; nothing is sent yet."""
        self._who = who
        self._target = target
        self._client = client
        self._url = url.rstrip("/")
        self._headers = {"accept": "application/json", **(headers or {})}

    def ask(
        self, method: str, path: str, *, json: Any = None, params: Mapping[str, Any] | None = None
    ) -> Any:
        """What it answers, as plain values; None where it says nothing.

        A request that is refused because there were too many is made again, once we may.

        Raises:
            ModuleFailed: it says no, with its HTTP status as `found["status"]`.
        """
        while True:
            response = self._client.request(
                method, f"{self._url}{path}", json=json, params=params, headers=self._headers
            )
            wait = response.headers.get("retry-after", "")
            if response.status_code not in (403, 429) or not wait.isdigit():
                break
            self._target.pause(float(wait))
        if not response.is_success:
            said = _words(response) or response.reason_phrase
            message = f"{self._who} says: {said} (status {response.status_code})"
            raise ModuleFailed(message, {"status": response.status_code})
        if not response.content:
            return None
        try:
            return from_json(response.content, object)
        except (msgspec.DecodeError, RecursionError):
            message = f"{self._who}: {self._url} answers, but not with JSON; is it the API's URL?"
            raise ModuleFailed(message) from None


@contextmanager
def controller_api(
    who: str,
    target: Target,
    url: str,
    headers: Mapping[str, str],
    *,
    ca: str | None = None,
) -> Iterator[Api]:
    """An API that is asked from the controller, through its proxies; what goes wrong is told.

    Args:
        who: the service, for messages.
        target: whose time it must be done in.
        url: the API's address.
        headers: of every request.
        ca: a PEM file on the controller with the authorities to trust; None for the usual ones.

    Raises:
        DialRefused: there was no answer, or none that is HTTP.
        DeadlineExceeded: none in time.
    """
    with told(url, target.deadline.seconds), controller_client(target, ca=ca) as client:
        yield Api(who, target, client, url, headers)


def _words(response: httpx.Response) -> str:
    """What a service has to say of an error, wherever it says it."""
    try:
        body = from_json(response.content, object)
    except (msgspec.DecodeError, RecursionError):
        body = response.text
    words = [body[key] for key in _WORDS if body.get(key)] if isinstance(body, dict) else [body]
    return masked(": ".join(_flat(word) for word in words), _SHOWN)


def _flat(word: Any) -> str:
    if isinstance(word, dict):
        return ", ".join(f"{key}: {_flat(value)}" for key, value in word.items())
    if isinstance(word, list):
        return ", ".join(_flat(each) for each in word)
    return " ".join(str(word).split())
