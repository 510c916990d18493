"""What stands once a session is over, and what is tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.events import BlockFailed, BlockRescued, RunResumed
from engine.journal.tale import Tale
from tests.journal.events import action, at, ended, intent

if TYPE_CHECKING:
    from engine.events import Event, Intent, TaskEnded


def tell(*events: Event) -> Tale:
    tale = Tale()
    for event in events:
        tale.tell(event)
    return tale


def sent(task: str, **changed: Any) -> Intent:
    return intent(1, **{"task": task, "intent": f"i-{task}", **changed})


def came(task: str, status: str = "changed", **changed: Any) -> TaskEnded:
    return action(2, **{"task": task, "status": status, "intent": f"i-{task}", **changed})


def done(task: str, **changed: Any) -> list[Event]:
    """An action from its intent to its end."""
    return [sent(task), came(task, **changed)]


def found(task: str, status: str = "ok") -> TaskEnded:
    """A probe's end."""
    return came(task, status, intent=None)


def names(known: dict[tuple[str, str, str | None], Any]) -> set[str]:
    return {task for task, _, _ in known}


@pytest.mark.parametrize("status", ["failed", "unreachable", "unknown"])
def test_a_failure_stands_until_its_session_is_over(status: str) -> None:
    cut_off = tell(*done("m.1"), *done("m.2", status=status))

    assert names(cut_off.results) == {"m.1", "m.2"}
    cut_off.tell(ended())
    assert names(cut_off.results) == {"m.1"}
    assert names(cut_off.sent) == ({"m.2"} if status == "unknown" else set())


def test_an_action_that_failed_and_may_stands() -> None:
    tale = tell(*done("m.1", status="failed", ignored=True), ended())

    assert names(tale.results) == {"m.1"}


def test_a_look_that_failed_and_may_is_tried_again() -> None:
    tale = tell(came("m.1", "failed", intent=None, ignored=True), ended())

    assert names(tale.results) == set()


def test_the_second_look_for_the_severity_is_looked_anew() -> None:
    tale = tell(came("severity.investigate.1", "ok", intent=None, phase="severity"))

    assert names(tale.results) == set()


def test_what_is_sent_again_has_no_result() -> None:
    tale = tell(*done("m.1", status="failed"), sent("m.1", intent="again"))

    assert (names(tale.results), names(tale.sent)) == (set(), {"m.1"})


class TestRescued:
    STORY = (
        *done("m.1.block.1"),
        *done("m.1.block.2", status="failed"),
        *done("m.1.block.1.rollback.1"),
        *done("m.1.rescue.1"),
        BlockRescued(block="m.1", name="Careful", hosts=["db1"]),
        *done("m.1.always.1"),
    )

    def test_all_of_it_stands(self) -> None:
        tale = tell(*self.STORY, ended())

        assert names(tale.results) == {
            "m.1.block.1",
            "m.1.block.2",
            "m.1.block.1.rollback.1",
            "m.1.rescue.1",
            "m.1.always.1",
        }
        assert tale.doubted == {}

    def test_on_its_host_only(self) -> None:
        elsewhere = came("m.1.block.2", "failed", host="db2")
        tale = tell(elsewhere, *self.STORY, ended())

        assert ("m.1.block.2", "db1", None) in tale.results
        assert ("m.1.block.2", "db2", None) not in tale.results

    def test_under_another_name_too(self) -> None:
        moved = {"m.1.block.2": "m.2.block.2"}
        tale = tell(*self.STORY, RunResumed(user="bob", options={}, moved=moved), ended())

        assert "m.2.block.2" in names(tale.results)

    def test_unless_a_block_around_it_failed(self) -> None:
        inner = [
            *done("m.1.block.1.block.1", status="failed"),
            *done("m.1.block.1.rescue.1"),
            BlockRescued(block="m.1.block.1", name="Inner", hosts=["db1"]),
        ]
        outer = [
            *done("m.1.block.2", status="failed"),
            *done("m.1.rescue.1", status="failed"),
            BlockFailed(block="m.1", name="Outer", hosts=["db1"]),
        ]
        tale = tell(*inner, *outer, ended())

        assert tale.results == {}
        assert names(tale.doubted) == {"m.1.block.1.rescue.1"}
        again = tell(
            *inner, *outer, ended(), *done("m.1.block.1.block.1", status="failed"), ended()
        )
        assert again.results == {}


