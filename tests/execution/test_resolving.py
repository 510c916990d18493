"""What says that an incident is over: said once, and only if it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.events import RunEnded, TaskEnded
from engine.execution.past import past_of
from engine.journal.progress import progress
from tests.execution.rig import Rig
from tests.journal.events import started

if TYPE_CHECKING:
    from pathlib import Path

BOOK = """
resolve:
  - {name: Before, tell: we look}
  - {name: Normal, look: main}
  - {name: Over, tell: it is over, run_once: true}
always:
  - {name: Report, manual: with a timeline}
"""


def broken(rig: Rig, host: str) -> Rig:
    rig.boards[host].switches["main"] = "broken"
    return rig


def ends(rig: Rig, name: str) -> list[tuple[str, str]]:
    return [(e.host, e.status) for e in rig.told(TaskEnded) if e.name == name]


def resumed(directory: Path, before: Rig, text: str = BOOK) -> Rig:
    past = past_of(progress([started(), *before.events]))
    return Rig(directory, text, past=past, ticks=[None])


def test_nobody_is_told_that_it_is_over_while_one_host_says_no(tmp_path: Path) -> None:
    rig = broken(Rig(tmp_path, BOOK, ticks=[None]), "h2")
    assert rig.run.execute().outcome == "not resolved"
    assert ends(rig, "Before") == [("h1", "changed"), ("h2", "changed")]
    assert ends(rig, "Over") == [("h1", "skipped")]
    [over] = [event for event in rig.told(TaskEnded) if event.name == "Over"]
    assert over.message == "not resolved: Normal on h2"

    again = resumed(tmp_path, rig)
    assert again.run.execute().outcome == "resolved"
    assert ends(again, "Normal") == [("h1", "ok"), ("h2", "ok")]
    assert ends(again, "Before") == []
    assert ends(again, "Over") == [("h1", "changed")]


def test_what_could_not_be_told_keeps_nothing_else_back(tmp_path: Path) -> None:
    text = BOOK.replace("tell: we look", "tell: fail")
    rig = Rig(tmp_path, text, ticks=[None])
    assert rig.run.execute().outcome == "not resolved"
    assert ends(rig, "Over") == [("h1", "changed")]

    again = resumed(tmp_path, rig, text)
    again.run.execute()
    assert ends(again, "Before") == [("h1", "failed"), ("h2", "failed")]
    assert ends(again, "Normal") == [("h1", "ok"), ("h2", "ok")]
    assert ends(again, "Over") == []


def test_it_is_told_once_however_often_what_is_open_is_asked_for(tmp_path: Path) -> None:
    rig = Rig(tmp_path, BOOK, ticks=[None])
    rig.run.execute()
    assert ends(rig, "Over") == [("h1", "changed")]

    again = resumed(tmp_path, rig)
    again.run.execute()
    assert [name for name, _ in again.checklist.asked] == ["Report"]
    assert [event.name for event in again.told(TaskEnded)] == ["Report"]
    [end] = again.told(RunEnded)
    assert (end.outcome, end.open) == ("resolved", ["Report"])
