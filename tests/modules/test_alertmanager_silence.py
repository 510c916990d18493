"""alertmanager_silence on the lab's Alertmanager, which nobody reaches but through SSH."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import DialRefused, ModuleFailed, Target, http_client
from tests.connections.helpers import eventually
from tests.lab.alertmanager import PORT, start_alertmanager
from tests.modules.fakes import target
from tests.modules.sequence import module, record

if TYPE_CHECKING:
    from engine.connections.links import Links
    from tests.lab.lab import Lab

URL = f"http://localhost:{PORT}"
NUMBERS = itertools.count(1)


class Alertmanager:
    """The one on the host, and an alert of the test's own."""

    def __init__(self, host: Target) -> None:
        self.host = host
        self.name = f"Backend{next(NUMBERS)}"
        self.ask("POST", "alerts", [{"labels": {"alertname": self.name, "instance": "app1"}}])

    def ask(self, method: str, what: str, json: Any = None) -> Any:
        with http_client(self.host) as client:
            response = client.request(method, f"{URL}/api/v2/{what}", json=json)
            response.raise_for_status()
            return response.json() if response.content else None

    def run(self, **args: Any) -> dict[str, Any]:
        matchers = {"matchers": [f'alertname="{self.name}"']}
        given = {"url": URL, "comment": "at it", **matchers, **args}
        done = record("alertmanager_silence", given, self.host).done
        assert isinstance(done, dict)
        return done

    def silenced_by(self) -> list[str]:
        """The silences of the alert."""
        [alert] = [a for a in self.ask("GET", "alerts") if a["labels"]["alertname"] == self.name]
        by = alert["status"]["silencedBy"]
        assert isinstance(by, list)
        return by

    def silences(self) -> list[dict[str, Any]]:
        """All that name the alert, and are not over."""
        return [
            each
            for each in self.ask("GET", "silences")
            if each["status"]["state"] == "active" and self.name in str(each["matchers"])
        ]


@pytest.fixture(scope="module")
def host(lab: Lab, links: Links) -> Target:
    start_alertmanager(lab.h1, "http://localhost:1")  # nobody is told
    return target(links.get("h1"), within=600)


@pytest.fixture
def alertmanager(host: Target) -> Alertmanager:
    return Alertmanager(host)


def left(moment: str) -> timedelta:
    return datetime.fromisoformat(moment) - datetime.now(UTC)


@pytest.mark.lab
def test_an_alert_is_silenced_for_a_time(alertmanager: Alertmanager) -> None:
    assert alertmanager.silenced_by() == []
    done = alertmanager.run(duration="1h", key="k3f9")
    assert (done["created"], done["written"]) == (True, True)
    assert timedelta(minutes=50) < left(done["ends"]) <= timedelta(hours=1)
    assert eventually(lambda: alertmanager.silenced_by() == [done["id"]])
    [silence] = alertmanager.silences()
    assert (silence["createdBy"], silence["comment"]) == ("quell", "at it · k3f9")
    assert datetime.fromisoformat(silence["endsAt"]) - datetime.fromisoformat(
        done["ends"]
    ) < timedelta(milliseconds=1)


@pytest.mark.lab
def test_again_it_is_the_same_silence(alertmanager: Alertmanager) -> None:
    first = alertmanager.run(duration="1h")
    again = alertmanager.run(duration="30m")
    assert (again["id"], again["created"], again["written"]) == (first["id"], False, False)
    assert left(again["ends"]) > timedelta(minutes=50)


@pytest.mark.lab
def test_a_silence_is_extended(alertmanager: Alertmanager) -> None:
    first = alertmanager.run(duration="10m")
    again = alertmanager.run(duration="1h")
    assert (again["id"], again["created"], again["written"]) == (first["id"], False, True)
    [silence] = alertmanager.silences()
    assert left(silence["endsAt"]) > timedelta(minutes=50)


@pytest.mark.lab
def test_a_silence_is_ended(alertmanager: Alertmanager) -> None:
    first = alertmanager.run(duration="1h", key="k3f9")
    done = alertmanager.run(expire=True, key="k3f9")
    assert done == {"id": first["id"], "ends": None, "created": False, "written": True}
    assert alertmanager.silences() == []
    assert eventually(lambda: alertmanager.silenced_by() == [])
    nothing = alertmanager.run(expire=True, key="k3f9")
    assert nothing == {"id": None, "ends": None, "created": False, "written": False}