class TestFailedBlock:
    FAILED = BlockFailed(block="m.1", name="Careful", hosts=["db1"])

    def test_is_begun_anew_from_a_look_at_what_was_done(self) -> None:
        story = [
            *done("m.0"),
            *done("m.1.block.1"),
            found("m.1.block.2"),
            *done("m.1.block.3", status="failed"),
            *done("m.1.always.1"),
            self.FAILED,
        ]
        tale = tell(*story)
        assert len(tale.results) == 5

        tale.tell(ended())
        assert names(tale.results) == {"m.0"}
        assert names(tale.doubted) == {"m.1.block.1"}

    def test_a_rescue_that_failed_may_have_taken_it_back(self) -> None:
        tale = tell(
            *done("m.1.block.1"),
            *done("m.1.block.2", status="failed"),
            *done("m.1.rescue.1"),
            *done("m.1.rescue.2", status="failed"),
            self.FAILED,
            ended(),
        )
        assert (tale.results, names(tale.doubted)) == ({}, {"m.1.block.1"})

    def test_nothing_came_after_its_own_tasks(self) -> None:
        tale = tell(*done("m.1.block.1"), *done("m.1.block.2", status="failed"), self.FAILED)
        tale.tell(ended())

        assert (names(tale.results), tale.doubted) == ({"m.1.block.1"}, {})

    def test_on_its_host_only(self) -> None:
        both = [
            event
            for host in ("db1", "db2")
            for task in ("m.1.block.1", "m.1.always.1")
            for event in (
                sent(task, host=host, intent=task + host),
                came(task, host=host, intent=task + host),
            )
        ]
        tale = tell(*both, self.FAILED, ended())

        assert {host for _, host, _ in tale.results} == {"db2"}
        assert set(tale.doubted) == {("m.1.block.1", "db1", None)}

    def test_not_another_that_has_its_name_by_now(self) -> None:
        whole = [*done("m.1.block.1"), *done("m.1.always.1")]
        moved = {"m.1.block.1": "m.2.block.1", "m.1.always.1": "m.2.always.1"}
        resumed = RunResumed(user="bob", options={}, moved=moved)
        tale = tell(*whole, self.FAILED, resumed, *whole, ended())

        assert {"m.1.block.1", "m.1.always.1"} <= names(tale.results)

    def test_another_with_a_longer_number(self) -> None:
        tale = tell(*done("m.12.block.1"), *done("m.1.always.1"), self.FAILED, ended())

        assert names(tale.results) == {"m.12.block.1"}


class TestTakenBack:
    def test_it_is_looked_at_before_it_is_done_again(self) -> None:
        tale = tell(
            sent("m.1", item="a"),
            came("m.1", item="a"),
            came("m.1", item="b", intent="other"),
            came("m.1.rollback.1", "ok", item="a"),
            came("m.1.rollback.2", "failed", item="a"),
        )
        assert len(tale.results) == 4

        tale.tell(ended())
        assert set(tale.results) == {("m.1", "db1", "b")}
        assert set(tale.doubted) == {("m.1", "db1", "a")}

    @pytest.mark.parametrize("status", ["ok", "changed"])
    def test_until_it_is_done_again_or_was_found_done(self, status: str) -> None:
        story = [*done("m.1"), *done("m.1.rollback.1"), ended()]
        seen = action(100, task="m.1", status=status, intent=None)

        assert tell(*story, seen).doubted == {}
        assert tell(*story, sent("m.1", intent="again")).doubted == {}
        away = action(100, task="m.1", status="unreachable", intent=None)
        assert names(tell(*story, away).doubted) == {"m.1"}

    def test_by_the_name_that_it_has_by_now(self) -> None:
        moved = {"m.1": "m.2", "m.1.rollback.1": "m.2.rollback.1"}
        resumed = RunResumed(at=at(90), user="bob", options={}, moved=moved)
        tale = tell(*done("m.1"), *done("m.1.rollback.1"), resumed, ended())

        [(key, found_)] = tale.doubted.items()
        assert key == ("m.2", "db1", None)
        assert found_.task == "m.2"


def test_a_probe_in_a_failed_block_is_not_doubted_but_looked_at_anew() -> None:
    failed = BlockFailed(block="m.1", name="Careful", hosts=["db1"])
    tale = tell(found("m.1.block.1"), found("m.1.always.1", "failed"), failed, ended())

    assert (tale.results, tale.doubted) == ({}, {})
