from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.alerts import Alert, offered, read_offer
from engine.errors import InputError
from tests.alerts.payloads import alert, incident, listed, webhook, written
from tests.modules.descriptions import description
from tests.modules.standin import Answer, Asked

if TYPE_CHECKING:
    from pathlib import Path

BEGAN = datetime(2026, 11, 23, 13, 37, tzinfo=UTC)


def read(payload: Any) -> tuple[Alert, ...]:
    return offered("a.json", json.dumps(payload).encode()).alerts


def refusal(data: Any) -> str:
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    with pytest.raises(InputError) as caught:
        offered("a.json", data)
    return str(caught.value)


def test_alertmanagers_webhook() -> None:
    one, other = read(webhook(alert(severity="page"), alert("Other", status="resolved")))
    assert one == Alert(
        source="alertmanager",
        status="firing",
        title="PgPoolExhausted, in words",
        labels={"alertname": "PgPoolExhausted", "severity": "page"},
        annotations={"summary": "PgPoolExhausted, in words"},
        starts_at=BEGAN.replace(microsecond=123457),
        fingerprint="5ef77f1f8a3ecfc9",
        generator_url="http://prometheus:9090/graph?g0.expr=up",
    )
    assert (other.labels["alertname"], other.status) == ("Other", "resolved")


def test_one_alert_and_a_list_of_them() -> None:
    assert read(alert()) == read([alert()]) == read(webhook(alert()))


@pytest.mark.parametrize("state", ["active", "suppressed", "unprocessed"])
def test_an_alert_of_alertmanagers_api(state: str) -> None:
    assert read([listed(state)]) == read(alert())


def test_alertmanagers_payloads_are_as_published() -> None:
    known = description("alertmanager")
    known.check_answer("GET /api/v2/alerts", Answer(200, [listed()]), injected=False)
    sent = json.dumps(webhook(alert(), alert(status="resolved"))).encode()
    asked = Asked("POST", "/", {}, {"content-type": "application/json"}, sent)
    known.check_request("POST the webhook", asked)


def test_a_bare_alert_says_what_little_it_can() -> None:
    assert read({"labels": {"job": "x"}, "startsAt": "0001-01-01T00:00:00Z"}) == (
        Alert(source="alertmanager", title="alert", labels={"job": "x"}),
    )


def test_the_title_is_the_summary_else_the_name() -> None:
    assert [a.title for a in read([{"labels": {"alertname": "N"}}])] == ["N"]
    long = {"labels": {"a": "b"}, "annotations": {"summary": "x" * 500}}
    assert len(read(long)[0].title) == 200


def test_a_pagerduty_incident() -> None:
    assert read(incident()) == (
        Alert(
            source="pagerduty",
            status="firing",
            title="Checkout is slow",
            labels={
                "event_type": "incident.triggered",
                "incident": "PGR0VU2",
                "number": "27",
                "status": "triggered",
                "urgency": "high",
                "service": "Checkout API",
                "priority": "P1",
                "escalation_policy": "Default",
                "incident_type": "incident_default",
                "service_id": "PF9KMXH",
            },
            annotations={"summary": "Checkout is slow"},
            starts_at=BEGAN,
            fingerprint="d3640fbd41094207a1c11e58e46b1662",
            generator_url="https://acme.pagerduty.com/incidents/PGR0VU2",
        ),
    )


def test_a_pagerduty_incident_without_its_options() -> None:
    [found] = read(incident(priority=None, number=None, incident_key=None))
    assert "priority" not in found.labels
    assert found.fingerprint == "PGR0VU2"


def test_a_resolved_pagerduty_incident() -> None:
    assert [a.status for a in read(incident("incident.resolved", status="resolved"))] == [
        "resolved"
    ]


