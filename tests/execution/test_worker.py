"""One order on one host: every way that it can end."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from engine.connections.become import BecomeSaid
from engine.errors import (
    DeadlineExceeded,
    GuardRefused,
    JournalError,
    LinkLost,
    ModuleFailed,
    Unreachable,
)
from engine.events import Intent, Looked, TaskEnded
from engine.execution.becoming import Becoming
from engine.execution.worker import Worker
from engine.language.templates import Templates
from engine.registry import Registry
from tests.execution.build import guards, order
from tests.execution.rig import Rig, alone

if TYPE_CHECKING:
    from pathlib import Path

    from engine.events import Event
    from engine.language.keywords import Phase

LOOK = "investigate:\n  - {name: Look, look: main}\n"
SWITCH = "mitigate:\n  - {name: On, switch: 'on'}\n"
VERIFIED = """
mitigate:
  - name: On
    switch: "on"
    verify:
      - {name: Works, look: second, expect: result.position == 'works', within: 50ms, every: 10ms}
"""


def look(rig: Rig) -> TaskEnded:
    """What comes of looking on h1."""
    rig.stage.run("investigate", rig.plan.tasks("investigate"))
    return only(rig)


def put(rig: Rig) -> TaskEnded:
    """What comes of the action on h1."""
    rig.mitigate()
    return only(rig)


def only(rig: Rig) -> TaskEnded:
    [event] = [event for event in rig.told(TaskEnded) if event.host == "h1"]
    assert isinstance(event, TaskEnded)
    return event


@pytest.mark.parametrize(
    ("surprise", "status", "message"),
    [
        (1, "failed", "nothing to be seen"),
        (Unreachable("no route"), "unreachable", "no route"),
        (LinkLost("the link died"), "failed", "the link died"),
        (DeadlineExceeded("too late"), "failed", "too late"),
        (ValueError("of ours"), "failed", "look broke: ValueError: of ours"),
    ],
)
def test_whatever_a_host_does_is_data(
    tmp_path: Path, surprise: Exception | int, status: str, message: str
) -> None:
    rig = Rig(tmp_path, LOOK)
    rig.boards["h1"].surprise("look", surprise)
    ended = look(rig)
    assert (ended.status, ended.message) == (status, message)
    assert ended.result["failed"] is True
    assert ended.result["msg"] == message


def test_what_a_failed_module_found_is_kept(tmp_path: Path) -> None:
    rig = Rig(tmp_path, LOOK)
    rig.boards["h1"].surprise("look", 1)
    assert look(rig).result["dark"] is True


def test_a_bug_in_a_module_is_kept_with_its_place(tmp_path: Path) -> None:
    rig = Rig(tmp_path, LOOK)
    rig.boards["h1"].surprise("look", ValueError("of ours"))
    assert "look.py" in look(rig).result["traceback"]


@pytest.mark.parametrize(("phase", "status"), [("investigate", "finding"), ("resolve", "failed")])
def test_what_is_not_as_expected_is_a_finding_or_a_failure(
    tmp_path: Path, phase: Phase, status: str
) -> None:
    rig = Rig(tmp_path, LOOK.replace("investigate", phase))
    rig.boards["h1"].switches["main"] = "broken"
    rig.stage.run(phase, rig.plan.tasks(phase))
    assert (only(rig).status, only(rig).message) == (status, "it is broken")
    assert only(rig).result["finding"] is True


def test_an_action_that_did_not_take_failed(tmp_path: Path) -> None:
    rig = Rig(tmp_path, SWITCH, yes=True)
    rig.boards["h1"].surprise("put", 0)
    ended = put(rig)
    assert (ended.status, ended.message) == (
        "failed",
        "not confirmed: still to be done: main: off → on",
    )


def test_an_action_that_was_refused_failed_with_what_it_found(tmp_path: Path) -> None:
    rig = Rig(tmp_path, SWITCH, yes=True)
    rig.boards["h1"].surprise("put", 1)
    ended = put(rig)
    assert (ended.status, ended.message) == ("failed", "the switch is stuck")
    assert ended.result["stuck"] is True
    [intent] = [event for event in rig.told(Intent) if event.host == "h1"]
    assert ended.intent == intent.intent


def test_an_action_that_was_cut_off_is_unknown_and_never_sent_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path, SWITCH, yes=True)
    rig.boards["h1"].surprise("put", LinkLost("the link died"))
    ended = put(rig)
    assert ended.status == "unknown"
    assert ended.message == "the link died; whether it took effect is not known"
    assert rig.puts("h1") == ["put main on"]


def test_an_action_that_was_cut_off_is_looked_at_once_more(tmp_path: Path) -> None:
    rig = Rig(tmp_path, SWITCH, yes=True)
    rig.boards["h1"].dies_after = "put main on"
    ended = put(rig)
    assert (ended.status, ended.message) == ("changed", "the link died")
    assert rig.puts("h1") == ["put main on"]


def test_a_refusal_through_a_dead_link_is_believed_by_nobody(tmp_path: Path) -> None:
    rig = Rig(tmp_path, SWITCH, yes=True)
    rig.boards["h1"].surprise("put", ModuleFailed("end of file"))
    rig.boards["h1"].alive = False
    ended = put(rig)
    assert ended.status == "unknown"
    assert ended.message == "end of file; whether it took effect is not known"


def test_an_action_that_says_that_it_is_a_record_is_done_unasked(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "acknowledge:\n  - switch: {to: 'on', record: true}\n")
    rig.boards["h2"].surprise("put", LinkLost("the link died"))
    rig.stage.run("acknowledge", rig.plan.tasks("acknowledge"))
    assert [event.status for event in rig.told(TaskEnded)] == ["changed", "unknown"]
    assert (rig.puts("h1"), rig.puts("h2")) == (["put main on"], ["put main on"])
    assert rig.person.asked == []


def test_a_name_may_say_where(tmp_path: Path) -> None:
    rig = Rig(tmp_path, LOOK.replace("Look,", "'On {{ inventory_hostname }}',"))
    assert look(rig).name == "On h1"


def test_a_bug_after_the_intent_leaves_the_outcome_unknown(tmp_path: Path) -> None:
    rig = Rig(tmp_path, SWITCH, yes=True)
    rig.boards["h1"].surprise("put", ValueError("of ours"))
    ended = put(rig)
    assert (ended.status, ended.message) == ("unknown", "switch broke: ValueError: of ours")


def test_nothing_is_sent_where_the_intent_cannot_be_kept(tmp_path: Path) -> None:
    rig = Rig(tmp_path, SWITCH, yes=True)

    def full(event: Event) -> None:
        if isinstance(event, Intent):
            raise JournalError("the disk is full")

    rig.tell = full  # type: ignore[method-assign]
    with pytest.raises(JournalError):
        rig.mitigate()
    assert rig.puts("h1") == rig.puts("h2") == []


def test_the_symptom_decides_and_not_the_action(tmp_path: Path) -> None:
    rig = Rig(tmp_path, VERIFIED, yes=True)
    rig.boards["h1"].switches["second"] = "silent"
    rig.boards["h2"].switches["second"] = "works"
    ended = put(rig)
    assert ended.status == "failed"
    assert ended.message == (
        "not verified: Works: expected result.position == 'works' (not within 0.05 s)"
    )
    [fine] = [event for event in rig.told(TaskEnded) if event.host == "h2"]
    assert fine.status == "changed"
    assert (ended.verified, fine.verified) == (False, True)
    assert {event.holds for event in rig.told(Looked) if event.host == "h1"} == {False}
    assert [event.holds for event in rig.told(Looked) if event.host == "h2"] == [True]


def test_without_anything_to_verify_nobody_can_tell(tmp_path: Path) -> None:
    ended = put(Rig(tmp_path, SWITCH, yes=True))
    assert (ended.status, ended.verified) == ("changed", None)


def test_an_intent_that_a_guard_refuses_is_not_sent(tmp_path: Path) -> None:
    rig = Rig(tmp_path, SWITCH, yes=True)
    tell = rig.tell

    def held(event: Event) -> None:
        if isinstance(event, Intent):
            raise GuardRefused("all actions are on hold by ann", guard="hold")
        tell(event)

    rig.tell = held  # type: ignore[method-assign]
    ended = put(rig)
    assert (ended.status, ended.message, ended.intent) == (
        "failed",
        "all actions are on hold by ann",
        None,
    )
    assert rig.puts("h1") == rig.puts("h2") == []


def test_a_task_without_anything_to_do_is_ok(tmp_path: Path) -> None:
    rig = Rig(tmp_path, SWITCH, yes=True)
    rig.boards["h1"].switches["main"] = "on"
    ended = put(rig)
    assert (ended.status, ended.summary) == ("ok", "nothing to do")
    assert rig.puts("h1") == []


class SlowLinks:
    """Links of which an interruption takes its time."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.over = False

    def interrupt(self) -> None:
        self.begun.set()
        time.sleep(0.1)
        self.over = True


