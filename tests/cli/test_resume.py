"""`quell resume`, as far as no host is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.journal import open_journal
from tests.cli.commands import quell
from tests.journal.events import RUN, ended, killed, resolved, started

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engine.events import Event


def resume(tmp_path: Path, story: Sequence[Event], run: str = RUN) -> object:
    """The exit code of resuming a run with this story."""
    path = str(tmp_path / "runs.db")
    with open_journal(path) as journal, journal.begin(RUN) as recorder:
        for event in story:
            recorder.tell(event)
    return quell("resume", run, "--journal", path, "--yes")


def test_what_is_over_does_not_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert resume(tmp_path, resolved()) == 1
    assert capsys.readouterr().err == f"run {RUN} ended: resolved\n"


@pytest.mark.parametrize("outcome", ["done", "checked"])
def test_nor_does_what_had_nothing_to_resolve(
    tmp_path: Path, outcome: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert resume(tmp_path, [started(), ended(outcome=outcome)]) == 1
    assert capsys.readouterr().err == f"run {RUN} ended: {outcome}\n"


def test_an_unknown_run_is_guessed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert resume(tmp_path, killed(), "20261123-1337-k3f8") == 1
    assert f'no run "20261123-1337-k3f8" — did you mean "{RUN}"?' in capsys.readouterr().err


def test_a_playbook_that_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert resume(tmp_path, killed(), "2026") == 1
    said = capsys.readouterr().err
    assert said.startswith("db_pool_exhaustion.yml: the run's playbook is not there")
    assert "--playbook says where it is here" in said


def test_a_journal_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert quell("resume", "--journal", str(tmp_path / "none.db")) == 1
    assert "there is no journal" in capsys.readouterr().err
