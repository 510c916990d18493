"""`grafana_annotation`: the incident on the dashboards, from its start to its end."""

from __future__ import annotations

import time
from base64 import b64encode
from typing import Annotated, Any

from msgspec import field

from engine.contract import Change, Identity, Meta, Moment, Record, Struct, Target, when
from engine.contract.api import Api
from engine.contract.http import HttpClient

Text = Annotated[str, Meta(min_length=1)]


class Annotation(Struct, frozen=True, kw_only=True):
    """The annotation.

    Args:
        id: Grafana's.
        began: when it begins, seconds since 1970.
        ended: when it ends; None where it is not over.
        created: whether it is new.
        written: whether anything was changed there.
    """

    id: int
    began: float
    ended: float | None
    created: bool
    written: bool


class GrafanaAnnotation(HttpClient, Record, frozen=True, kw_only=True):
    """Draw the incident into Grafana's graphs: where it began, and the region until it ended.

    Without a dashboard it is drawn wherever annotations with its tags are shown. A repeated run
    finds its annotation by the `key`, which is one of its tags, and changes it; its start stays as
    it was, and so does its end once it has one. Grafana is asked from the host's own network;
    `delegate_to: localhost` asks from here.

    Args:
        url: Grafana's, as the host sees it.
        key: the tag that tells it from all others: `"quell {{ run_id }}"`.
        text: what is shown of it.
        tags: more of them, by which dashboards choose.
        began: when it began: a time, or so long ago; now unless given.
        ended: when it ended; `0s` is now. It is not over unless given.
        dashboard: the UID of the only dashboard that shows it.
        panel: the number of the only panel on that dashboard.
        token: of a service account with the role Editor; a secret, so take it from `env` or a
            vault.
        user: instead of a token.
        password: of that user; a secret, too.
        headers: sent with each request.
        max_time: how long all of it may take.
        verify: whether to check TLS certificates and names.
        ca: a PEM file on the controller with the authorities to trust.

    **Source:** Grafana's HTTP API, `GET`, `POST` and `PATCH /api/annotations`.
    """

    key: Text
    text: Text
    tags: list[Text] = field(default_factory=list)
    began: Moment | None = None
    ended: Moment | None = None
    dashboard: Text | None = None
    panel: int | None = None
    token: Text | None = None
    user: Text | None = None
    password: str | None = None

    def __post_init__(self) -> None:
        """Refuse two ways to log in, and a panel of no dashboard.

        Raises:
            ValueError: the arguments do not go together.
        """
        super().__post_init__()
        if self.token is not None and self.user is not None:
            raise ValueError("token and user are both given; one of them is enough")
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")
        if self.panel is not None and self.dashboard is None:
            raise ValueError("panel needs the dashboard that it is on")
        now = time.time()
        began, ended = self._times(now)
        if ended is not None and ended < began and self.began is not None:
            raise ValueError("ended is before began")

    def decide(self) -> Change:
        """What is to be drawn."""
        where = f"dashboard {self.dashboard}" if self.dashboard else "Grafana"
        what = "ends" if self.ended is not None else "begins"
        return Change(
            summary=f"{where}: {self.text} {what}",
            on=(Identity("annotation", self.key),),
            after={"text": self.text, "tags": self._tags(), "ended": self.ended is not None},
        )

    def apply(self, target: Target, change: Change) -> Annotation:
        """Find it and change it, or draw it."""
        began, ended = self._times(time.time())
        with self.client(target) as client:
            grafana = Api("Grafana", target, client, self.url, self._login())
            found = self._found(grafana)
            if found is None:
                return self._draw(grafana, began, ended)
            return self._change(grafana, found, ended)

    def _times(self, now: float) -> tuple[float, float | None]:
        began = now if self.began is None else when(self.began, now)
        return began, None if self.ended is None else when(self.ended, now)

    def _login(self) -> dict[str, str]:
        headers: dict[str, str] = dict(self.headers)
        if self.token is not None:
            headers["authorization"] = f"Bearer {self.token}"
        if self.user is not None:
            said = b64encode(f"{self.user}:{self.password}".encode()).decode()
            headers["authorization"] = f"Basic {said}"
        return headers

    def _tags(self) -> list[str]:
        return list(dict.fromkeys([self.key, *self.tags]))

    def _found(self, grafana: Api) -> dict[str, Any] | None:
        """The annotation with our key; the first one, if somebody copied it."""
        query = {"type": "annotation", "tags": self.key}
        if self.dashboard is not None:
            query["dashboardUID"] = self.dashboard
        listed: list[dict[str, Any]] = grafana.ask("GET", "/api/annotations", params=query)
        return min(listed, key=lambda each: int(each["id"]), default=None)

    def _draw(self, grafana: Api, began: float, ended: float | None) -> Annotation:
        wanted: dict[str, Any] = {"time": _ms(began), "tags": self._tags(), "text": self.text}
        if ended is not None:
            began = min(began, ended)
            wanted |= {"time": _ms(began), "timeEnd": _ms(ended)}
        if self.dashboard is not None:
            wanted["dashboardUID"] = self.dashboard
        if self.panel is not None:
            wanted["panelId"] = self.panel
        made = grafana.ask("POST", "/api/annotations", json=wanted)
        return Annotation(id=made["id"], began=began, ended=ended, created=True, written=True)

    def _change(self, grafana: Api, found: dict[str, Any], ended: float | None) -> Annotation:
        begins = int(found["time"])
        # One that is a point has its start as its end, or 0, as versions differ.
        ends = int(found.get("timeEnd") or begins)
        differing: dict[str, Any] = {}
        if found["text"] != self.text:
            differing["text"] = self.text
        if missing := [tag for tag in self._tags() if tag not in found["tags"]]:
            differing["tags"] = [*found["tags"], *missing]
        if ended is not None and ends <= begins:
            ends = max(_ms(ended), begins + 1)
            differing["timeEnd"] = ends
        if differing:
            grafana.ask("PATCH", f"/api/annotations/{found['id']}", json=differing)
        return Annotation(
            id=found["id"],
            began=begins / 1000,
            ended=ends / 1000 if ends > begins else None,
            created=False,
            written=bool(differing),
        )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


EXAMPLE = """
name: Show the incident on the dashboards
run_once: true
grafana_annotation:
  url: http://grafana.internal:3000
  token: "{{ env.GRAFANA_TOKEN }}"
  key: "quell {{ run_id }}"
  text: "{{ incident.title }}"
  tags: [incident]
"""
