"""The severity before and after a mitigation, and the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.events import (
    Acknowledged,
    DeadlineMissed,
    SeverityJudged,
    TaskEnded,
)
from engine.execution.checkpoints import Answer
from engine.language.model import tasks_in
from tests.execution.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

BOOK = """
investigate:
  - {name: Which, look: which, register: which}
  - {name: State, look: main, register: state, when: which.position == 'off'}
  - {name: Unused, look: second, register: unused}
severity:
  - {level: P1, when: state.position == 'broken', on: all, because: all are broken}
  - {level: P2, when: state.position == 'broken', because: some are broken}
mitigate:
  - {name: Mend, when: state.position == 'broken', switch: "on"}
"""


def rig(tmp_path: Path, text: str = BOOK, **options: object) -> Rig:
    made = Rig(tmp_path, text, **{"yes": True, **options})  # type: ignore[arg-type]
    for board in made.boards.values():
        board.switches.update(which="off", second="off")
    made.boards["h1"].switches["main"] = "broken"
    return made


def test_it_is_judged_again_on_fresh_evidence(tmp_path: Path) -> None:
    made = rig(tmp_path)
    made.run.execute()
    first, second = made.told(SeverityJudged)
    assert (first.level, first.before, first.because) == ("P2", "", "some are broken")
    assert (second.level, second.before) == (None, "P2")
    # What the rules use was looked at, and what that depends on; nothing else was.
    looks = made.boards["h2"].log
    assert [looks.count(f"look {name}") for name in ("which", "main", "second")] == [2, 2, 1]
    again = [e for e in made.told(TaskEnded) if e.phase == "severity"]
    assert {(e.task, e.name) for e in again} == {
        ("severity.investigate.1", "Which"),
        ("severity.investigate.2", "State"),
    }
    assert made.memory.recap["h2"]["ok"] == 3
    assert made.memory.data("h1")["state"]["position"] == "on"
    assert made.memory.incident["severity"] == "P2"


def test_it_is_not_judged_again_where_nothing_was_changed(tmp_path: Path) -> None:
    for options in ({"check": True}, {"yes": False, "answers": [set()]}):
        made = rig(tmp_path, **options)
        made.run.execute()
        assert [event.before for event in made.told(SeverityJudged)] == [""]


def test_it_is_judged_again_once_a_person_has_mended_it_and_not_when_people_were_told(
    tmp_path: Path,
) -> None:
    text = BOOK.replace(
        "{name: Mend, when: state.position == 'broken', switch: \"on\"}",
        "{name: Say so, tell: down}\n  - {name: Mend, manual: by hand}",
    )
    befores = {}
    for done in (False, True):
        made = rig(tmp_path, text, ticks=[Answer(done=done)])
        made.run.execute()
        befores[done] = [event.before for event in made.told(SeverityJudged)]
    assert befores == {False: [""], True: ["", "P2"]}


def test_what_is_found_again_is_evidence_and_no_failure(tmp_path: Path) -> None:
    made = rig(tmp_path)
    made.boards["h2"].surprise("look", None, None, None, None, 1)
    ending = made.run.execute()
    assert ending.exit_code == 0
    [dark] = [e for e in made.told(TaskEnded) if e.status == "failed"]
    assert (dark.phase, dark.ignored) == ("severity", True)


def test_a_clock_that_has_run_out_is_said_once(tmp_path: Path) -> None:
    made = rig(tmp_path)
    made.run.execute()
    [missed] = made.told(DeadlineMissed)
    assert missed.level == "P2"
    assert missed.acknowledge_by.isoformat() == "2026-11-23T14:37:00+00:00"


def test_a_level_without_a_clock_is_in_no_hurry(tmp_path: Path) -> None:
    made = rig(tmp_path, BOOK.replace("P2", "P4"))
    made.run.execute()
    assert made.told(DeadlineMissed) == []


def test_a_person_who_answers_has_taken_it(tmp_path: Path) -> None:
    made = rig(tmp_path, yes=False, answers=[{"h1"}])
    made.memory.incident["opened_at"] = "2126-11-23T13:37:00+00:00"
    made.run.execute()
    [taken] = made.told(Acknowledged)
    assert taken.how == "a person at the terminal"
    assert made.told(DeadlineMissed) == []


def test_a_record_that_acknowledges_has_taken_it(tmp_path: Path) -> None:
    text = "acknowledge:\n  - {name: Page, run_once: true, tell: on it}\n" + BOOK
    made = rig(tmp_path, text)
    assert [task.kind for task in tasks_in(made.plan.phases["acknowledge"])] == ["record"]
    made.run.execute()
    assert [event.how for event in made.told(Acknowledged)] == ["Page"]


def test_a_record_that_fails_has_taken_nothing(tmp_path: Path) -> None:
    text = "acknowledge:\n  - {name: Page, run_once: true, tell: fail}\n" + BOOK
    made = rig(tmp_path, text)
    made.run.execute()
    assert made.told(Acknowledged) == []