KNOWN = "known are Alertmanager's webhook, one alert or a list of them, and PagerDuty's webhook v3"


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (b"", "is empty"),
        (b"\xff", "is not UTF-8: byte 0xff at offset 0"),
        (b"[" * 100_000, "is no alert: it is nested too deep, or a number in it is too long"),
        (b"9" * 10_000, "is no alert: it is nested too deep, or a number in it is too long"),
        (b" " * (1024 * 1024 + 1), "is larger than 1024 KiB"),
        ({}, f"is no alert — {KNOWN}"),
        ({"groups": []}, f"is no alert — {KNOWN}"),
        ("text", f"is no alert — {KNOWN}"),
        ([], "is an empty list: it holds not even an alert"),
        ([1], "[0] must be a mapping, not 1"),
        (webhook(), "alerts is an empty list: it holds not even an alert"),
        ({"alerts": {}}, "alerts must be a list, not a mapping"),
        (webhook(alert(), version="3"), "has version 3 of the webhook; version 4 is known"),
        (webhook({"status": "firing"}), "alerts[0] is no alert: it has no labels"),
        (webhook(alert(), {**alert(), "labels": 5}), "alerts[1].labels must be a mapping, not 5"),
        (webhook(alert(port=5)), "alerts[0].labels.port must be text, not 5"),  # type: ignore[arg-type]
        (
            webhook(alert(status="odd")),
            'alerts[0] has the unknown status "odd" — firing and resolved are known',
        ),
        ({**alert(), "status": {"state": "odd"}}, 'has the unknown state "odd"'),
        (
            {**alert(), "startsAt": "2026-13-45"},
            'startsAt must be a time such as 2026-11-23T13:37:00Z, not "2026-13-45"',
        ),
        ({"event": 1}, "event must be a mapping, not 1"),
        (
            {"event": {"event_type": "pagey.ping", "data": {"type": "ping"}}},
            'event is "pagey.ping", which is about no incident — incident.triggered is',
        ),
        (
            incident("incident.annotated", type="incident_note"),
            'event.data is of the type "incident_note", and no incident — incident.triggered is',
        ),
        (incident(status="odd"), 'event.data has the unknown status "odd"'),
        (incident(service="x"), 'event.data.service must be a mapping, not "x"'),
        (incident(number="x"), 'event.data.number must be a whole number, not "x"'),
    ],
)
def test_what_is_no_alert_is_said(payload: Any, problem: str) -> None:
    assert refusal(payload) == f"a.json: {problem}"


def test_broken_json_is_shown_with_its_place() -> None:
    assert refusal(b'{"alerts": [\n  {"labels": }\n]}') == (
        'a.json:2:14: is not JSON: expecting value\n      {"labels": }\n                 ^'
    )


def test_half_a_character_is_no_obstacle() -> None:
    data = b'{"labels": {"a": "\\ud83d", "b": "\\ud83d\\ude00"}}'
    assert offered("a.json", data).alerts[0].labels == {"a": "\N{REPLACEMENT CHARACTER}", "b": "😀"}


def test_one_of_several_may_be_chosen(tmp_path: Path) -> None:
    path = written(tmp_path, webhook(alert("A"), alert("B")))
    assert read_offer(str(path)).number is None
    assert read_offer(f"{path}#2").number == 2
    for number in ("0", "3"):
        with pytest.raises(InputError, match=f"holds 2 alerts, and no #{number}"):
            read_offer(f"{path}#{number}")


def test_a_files_name_may_look_like_a_choice(tmp_path: Path) -> None:
    path = written(tmp_path, alert("A"), "alert#1")
    assert read_offer(str(path)).number is None
    assert read_offer(f"{path}#1").number == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json: cannot be read: no such file"):
        read_offer(str(tmp_path / "none.json"))


KEYS = st.sampled_from(
    [
        *("alerts", "labels", "annotations", "status", "startsAt", "version", "event", "data"),
        *("event_type", "type", "number", "service", "state", "alertname", "title", "summary"),
    ]
)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["firing", "resolved", "incident", "incident.triggered", "4", "\ud800"])
)  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=30,
)


def holds_alerts(data: bytes) -> bool:
    """Whether it does; anything but a refusal in words is raised."""
    try:
        alerts = offered("a.json", data).alerts
    except InputError:
        return False
    assert all(Alert.from_data(alert.data()) == alert for alert in alerts)
    return True


@pytest.mark.slow
@given(st.binary(max_size=100))
@settings(max_examples=50, deadline=None)
def test_any_bytes(data: bytes) -> None:
    assert not holds_alerts(data)


@pytest.mark.slow
@given(VALUES)
@settings(max_examples=150, deadline=None)
def test_any_json(value: Any) -> None:
    holds_alerts(json.dumps(value).encode())


@pytest.mark.slow
@given(st.dictionaries(KEYS, VALUES, max_size=4), st.dictionaries(st.text(), st.text()))
@settings(max_examples=100, deadline=None)
def test_any_fields_of_an_alert(fields: dict[str, Any], labels: dict[str, str]) -> None:
    whole = alert(severity="page")
    holds_alerts(json.dumps(webhook({**whole, **fields})).encode())
    assert holds_alerts(json.dumps({**whole, "labels": {"a": "b", **labels}}).encode())


@pytest.mark.slow
@given(st.dictionaries(KEYS, VALUES, max_size=4))
@settings(max_examples=50, deadline=None)
def test_any_fields_of_an_incident(fields: dict[str, Any]) -> None:
    holds_alerts(json.dumps(incident(**fields)).encode())
