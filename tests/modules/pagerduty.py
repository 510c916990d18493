"""PagerDuty at the level of HTTP, after the OpenAPI files of its REST API v2 and Events API v2."""

from __future__ import annotations

from typing import Any

from tests.modules.standin import Answer, Asked, StandIn

TOKEN = "u+made-up-token"
ROUTING_KEY = "e" * 32
USER = "commander@example.com"


class PagerDutys(StandIn):
    """The incidents of an account, and the alerts of an integration."""

    published = "pagerduty"

    def __init__(self) -> None:
        super().__init__()
        self.incidents: dict[str, dict[str, Any]] = {}
        self.by: dict[str, str] = {}
        """Who changed an incident last."""
        self.notes: dict[str, list[str]] = {}
        self.events: list[dict[str, Any]] = []
        self.routes = {
            "GET /incidents": self._list,
            "POST /incidents": self._create,
            "GET /incidents/{id}": self._get,
            "PUT /incidents/{id}": self._put,
            "GET /incidents/{id}/notes": self._get_notes,
            "POST /incidents/{id}/notes": self._add_note,
            "POST /v2/enqueue": self._event,
        }

    def add(self, key: str, status: str = "triggered", title: str = "Down") -> str:
        """Add an incident; gives its id."""
        name = f"PT4KHL{len(self.incidents)}"
        self.incidents[name] = {
            "id": name,
            "type": "incident",
            "status": status,
            "title": title,
            "incident_key": key,
            "urgency": "high",
            "html_url": f"https://example.pagerduty.com/incidents/{name}",
        }
        return name

    def wrote(self) -> list[str]:
        """The requests that would change something."""
        return [f"{a.method} {a.path}" for a in self.asked if a.method != "GET"]

    def _list(self, asked: Asked) -> Answer:
        if denied := _denied(asked):
            return denied
        (key,) = asked.query["incident_key"]
        found = [each for each in self.incidents.values() if each["incident_key"] == key]
        # Without a range it is the last month's.
        found = found[::-1] if asked.query.get("date_range") == ["all"] else []
        return Answer(200, {"incidents": found, "limit": 25, "offset": 0, "more": False})

    def _create(self, asked: Asked) -> Answer:
        if denied := _denied(asked):
            return denied
        body = asked.json()["incident"]
        if body["service"]["id"] != "PSERVICE":
            return _error(400, 2001, "Invalid Input Provided", ["Service not found"])
        name = self.add(body.get("incident_key", ""), title=body["title"])
        self.incidents[name] |= {what: body[what] for what in ("urgency", "body") if what in body}
        return Answer(201, {"incident": self.incidents[name]})

    def _get(self, asked: Asked) -> Answer:
        found = self.incidents.get(asked.parts[0])
        if denied := _denied(asked):
            return denied
        return Answer(200, {"incident": found}) if found else _error(404, 2100, "Not Found")

    def _put(self, asked: Asked) -> Answer:
        if denied := _denied(asked):
            return denied
        name = asked.parts[0]
        self.incidents[name] |= {"status": asked.json()["incident"]["status"]}
        self.by[name] = asked.headers["from"]
        return Answer(200, {"incident": self.incidents[name]})

    def _get_notes(self, asked: Asked) -> Answer:
        notes = self.notes.get(asked.parts[0], [])
        return _denied(asked) or Answer(200, {"notes": [{"content": text} for text in notes]})

    def _add_note(self, asked: Asked) -> Answer:
        if denied := _denied(asked):
            return denied
        text = asked.json()["note"]["content"]
        self.notes.setdefault(asked.parts[0], []).append(text)
        return Answer(200, {"note": {"id": "PN1", "content": text}})

    def _event(self, asked: Asked) -> Answer:
        event = asked.json()
        if event.pop("routing_key", "") != ROUTING_KEY:
            wrong = {"status": "invalid event", "message": "Event object is invalid"}
            return Answer(400, {**wrong, "errors": ["'routing_key' is invalid"]})
        self.events.append(event)
        key = event.get("dedup_key", "made-by-pagerduty")
        return Answer(202, {"status": "success", "message": "Event processed", "dedup_key": key})


def _denied(asked: Asked) -> Answer | None:
    """The answer to a request that the API does not take at all."""
    if asked.headers.get("authorization") != f"Token token={TOKEN}":
        return Answer(401, {"error": {"message": "Unauthorized", "code": 2006}})
    if asked.method != "GET" and asked.headers.get("from") != USER:
        return _error(400, 2100, "Requester User Not Found")
    return None


def _error(status: int, code: int, message: str, errors: list[str] | None = None) -> Answer:
    return Answer(status, {"error": {"message": message, "code": code, "errors": errors or []}})
