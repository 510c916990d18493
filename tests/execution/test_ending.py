from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.execution.ending import Course, ending

if TYPE_CHECKING:
    from engine.events import PhaseName

GOOD = {"app1": {"failed": 0, "unreachable": 0}}
FAILED = {"app1": {"failed": 1, "unreachable": 0}}
AWAY = {"app1": {"failed": 0, "unreachable": 1}}
BOTH = {**FAILED, "app2": {"failed": 0, "unreachable": 1}}


@pytest.mark.parametrize(
    ("course", "recap", "outcome", "code"),
    [
        (Course(), GOOD, "done", 0),
        (Course(resolve_held=True), GOOD, "resolved", 0),
        (Course(), FAILED, "failed", 2),
        (Course(not_resolved=["ready on app1: 503"]), GOOD, "not resolved", 2),
        (Course(waiting="1 change waits"), GOOD, "waiting for approval", 3),
        (Course(), AWAY, "unreachable", 4),
        (Course(resolve_held=True, open=[("resolve", "Report")]), GOOD, "waiting for a person", 3),
        (Course(resolve_held=True, open=[("investigate", "Ask")]), GOOD, "resolved", 0),
        (Course(open=[("resolve", "Report")]), FAILED, "failed", 2),
        (Course(open=[("resolve", "Report")]), AWAY, "unreachable", 4),
        (Course(), BOTH, "failed", 2),
        (Course(refused="too many hosts"), FAILED, "refused", 5),
        (Course(check=True, predicted=2), GOOD, "checked", 0),
        (Course(check=True, predicted=2, detailed=True), GOOD, "checked", 6),
        (Course(check=True, predicted=0, detailed=True), GOOD, "checked", 0),
        (Course(interrupted="SIGINT", refused="x"), FAILED, "interrupted", 99),
    ],
)
def test_the_gravest_decides(
    course: Course, recap: dict[str, dict[str, int]], outcome: str, code: int
) -> None:
    end = ending(course, recap, "20261123-0300-abcd")
    assert (end.outcome, end.exit_code) == (outcome, code)


def test_who_waits_is_told_how_to_go_on() -> None:
    end = ending(Course(waiting="2 changes wait for a yes on app1"), GOOD, "20261123-0300-abcd")
    assert end.message == (
        "2 changes wait for a yes on app1; nothing was changed. "
        "Go on with: quell resume 20261123-0300-abcd --yes"
    )


def test_who_waits_for_a_person_is_not_sent_to_what_is_not_enough() -> None:
    course = Course(waiting="1 change waits", person="a task says so")
    assert ending(course, GOOD, "20261123-0300-abcd").message == (
        "1 change waits; nothing was changed. --yes is not enough: a task says so. "
        "Go on at a terminal with: quell resume 20261123-0300-abcd"
    )


def test_hosts_that_failed_are_named() -> None:
    assert ending(Course(), BOTH, "r").message == "failed on app1"
    assert ending(Course(), AWAY, "r").message == "not reached: app1"


def test_who_has_not_resolved_it_is_told_how_to_look_again() -> None:
    course = Course(not_resolved=["Ready on app1: 503"], open=[("always", "Report")])
    end = ending(course, GOOD, "r")
    assert end.message == (
        "Ready on app1: 503; to be looked at again: quell resume r; open: Report"
    )


def test_what_is_open_is_named_whatever_the_end() -> None:
    open_: list[tuple[PhaseName, str]] = [("acknowledge", "Assign"), ("resolve", "Report")]
    assert ending(Course(open=open_), GOOD, "r").message == (
        "open: Assign, Report; to be asked again: quell resume r"
    )
    assert ending(Course(open=open_), FAILED, "r").message == (
        "failed on app1; open: Assign, Report; to be asked again: quell resume r"
    )
    end = ending(Course(open=open_, interrupted="SIGINT"), GOOD, "r")
    assert end.message == "stopped by SIGINT; go on with: quell resume r; open: Assign, Report"
