from __future__ import annotations

import pytest

from engine.errors import JournalError
from engine.events import RunResumed
from engine.journal.progress import progress, renamed
from tests.journal.events import (
    action,
    approved,
    at,
    ended,
    intent,
    killed,
    resolved,
    started,
    task,
)

TASK = ("mitigate.1", "db1", None)


def test_a_run_that_ended() -> None:
    got = progress(resolved())

    assert got.ended == ended()
    assert got.phase == "resolve"
    assert got.unknown == ()
    assert got.severity is not None
    assert got.severity.level == "P2"
    assert [answer.approved for answer in got.approvals] == [["mitigate.1@db1"]]
    assert set(got.finished) == {
        ("investigate.1", "db1", None),
        ("investigate.1", "db2", None),
        TASK,
        ("resolve.1", "db1", None),
    }


def test_an_intent_without_a_result_is_unknown_and_its_task_not_finished() -> None:
    got = progress(killed())

    assert got.ended is None
    assert got.phase == "mitigate"
    assert got.unknown == (intent(5),)
    assert TASK not in got.finished


def test_a_result_that_says_unknown_leaves_it_unknown() -> None:
    got = progress([*killed(), action(6, status="unknown"), ended()])

    assert got.unknown == (intent(5),)
    assert TASK not in got.finished


@pytest.mark.parametrize("status", ["changed", "failed"])
def test_a_result_of_the_intent_settles_it(status: str) -> None:
    got = progress([*killed(), action(6, status=status)])

    assert got.unknown == ()
    assert got.finished[TASK].status == status


@pytest.mark.parametrize("status", ["ok", "changed"])
def test_a_resumed_run_that_found_it_done_settles_it(status: str) -> None:
    seen = action(100, status=status, intent=None)

    assert progress([*killed(), _resumed(), seen]).unknown == ()


def test_a_resumed_run_that_could_not_look_leaves_it_unknown() -> None:
    away = action(100, status="unreachable", intent=None)
    got = progress([*killed(), _resumed(), away, ended()])

    assert got.unknown == (intent(5),)
    assert TASK not in got.finished


def test_a_new_intent_follows_a_new_look_and_takes_the_place_of_the_old() -> None:
    again = intent(100, intent="i2")

    assert progress([*killed(), _resumed(), again]).unknown == (again,)
    assert progress([*killed(), _resumed(), again, action(101, intent="i2")]).unknown == ()


def test_each_host_and_item_has_its_own_intent() -> None:
    here, there = intent(5, item="a"), intent(5, intent="i2", host="db2", item="a")

    got = progress([*approved(), here, there, action(6, item="b"), action(7, item="a")])

    assert got.unknown == (there,)


def test_unknown_actions_stand_in_the_order_they_were_sent() -> None:
    there, again = intent(6, intent="i2", host="db2"), intent(100, intent="i3")

    assert progress([*killed(), there, _resumed(), again]).unknown == (there, again)


def test_the_last_result_of_a_task_counts() -> None:
    got = progress([*resolved(), _resumed(), task(100, status="unreachable")])

    assert got.finished[("investigate.1", "db1", None)].status == "unreachable"


def test_a_resumed_run_has_not_ended() -> None:
    assert progress([*resolved(), _resumed()]).ended is None
    assert progress([*resolved(), _resumed(), ended(200)]).ended == ended(200)


def test_the_end_of_a_session_is_not_the_end_of_the_next() -> None:
    cut = resolved()[:-1]
    late = [*cut, ended(outcome="not resolved", exit_code=2)]
    assert ("resolve.1", "db1", None) in progress(cut).finished
    assert ("resolve.1", "db1", None) not in progress([*late, _resumed()]).finished
    assert ("resolve.1", "db1", None) in progress([*cut, _resumed()]).finished


@pytest.mark.parametrize("outcome", ["resolved", "waiting for a person"])
def test_what_is_over_stays_so_while_a_person_ticks_what_is_left(outcome: str) -> None:
    over = [*resolved()[:-1], ended(outcome=outcome, open=["Write the report"])]
    assert ("resolve.1", "db1", None) in progress([*over, _resumed()]).finished


def test_what_was_said_last_counts() -> None:
    first = started(files={"a.yml": "1"}, tasks={"mitigate.1": "x"})
    again = RunResumed(user="bob", options={"limit": "db1"}, files={"a.yml": "2"}, tasks={})

    begun = progress([first])
    assert (begun.options, begun.files) == (first.options, {"a.yml": "1"})
    resumed = progress([first, again, _resumed()])
    assert (resumed.options, resumed.files) == ({"limit": "db1"}, {"a.yml": "2"})


def test_tasks_that_have_other_ids_since_a_session_began() -> None:
    moved = {"mitigate.1": "mitigate.2", "investigate.1": ""}
    story = [*killed(), _resumed(moved)]

    got = progress(story)
    assert [intent.task for intent in got.unknown] == ["mitigate.2"]
    assert got.finished == {}
    settled = progress([*story, action(91, task="mitigate.2")])
    assert settled.unknown == ()
    assert set(settled.finished) == {("mitigate.2", "db1", None)}
    assert renamed(progress(killed()), moved).unknown == got.unknown


def test_a_run_without_its_start_is_refused() -> None:
    with pytest.raises(JournalError, match="start"):
        progress([])
    with pytest.raises(JournalError, match="start"):
        progress(resolved()[1:])


def _resumed(moved: dict[str, str] | None = None) -> RunResumed:
    return RunResumed(at=at(90), user="bob", options={}, moved=moved or {})
