from __future__ import annotations

import io
import json
import re
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.alerts.payloads import alert, webhook, written
from tests.cli.commands import quell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POOL = """\
name: Pool exhaustion
hosts: db
inputs:
  database: {from: labels.datname}
  idle_for: {default: 10m}
triggers:
  - match: ['alertname="PgPoolExhausted"', 'severity=~"critical|page"']
mitigate: [{shell: "true"}]
"""
OTHER = "name: Out of memory\nhosts: app\ntriggers: [{match: [alertname=ContainerOom]}]\n"
PAGE = alert(severity="page", datname="app")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "CET-1")
    time.tzset()
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "pool.yml").write_text(POOL)
    (tmp_path / "playbooks" / "oom.yml").write_text(OTHER)
    (tmp_path / "playbooks" / "plain.yml").write_text("name: By hand\nhosts: app\n")
    yield tmp_path
    monkeypatch.undo()
    time.tzset()


def match(*arguments: str) -> object:
    return quell("match", *arguments)


@pytest.mark.parametrize(
    ("begun", "told"),
    [(-120, r"  since \d\d:\d\d \(2 min"), (9e8, r"  since 20\d\d-.* \d\d:\d\d \(not yet begun\)")],
)
def test_since_when(
    here: Path, begun: float, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    starts_at = datetime.fromtimestamp(time.time() + begun, UTC).isoformat()
    written(here, {**PAGE, "startsAt": starts_at})
    assert match("alert.json") == 0
    assert re.match(told, capsys.readouterr().out.splitlines()[1])


def test_the_playbook_its_inputs_and_how_to_run_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(here, webhook(PAGE))
    assert match("alert.json") == 0
    said = capsys.readouterr().out.splitlines()
    assert said.pop(1).startswith("  since 2026-11-23 14:37 (")
    assert said == [
        "PgPoolExhausted, in words (alertname=PgPoolExhausted, severity=page, datname=app)",
        "  ✓ Pool exhaustion  playbooks/pool.yml",
        '    because  alertname="PgPoolExhausted", severity=~"critical|page"',
        '    inputs   database = "app"  from labels.datname',
        '             idle_for = "10m"',
        "    run      quell run playbooks/pool.yml --alert alert.json",
        "",
    ]


def test_what_is_missing_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(here, alert(severity="page"))
    assert match("alert.json") == 0
    assert (
        '    missing  input "database" is missing: the alert has no label "datname"'
        ' — did you mean "alertname"? Else give it with -e database=…\n'
    ) in capsys.readouterr().out


def test_near_misses_are_explained(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(here, alert(severity="info"))
    assert match("alert.json", "-v") == 2
    said = capsys.readouterr().out
    assert "  no playbook is for it; 2 playbooks have triggers\n" in said
    assert (
        "  - Pool exhaustion  playbooks/pool.yml\n"
        '    severity=~"critical|page", but severity is "info"\n'
    ) in said
    assert 'alertname="ContainerOom", but alertname is "PgPoolExhausted"\n' in said


def test_each_of_several_alerts_has_its_own(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(here, webhook(PAGE, alert("ContainerOom"), alert("X", status="resolved")), "a b.json")
    assert match("a b.json") == 0
    said = capsys.readouterr().out
    assert "run      quell run playbooks/pool.yml --alert 'a b.json#1'\n" in said
    assert "run      quell run playbooks/oom.yml --alert 'a b.json#2'\n" in said
    assert said.endswith("1 alert resolved: nothing to be done\n")
    assert match("a b.json#2", "playbooks/pool.yml") == 2


def test_resolved_alerts_call_for_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(here, webhook({**PAGE, "status": "resolved"}))
    assert match("alert.json") == 2
    assert capsys.readouterr().out == "1 alert resolved: nothing to be done\n"


def test_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(here, webhook(PAGE))
    assert match("alert.json", "--json") == 0
    [line] = capsys.readouterr().out.splitlines()
    found: dict[str, Any] = json.loads(line)
    assert found["alert"]["labels"] == PAGE["labels"]
    assert found["playbooks"] == [
        {
            "path": "playbooks/pool.yml",
            "name": "Pool exhaustion",
            "trigger": ['alertname="PgPoolExhausted"', 'severity=~"critical|page"'],
            "inputs": {"database": "app", "idle_for": "10m"},
            "missing": [],
            "command": ["quell", "run", "playbooks/pool.yml", "--alert", "alert.json"],
        }
    ]


def test_a_broken_playbook_hides_no_other(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(here, webhook(PAGE))
    (here / "playbooks" / "bad.yml").write_text("name: x\n")
    assert match("alert.json") == 0
    assert 'bad.yml:1:1: the playbook needs "hosts"' in capsys.readouterr().err
    assert match("alert.json", "playbooks/bad.yml") == 1


def test_what_cannot_be_read(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert match("none.json") == 1
    assert "none.json: cannot be read: no such file" in capsys.readouterr().err
    written(here, webhook(PAGE))
    assert match("alert.json", "nowhere") == 1
    assert "nowhere: does not exist" in capsys.readouterr().err


def test_what_a_label_says_does_not_move_the_cursor(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "\x1b]0;owned\x07\u202e"
    written(here, alert(severity="page", datname=evil, **{evil: evil}))
    assert match("alert.json", "-v") == 0
    assert not {"\x1b", "\x07", "\u202e"} & set(capsys.readouterr().out)


def test_the_alert_may_come_by_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = io.BytesIO(json.dumps(webhook(PAGE)).encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(data))
    assert match("-") == 0
    assert "run      quell run playbooks/pool.yml --alert -\n" in capsys.readouterr().out
