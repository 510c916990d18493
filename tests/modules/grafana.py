"""Grafana at the level of HTTP, after its HTTP API for annotations."""

from __future__ import annotations

from typing import Any

from tests.modules.standin import Answer, Asked, StandIn

TOKEN = "glsa-made-up"


class Grafana(StandIn):
    """Its annotations, and that it is well."""

    published = "grafana"

    def __init__(self) -> None:
        super().__init__()
        self.annotations: dict[int, dict[str, Any]] = {}
        self.login = f"Bearer {TOKEN}"
        self.routes = {
            "GET /api/annotations": self._list,
            "POST /api/annotations": self._create,
            "PATCH /api/annotations/{id}": self._patch,
            "GET /api/health": lambda _: Answer(200, {"database": "ok"}),
        }

    def wrote(self) -> list[str]:
        return [each for each in self.calls() if not each.startswith("GET")]

    def _denied(self, asked: Asked) -> Answer | None:
        if asked.headers.get("authorization") != self.login:
            return Answer(401, {"message": "Invalid API key"})
        return None

    def _list(self, asked: Asked) -> Answer:
        assert asked.query["type"] == ["annotation"]
        found = [
            each
            for each in self.annotations.values()
            if set(asked.query["tags"]) <= set(each["tags"])
            and asked.query.get("dashboardUID", [each["dashboardUID"]]) == [each["dashboardUID"]]
        ]
        return self._denied(asked) or Answer(200, sorted(found, key=lambda each: -each["time"]))

    def _create(self, asked: Asked) -> Answer:
        wanted = asked.json()
        assert "panelId" not in wanted or "dashboardUID" in wanted
        number = 1100 + len(self.annotations)
        ends = {"timeEnd": wanted["time"], "panelId": 0, "dashboardUID": ""}
        self.annotations[number] = {"id": number, **ends, **wanted}
        return Answer(200, {"message": "Annotation added", "id": number})

    def _patch(self, asked: Asked) -> Answer:
        self.annotations[int(asked.parts[0])] |= asked.json()
        return Answer(200, {"message": "Annotation patched"})