def test_an_interruption_is_over_before_what_must_follow() -> None:
    links, at_work, done = SlowLinks(), threading.Event(), threading.Event()

    def hold(_: Event) -> None:
        at_work.set()
        done.wait(20)

    templates = Templates()
    nobody = Becoming({}, BecomeSaid(), templates)
    worker = Worker(cast("Any", links), Registry(), templates, nobody, guards(), alone(), hold)
    thread = threading.Thread(target=worker.perform, args=(order("h1"),))
    thread.start()
    assert at_work.wait(20)
    worker.stop()
    assert links.begun.wait(20)
    worker.revive()
    assert links.over
    done.set()
    thread.join()


@pytest.mark.parametrize(
    ("words", "stuck", "status"),
    [
        ("failed_when: result.put == 'on'", False, "failed"),
        ("failed_when: result.put == 'off'", False, "changed"),
    ],
)
def test_an_action_may_say_itself_what_a_failure_is(
    tmp_path: Path, words: str, *, stuck: bool, status: str
) -> None:
    rig = Rig(tmp_path, f"mitigate:\n  - switch: 'on'\n    hosts: h1\n    {words}\n", yes=True)
    if stuck:
        rig.boards["h1"].surprise("put", 1)
    rig.mitigate()
    [event] = rig.told(TaskEnded)
    assert event.status == status
