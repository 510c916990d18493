"""Items that a person ticks: once, in their turn, and open where nobody is there."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import Interrupted
from engine.events import Acknowledged, BlockRescued, RunEnded, TaskEnded, Waiting
from engine.execution.checkpoints import NEEDS_A_PERSON, Answer
from engine.execution.past import past_of
from engine.execution.plan import Selection
from engine.journal.progress import progress
from tests.execution.rig import Rig
from tests.journal.events import started

if TYPE_CHECKING:
    from pathlib import Path

ME = getpass.getuser()
DONE = Answer(done=True)
LOOK_AND_TICK = """
investigate:
  - {name: Before, look: main, register: before}
  - {name: Tick, manual: "{{ before.position }}, is it?", register: ticked}
  - {name: After, look: main}
  - {name: Later, when: ticked.done, look: main}
"""


def statuses(rig: Rig) -> dict[str, list[str]]:
    """How each task ended, by its name."""
    found: dict[str, list[str]] = {}
    for event in rig.told(TaskEnded):
        found.setdefault(event.name, []).append(event.status)
    return found


def only(rig: Rig, name: str) -> TaskEnded:
    [event] = [event for event in rig.told(TaskEnded) if event.name == name]
    assert isinstance(event, TaskEnded)
    return event


def end(rig: Rig) -> RunEnded:
    rig.run.execute()
    [event] = rig.told(RunEnded)
    assert isinstance(event, RunEnded)
    return event


def resumed(directory: Path, text: str, before: Rig, **said: Any) -> Rig:
    past = past_of(progress([started(), *before.events]))
    return Rig(directory, text, past=past, **said)


def test_it_is_asked_once_for_all_hosts_and_all_know_the_answer(tmp_path: Path) -> None:
    rig = Rig(tmp_path, LOOK_AND_TICK, ticks=[Answer(done=True, note="bob saw it")])
    assert end(rig).outcome == "done"
    [(name, question)] = rig.checklist.asked
    assert (name, question.text) == ("Tick", "off, is it?")
    assert statuses(rig)["Later"] == ["ok", "ok"]
    event = only(rig, "Tick")
    assert event.summary.startswith(f"done by {ME} at ")
    assert event.summary.endswith(": bob saw it")
    result = event.result
    assert (result["done"], result["by"], result["note"]) == (True, ME, "bob saw it")
    assert result["at"].endswith("+00:00")
    assert event.hostless


def test_no_host_is_contacted_and_what_follows_waits(tmp_path: Path) -> None:
    rig = Rig(tmp_path, LOOK_AND_TICK, ticks=[DONE])
    rig.run.execute()
    names = [event.name for event in rig.told(TaskEnded)]
    assert names[:3] == ["Before", "Before", "Tick"]
    assert sorted(names[3:]) == ["After", "After", "Later", "Later"]
    assert [len(rig.boards[host].log) for host in ("h1", "h2")] == [3, 3]
    assert "manual" not in {order.task.module for lane in rig.lanes for order in lane}


@pytest.mark.parametrize("answer", [None, Answer(done=False, note="not yet")])
def test_what_nobody_ticks_stays_open_and_the_run_goes_on(
    tmp_path: Path, answer: Answer | None
) -> None:
    rig = Rig(tmp_path, LOOK_AND_TICK, ticks=[answer], yes=True)
    last = end(rig)
    assert (last.outcome, last.exit_code, last.open) == ("done", 0, ["Tick"])
    assert last.message == "open: Tick; to be asked again: quell resume run"
    event = only(rig, "Tick")
    assert (event.status, event.result["done"]) == ("skipped", False)
    said = NEEDS_A_PERSON if answer is None else f"open: left by {ME} at "
    assert event.message.startswith(said)
    assert statuses(rig)["After"] == ["ok", "ok"]
    assert statuses(rig)["Later"] == ["skipped", "skipped"]


def test_only_what_is_open_is_asked_again(tmp_path: Path) -> None:
    text = """
        acknowledge:
          - {name: First, manual: do it}
          - {name: Second, manual: do it}
        mitigate:
          - {name: Put, switch: {name: main, to: "on"}}
        """
    before = Rig(tmp_path, text, ticks=[DONE, None], yes=True)
    assert end(before).open == ["Second"]
    again = resumed(tmp_path, text, before, ticks=[DONE])
    last = end(again)
    assert (last.outcome, last.open) == ("done", [])
    assert [name for name, _ in again.checklist.asked] == ["Second"]
    assert [event.name for event in again.told(TaskEnded)] == ["Second"]
    assert [len(board.log) for board in again.boards.values()] == [0, 0, 0]


def test_an_open_item_of_resolve_keeps_the_incident_open(tmp_path: Path) -> None:
    text = """
        resolve:
          - {name: Quiet, look: main}
          - {name: Report, manual: write it}
        """
    before = Rig(tmp_path, text, ticks=[None])
    last = end(before)
    assert (last.outcome, last.exit_code) == ("waiting for a person", 3)
    assert last.message == "open: Report; to be asked again: quell resume run"
    again = end(resumed(tmp_path, text, before, ticks=[DONE]))
    assert (again.outcome, again.exit_code, again.message) == ("resolved", 0, "")


def test_who_ticks_in_acknowledge_has_taken_the_incident(tmp_path: Path) -> None:
    text = "acknowledge:\n  - {name: Assign, manual: name one}\n"
    taken = Rig(tmp_path, text, ticks=[DONE])
    taken.run.execute()
    assert [event.how for event in taken.told(Acknowledged)] == ["a person at the terminal"]
    open_ = Rig(tmp_path, text, ticks=[None])
    open_.run.execute()
    assert open_.told(Acknowledged) == []


def test_in_check_mode_nobody_is_asked_and_each_question_is_said(tmp_path: Path) -> None:
    text = """
        acknowledge:
          - {name: Assign, manual: name one}
        mitigate:
          - {name: Early, manual: drain it}
          - {name: Put, switch: {name: main, to: "on"}, register: put}
          - block:
              - {name: Then, manual: look at it}
              - {name: Not known, manual: "was {{ put.before }}"}
            rescue:
              - {name: Only if it fails, manual: call somebody}
          - {name: Not wanted, when: false, manual: x}
        resolve:
          - {name: Report, manual: write it}
        """
    rig = Rig(tmp_path, text, check=True)
    last = end(rig)
    assert (last.outcome, last.open) == ("checked", [])
    said = {event.name: event.message for event in rig.told(TaskEnded)}
    unknown = said.pop("Not known")
    assert unknown.startswith("would stop here; for what is not known yet: ")
    assert said == {
        "Assign": "would ask: name one",
        "Early": "would ask: drain it",
        "Then": "would ask: look at it",
        "Report": "would ask: write it",
    }
    assert {event.status for event in rig.told(TaskEnded)} == {"skipped"}


def test_a_loop_asks_for_each_item(tmp_path: Path) -> None:
    text = """
        investigate:
          - {name: Tell, loop: [ops, sales], manual: "tell {{ item }}", register: told}
          - {name: Count, assert: "told.results | map(attribute='done') | list == [true, false]"}
        """
    rig = Rig(tmp_path, text, ticks=[DONE, None])
    assert end(rig).open == ["Tell [sales]"]
    assert [question.text for _, question in rig.checklist.asked] == ["tell ops", "tell sales"]
    assert statuses(rig)["Count"] == ["ok", "ok"]


def test_it_stands_in_blocks_and_their_rescue(tmp_path: Path) -> None:
    text = """
        mitigate:
          - block:
              - {name: Fails, look: main, expect: false}
              - {name: Not reached, manual: x}
            rescue:
              - {name: By hand, manual: put it right}
        """
    rig = Rig(tmp_path, text, ticks=[DONE])
    rig.run.execute()
    assert [name for name, _ in rig.checklist.asked] == ["By hand"]
    [rescued] = rig.told(BlockRescued)
    assert rescued.hosts == ["h1", "h2"]


def test_each_batch_has_its_turn(tmp_path: Path) -> None:
    text = """
        serial: 1
        mitigate:
          - {name: Put, switch: {name: main, to: "on"}}
          - {name: Go on, manual: "is {{ inventory_hostname }} well?"}
        """
    rig = Rig(tmp_path, text, ticks=[DONE, DONE], yes=True)
    assert end(rig).outcome == "done"
    asked = [question.text for _, question in rig.checklist.asked]
    assert asked == ["is h1 well?", "is h2 well?"]


def test_tags_and_step_leave_it_out(tmp_path: Path) -> None:
    text = """
        investigate:
          - {name: Tick, tags: list, manual: x}
          - {name: Look, tags: look, look: main}
        """
    tagged = Rig(tmp_path, text, selection=Selection(tags=("look",)))
    stepped = Rig(tmp_path, text, leave={"Tick"})
    started_at = Rig(tmp_path, text, selection=Selection(start_at="Look"))
    for rig in (tagged, stepped, started_at):
        assert end(rig).open == []
        assert rig.checklist.asked == []


def test_a_question_that_cannot_be_rendered_fails(tmp_path: Path) -> None:
    text = """
        investigate:
          - {name: Look, look: main, register: seen}
          - {name: Tick, manual: "{{ seen.nothing }}"}
        """
    rig = Rig(tmp_path, text)
    rig.run.execute()
    assert only(rig, "Tick").status == "failed"
    assert "nothing" in only(rig, "Tick").message


def test_ctrl_c_at_the_prompt_ends_the_run_and_always_asks_nobody(tmp_path: Path) -> None:
    text = """
        investigate:
          - {name: Tick, manual: x}
          - {name: Look, look: main}
        always:
          - {name: Last, manual: y}
        """
    rig = Rig(tmp_path, text, ticks=[Interrupted("SIGINT")])
    last = end(rig)
    assert (last.outcome, last.exit_code, last.open) == ("interrupted", 99, ["Last"])
    assert statuses(rig) == {"Last": ["skipped"]}
    assert [name for name, _ in rig.checklist.asked] == ["Tick"]


PAUSE = """
investigate:
  - {name: Before, look: main}
  - {name: Wait, pause: %s}
  - {name: After, look: main}
