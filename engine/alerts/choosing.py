"""Which alerts call for a playbook: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import InputError, Problem

if TYPE_CHECKING:
    from engine.alerts.alert import Alert, Offer
    from engine.language.matchers import Matcher, Trigger
    from engine.language.model import Playbook


def called_by(playbook: Playbook, alert: Alert) -> Trigger | None:
    """The first of its triggers that the alert matches; None where none is."""
    return next((t for t in playbook.triggers if not failing(t, alert)), None)


def failing(trigger: Trigger, alert: Alert) -> list[Matcher]:
    """The matchers that do not hold of an alert."""
    return [matcher for matcher in trigger if not matcher.matches(alert.labels)]


def nearest(playbook: Playbook, alert: Alert) -> list[Matcher]:
    """What does not hold of the trigger that the alert comes nearest to."""
    return min((failing(trigger, alert) for trigger in playbook.triggers), key=len, default=[])


def why_not(matchers: list[Matcher], alert: Alert) -> str:
    """Why matchers do not hold of an alert: `severity=~"critical|page", but severity is "info"`."""
    return "; ".join(f"{matcher}, but {_label(matcher.name, alert)}" for matcher in matchers)


def _label(name: str, alert: Alert) -> str:
    return f'{name} is "{alert.labels[name]}"' if alert.labels.get(name) else f"it has no {name}"


def choose(offer: Offer, playbook: Playbook) -> Alert:
    """The alert to run a playbook for: the user's choice, else the first that it is meant for.

    Raises:
        InputError: none is, or a playbook without triggers is given several.
    """
    if offer.number is not None:
        return offer.alerts[offer.number - 1]
    firing = [(n, a) for n, a in enumerate(offer.alerts, 1) if a.status == "firing"]
    if playbook.triggers:
        fitting = [alert for _, alert in firing if called_by(playbook, alert)]
        if fitting:
            return fitting[0]
        message = f"none of its alerts calls for {playbook.path}"
    elif len(firing) == 1:
        return firing[0][1]
    else:
        message = f"it holds {len(firing)} alerts, and {playbook.path} has no triggers to choose by"
    lines = [Problem(_told(number, alert, playbook)) for number, alert in firing]
    hint = f"choose one all the same: --alert '{offer.path}#{firing[0][0]}'"
    raise InputError(Problem(message, offer.path, hint=hint), *lines)


def _told(number: int, alert: Alert, playbook: Playbook) -> str:
    why = why_not(nearest(playbook, alert), alert)
    labels = ", ".join(f"{name}={text}" for name, text in alert.labels.items())
    return f"  #{number} {alert.title} ({labels})" + (f"\n     {why}" if why else "")
