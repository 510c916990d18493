"""pagerduty_incident through PagerDuty's own client, which speaks TLS only."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import DialRefused, ModuleFailed
from engine.errors import DeadlineExceeded
from tests.lab.ports import free_port
from tests.modules.certificates import Authority
from tests.modules.fakes import here
from tests.modules.pagerduty import ROUTING_KEY, TOKEN, USER, PagerDutys
from tests.modules.sequence import module, record
from tests.modules.standin import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

TITLE = "Backend is down"


class Client:
    """Runs the task with an account."""

    def __init__(self, account: PagerDutys, url: str, ca: str) -> None:
        self.account = account
        self.where = {"url": url, "ca": ca}

    def rest(self, **args: Any) -> dict[str, Any]:
        return self._run({"token": TOKEN, "user": USER, **args})

    def event(self, **args: Any) -> dict[str, Any]:
        return self._run({"routing_key": ROUTING_KEY, **args})

    def _run(self, args: dict[str, Any]) -> dict[str, Any]:
        done = record("pagerduty_incident", {**self.where, **args}, here()).done
        assert isinstance(done, dict)
        return done


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def pagerduty(authority: Authority) -> Iterator[Client]:
    account = PagerDutys()
    with account.serve(authority.issue("127.0.0.1")) as url:
        yield Client(account, url, str(authority.path))


@pytest.mark.parametrize("state", ["acknowledged", "resolved"])
def test_an_incident_is_taken_and_closed_by_its_id(pagerduty: Client, state: str) -> None:
    name = pagerduty.account.add("down")
    done = pagerduty.rest(incident=name, state=state)
    assert pagerduty.account.incidents[name]["status"] == state
    assert pagerduty.account.by[name] == USER
    assert done == {
        "id": name,
        "dedup_key": "down",
        "state": state,
        "title": "Down",
        "url": f"https://example.pagerduty.com/incidents/{name}",
        "written": True,
    }


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("acknowledged", "acknowledged"),
        ("resolved", "acknowledged"),
        ("resolved", "resolved"),
    ],
)
def test_what_is_as_wanted_or_further_is_left_alone(
    pagerduty: Client, status: str, state: str
) -> None:
    name = pagerduty.account.add("down", status)
    done = pagerduty.rest(incident=name, state=state)
    assert (done["state"], done["written"]) == (status, False)
    assert pagerduty.account.wrote() == []


def test_of_several_with_a_key_it_is_the_open_one(pagerduty: Client) -> None:
    names = [pagerduty.account.add("down", s) for s in ("resolved", "triggered", "resolved")]
    pagerduty.account.add("other")
    assert pagerduty.rest(dedup_key="down", state="acknowledged")["id"] == names[1]
    assert pagerduty.rest(dedup_key="down", state="resolved")["id"] == names[1]
    assert pagerduty.rest(dedup_key="down", state="resolved")["id"] == names[2]


def test_no_incident_has_that_key(pagerduty: Client) -> None:
    with pytest.raises(ModuleFailed, match="no incident with the dedup_key 'down'"):
        pagerduty.rest(dedup_key="down", state="acknowledged")


def test_a_note_is_written_once(pagerduty: Client) -> None:
    name = pagerduty.account.add("down", "acknowledged")
    assert pagerduty.rest(incident=name, note="We are at it")["written"] is True
    assert pagerduty.rest(incident=name, note="We are at it")["written"] is False
    pagerduty.rest(incident=name, note="It is over", state="resolved")
    assert pagerduty.account.notes[name] == ["We are at it", "It is over"]


def test_an_incident_is_opened_once(pagerduty: Client) -> None:
    wanted = {"state": "triggered", "title": TITLE, "service": "PSERVICE", "dedup_key": "down"}
    pagerduty.account.add("down", "resolved")
    first = pagerduty.rest(**wanted, severity="P1", details="5xx everywhere")
    assert (first["title"], first["state"], first["written"]) == (TITLE, "triggered", True)
    made = pagerduty.account.incidents[first["id"]]
    assert made["urgency"] == "high"
    assert made["body"] == {"type": "incident_body", "details": "5xx everywhere"}
    again = pagerduty.rest(**wanted)
    assert (again["id"], again["written"]) == (first["id"], False)


def test_a_lesser_incident_is_not_urgent(pagerduty: Client) -> None:
    wanted = {"state": "triggered", "title": TITLE, "service": "PSERVICE"}
    made = pagerduty.rest(**wanted, severity="P3")
    assert pagerduty.account.incidents[made["id"]]["urgency"] == "low"


@pytest.mark.parametrize(
    ("level", "severity"),
    [("P1", "critical"), ("P2", "error"), ("P3", "warning"), ("P4", "info"), (None, "error")],
)
def test_an_alert_is_opened(pagerduty: Client, level: str | None, severity: str) -> None:
    done = pagerduty.event(state="triggered", title=TITLE, source="app1", severity=level)
    (event,) = pagerduty.account.events
    payload = {"summary": TITLE, "source": "app1", "severity": severity}
    assert event == {"event_action": "trigger", "payload": payload}
    assert (done["dedup_key"], done["id"]) == ("made-by-pagerduty", None)


def test_an_alert_is_taken_and_closed(pagerduty: Client) -> None:
    assert pagerduty.event(state="acknowledged", dedup_key="down")["state"] == "acknowledged"
    pagerduty.event(state="resolved", dedup_key="down")
    events = [(each["event_action"], each["dedup_key"]) for each in pagerduty.account.events]
    assert events == [("acknowledge", "down"), ("resolve", "down")]


def test_an_alerts_details(pagerduty: Client) -> None:
    pagerduty.event(state="triggered", title=TITLE, details="5xx", dedup_key="down")
    (event,) = pagerduty.account.events
    assert event["payload"]["custom_details"] == {"details": "5xx"}
    assert event["dedup_key"] == "down"


def test_pagerdutys_own_words_are_told(pagerduty: Client) -> None:
    with pytest.raises(ModuleFailed, match=r"PagerDuty says: Not Found \(status 404\)"):
        pagerduty.rest(incident="PNONE", state="resolved")
    wanted = {"state": "triggered", "title": TITLE, "service": "POTHER"}
    with pytest.raises(ModuleFailed, match="Invalid Input Provided: Service not found"):
        pagerduty.rest(**wanted)
    with pytest.raises(ModuleFailed, match="Requester User Not Found"):
        pagerduty.rest(incident=pagerduty.account.add("x"), state="resolved", user="no@body")
    with pytest.raises(ModuleFailed, match="Event object is invalid: 'routing_key' is invalid"):
        pagerduty.event(state="resolved", dedup_key="x", routing_key="f" * 32)


def test_a_token_that_is_not_valid_is_said_and_not_shown(pagerduty: Client) -> None:
    with pytest.raises(ModuleFailed) as failed:
        pagerduty.rest(incident="P1", state="resolved", token="u+another-token")
    assert failed.value.message == "PagerDuty says: Unauthorized (status 401)"


@pytest.mark.parametrize("header", ["ratelimit-reset", "Retry-After"])
def test_it_waits_as_long_as_pagerduty_wants(pagerduty: Client, header: str) -> None:
    pagerduty.account.instead += [Answer(429, {}, {header: "0"}), Answer(429, {}, {header: "0"})]
    name = pagerduty.account.add("down")
    assert pagerduty.rest(incident=name, state="resolved")["state"] == "resolved"


def test_it_does_not_wait_for_longer_than_there_is_time(pagerduty: Client) -> None:
    pagerduty.account.instead.append(Answer(429, {}, {"ratelimit-reset": "3600"}))
    with pytest.raises(ModuleFailed, match="a wait of 3600 s does not fit into the task's timeout"):
        pagerduty.event(state="resolved", dedup_key="x")


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize("api", ["rest", "event"])
def test_what_went_wrong_there_is_not_sent_again(
    pagerduty: Client, status: int, api: str, caplog: pytest.LogCaptureFixture
) -> None:
    pagerduty.account.instead.append(Answer(status, "<html>upstream</html>"))
    name = {"rest": {"incident": "P1"}, "event": {"dedup_key": "x"}}[api]
    with pytest.raises(ModuleFailed, match=rf"upstream.* \(status {status}\)"):
        getattr(pagerduty, api)(state="resolved", **name)
    assert len(pagerduty.account.asked) == 1
    assert caplog.records == []


def test_nobody_there(authority: Authority) -> None:
    args = {"routing_key": ROUTING_KEY, "state": "resolved", "dedup_key": "x"}
    args |= {"url": f"https://127.0.0.1:{free_port()}", "ca": str(authority.path)}
    with pytest.raises(DialRefused, match=r"PagerDuty: .*refused"):
        record("pagerduty_incident", args, here())


@pytest.mark.slow
def test_no_answer_in_time(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        args = {"routing_key": ROUTING_KEY, "state": "resolved", "dedup_key": "x"}
        args |= {"url": f"https://127.0.0.1:{mute.getsockname()[1]}", "ca": str(authority.path)}
        with pytest.raises(DeadlineExceeded, match=r"PagerDuty: no answer within 0\.3 s"):
            record("pagerduty_incident", args, here(within=0.3))
        assert asked(mute) == 1


def asked(server: socket.socket) -> int:
    """How many connections wait for an answer."""
    server.setblocking(False)
    number = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            number += 1
    return number


def test_a_server_that_is_not_trusted_is_told_nothing(pagerduty: Client) -> None:
    where = {"url": pagerduty.where["url"]}
    args = {"routing_key": ROUTING_KEY, "state": "resolved", "dedup_key": "x"}
    with pytest.raises(DialRefused, match="CERTIFICATE_VERIFY_FAILED"):
        record("pagerduty_incident", {**where, **args}, here())
    assert pagerduty.account.asked == []


def test_what_is_shown_before() -> None:
    args = {
        "token": TOKEN,
        "user": USER,
        "incident": 1234,
        "state": "acknowledged",
        "note": "At it",
    }
    change = module("pagerduty_incident", args).decide()  # type: ignore[attr-defined]
    assert change.summary == "PagerDuty 1234: acknowledged, note"
    assert change.after == {"state": "acknowledged", "note": "At it"}
    assert TOKEN not in repr(change)


REST: dict[str, Any] = {"token": TOKEN, "user": USER}
EVENT: dict[str, Any] = {"routing_key": ROUTING_KEY}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"state": "resolved"}, "say one of token and routing_key"),
        ({**REST, **EVENT, "state": "resolved"}, "say one of token and routing_key"),
        ({**REST, "incident": "P1"}, "say a state or a note"),
        ({"token": TOKEN, "incident": "P1", "state": "resolved"}, "user is needed"),
        ({**REST, "state": "resolved"}, "say one of incident and dedup_key"),
        ({**REST, "state": "resolved", "incident": "P1", "dedup_key": "x"}, "say one of incident"),
        ({**REST, "state": "triggered", "service": "P1"}, "title is needed"),
        ({**REST, "state": "triggered", "title": "x"}, "service is needed"),
        ({**EVENT, "state": "triggered"}, "title is needed"),
        ({**EVENT, "state": "acknowledged"}, "dedup_key is needed"),
        ({**EVENT, "note": "x", "dedup_key": "x"}, "note goes with a token"),
        ({**EVENT, "state": "resolved", "incident": "P1"}, "incident goes with a token"),
        ({**EVENT, "state": "resolved", "dedup_key": "x", "url": "http://x"}, "match"),
    ],
)
def test_what_makes_no_sense_is_refused(args: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        module("pagerduty_incident", args)