@pytest.mark.lab
def test_a_silence_of_the_past_is_not_extended_but_made_anew(alertmanager: Alertmanager) -> None:
    first = alertmanager.run(duration="1h")
    alertmanager.run(expire=True)
    again = alertmanager.run(duration="1h")
    assert (again["created"], again["id"] != first["id"]) == (True, True)


@pytest.mark.lab
@pytest.mark.parametrize(
    "other",
    [
        {"key": "another"},
        {"comment": "maintenance"},
        {"created_by": "alice"},
    ],
)
def test_others_silences_are_left_alone(alertmanager: Alertmanager, other: dict[str, Any]) -> None:
    theirs = alertmanager.run(duration="1h", **{"key": "k3f9", **other})
    ours = alertmanager.run(duration="1h", key="k3f9")
    assert ours["created"] is True
    alertmanager.run(expire=True, key="k3f9")
    assert [each["id"] for each in alertmanager.silences()] == [theirs["id"]]


@pytest.mark.lab
def test_a_silence_of_more_alerts_is_another_one(alertmanager: Alertmanager) -> None:
    one = alertmanager.run(duration="1h")
    name = alertmanager.name
    wider, but_one = f"alertname=~{name}|Other", 'instance!="app9"'
    more = alertmanager.run(duration="1h", matchers=[wider, but_one])
    assert (more["created"], more["id"] != one["id"]) == (True, True)
    assert eventually(lambda: set(alertmanager.silenced_by()) == {one["id"], more["id"]})
    swapped = alertmanager.run(duration="1h", matchers=[but_one, wider])
    assert (swapped["id"], swapped["written"]) == (more["id"], False)
    others = alertmanager.run(duration="1h", matchers=[f'alertname="{name}"', 'instance!~"app.*"'])
    assert others["id"] not in alertmanager.silenced_by()


@pytest.mark.lab
def test_quotes_in_a_matcher_are_its_values(alertmanager: Alertmanager) -> None:
    name = alertmanager.name
    alertmanager.run(duration="1h", matchers=[f'alertname="{name}"', r'path="a \"b\" c"'])
    [silence] = alertmanager.silences()
    assert {each["value"] for each in silence["matchers"]} == {name, 'a "b" c'}


@pytest.mark.lab
def test_alertmanagers_own_words_are_told(alertmanager: Alertmanager) -> None:
    with pytest.raises(ModuleFailed, match=r"Alertmanager says: .*(?s:.)*\(status 400\)"):
        alertmanager.run(duration="1h", matchers=['alertname=~"("'])
    with pytest.raises(ModuleFailed, match=r"Alertmanager says: .*\(status 404\)"):
        alertmanager.run(duration="1h", url=f"{URL}/elsewhere")


@pytest.mark.lab
def test_no_server_there(alertmanager: Alertmanager) -> None:
    with pytest.raises(DialRefused):
        alertmanager.run(duration="1h", url="http://localhost:1")


BASE: dict[str, Any] = {"url": URL, "comment": "at it", "matchers": ["alertname=Down"]}


@pytest.mark.parametrize(
    ("args", "summary"),
    [
        ({"duration": "90m"}, "silence alertname=Down for 1 h 30 min"),
        ({"expire": True}, "end the silence of alertname=Down"),
    ],
)
def test_what_is_shown_before(args: dict[str, Any], summary: str) -> None:
    change = module("alertmanager_silence", {**BASE, **args}).decide()  # type: ignore[attr-defined]
    assert change.summary == summary


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({}, "no silence is without an end"),
        ({"duration": "1h", "expire": True}, "say one of duration and expire"),
        ({"duration": "8d"}, "at most 7d"),
        ({"duration": "0s"}, "more than 0"),
        ({"duration": "1h", "matchers": []}, "length"),
        ({"duration": "1h", "matchers": ["BackendDown"]}, "not a matcher: 'BackendDown'"),
        ({"duration": "1h", "matchers": ['a="b']}, "its quotes do not match"),
        ({"duration": "1h", "matchers": ["1a=b"]}, "not a matcher"),
        ({"duration": "1h", "comment": ""}, "length"),
    ],
)
def test_what_makes_no_sense_is_refused(args: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        module("alertmanager_silence", {**BASE, **args})
