"""A probe's looks: once, until it holds, or for as long as it must hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from engine.errors import LinkLost
from engine.events import Looked, TaskEnded
from tests.execution.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

TASK = "resolve:\n  - {{name: Look, hosts: h1, look: main, {0}}}\n"


def looked(
    tmp_path: Path, keywords: str, *surprises: Exception | int | None
) -> tuple[Rig, TaskEnded]:
    rig = Rig(tmp_path, TASK.format(keywords))
    rig.boards["h1"].surprise("look", *surprises)
    rig.stage.run("resolve", rig.plan.tasks("resolve"))
    [ended] = rig.told(TaskEnded)
    return rig, ended


def test_one_look_is_told_by_its_end_alone(tmp_path: Path) -> None:
    rig, ended = looked(tmp_path, "expect: result.position == 'off'")
    assert (ended.status, ended.summary) == ("ok", "off")
    assert rig.told(Looked) == []


def test_it_may_come_to_hold(tmp_path: Path) -> None:
    rig, ended = looked(tmp_path, "within: 5s, every: 10ms", 1, LinkLost("gone"))
    assert ended.status == "ok"
    assert [(look.holds, look.summary, look.mode) for look in rig.told(Looked)] == [
        (False, "nothing to be seen", "within"),
        (False, "gone", "within"),
        (True, "off", "within"),
    ]


def test_it_does_not_come_to_hold(tmp_path: Path) -> None:
    rig, ended = looked(tmp_path, "within: 30ms, every: 10ms, expect: result.position == 'on'")
    assert (ended.status, ended.message) == (
        "failed",
        "expected result.position == 'on' (not within 0.03 s)",
    )
    assert ended.result["msg"] == ended.message
    assert {look.holds for look in rig.told(Looked)} == {False}


class Turning(dict[str, str]):
    """Switches that go on once they were looked at."""

    def __getitem__(self, name: str) -> str:
        position = super().__getitem__(name)
        self[name] = "on"
        return position


def test_an_expectation_that_cannot_be_judged_yet_is_asked_again(tmp_path: Path) -> None:
    keywords = "within: 30s, every: 10ms, expect: \"{'on': 1}[result.position]\""
    rig = Rig(tmp_path, TASK.format(keywords))
    rig.boards["h1"].switches = Turning(main="off")
    rig.stage.run("resolve", rig.plan.tasks("resolve"))
    [ended] = rig.told(TaskEnded)
    assert ended.status == "ok"
    assert [look.holds for look in rig.told(Looked)] == [False, True]


@pytest.mark.slow
def test_it_must_hold_at_every_look(tmp_path: Path) -> None:
    rig, ended = looked(tmp_path, "hold: 1s, every: 10ms")
    assert ended.status == "ok"
    looks = rig.told(Looked)
    assert len(looks) > 1
    assert all(look.holds for look in looks)
    assert looks[-1].elapsed >= looks[-1].total == 1


def test_one_look_that_does_not_hold_ends_it(tmp_path: Path) -> None:
    rig, ended = looked(tmp_path, "hold: 10m, every: 10ms", None, None, 1)
    assert (ended.status, ended.message) == ("failed", "nothing to be seen")
    assert [look.holds for look in rig.told(Looked)] == [True, True, False]


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        ("result.position == 'on'", "expected result.position == 'on'"),
        (
            ["result.position == 'on'", "result.position", "false"],
            "expected result.position == 'on' and false",
        ),
    ],
)
def test_what_was_expected_is_said(tmp_path: Path, expect: str | list[str], message: str) -> None:
    _, ended = looked(tmp_path, f"expect: {expect}")
    assert (ended.status, ended.message, ended.result["finding"]) == ("failed", message, True)


def test_what_cannot_be_judged_for_want_of_a_value_is_the_modules_finding(tmp_path: Path) -> None:
    rig = Rig(tmp_path, TASK.format("expect: \"{'off': 1}[result.position] < 5\""))
    rig.boards["h1"].switches["main"] = "broken"
    rig.stage.run("resolve", rig.plan.tasks("resolve"))
    [ended] = rig.told(TaskEnded)
    assert (ended.status, ended.message, ended.summary) == ("failed", "it is broken", "broken")


def test_an_expectation_replaces_the_modules_own(tmp_path: Path) -> None:
    rig = Rig(tmp_path, TASK.format("expect: result.position == 'broken'"))
    rig.boards["h1"].switches["main"] = "broken"
    rig.stage.run("resolve", rig.plan.tasks("resolve"))
    [ended] = rig.told(TaskEnded)
    assert ended.status == "ok"


def test_times_may_be_templates(tmp_path: Path) -> None:
    rig = Rig(
        tmp_path,
        TASK.format('within: "{{ patience }}", every: 10ms, expect: false'),
        extra={"patience": "20ms"},
    )
    rig.stage.run("resolve", rig.plan.tasks("resolve"))
    [ended] = rig.told(TaskEnded)
    assert ended.message == "expected False (not within 0.02 s)"


def test_it_looks_until_the_condition_holds(tmp_path: Path) -> None:
    rig = Rig(
        tmp_path,
        "resolve:\n  - {name: Up, hosts: h1, look: main, until: seen.position == 'on',"
        " retries: 5, delay: 0.01, register: seen}\n",
    )

    def put_on(command: str) -> None:
        if len(rig.boards["h1"].log) == 3:
            rig.boards["h1"].switches["main"] = "on"
        assert command == "look main"

    rig.boards["h1"].then = put_on
    [outcome] = rig.stage.run("resolve", rig.plan.tasks("resolve"))
    assert (outcome.status, outcome.result["position"]) == ("ok", "on")
    assert [(e.look, e.total, e.mode, e.holds) for e in rig.told(Looked)] == [
        (1, 6, "until", False),
        (2, 6, "until", False),
        (3, 6, "until", True),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("within: 1m", " of 60 s: expected result.position == 'on'"),
        ("until: result.position == 'on'", " of look 1 of 4"),
    ],
)
def test_an_interruption_is_no_late_answer(tmp_path: Path, words: str, said: str) -> None:
    expect = "expect: result.position == 'on'" if "within" in words else ""
    text = f"resolve:\n  - hosts: h1\n    look: main\n    {words}\n    {expect}\n"
    rig = Rig(tmp_path, text)

    def interrupt(command: str) -> None:
        assert command == "look main"
        rig.worker.stop()

    rig.boards["h1"].then = interrupt
    [outcome] = rig.stage.run("resolve", rig.plan.tasks("resolve"))
    assert outcome.failed
    assert re.fullmatch(r"interrupted after \d+\.\d s" + re.escape(said), outcome.message)


def test_it_gives_up_after_so_many_looks(tmp_path: Path) -> None:
    rig = Rig(
        tmp_path,
        "resolve:\n  - {hosts: h1, look: main, until: result.position == 'on', retries: 2,"
        " delay: 0}\n",
    )
    [outcome] = rig.stage.run("resolve", rig.plan.tasks("resolve"))
    assert outcome.failed
    assert outcome.message == "not until result.position == 'on' (looked 3 times)"


@pytest.mark.parametrize(
    ("position", "words", "status"),
    [
        ("broken", "failed_when: false", "ok"),
        ("on", "failed_when: seen.position == 'on'", "failed"),
        ("on", "failed_when: [result.position == 'on', result.position == 'off']", "ok"),
        ("on", "failed_when: false\n    expect: result.position == 'off'", "failed"),
    ],
)
def test_a_task_says_itself_what_a_failure_is(
    tmp_path: Path, position: str, words: str, status: str
) -> None:
    rig = Rig(
        tmp_path, f"resolve:\n  - hosts: h1\n    look: main\n    register: seen\n    {words}\n"
    )
    rig.boards["h1"].switches["main"] = position
    [outcome] = rig.stage.run("resolve", rig.plan.tasks("resolve"))
    assert outcome.status == status
