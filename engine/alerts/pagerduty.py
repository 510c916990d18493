"""PagerDuty's incidents, as its webhooks of version 3 send them.

**Source:** PagerDuty's developer documentation, "Webhooks", events of the resource type incident.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.alerts.alert import LONGEST_TITLE, Alert
from engine.units import cut

if TYPE_CHECKING:
    from engine.alerts.fields import Fields

_STATUSES = frozenset({"triggered", "acknowledged", "resolved"})
_NAMED = ("service", "priority", "escalation_policy", "incident_type")
"""Parts of an incident that are references: their summary is a name."""


def alert(event: Fields) -> Alert:
    """The incident that an event is about.

    Raises:
        InputError: it is about something else, or not what it should be.
    """
    kind = event.text("event_type")
    if not kind.startswith("incident."):
        raise event.wrong(f'is "{kind}", which is about no incident', "incident.triggered is")
    incident = event.mapping("data")
    if incident.text("type") != "incident":
        what = incident.text("type")
        raise incident.wrong(f'is of the type "{what}", and no incident', "incident.triggered is")
    status = incident.text("status")
    if status not in _STATUSES:
        raise incident.wrong(f'has the unknown status "{status}"')
    title = incident.text("title")
    return Alert(
        source="pagerduty",
        status="resolved" if status == "resolved" else "firing",
        title=cut(title or "incident", LONGEST_TITLE),
        labels=_labels(kind, incident),
        annotations={"summary": title} if title else {},
        starts_at=incident.time("created_at"),
        fingerprint=incident.text("incident_key") or incident.text("id"),
        generator_url=incident.text("html_url"),
    )


def _labels(kind: str, incident: Fields) -> dict[str, str]:
    labels = {
        "event_type": kind,
        "incident": incident.text("id"),
        "number": incident.number("number"),
        "status": incident.text("status"),
        "urgency": incident.text("urgency"),
    }
    for part in _NAMED:
        if incident.has(part):
            named = incident.mapping(part)
            labels[part] = named.text("summary") or named.text("name")
    if incident.has("service"):
        labels["service_id"] = incident.mapping("service").text("id")
    return {name: text for name, text in labels.items() if text}
