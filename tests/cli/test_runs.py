from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from engine.cli.runs import command
from engine.errors import InputError
from engine.journal import open_journal
from tests.journal.events import START, ended, killed, resolved, started

if TYPE_CHECKING:
    from pathlib import Path

    from engine.events import Event

WHEN = f"{START.astimezone():%Y-%m-%d %H:%M:%S}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "journal.db"
    open_journal(str(made)).close()
    return made


def record(path: Path, run: str, events: list[Event]) -> None:
    with open_journal(str(path)) as journal, journal.begin(run) as recorder:
        for event in events:
            recorder.tell(event)


def runs(path: Path, *options: str) -> Result:
    result = CliRunner().invoke(command, [*options, "--journal", str(path)], catch_exceptions=False)
    assert result.exit_code == 0
    return result


def test_a_line_for_each_run(path: Path) -> None:
    record(path, "20261123-1337-k3f9", resolved())
    record(path, "20261123-1340-aaaa", killed())
    many = started(playbook="A name that is longer than a table has room for", hosts=list("abcde"))
    with open_journal(str(path)) as journal, journal.begin("20261123-1350-zzzz") as recorder:
        recorder.tell(many)
        recorder.tell(ended(3, outcome="not resolved", exit_code=2))

        shown = runs(path)

    assert shown.stdout.splitlines() == [
        "RUN                 STARTED              PLAYBOOK                                  "
        "SEVERITY  OUTCOME       TOOK       HOSTS",
        f"20261123-1350-zzzz  {WHEN}  A name that is longer than a table has …  "
        "-         not resolved  3.0 s      a, b, c and 2 more",
        f"20261123-1340-aaaa  {WHEN}  Database connection pool exhaustion       "
        "P2        broken off    5.0 s      db1, db2",
        f"20261123-1337-k3f9  {WHEN}  Database connection pool exhaustion       "
        "P2        resolved      1 min 5 s  db1, db2",
    ]
    assert shown.stderr == "broken off: go on with quell resume 20261123-1340-aaaa\n"


def test_a_run_that_goes_on_is_not_broken_off(path: Path) -> None:
    with open_journal(str(path)) as journal, journal.begin("a") as recorder:
        recorder.tell(started("a"))

        shown = runs(path)

    assert "running" in shown.stdout
    assert shown.stderr == ""


def test_json_lines(path: Path) -> None:
    record(path, "a", resolved())
    record(path, "b", killed())

    shown = runs(path, "--json")

    told = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [(run["run"], run["state"], run["exit_code"]) for run in told] == [
        ("b", "broken off", None),
        ("a", "ended", 0),
    ]
    assert shown.stderr == ""


def test_older_runs_are_left_out_and_said_to_be(path: Path) -> None:
    for run in ("a", "b", "c"):
        record(path, run, [started(run), ended()])

    shown = runs(path, "-n", "2")
    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["RUN", "c", "b"]
    assert "older runs are not shown" in shown.stderr

    assert "not shown" not in runs(path, "-n", "3").stderr


def test_no_runs_yet(path: Path) -> None:
    shown = runs(path)

    assert (shown.stdout, shown.stderr) == ("", "no runs yet\n")
    assert runs(path, "--json").output == ""


def test_a_fresh_machine_has_no_runs_and_that_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    result = CliRunner().invoke(command, [], catch_exceptions=False)

    assert (result.exit_code, result.stderr) == (0, "no runs yet\n")


def test_a_journal_that_there_is_not_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no journal"):
        runs(tmp_path / "typo.db")


def test_a_playbooks_name_does_not_reach_the_terminal_raw(path: Path) -> None:
    record(path, "a", [started("a", playbook="\x1b[2J\u202e", hosts=["\x9b31m\x7f"]), ended()])

    told = runs(path).stdout + runs(path, "--json").stdout

    assert not {"\x1b", "\u202e", "\x9b", "\x7f"} & set(told)
