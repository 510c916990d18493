"""`alertmanager_silence`: keep known alerts quiet, for a time that is bounded."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from engine.contract import (
    Change,
    Duration,
    Identity,
    Meta,
    Record,
    Struct,
    Target,
    duration,
    seconds,
    to_plain,
)
from engine.contract.api import Api
from engine.contract.http import HttpClient

LONGEST = 7 * 86400.0
"""Seconds that a silence may last: one that outlives its incident hides the next one."""
_SLACK = 1.0
"""Seconds of a silence's length that are not worth a change."""
_MATCHER = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)

Text = Annotated[str, Meta(min_length=1)]
MatcherText = Annotated[str, Meta(title="matcher", examples=['alertname="BackendDown"'])]


class Matcher(Struct, frozen=True, rename="camel"):
    """A condition on an alert's labels, as the API has it."""

    name: str
    value: str
    is_regex: bool
    is_equal: bool = True


class Silence(Struct, frozen=True, kw_only=True):
    """The silence.

    Args:
        id: Alertmanager's; None where there was none to be ended.
        ends: when it is over, RFC 3339; None where there is none.
        created: whether it is new.
        written: whether anything was changed there.
    """

    id: str | None
    ends: str | None
    created: bool
    written: bool


class AlertmanagerSilence(HttpClient, Record, frozen=True, kw_only=True):
    """Silence alerts in Alertmanager while an incident is dealt with, and never for good.

    The silence is over after `duration`, whatever becomes of the run. A repeated run finds the one
    that it made, by its matchers and its comment, and extends it to so long from then on if it
    would end earlier. `expire: true` ends it at once. Silences that others have made are left
    alone. Alertmanager is asked from the host's own network; `delegate_to: localhost` asks from
    here.

    Args:
        url: Alertmanager's, as the host sees it, with its path prefix if it has one.
        matchers: which alerts: `alertname="BackendDown"`, `instance=~"app.*"`, with `=`, `!=`, `=~`
            or `!~`; an alert must match all of them.
        duration: how long from now on; at most 7 days. Needed unless it is to be ended.
        comment: why, for people.
        key: tells this incident's silence from others with the same words: `"{{ run_id }}"`.
        created_by: who is shown as its author.
        expire: end it.
        headers: sent with each request, such as for authorization.
        max_time: how long all of it may take.
        verify: whether to check TLS certificates and names.
        ca: a PEM file on the controller with the authorities to trust.

    **Source:** Alertmanager's API v2, `GET` and `POST /api/v2/silences`, `DELETE
    /api/v2/silence/{id}`.
    """

    matchers: Annotated[list[MatcherText], Meta(min_length=1)]
    comment: Text
    duration: Duration | None = None
    key: str = ""
    created_by: Text = "quell"
    expire: bool = False

    def __post_init__(self) -> None:
        """Refuse a silence without an end, and what is no matcher.

        Raises:
            ValueError: the arguments do not go together.
        """
        super().__post_init__()
        self._wanted()
        if self.expire == (self.duration is not None):
            raise ValueError("say one of duration and expire: no silence is without an end")
        if self.duration is not None and not 0 < seconds(self.duration) <= LONGEST:
            raise ValueError("duration must be more than 0 and at most 7d")

    def decide(self) -> Change:
        """What is to be silenced, and for how long."""
        what = ", ".join(self.matchers)
        if self.duration is None:
            summary = f"end the silence of {what}"
        else:
            summary = f"silence {what} for {duration(seconds(self.duration))}"
        return Change(
            summary=summary,
            on=(Identity("silence", what),),
            after={"matchers": self.matchers, "duration": self.duration, "comment": self._said()},
            reversible=True,
        )

    def apply(self, target: Target, change: Change) -> Silence:
        """Find it, and make, extend or end it."""
        with self.client(target) as client:
            api = Api("Alertmanager", target, client, self.url, self.headers)
            ours = self._ours(api)
            return self._end(api, ours) if self.duration is None else self._keep(api, ours)

    def _wanted(self) -> list[Matcher]:
        return [_matcher(text) for text in self.matchers]

    def _said(self) -> str:
        return f"{self.comment} · {self.key}" if self.key else self.comment

    def _ours(self, api: Api) -> list[dict[str, Any]]:
        """Those that we made and that are not over, the longest first."""
        wanted = set(self._wanted())
        found = [
            each
            for each in api.ask("GET", "/api/v2/silences")
            if each["status"]["state"] != "expired"
            and (each["createdBy"], each["comment"]) == (self.created_by, self._said())
            and {_from_api(matcher) for matcher in each["matchers"]} == wanted
        ]
        return sorted(found, key=lambda each: _at(each["endsAt"]), reverse=True)

    def _end(self, api: Api, ours: list[dict[str, Any]]) -> Silence:
        for silence in ours:
            api.ask("DELETE", f"/api/v2/silence/{silence['id']}")
        name = ours[0]["id"] if ours else None
        return Silence(id=name, ends=None, created=False, written=bool(ours))

    def _keep(self, api: Api, ours: list[dict[str, Any]]) -> Silence:
        assert self.duration is not None
        now = datetime.now(UTC)
        ends = now + timedelta(seconds=seconds(self.duration))
        if ours and _at(ours[0]["endsAt"]) >= ends - timedelta(seconds=_SLACK):
            end = ours[0]["endsAt"]
            return Silence(id=ours[0]["id"], ends=end, created=False, written=False)
        wanted = {
            "matchers": to_plain(self._wanted()),
            "startsAt": ours[0]["startsAt"] if ours else now.isoformat(),
            "endsAt": ends.isoformat(),
            "createdBy": self.created_by,
            "comment": self._said(),
        }
        if ours:
            wanted["id"] = ours[0]["id"]
        made = api.ask("POST", "/api/v2/silences", json=wanted)
        end = ends.isoformat()
        return Silence(id=made["silenceID"], ends=end, created=not ours, written=True)


def _matcher(text: str) -> Matcher:
    """A matcher as people write it.

    Raises:
        ValueError: it is none.
    """
    found = _MATCHER.fullmatch(text)
    if found is None:
        raise ValueError(f'not a matcher: {text!r}; write it as alertname="BackendDown"')
    name, operator, value = found.groups()
    if value.startswith('"') or value.endswith('"'):
        try:
            value = json.loads(value)
        except ValueError:
            raise ValueError(f"not a matcher: {text!r}: its quotes do not match") from None
    return Matcher(name, value, is_regex="~" in operator, is_equal=operator[0] != "!")


def _from_api(matcher: dict[str, Any]) -> Matcher:
    # Alertmanager before 0.22 knows no inequality, and does not name it.
    equal = matcher.get("isEqual", True)
    return Matcher(matcher["name"], matcher["value"], matcher["isRegex"], equal)


def _at(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


EXAMPLE = """
name: No more pages for what we know
run_once: true
alertmanager_silence:
  url: http://alertmanager.internal:9093
  matchers: ['alertname="BackendDown"', 'instance=~"app.*"']
  duration: 1h
  comment: being dealt with
  key: "{{ run_id }}"
"""
