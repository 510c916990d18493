"""A phase with actions: predicted, guarded, asked for, applied, verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.errors import ApprovalNeeded, GuardRefused
from engine.events import (
    PROGRESS,
    ChangePredicted,
    GuardHeld,
    Intent,
    NotPredicted,
    TaskEnded,
)
from engine.execution.past import Past
from tests.execution.rig import Rig
from tests.journal.events import intent

if TYPE_CHECKING:
    from pathlib import Path

SWITCH = """
mitigate:
  - {name: On, switch: "on"}
"""
TWO = """
mitigate:
  - {name: On, switch: "on", register: first}
  - {name: Second, switch: {name: second, to: "on"}}
"""


def ended(rig: Rig) -> dict[tuple[str, str], str]:
    return {(event.name, event.host): event.status for event in rig.told(TaskEnded)}


def test_a_change_is_observed_decided_announced_applied_and_confirmed(tmp_path: Path) -> None:
    rig = Rig(tmp_path, SWITCH, yes=True)
    rig.mitigate()
    assert rig.boards["h1"].log == ["look main", "look main", "put main on", "look main"]
    on_h1 = [event for event in rig.events if getattr(event, "host", "") == "h1"]
    assert [type(event) for event in on_h1 if not isinstance(event, PROGRESS)] == [
        ChangePredicted,
        Intent,
        TaskEnded,
    ]
    assert ended(rig) == {("On", "h1"): "changed", ("On", "h2"): "changed"}


def test_check_stops_after_the_prediction(tmp_path: Path) -> None:
    rig = Rig(tmp_path, SWITCH, yes=True, check=True)
    rig.mitigate()
    assert rig.changes.predicted == 2
    assert rig.puts("h1") == rig.puts("h2") == []
    assert rig.told(Intent) == []


def test_nothing_is_changed_where_nobody_answers(tmp_path: Path) -> None:
    rig = Rig(tmp_path, SWITCH, answers=[None])
    with pytest.raises(ApprovalNeeded, match="2 changes wait for a yes on h1, h2"):
        rig.mitigate()
    assert rig.puts("h1") == rig.puts("h2") == []


def test_only_what_was_approved_is_changed(tmp_path: Path) -> None:
    rig = Rig(tmp_path, SWITCH, answers=[{"h2"}])
    rig.mitigate()
    assert rig.puts("h1") == []
    assert rig.puts("h2") == ["put main on"]
    assert ended(rig) == {("On", "h1"): "skipped", ("On", "h2"): "changed"}


def test_nobody_is_asked_where_nothing_is_to_be_done(tmp_path: Path) -> None:
    rig = Rig(tmp_path, SWITCH)
    for board in rig.boards.values():
        board.switches["main"] = "on"
    rig.mitigate()
    assert rig.person.asked == []
    assert ended(rig) == {("On", "h1"): "ok", ("On", "h2"): "ok"}


def test_too_many_hosts_are_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "limits: {max_hosts: 1}" + SWITCH, yes=True)
    with pytest.raises(GuardRefused, match=r"would change 2 hosts \(h1, h2\)"):
        rig.mitigate()
    [held] = rig.told(GuardHeld)
    assert held.guard == "limits"
    assert rig.puts("h1") == rig.puts("h2") == []


def test_a_target_that_moved_is_left_alone_under_yes(tmp_path: Path) -> None:
    rig = Rig(tmp_path, TWO, yes=True)
    for board in rig.boards.values():
        board.switches["second"] = "off"
    rig.boards["h1"].replaced_after = "put main on"
    rig.mitigate()
    assert rig.puts("h1") == ["put main on"]
    assert rig.puts("h2") == ["put main on", "put second on"]
    [failed] = [event for event in rig.told(TaskEnded) if event.status == "failed"]
    assert failed.host == "h1"
    assert failed.message == ("the target is no longer the one that was shown: second: off → on")


def test_a_target_that_moved_is_told_without_what_is_not_to_be_logged(tmp_path: Path) -> None:
    rig = Rig(tmp_path, TWO.replace("name: Second,", "name: Second, no_log: true,"), yes=True)
    rig.boards["h1"].replaced_after = "put main on"
    for board in rig.boards.values():
        board.switches["second"] = "off"
    rig.mitigate()
    [failed] = [event for event in rig.told(TaskEnded) if event.status == "failed"]
    assert failed.message == (
        "the target is no longer the one that was shown: second (not shown: no_log)"
    )


def test_a_failure_stops_its_host_and_no_other(tmp_path: Path) -> None:
    rig = Rig(tmp_path, TWO, yes=True)
    for board in rig.boards.values():
        board.switches["second"] = "off"
    rig.boards["h1"].surprise("put", 1)
    rig.mitigate()
    assert rig.puts("h1") == ["put main on"]
    assert rig.puts("h2") == ["put main on", "put second on"]
    assert rig.memory.stopped == {"h1"}


def test_what_depends_on_a_change_is_not_predicted_and_asked_for_later(tmp_path: Path) -> None:
    text = TWO.replace("{name: Second,", "{name: Second, when: first.changed,")
    rig = Rig(tmp_path, text, answers=[{"h1"}, {"h1"}])
    for board in rig.boards.values():
        board.switches["second"] = "off"
    rig.mitigate()
    [unpredicted] = rig.told(NotPredicted)
    assert (unpredicted.name, unpredicted.why) == ("Second", "depends on first")
    assert unpredicted.hosts == ["h1", "h2"]
    assert [[p.name for p in asked] for asked in rig.person.asked] == [["On", "On"], ["Second"]]
    assert rig.puts("h1") == ["put main on", "put second on"]
    assert rig.puts("h2") == []


def test_items_of_a_loop_are_changed_one_after_the_other_until_one_fails(tmp_path: Path) -> None:
    rig = Rig(
        tmp_path,
        'mitigate:\n  - {name: On, loop: [a, b, c], switch: {name: "{{ item }}", to: "on"}}\n',
        yes=True,
    )
    for board in rig.boards.values():
        board.switches.update(a="off", b="off", c="off")
    rig.boards["h1"].surprise("put", 1)
    rig.mitigate()
    assert rig.puts("h1") == ["put a on"]
    assert rig.puts("h2") == ["put a on", "put b on", "put c on"]


def test_an_unknown_change_that_took_effect_is_not_sent_again(tmp_path: Path) -> None:
    known = {"summary": "main: off → on", "on": [{"kind": "switch", "name": "main"}]}
    before = intent(5, task="mitigate.1", host="h1", module="switch", change=known)
    rig = Rig(tmp_path, SWITCH, yes=True, past=Past(unsure={("mitigate.1", "h1", None): before}))
    rig.boards["h1"].switches["main"] = "on"
    rig.mitigate()
    assert rig.puts("h1") == []
    assert rig.puts("h2") == ["put main on"]
    [result] = [event for event in rig.told(TaskEnded) if event.host == "h1"]
    assert (result.status, result.intent) == ("changed", before.intent)


def test_a_change_that_is_not_to_be_logged_is_told_by_its_target_alone(tmp_path: Path) -> None:
    book = """
    mitigate:
      - {name: On, hosts: h1, no_log: true, switch: "s3cret"}
    """
    rig = Rig(tmp_path, book, answers=[{"h1"}])
    rig.mitigate()
    assert rig.puts("h1") == ["put main s3cret"]
    assert [p.summary for p in rig.person.asked[0]] == ["main (not shown: no_log)"]
    assert [event.change["on"][0]["name"] for event in rig.told(Intent)] == ["main"]
    assert "s3cret" not in msgspec.json.encode(rig.events).decode()


def test_an_unknown_change_that_was_not_logged_is_asked_for(tmp_path: Path) -> None:
    hidden = {"summary": "main (not shown: no_log)", "on": [{"kind": "switch", "name": "main"}]}
    before = intent(5, task="mitigate.1", host="h1", module="switch", change=hidden)
    book = """
    mitigate:
      - {name: On, hosts: h1, no_log: true, switch: "on"}
    """
    past = Past(unsure={("mitigate.1", "h1", None): before})
    rig = Rig(tmp_path, book, yes=True, answers=[None], past=past)
    with pytest.raises(ApprovalNeeded):
        rig.mitigate()
    assert rig.puts("h1") == []


def test_an_unknown_change_that_did_not_take_effect_is_proposed_again(tmp_path: Path) -> None:
    known = {"summary": "main: off → on", "on": [{"kind": "switch", "name": "main"}]}
    before = intent(5, task="mitigate.1", host="h1", module="switch", change=known)
    rig = Rig(
        tmp_path, SWITCH, answers=[{"h1"}], past=Past(unsure={("mitigate.1", "h1", None): before})
    )
    rig.mitigate()
    assert {p.host for p in rig.person.asked[0]} == {"h1", "h2"}
    assert rig.puts("h1") == ["put main on"]
    [again] = rig.told(Intent)
    assert again.intent != before.intent
    assert msgspec.to_builtins(again)["change"]["summary"] == "main: off → on"
