"""`quell run`, as far as no host is reached but this one."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import pytest

from engine.events import RunStarted
from engine.journal import open_journal
from tests.cli.commands import quell

if TYPE_CHECKING:
    from pathlib import Path

BOOK = """\
name: Book
hosts: app
inputs: {word: {type: string, default: nothing}}
investigate:
  - {name: Say, tags: quick, shell: {probe: true, script: 'echo "$1"', args: ["{{ word }}"]}}
  - {name: On the other, hosts: db, tags: slow, shell: {probe: true, script: "true"}}
mitigate:
  - {name: Change, shell: "true"}
"""
INVENTORY = """\
all: {vars: {ansible_connection: local}}
app: {hosts: {web1: , web2: }}
db: {hosts: {db1: }}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.yml").write_text(BOOK)
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    return tmp_path


def run(*arguments: str) -> object:
    return quell("run", "book.yml", "-i", "hosts.yml", *arguments)


def test_the_syntax_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--syntax-check") == 0
    assert capsys.readouterr().out == f"{here}/book.yml: no problems\n"


@pytest.mark.usefixtures("here")
def test_the_hosts_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--list-hosts") == 0
    assert capsys.readouterr().out == "web1\nweb2\ndb1\n"
    assert run("--list-hosts", "--limit", "web2,db1") == 0
    assert capsys.readouterr().out == "web2\ndb1\n"


@pytest.mark.usefixtures("here")
def test_the_tasks_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--list-tasks", "--tags", "slow") == 0
    assert capsys.readouterr().out == "investigate:\n  On the other  (shell) on db1\n"


def test_what_is_only_listed_is_not_recorded(here: Path) -> None:
    assert run("--list-tasks") == 0
    assert not (here / "state").exists()


def test_what_was_said_is_kept_so_that_it_can_be_resumed_from_anywhere(here: Path) -> None:
    arguments = ["--limit", "@some", "-e", "word=hello", "--tags", "quick,slow", "--only"]
    (here / "some").write_text("web1\n")
    assert run(*arguments, "investigate", "--journal", "runs.db", "-f", "3") == 0
    with open_journal("runs.db") as journal:
        started = journal.events(journal.find("last"))[0]
    assert isinstance(started, RunStarted)
    assert started.hosts == ["web1"]
    assert started.inputs == {"word": "hello"}
    said = started.options
    assert (said["playbook"], said["inventory"]) == (f"{here}/book.yml", [f"{here}/hosts.yml"])
    assert (said["limit"], said["extra"]) == (f"@{here}/some", {"word": "hello"})
    assert (said["tags"], said["only"], said["forks"]) == (["quick", "slow"], "investigate", 3)


@pytest.mark.usefixtures("here")
def test_as_whom_to_act_is_kept_too() -> None:
    user = getpass.getuser()  # who needs no password to be that
    whom = ["-b", "--become-user", user, "--become-method", "su"]
    assert run(*whom, "--only", "investigate", "--limit", "web1", "--journal", "runs.db") == 0
    with open_journal("runs.db") as journal:
        started = journal.events(journal.find("last"))[0]
    assert isinstance(started, RunStarted)
    said = started.options
    assert (said["become"], said["become_user"], said["become_method"]) == (True, user, "su")


@pytest.mark.usefixtures("here")
def test_an_account_must_have_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-b", "--become-user", "-x") == 1
    assert "'-x' is no account's name" in capsys.readouterr().err
    assert run("-b", "--become-method", "pbrun") == 1
    assert "'pbrun' is not one of 'sudo', 'su', 'doas'" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_verbosity_shows_what_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--only", "investigate", "--limit", "web1", "-e", "word=said") == 0
    assert "✓ Say                            web1  said" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_the_tags_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--list-tags") == 0
    assert capsys.readouterr().out == "quick\nslow\n"


@pytest.mark.usefixtures("here")
def test_the_first_task_is_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--list-tasks", "--start-at-task", "Chan*") == 0
    assert capsys.readouterr().out == "mitigate:\n  Change  (shell) on web1, web2\n"
    assert run("--start-at-task", "Chnage") == 1
    problem = '--start-at-task: no task is called "Chnage" — did you mean "Change"?'
    assert problem in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_there_must_be_somebody_to_ask_before_each_task(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--step") == 1
    assert "--step asks before each task, and there is no terminal" in capsys.readouterr().err
