"""Slack's Web API through Slack's own client: how it is asked, and what can go wrong."""

from __future__ import annotations

import math
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from engine.contract.extras import SILENT, from_extra
from engine.errors import DeadlineExceeded, DialRefused, HostError, ModuleFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from slack_sdk.errors import SlackApiError
    from slack_sdk.web import SlackResponse

    from engine.contract.target import Target

_WAIT = 1.0
"""Seconds until a call that was one too many is made again, where Slack does not say."""
_HINTS = {
    "invalid_auth": "the token is not valid there",
    "not_authed": "the token is not valid there",
    "token_revoked": "the token was revoked",
    "channel_not_found": "there is no such channel, or the app is not in it",
    "not_in_channel": "the app is not in the channel",
    "is_archived": "the channel is archived",
    "restricted_action": "the workspace's settings forbid it",
}


class SlackRefused(ModuleFailed):
    """Slack says no.

    Args:
        code: Slack's word for why, `name_taken`.
        message: for people.
    """

    def __init__(self, code: str, message: str) -> None:
        """Keep the word and the message."""
        super().__init__(message)
        self.code = code


class Slack:
    """A workspace, as an app's token sees it, from the controller.

    Args:
        target: whose time it must be done in.
        token: `xoxb-…`.
        url: of the API.

    Raises:
        ModuleFailed: the client is not installed.
    """

    def __init__(self, target: Target, token: str, url: str) -> None:
        """Make a client; nothing is sent yet."""
        with from_extra("slack"):
            from slack_sdk import WebClient
        self._target = target
        # What went wrong on its way may have been done: nothing is sent again by itself.
        self.web = WebClient(token, base_url=url, logger=SILENT, retry_handlers=[])

    def call(self, method: Callable[..., SlackResponse], **arguments: Any) -> dict[str, Any]:
        """What Slack answers to one of the `web` client's methods.

        A call that is refused because there were too many is made again, once Slack lets us.

        Raises:
            SlackRefused: it says no.
            DialRefused, DeadlineExceeded: it does not answer.
        """
        from slack_sdk.errors import SlackApiError, SlackClientError

        while True:
            self.web.timeout = math.ceil(self._target.deadline.remaining())
            try:
                data = method(**arguments).data
            except SlackApiError as error:
                if error.response.status_code != 429:
                    raise _refusal(error) from None
                self._target.pause(float(error.response.headers.get("retry-after", _WAIT)))
            except (OSError, HTTPException) as error:  # urllib's errors are OSErrors
                raise self._no_answer(error) from error
            except SlackClientError as error:
                raise ModuleFailed(f"Slack: {error}") from error
            else:
                assert isinstance(data, dict)  # bytes come only from methods that get files
                return data

    def pages(
        self, method: Callable[..., SlackResponse], key: str, **arguments: Any
    ) -> list[dict[str, Any]]:
        """All that a method lists under a key, page by page. Raises as `call`."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.call(method, cursor=cursor, **arguments)
            found += page[key]
            cursor = (page.get("response_metadata") or {}).get("next_cursor", "")
            if not cursor:
                return found

    def _no_answer(self, error: Exception) -> HostError:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            return DeadlineExceeded(f"Slack: no answer within {self._target.deadline.seconds:g} s")
        return DialRefused(f"Slack: {reason}")


def _refusal(error: SlackApiError) -> SlackRefused:
    code = str(error.response.get("error") or f"status {error.response.status_code}")
    hint = _HINTS.get(code, "")
    if code == "missing_scope":
        hint = f"the token needs the scope {error.response.get('needed')}"
    return SlackRefused(code, f"Slack says: {code}" + (f" ({hint})" if hint else ""))
