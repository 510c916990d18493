"""A file or standard input → the alerts in it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.alerts import alertmanager, pagerduty
from engine.alerts.alert import Offer
from engine.alerts.fields import Fields
from engine.errors import InputError, Problem

if TYPE_CHECKING:
    from engine.alerts.alert import Alert

MAX_BYTES = 1024 * 1024
STDIN = "-"
_KNOWN = "known are Alertmanager's webhook, one alert or a list of them, and PagerDuty's webhook v3"


def read_offer(said: str) -> Offer:
    """The alerts that `--alert` names: `FILE`, `-`, or with `#N` the one with that number.

    Raises:
        InputError: it cannot be read, or holds no alert that is known.
    """
    path, number = _numbered(said)
    offer = offered(path, _bytes(path))
    if number is not None and not 1 <= number <= len(offer.alerts):
        raise InputError(Problem(f"holds {len(offer.alerts)} alerts, and no #{number}", path))
    return Offer(path=path, alerts=offer.alerts, number=number)


def offered(path: str, data: bytes) -> Offer:
    """The alerts in a payload.

    Args:
        path: where it comes from, for messages.
        data: JSON.

    Raises:
        InputError: it is no alert that is known.
    """
    if len(data) > MAX_BYTES:
        raise InputError(Problem(f"is larger than {MAX_BYTES // 1024} KiB", path))
    return Offer(path=path, alerts=_alerts(Fields(path, _json(path, data))))


def _numbered(said: str) -> tuple[str, int | None]:
    path, hash_, number = said.rpartition("#")
    if hash_ and path and number.isascii() and number.isdigit() and not Path(said).exists():
        return path, int(number)
    return said, None


def _bytes(path: str) -> bytes:
    try:
        if path == STDIN:
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with Path(path).expanduser().open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise InputError(Problem(f"cannot be read: {reason}", path)) from None


def _json(path: str, data: bytes) -> Any:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}"
        raise InputError(Problem(message, path)) from None
    if not text.strip():
        raise InputError(Problem("is empty", path))
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = text.split("\n")[error.lineno - 1].rstrip("\r")
        source = line if len(line) <= 200 else ""
        message = f"is not JSON: {error.msg.lower()}"
        raise InputError(Problem(message, path, error.lineno, error.colno, source)) from None
    except (RecursionError, ValueError):
        message = "is no alert: it is nested too deep, or a number in it is too long"
        raise InputError(Problem(message, path)) from None


def _alerts(payload: Fields) -> tuple[Alert, ...]:
    if payload.is_list:
        return tuple(alertmanager.alert(one) for one in payload.items("an alert"))
    if payload.has("event"):
        return (pagerduty.alert(payload.mapping("event")),)
    if payload.has("alerts"):
        return alertmanager.alerts(payload)
    if payload.has("labels"):
        return (alertmanager.alert(payload),)
    raise payload.wrong("is no alert", _KNOWN)
