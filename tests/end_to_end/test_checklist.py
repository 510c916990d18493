"""A checklist at the terminal, without one, and gone on with."""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING

import pytest

from engine.events import TaskEnded
from tests.end_to_end.quell import LOCAL, finish, results

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.quell import Quell

pytestmark = pytest.mark.slow
TICK = r"  \[d\]one \[s\]kip \(stays open\) › "
NOTE = r"  note, if any › "
ASSIGN = r"  Assign the commander \(lead\): name one"
REPORT = r"  Write the report: with a timeline"
ME = getpass.getuser()


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Two items, and a probe that leaves a mark each time."""
    mark = {"probe": True, "script": 'echo seen >>"$1"', "args": [str(tmp_path / "mark")]}
    tasks = {
        "acknowledge": [
            {"name": "Assign the commander", "manual": {"text": "name one", "owner": "lead"}}
        ],
        "investigate": [{"name": "Look", "shell": mark}],
        "resolve": [{"name": "Write the report", "manual": "with a timeline"}],
    }
    path = tmp_path / "book.yml"
    path.write_text(json.dumps({"name": "Checklist", "hosts": "all", **tasks}))
    return path


def test_a_person_ticks_with_a_note_and_goes_on_with_the_rest_later(
    quell: Quell, book: Path
) -> None:
    child = quell.at_terminal("run", book, "-i", LOCAL)
    child.expect(ASSIGN)
    child.expect(TICK)
    child.sendline("d")
    child.expect(NOTE)
    child.sendline("bob takes it")
    child.expect(REPORT)
    child.expect(TICK)
    child.sendline("s")
    child.expect(NOTE)
    child.sendline("")
    code, said = finish(child)
    assert code == 3
    assert "WAITING FOR A PERSON in" in said
    assert f"open: Write the report; to be asked again: quell resume {quell.run_id()}" in said
    assert f"Assign the commander — done by {ME} at " in quell("show").stdout

    child = quell.at_terminal("resume")
    child.expect(REPORT)
    child.expect(TICK)
    child.sendline("d")
    child.expect(NOTE)
    child.sendline("")
    code, said = finish(child)
    assert code == 0
    assert "RESOLVED in" in said
    [assigned] = results(quell.events(), "Assign the commander")
    assert assigned.summary.endswith(": bob takes it")
    assert [event.status for event in results(quell.events(), "Write the report")] == [
        "skipped",
        "ok",
    ]
    assert (book.parent / "mark").read_text() == "seen\n"
    ended = quell("resume")
    assert (ended.code, ended.stderr) == (1, f"run {quell.run_id()} ended: resolved\n")


def test_without_a_terminal_it_stays_open_whatever_yes_says(quell: Quell, book: Path) -> None:
    ended = quell("run", book, "-i", LOCAL, "--yes", stdin="d\n\nd\n\n")
    assert ended.code == 3
    assert "  - Write the report               open: needs a person\n" in ended.stderr
    names = "open: Assign the commander, Write the report; to be asked again: quell resume "
    assert names in ended.stderr
    assert names in quell("show").stdout


def test_with_json_nobody_is_asked_at_the_terminal(quell: Quell, book: Path) -> None:
    child = quell.at_terminal("run", book, "-i", LOCAL, "--json")
    code, said = finish(child)
    assert code == 3
    assert "[d]one" not in said
    ended = [event for event in quell.events() if isinstance(event, TaskEnded)]
    assert [event.message for event in ended if event.module == "manual"] == [
        "open: needs a person",
        "open: needs a person",
    ]


def test_ctrl_c_at_the_note_ticks_nothing(quell: Quell, book: Path) -> None:
    child = quell.at_terminal("run", book, "-i", LOCAL)
    child.expect(TICK)
    child.sendline("d")
    child.expect(NOTE)
    child.sendintr()
    code, said = finish(child)
    assert code == 99
    assert "INTERRUPTED in" in said
    assert results(quell.events(), "Assign the commander") == []


def test_a_run_that_is_done_is_gone_on_with_for_what_is_open(quell: Quell, tmp_path: Path) -> None:
    path = tmp_path / "book.yml"
    path.write_text(
        "name: Open\nhosts: all\nacknowledge:\n  - {name: Assign, manual: name one}\n"
        "mitigate:\n  - {name: Change, shell: {script: 'echo x >>\"$1\"', "
        f"args: [{tmp_path}/mark]}}}}\n"
    )
    assert quell("run", path, "-i", LOCAL, "--yes").code == 0
    assert (quell.ended().outcome, quell.ended().open) == ("done", ["Assign"])
    child = quell.at_terminal("resume")
    child.expect(TICK)
    child.sendline("d")
    child.expect(NOTE)
    child.sendline("")
    assert finish(child)[0] == 0
    assert (quell.ended().outcome, quell.ended().open) == ("done", [])
    assert (tmp_path / "mark").read_text() == "x\n"
    assert quell("resume").code == 1
