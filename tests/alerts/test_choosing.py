from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.alerts import Offer, choose, offered
from engine.errors import InputError
from engine.language import head
from tests.alerts.payloads import alert, webhook

if TYPE_CHECKING:
    from pathlib import Path

    from engine.language.model import Playbook

POOL = """triggers:
  - match: ['alertname="PgPoolExhausted"', 'severity=~"critical|page"']
  - match: [team=db]
"""


def book(directory: Path, triggers: str = POOL) -> Playbook:
    (directory / "book.yml").write_text(f"name: Book\nhosts: all\n{triggers}")
    return head(directory / "book.yml")


def offer(*alerts: dict[str, Any], number: int | None = None) -> Offer:
    found = offered("a.json", json.dumps(webhook(*alerts)).encode())
    return Offer(path="a.json", alerts=found.alerts, number=number)


def test_the_first_that_is_firing_and_matches_is_taken(tmp_path: Path) -> None:
    alerts = [
        alert(severity="warning"),
        alert(severity="page", status="resolved"),
        alert(severity="page", datname="app"),
        alert("Other", team="db"),
    ]
    assert choose(offer(*alerts), book(tmp_path)).labels["datname"] == "app"


def test_any_trigger_suffices(tmp_path: Path) -> None:
    assert choose(offer(alert("Other", team="db")), book(tmp_path)).labels["team"] == "db"


def test_where_none_matches_it_is_said_why_and_how_to_choose(tmp_path: Path) -> None:
    playbook = book(tmp_path)
    with pytest.raises(InputError) as caught:
        choose(offer(alert(severity="info"), alert("X"), alert(status="resolved")), playbook)
    assert str(caught.value).splitlines() == [
        f"a.json: none of its alerts calls for {playbook.path}"
        " — choose one all the same: --alert 'a.json#1'",
        "  #1 PgPoolExhausted, in words (alertname=PgPoolExhausted, severity=info)",
        '     severity=~"critical|page", but severity is "info"',
        "  #2 X, in words (alertname=X)",
        '     team="db", but it has no team',
    ]


def test_what_the_user_chooses_is_taken_as_it_is(tmp_path: Path) -> None:
    given = offer(alert("A"), alert("B"), number=2)
    assert choose(given, book(tmp_path)).labels == {"alertname": "B"}


def test_without_triggers_one_alert_is_taken_and_several_are_not(tmp_path: Path) -> None:
    playbook = book(tmp_path, "")
    resolved = alert("A", status="resolved")
    assert choose(offer(resolved, alert("B")), playbook).labels == {"alertname": "B"}
    with pytest.raises(InputError, match=r"it holds 2 alerts, and .*book.yml has no triggers"):
        choose(offer(alert("A"), alert("B")), playbook)


def test_what_is_resolved_is_over() -> None:
    firing, resolved = alert("A"), alert("B", status="resolved")
    assert offer(resolved).over
    assert not offer(firing, resolved).over
    assert offer(firing, resolved, number=2).over
    assert not offer(resolved, firing, number=2).over
