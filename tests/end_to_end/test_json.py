"""`--json`: one event a line on stdout, nothing else there, and people still read stderr."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from engine.events import RunEnded, RunStarted, TaskEnded, decode
from tests.end_to_end.hosts import Marks
from tests.end_to_end.quell import intents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.quell import Quell
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab


def test_every_line_is_an_event_that_the_journal_has_too(
    quell: Quell, inventory: Path, lab: Lab, tmp_path: Path
) -> None:
    marks = Marks()
    book = marks.playbook(tmp_path, "first")
    ended = quell("run", book, "-i", inventory, "--limit", "h1", "--yes", "--json")
    assert ended.code == 0, ended.stderr
    assert marks.on(lab.h1) == ["look", "first"]
    told = [decode(line) for line in ended.stdout.splitlines()]
    assert isinstance(told[0], RunStarted)
    assert isinstance(told[-1], RunEnded)
    kept = quell.events()
    assert [event for event in told if event in kept] == kept
    assert "✓ look                           h1" in ended.stderr
    assert "DONE in" in ended.stderr


def test_a_run_that_waits_is_told_in_json_too(
    quell: Quell, inventory: Path, tmp_path: Path
) -> None:
    book = Marks().playbook(tmp_path, "first")
    waits = quell("run", book, "-i", inventory, "--limit", "h1", "--json")
    assert waits.code == 3
    last = decode(waits.stdout.splitlines()[-1])
    assert isinstance(last, RunEnded)
    assert (last.outcome, last.exit_code) == ("waiting for approval", 3)
    done = quell("resume", "--yes", "--json")
    resumed = [decode(line) for line in done.stdout.splitlines()]
    assert [event.host for event in intents(resumed)] == ["h1"]
    assert not [e for e in resumed if isinstance(e, TaskEnded) and e.name == "look"]


def test_bad_input_leaves_stdout_empty(quell: Quell, inventory: Path, tmp_path: Path) -> None:
    ended = quell("run", tmp_path / "none.yml", "-i", inventory, "--json")
    assert (ended.code, ended.stdout) == (1, "")


def test_no_line_holds_what_a_terminal_would_obey(
    quell: Quell, inventory: Path, tmp_path: Path
) -> None:
    book = tmp_path / "book.yml"
    task = {"name": "Look", "shell": {"probe": True, "script": r"printf '\033]0;owned\007\177'"}}
    content = {"name": "Escape", "hosts": "app", "investigate": [task]}
    book.write_text(json.dumps(content))
    ended = quell("run", book, "-i", inventory, "--json")
    assert ended.code == 0, ended.stderr
    assert all(line.isprintable() for line in ended.stdout.splitlines())
    [look] = [e for e in map(decode, ended.stdout.splitlines()) if isinstance(e, TaskEnded)]
    assert look.result["stdout"] == "\033]0;owned\007\177"
