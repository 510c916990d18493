"""Alertmanager's alerts: its webhook's, and those that its API and `amtool` give.

**Source:** Alertmanager's documentation of `webhook_config`, version 4 of the payload; its OpenAPI
definition of `gettableAlert`, whose status is a mapping.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from engine.alerts.alert import LONGEST_TITLE, Alert
from engine.units import cut

if TYPE_CHECKING:
    from engine.alerts.fields import Fields

VERSION = "4"
_STATUSES: dict[str, Literal["firing", "resolved"]] = {"firing": "firing", "resolved": "resolved"}
_STATES = frozenset({"active", "suppressed", "unprocessed"})


def alerts(payload: Fields) -> tuple[Alert, ...]:
    """The alerts of a webhook.

    Raises:
        InputError: one is not what it should be.
    """
    version = payload.text("version")
    if version and version != VERSION:
        raise payload.wrong(f"has version {version} of the webhook; version {VERSION} is known")
    return tuple(alert(one) for one in payload.listed("alerts").items("an alert"))


def alert(one: Fields) -> Alert:
    """One alert.

    Raises:
        InputError: it is not what it should be.
    """
    labels, annotations = one.texts("labels"), one.texts("annotations")
    if not labels:
        raise one.wrong("is no alert: it has no labels")
    return Alert(
        source="alertmanager",
        status=_status(one),
        title=cut(annotations.get("summary") or labels.get("alertname") or "alert", LONGEST_TITLE),
        labels=labels,
        annotations=annotations,
        starts_at=one.time("startsAt"),
        fingerprint=one.text("fingerprint"),
        generator_url=one.text("generatorURL"),
    )


def _status(one: Fields) -> Literal["firing", "resolved"]:
    if not one.has("status"):
        return "firing"
    if one.is_mapping("status"):
        state = one.mapping("status").text("state")
        if state in _STATES:
            return "firing"
        raise one.wrong(f'has the unknown state "{state}"')
    status = one.text("status")
    if status in _STATUSES:
        return _STATUSES[status]
    raise one.wrong(f'has the unknown status "{status}"', "firing and resolved are known")
