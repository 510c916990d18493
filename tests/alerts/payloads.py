"""What Alertmanager and PagerDuty send, made up after what they publish of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def alert(name: str = "PgPoolExhausted", status: str = "firing", **labels: str) -> dict[str, Any]:
    """One alert, as Alertmanager has it."""
    return {
        "status": status,
        "labels": {"alertname": name, **labels},
        "annotations": {"summary": f"{name}, in words"},
        "startsAt": "2026-11-23T13:37:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph?g0.expr=up",
        "fingerprint": "5ef77f1f8a3ecfc9",
    }


def listed(state: str = "active") -> dict[str, Any]:
    """The same alert, as Alertmanager's API lists it."""
    return {
        **alert(),
        "status": {"state": state, "inhibitedBy": [], "silencedBy": []},
        "receivers": [{"name": "quell"}],
        "updatedAt": "2026-11-23T13:38:00.123456789Z",
    }


def webhook(*alerts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Alertmanager's webhook, version 4."""
    return {
        "receiver": "quell",
        "status": "firing",
        "alerts": list(alerts),
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        **fields,
    }


def incident(kind: str = "incident.triggered", **fields: Any) -> dict[str, Any]:
    """PagerDuty's webhook, version 3."""
    data = {
        "id": "PGR0VU2",
        "type": "incident",
        "self": "https://api.pagerduty.com/incidents/PGR0VU2",
        "html_url": "https://acme.pagerduty.com/incidents/PGR0VU2",
        "number": 27,
        "status": "triggered",
        "incident_key": "d3640fbd41094207a1c11e58e46b1662",
        "created_at": "2026-11-23T13:37:00Z",
        "title": "Checkout is slow",
        "service": {"id": "PF9KMXH", "summary": "Checkout API", "type": "service_reference"},
        "assignees": [],
        "escalation_policy": {"id": "PUS0KTE", "summary": "Default", "type": "reference"},
        "teams": [],
        "priority": {"id": "PSO75BM", "summary": "P1", "type": "priority_reference"},
        "urgency": "high",
        "conference_bridge": None,
        "resolve_reason": None,
        "incident_type": {"name": "incident_default"},
        **fields,
    }
    event = {
        "id": "01BWU0YX2N5M3",
        "event_type": kind,
        "resource_type": "incident",
        "occurred_at": "2026-11-23T13:37:01.234Z",
        "agent": None,
        "client": None,
        "data": data,
    }
    return {"event": event}


def written(directory: Path, payload: Any, name: str = "alert.json") -> Path:
    """The payload in a file."""
    path = directory / name
    path.write_text(json.dumps(payload))
    return path
