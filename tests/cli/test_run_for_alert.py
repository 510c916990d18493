"""`quell run --alert`, on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.events import Event, RunStarted, SeverityJudged, TaskEnded
from engine.journal import open_journal
from tests.alerts.payloads import alert, webhook, written
from tests.cli.commands import quell

if TYPE_CHECKING:
    from pathlib import Path

BOOK = """\
name: Book
hosts: localhost
inputs: {database: {from: labels.datname, default: none}}
triggers: [{match: [severity=page]}]
investigate:
  - name: Say
    shell:
      probe: true
      script: 'printf "%s|" "$@"'
      args:
        - "{{ database }}"
        - "{{ alert.title }}"
        - "{{ alert.labels.job | default('no job') }}"
        - "{{ incident.title }}"
        - "{{ incident.opened_at }}"
severity: [{level: P1}]
mitigate:
  - {name: Change, shell: {script: test "$1" = app, args: ["{{ database }}"]}}
"""
PAGE = alert(severity="page", datname="app")
HOSTILE = [
    "{{ 7*7 }}", "{{ env.HOME }}", "$(touch owned)", "`touch owned`", "; touch owned", "' ; x '",
    "| x", "&& x", "{% raw %}", "%PATH%", "!vault x",
]  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.yml").write_text(BOOK)
    return tmp_path


def run(*arguments: str, command: str = "run") -> object:
    return quell(command, *arguments)


def events() -> list[Event]:
    with open_journal(None) as journal:
        return journal.events(journal.find("last"))


def said() -> list[str]:
    """The words that the probe's program was given."""
    [result] = [e.result for e in events() if isinstance(e, TaskEnded) and e.name == "Say"]
    return str(result["stdout"]).split("|")[:-1]


def test_its_values_are_there_and_are_recorded(here: Path) -> None:
    written(here, webhook(alert("Other"), PAGE))
    assert run("book.yml", "--alert", "alert.json", "--yes") == 0
    began = "2026-11-23T13:37:00.123457+00:00"
    title = "PgPoolExhausted, in words"
    assert said() == ["app", title, "no job", title, began]
    started, judged = (
        next(e for e in events() if isinstance(e, kind)) for kind in (RunStarted, SeverityJudged)
    )
    assert isinstance(started, RunStarted)
    assert started.alert is not None
    assert started.alert["labels"] == PAGE["labels"]
    assert started.inputs == {"database": "app"}
    assert isinstance(judged, SeverityJudged)
    assert judged.acknowledge_by is not None
    # A quarter of an hour after the alert, not after the run.
    assert judged.acknowledge_by.isoformat() == "2026-11-23T13:52:00.123457+00:00"


@pytest.mark.usefixtures("here")
def test_without_one_its_texts_are_empty() -> None:
    assert run("book.yml", "--only", "investigate") == 0
    assert said()[:4] == ["none", "", "no job", "Book"]


def test_it_is_shown(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(here, webhook(PAGE))
    assert run("book.yml", "--alert", "alert.json", "--only", "investigate") == 0
    labels = "alertname=PgPoolExhausted, severity=page, datname=app"
    assert f"alert: PgPoolExhausted, in words ({labels})\n" in capsys.readouterr().err
    assert run(command="show") == 0
    shown = capsys.readouterr().out
    assert f"alert     PgPoolExhausted, in words ({labels}) · since 2026-11-23T13:37" in shown
    assert "          http://prometheus:9090/graph?g0.expr=up\n" in shown


def test_it_is_still_there_when_the_run_goes_on(here: Path) -> None:
    path = written(here, webhook(PAGE))
    assert run("book.yml", "--alert", "alert.json") == 3
    path.unlink()
    assert run("--yes", command="resume") == 0
    [change] = [e for e in events() if isinstance(e, TaskEnded) and e.name == "Change"]
    assert change.status == "changed"


def test_resolved_alerts_start_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(here, webhook({**PAGE, "status": "resolved"}))
    assert run("book.yml", "--alert", "alert.json", "--yes") == 0
    assert capsys.readouterr().err == "alert.json: resolved: nothing is started\n"
    assert not (here / "state").exists()


def test_an_alert_that_it_is_not_for(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(here, alert(datname="app"))
    assert run("book.yml", "--alert", "alert.json", "--list-tasks") == 1
    assert 'severity="page", but it has no severity' in capsys.readouterr().err
    assert run("book.yml", "--alert", "alert.json#1", "--list-tasks") == 0


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_labels_stay_text(here: Path, text: str) -> None:
    labels = {"severity": "page", "datname": text, "job": text}
    payload: dict[str, Any] = {"labels": labels, "annotations": {"summary": text}}
    (here / "alert.json").write_text(json.dumps(payload))
    assert run("book.yml", "--alert", "alert.json", "--only", "investigate") == 0
    assert "".join(said()).startswith(4 * text.replace("|", ""))
    assert not (here / "owned").exists()


@pytest.mark.parametrize("text", ["-oProxyCommand=x", "a\nb", "a\x00", "x" * 65_536])
def test_hostile_labels_become_no_option(here: Path, text: str) -> None:
    written(here, alert(severity="page", datname=text))
    assert run("book.yml", "--alert", "alert.json") == 1
    assert not (here / "state").exists()
