"""`pagerduty_incident`: open an incident at PagerDuty, take it, say something of it, close it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from engine.contract import Change, Identity, Meta, ModuleFailed, Record, Struct, Target
from engine.contract.pagerduty import PagerDuty

State = Literal["triggered", "acknowledged", "resolved"]
Text = Annotated[str, Meta(min_length=1)]
Url = Annotated[
    str, Meta(pattern="^https://", title="URL", examples=["https://api.eu.pagerduty.com"])
]
_SEVERITIES = {"P1": "critical", "P2": "error", "P3": "warning", "P4": "info"}
_URGENT = ("P1", "P2")
_EVENTS = {"triggered": "trigger", "acknowledged": "acknowledge", "resolved": "resolve"}
_OPEN = ("triggered", "acknowledged")
_ONLY_BY_TOKEN = ("user", "incident", "service", "note")


class Incident(Struct, frozen=True, kw_only=True):
    """The incident, or the alert.

    Args:
        id: of the incident; None with a routing key, as an event's answer does not tell it.
        dedup_key: of the alert; None where there is none.
        state: that it has now.
        title: its title.
        url: leads there.
        written: whether anything was changed there; not where it was as wanted already.
    """

    id: str | None = None
    dedup_key: str | None = None
    state: str
    title: str = ""
    url: str = ""
    written: bool = True


class PagerdutyIncident(Record, frozen=True, kw_only=True):
    """Open an incident at PagerDuty, acknowledge it, write a note to it, resolve it.

    With a `token` it is the REST API, which knows incidents: who acknowledges one is `user`. With a
    `routing_key` it is the Events API, which any integration has; it knows alerts by their
    `dedup_key` only, and takes no notes. What is as wanted already is left alone: an incident that
    is resolved is not acknowledged, and the same note is not written twice.

    PagerDuty is asked from the controller, once for each host that the task runs on: say
    `run_once: true`. Needs `pip install 'quell[pagerduty]'`.

    Args:
        token: a key of the REST API; a secret, so take it from `env` or a vault.
        routing_key: of an integration for the Events API v2, instead of a token; a secret, too.
        user: the mail address of a user of PagerDuty, who does it; needed with a token.
        incident: its id or its number: `"{{ alert.incident }}"`.
        dedup_key: that the alert was opened with. With a token it finds the incident, the open
            one if there are several.
        state: `triggered` opens one, unless one with that `dedup_key` is open.
        title: of a new one.
        details: of a new one.
        severity: of a new one, `"{{ incident.severity }}"`. P1 and P2 are urgent; an alert is
            `critical`, `error`, `warning` or `info`, and `error` unless given.
        service: the id of the service that a new incident belongs to; with a token.
        source: what a new alert is about, a host or a service; with a routing key.
        note: is written to the incident; with a token.
        url: of the API, such as `https://api.eu.pagerduty.com` or `https://events.eu.pagerduty.com`
            for accounts in the EU.
        ca: a PEM file on the controller with the authorities to trust.

    **Source:** PagerDuty's REST API v2 and Events API v2, https://github.com/PagerDuty/api-schema.
    """

    token: Text | None = None
    routing_key: Text | None = None
    user: Text | None = None
    incident: Text | int | None = None
    dedup_key: Text | None = None
    state: State | None = None
    title: Text | None = None
    details: str = ""
    severity: Literal["P1", "P2", "P3", "P4"] | None = None
    service: Text | None = None
    source: Text = "quell"
    note: Text | None = None
    url: Url | None = None
    ca: str | None = None

    def __post_init__(self) -> None:
        """Refuse what the API that is asked cannot do.

        Raises:
            ValueError: the arguments do not go together.
        """
        if (self.token is None) == (self.routing_key is None):
            raise ValueError("say one of token and routing_key")
        if self.state is None and self.note is None:
            raise ValueError("say a state or a note: there is nothing to do")
        if self.state == "triggered" and self.title is None:
            raise ValueError("title is needed for a new incident")
        problem = self._odd_with_token() if self.token else self._odd_with_routing_key()
        if problem:
            raise ValueError(problem)

    def _odd_with_token(self) -> str:
        if self.user is None:
            return "user is needed with a token: the mail address of who does it"
        if self.state == "triggered":
            return "" if self.service else "service is needed for a new incident"
        if (self.incident is None) == (self.dedup_key is None):
            return "say one of incident and dedup_key"
        return ""

    def _odd_with_routing_key(self) -> str:
        for name in _ONLY_BY_TOKEN:
            if getattr(self, name) is not None:
                return f"{name} goes with a token: the Events API does not know it"
        if self.state != "triggered" and self.dedup_key is None:
            return "dedup_key is needed: the Events API knows alerts by nothing else"
        return ""

    def decide(self) -> Change:
        """What is to be done with it."""
        name = str(self.incident or self.dedup_key or self.title)
        wanted = {"state": self.state, "note": self.note}
        wanted = {what: value for what, value in wanted.items() if value is not None}
        said = [self.state or "", "note" if self.note else ""]
        return Change(
            summary=f"PagerDuty {name}: {', '.join(filter(None, said))}",
            on=(Identity("incident", name),),
            after=wanted,
        )

    def apply(self, target: Target, change: Change) -> Incident:
        """Do it, as far as it is not as wanted already."""
        if self.routing_key is not None:
            return self._send_event(target, self.routing_key)
        assert self.token is not None
        assert self.user is not None
        with PagerDuty(
            target, "rest", self.token, url=self.url, user=self.user, ca=self.ca
        ) as pagerduty:
            return _Rest(pagerduty, self).done()

    def _send_event(self, target: Target, routing_key: str) -> Incident:
        assert self.state is not None
        event: dict[str, Any] = {}
        if self.state == "triggered":
            event["payload"] = {
                "summary": self.title,
                "source": self.source,
                "severity": _SEVERITIES[self.severity or "P2"],
            }
            if self.details:
                event["payload"]["custom_details"] = {"details": self.details}
        with PagerDuty(
            target, "events", routing_key, url=self.url, user="", ca=self.ca
        ) as pagerduty:
            key = pagerduty.call(
                pagerduty.client.send_event, _EVENTS[self.state], self.dedup_key, **event
            )
        return Incident(dedup_key=key, state=self.state, title=self.title or "")


class _Rest:
    """One incident, by the REST API."""

    def __init__(self, pagerduty: PagerDuty, wanted: PagerdutyIncident) -> None:
        self._pagerduty = pagerduty
        self._client = pagerduty.client
        self._wanted = wanted

    def done(self) -> Incident:
        found = self._found()
        written = False
        if found is None:
            if self._wanted.state != "triggered":
                raise ModuleFailed(f"no incident with the dedup_key {self._wanted.dedup_key!r}")
            found, written = self._opened(), True
        elif self._goes_on(found["status"]):
            body = {"type": "incident_reference", "status": self._wanted.state}
            where = f"/incidents/{found['id']}"
            found, written = self._pagerduty.call(self._client.rput, where, json=body), True
        if self._wanted.note is not None:
            written = self._noted(found["id"], self._wanted.note) or written
        return Incident(
            id=found["id"],
            dedup_key=found.get("incident_key"),
            state=found["status"],
            title=found.get("title") or "",
            url=found.get("html_url") or "",
            written=written,
        )

    def _goes_on(self, status: str) -> bool:
        """Whether the state is a later one than that which the incident has."""
        order = ("triggered", "acknowledged", "resolved")
        state = self._wanted.state
        return state is not None and order.index(state) > order.index(status)

    def _found(self) -> dict[str, Any] | None:
        """The incident that is meant; of several with one key the open one, else the last."""
        if self._wanted.incident is not None:
            where = f"/incidents/{self._wanted.incident}"
            found: dict[str, Any] = self._pagerduty.call(self._client.rget, where)
            return found
        if self._wanted.dedup_key is None:
            return None
        query = {
            "incident_key": self._wanted.dedup_key,
            "date_range": "all",
            "sort_by": "created_at:desc",
        }
        listed: list[dict[str, Any]] = self._pagerduty.call(
            self._client.rget, "/incidents", params=query
        )
        still_open = [each for each in listed if each["status"] in _OPEN]
        if self._wanted.state == "triggered":
            listed = []
        return next(iter([*still_open, *listed]), None)

    def _opened(self) -> dict[str, Any]:
        wanted = self._wanted
        body: dict[str, Any] = {
            "type": "incident",
            "title": wanted.title,
            "service": {"id": wanted.service, "type": "service_reference"},
        }
        if wanted.severity:
            body["urgency"] = "high" if wanted.severity in _URGENT else "low"
        if wanted.dedup_key:
            body["incident_key"] = wanted.dedup_key
        if wanted.details:
            body["body"] = {"type": "incident_body", "details": wanted.details}
        made: dict[str, Any] = self._pagerduty.call(self._client.rpost, "/incidents", json=body)
        return made

    def _noted(self, incident: str, text: str) -> bool:
        """Write a note, unless it is there."""
        where = f"/incidents/{incident}/notes"
        notes = self._pagerduty.call(self._client.rget, where)
        if any(note["content"] == text for note in notes):
            return False
        self._pagerduty.call(self._client.rpost, where, json={"content": text})
        return True


EXAMPLE = """
name: Acknowledge the page
run_once: true
pagerduty_incident:
  token: "{{ env.PAGERDUTY_TOKEN }}"
  user: commander@example.com
  dedup_key: backend-down
  state: acknowledged
  note: "quell run {{ run_id }} is investigating"
"""
