"""What waits for a yes says whose, and a way to go on that works."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import quell

if TYPE_CHECKING:
    from pathlib import Path

BOOK = """\
name: Book
hosts: all
mitigate:
  - {name: Change, shell: "echo done >> marks"}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.yml").write_text(BOOK)
    inventory = "all: {vars: {ansible_connection: local}, hosts: {h1: }}"
    (tmp_path / "hosts.yml").write_text(inventory)
    return tmp_path


def run(*options: str) -> object:
    return quell("run", "book.yml", "-i", "hosts.yml", *options)


def test_a_policy_that_wants_a_person_is_named(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "policy.yml").write_text("approve: [{modules: [shell], yes: false}]")
    assert run("--policy", "policy.yml", "--yes") == 3
    last = capsys.readouterr().err.splitlines()[-1]
    waits = "1 change waits for a yes on h1; nothing was changed. "
    why = f"--yes is not enough: {here}/policy.yml says yes: false. "
    assert last.startswith(f"{waits}{why}Go on at a terminal with: quell resume ")
    assert not last.endswith("--yes")


def test_a_task_that_wants_a_person_is_named(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "book.yml").write_text(
        BOOK.replace("name: Change", "name: Change, approve: always_ask")
    )
    assert run() == 3
    last = capsys.readouterr().err.splitlines()[-1]
    assert "--yes is not enough: Change says approve: always_ask. Go on at a terminal" in last


def test_what_may_have_been_done_is_shown_as_such(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ending = f"echo done >> marks; kill -INT {os.getpid()}; sleep 30"
    (here / "book.yml").write_text(BOOK.replace("echo done >> marks", ending))
    assert run("--yes") == 99
    capsys.readouterr()
    assert quell("resume", "last", "--yes") == 3
    said = capsys.readouterr().err
    assert "sent before: it may have taken effect" in said
    assert "Change on h1 was sent before and may have taken effect. Go on at a terminal" in said
    assert "nothing was changed" not in said


def test_glass_is_broken_for_a_reason(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["run", "book.yml", "-i", "hosts.yml"], ["resume", "last"]):
        assert quell(*arguments, "--break-glass", " ") == 1
        assert "'--break-glass': say why" in capsys.readouterr().err
    assert not (here / "state").exists()


def test_a_policy_may_lie_elsewhere(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = here / "policy.yml"
    policy.write_text("limits: {max_hosts: 1}")
    assert run("--policy", "policy.yml") == 3
    policy.rename(here / "moved.yml")
    capsys.readouterr()
    assert quell("resume", "last", "--yes") == 1
    hint = "the run's policy is not there — --policy says where it is here"
    assert capsys.readouterr().err == f"{policy}: {hint}\n"
    (here / "moved.yml").write_text("protect: {hosts: [h1]}")
    assert quell("resume", "last", "--yes", "--policy", "moved.yml") == 5
    assert 'moved.yml protects the hosts "h1"' in capsys.readouterr().err