"""


def test_a_pause_waits_and_says_so(tmp_path: Path) -> None:
    rig = Rig(tmp_path, PAUSE % "30ms")
    assert end(rig).outcome == "done"
    [word] = rig.told(Waiting)
    assert (word.name, word.total) == ("Wait", 0.03)
    waited = only(rig, "Wait")
    assert (waited.status, waited.summary, waited.result["done"]) == ("ok", "waited 30 ms", True)
    assert rig.checklist.asked == []


def test_a_signal_ends_a_pause_and_it_is_not_open(tmp_path: Path) -> None:
    rig = Rig(tmp_path, PAUSE % "1h")
    rig.then = lambda event: rig.halt.interrupt("SIGINT") if isinstance(event, Waiting) else None
    last = end(rig)
    assert (last.outcome, last.exit_code, last.open) == ("interrupted", 99, [])
    assert only(rig, "Wait").message.startswith("interrupted after ")
    assert "After" not in statuses(rig)


def test_a_pause_asks_a_person_to_go_on(tmp_path: Path) -> None:
    rig = Rig(tmp_path, PAUSE % "{prompt: is it quiet?}", ticks=[DONE])
    assert end(rig).open == []
    assert only(rig, "Wait").summary.startswith(f"let go on by {ME} at ")
    assert end(Rig(tmp_path, PAUSE % "{prompt: is it quiet?}", ticks=[None])).open == ["Wait"]
