"""One alert, whoever sent it."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # msgspec reads it at run time
from typing import Any, Literal

import msgspec
from msgspec import Struct

from engine.typed import convert

LONGEST_TITLE = 200

NOTHING: dict[str, Any] = {
    "source": "",
    "status": "",
    "title": "",
    "labels": {},
    "annotations": {},
    "startsAt": None,
    "fingerprint": "",
    "generatorURL": "",
}
"""What templates see as `alert` where there is none."""


class Alert(
    Struct,
    frozen=True,
    kw_only=True,
    rename={"starts_at": "startsAt", "generator_url": "generatorURL"},
):
    """An alert, with Alertmanager's names for its parts.

    Args:
        source: who sent it.
        status: `resolved` once it is over.
        title: for people: its summary, or its name.
        labels: what it is about; of a PagerDuty incident, the names of what it belongs to.
        annotations: what is said about it.
        starts_at: when it began; None where nobody said.
        fingerprint: the same for the same alert, each time it is sent.
        generator_url: where to look.
    """

    source: Literal["alertmanager", "pagerduty"]
    status: Literal["firing", "resolved"] = "firing"
    title: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    starts_at: datetime | None = None
    fingerprint: str = ""
    generator_url: str = ""

    def data(self) -> dict[str, Any]:
        """As templates and the journal have it: plain values."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Alert:
        """Of what `data` gave."""
        return convert(data, cls)


class Offer(Struct, frozen=True, kw_only=True):
    """The alerts that a run was given to choose from.

    Args:
        path: the file, as the user named it; `-` for standard input.
        alerts: in the order of the file.
        number: the one that the user chose, from 1; None: the first that fits.
    """

    path: str
    alerts: tuple[Alert, ...]
    number: int | None = None

    @property
    def over(self) -> bool:
        """Whether there is nothing to be done about them: what was chosen is resolved, or all."""
        chosen = self.alerts if self.number is None else (self.alerts[self.number - 1],)
        return all(alert.status == "resolved" for alert in chosen)

    def named(self, number: int) -> str:
        """What to say after `--alert` for one of them."""
        return f"{self.path}#{number}" if len(self.alerts) > 1 else self.path
