"""All who are told of an incident: stand-ins of the services that the general procedure knows."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.lab.alertmanager import PORT as ALERTMANAGER
from tests.modules import grafana, pagerduty, slack, trackers
from tests.modules.certificates import Authority
from tests.modules.standin import Answer, Asked, StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.incidents.system import System

TITLE = "Backend is down"
COMMANDER = "U000000COM"
"""The commander's id at Slack."""
ACTION = "Refuse exports of reports that do not exist"


class Stakeholders(StandIn):
    """Who is told through apprise's `json://`."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, str]] = []
        """Each title with its message."""
        self.routes = {"POST /told": self._take}

    def _take(self, asked: Asked) -> Answer:
        said = asked.json()
        self.told.append((said["title"], said["message"]))
        return Answer(200)


@dataclass
class People:
    """The services, the page that they have of the incident, and how quell is told of them."""

    slack: slack.Workspace = field(default_factory=slack.Workspace)
    pagerduty: pagerduty.PagerDutys = field(default_factory=pagerduty.PagerDutys)
    grafana: grafana.Grafana = field(default_factory=grafana.Grafana)
    github: trackers.GitHub = field(default_factory=trackers.GitHub)
    stakeholders: Stakeholders = field(default_factory=Stakeholders)
    page: str = ""
    extra: str = ""
    """For `-e`."""
    env: dict[str, Any] = field(default_factory=dict)
    """Variables with their tokens."""


@contextlib.contextmanager
def people(system: System, directory: Path) -> Iterator[People]:
    """All of them, reachable; Grafana from mon1, as it is asked from there."""
    all_ = People()
    all_.page = all_.pagerduty.add("down")
    authority = Authority(directory)
    with contextlib.ExitStack() as stack:
        urls = {
            "slack": stack.enter_context(all_.slack.serve()),
            "github": stack.enter_context(all_.github.serve()),
            "hook": stack.enter_context(all_.stakeholders.serve()),
            "grafana": stack.enter_context(all_.grafana.serve(address=system.mon.gateway)),
            "pagerduty": stack.enter_context(all_.pagerduty.serve(authority.issue("127.0.0.1"))),
        }
        project = {"provider": "github", "project": "example/backend"}
        all_.extra = json.dumps(
            {
                "title": TITLE,
                "commander": pagerduty.USER,
                "tools": ["pagerduty", "slack", "grafana", "silence", "ticket", "notify"],
                "page": all_.page,
                "actions": [ACTION],
                "tracker": {**project, "url": urls["github"]},
                "grafana": urls["grafana"],
                "slack_api": f"{urls['slack']}/api/",
                "pagerduty_api": urls["pagerduty"],
                "pagerduty_ca": str(authority.path),
            }
        )
        all_.slack.users[COMMANDER] = pagerduty.USER
        all_.env = {
            "PAGERDUTY_TOKEN": pagerduty.TOKEN,
            "SLACK_TOKEN": slack.TOKEN,
            "GRAFANA_TOKEN": grafana.TOKEN,
            "TRACKER_TOKEN": trackers.TOKEN,
            "QUELL_NOTIFY": urls["hook"].replace("http:", "json:") + "/told",
        }
        yield all_


def silenced(system: System) -> list[str]:
    """The comments of the silences that are active."""
    ask = ["curl", "-sSf", f"http://localhost:{ALERTMANAGER}/api/v2/silences"]
    found = json.loads(system.mon.exec(ask, check=True).stdout)
    return [each["comment"] for each in found if each["status"]["state"] == "active"]
