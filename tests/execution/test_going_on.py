"""Runs that were cut off, or ended badly, and go on: from where they were, and nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import GuardRefused, JournalError, LinkLost, Unreachable
from engine.events import (
    ApprovalAnswered,
    BlockFailed,
    BlockRescued,
    ChangePredicted,
    Intent,
    NotPredicted,
    RollbackStarted,
    TaskEnded,
)
from engine.execution.past import Past, past_of
from engine.journal.progress import progress
from tests.execution.rig import Board, Rig
from tests.journal.events import action, ended, started

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.events import Event

    Last = Callable[[Event], bool]

HOSTS = ("h1", "h2")
OFF = dict.fromkeys(("main", "second", "third", "mended"), "off")


class Session(Rig):
    """One session of a run; cut off right after the event that is its last, if any."""

    last: Last | None = None

    def tell(self, event: Event) -> None:
        super().tell(event)
        if self.last and self.last(event):
            raise JournalError("cut off")


class Tale:
    """A run, session by session, on the same boards."""

    def __init__(self, directory: Path, text: str) -> None:
        self._directory = directory
        self._text = text
        self._told: list[Event] = [started()]
        self.boards = {host: Board(switches=dict(OFF)) for host in (*HOSTS, "localhost")}

    def go_on(self, last: Last | None = None, **options: Any) -> Session:
        """The next session, to its end."""
        past = past_of(progress(self._told))
        made = Session(self._directory, self._text, **{"yes": True, "past": past, **options})
        made.boards.update(self.boards)
        made.last = last
        for board in self.boards.values():
            board.log.clear()
        try:
            made.mitigate()
        except JournalError:
            assert last is not None
        else:
            assert last is None
            made.events.append(ended())
        self._told += made.events
        return made


def came(name: str, status: str, host: str = "h1") -> Last:
    """That a task ended so on a host."""
    return lambda event: (
        isinstance(event, TaskEnded)
        and (event.name, event.status, event.host) == (name, status, host)
    )


def sent(name: str, host: str = "h1") -> Last:
    """That an action is about to be sent, and never is."""
    return lambda event: isinstance(event, Intent) and (event.name, event.host) == (name, host)


def ends(made: Rig, host: str = "h1") -> list[tuple[str, str]]:
    return [(event.name, event.status) for event in made.told(TaskEnded) if event.host == host]


def shown(made: Rig, host: str = "h1") -> list[str]:
    """Which changes were proposed there."""
    return [event.name for event in made.told(ChangePredicted) if event.host == host]


THREE = """
mitigate:
  - {name: One, switch: "on", rollback: [{name: Un-one, switch: "off"}]}
  - {name: Two, switch: {name: second, to: "on"}}
  - {name: Three, switch: {name: third, to: "on"}}
"""


class TestFailures:
    def test_that_of_a_session_which_was_cut_off_stands(self, tmp_path: Path) -> None:
        tale = Tale(tmp_path, THREE)
        tale.boards["h1"].surprise("put", None, 1)
        tale.go_on(came("Two", "failed"))

        second = tale.go_on()

        assert second.puts("h1") == ["put main off"]
        assert ends(second) == [("Un-one", "changed")]
        assert ends(second, "h2")[-1] == ("Three", "changed")
        assert second.memory.stopped == {"h1"}
        # What never comes is neither shown nor asked for.
        assert shown(second) == ["Un-one"]

    def test_that_of_a_session_which_ended_is_tried_again(self, tmp_path: Path) -> None:
        tale = Tale(tmp_path, THREE)
        tale.boards["h1"].surprise("put", None, 1)
        tale.go_on()
        assert tale.boards["h1"].switches == OFF

        second = tale.go_on()

        assert ends(second) == [("One", "changed"), ("Two", "changed"), ("Three", "changed")]
        assert ends(second, "h2") == []
        assert second.memory.stopped == set()

    def test_one_that_is_fatal_to_all_stands_for_all(self, tmp_path: Path) -> None:
        tale = Tale(tmp_path, f"any_errors_fatal: true\n{THREE}")
        tale.boards["h1"].surprise("put", 1)
        tale.go_on(came("One", "changed", "h2"))

        second = tale.go_on()

        assert (shown(second), shown(second, "h2")) == ([], ["Un-one"])
        assert second.puts("h2") == ["put main off"]

    def test_one_in_the_middle_of_a_loop_ends_it(self, tmp_path: Path) -> None:
        text = """
        mitigate:
          - {name: On, loop: [main, second, third], switch: {name: "{{ item }}", to: "on"}}
        """
        tale = Tale(tmp_path, text)
        tale.boards["h1"].surprise("put", None, 1)
        tale.go_on(came("On", "failed"))

        second = tale.go_on()

        assert second.puts("h1") == []
        assert second.puts("h2")[-1] == "put third on"
        assert second.memory.stopped == {"h1"}

    def test_what_is_done_once_is_not_done_again_for_a_host_that_is_back(
        self, tmp_path: Path
    ) -> None:
        text = """
        mitigate:
          - {name: Here, look: main}
          - {name: Once, run_once: true, switch: "on"}
        """
        tale = Tale(tmp_path, text)
        tale.boards["h1"].surprise("look", Unreachable("no route"))
        assert ends(tale.go_on(), "h2")[-1] == ("Once", "changed")

        second = tale.go_on()

        assert ends(second) == [("Here", "ok")]
        assert (second.puts("h1"), second.puts("h2")) == ([], [])


CAREFUL = """
mitigate:
  - name: Careful
    block:
      - {name: Try, switch: "on"}
      - {name: Then, switch: {name: second, to: "on"}}
    rescue:
      - {name: Mend, switch: {name: mended, to: "on"}}
    always:
      - {name: Off, switch: "off"}
  - {name: After, switch: {name: third, to: "on"}}
"""


class TestBlocks:
    def test_a_rescue_that_was_due_is_shown_and_done(self, tmp_path: Path) -> None:
        tale = Tale(tmp_path, CAREFUL)
        tale.boards["h1"].surprise("put", None, 1)
        tale.go_on(came("Then", "failed"), hosts=("h1",))

        second = tale.go_on(hosts=("h1",))

        assert shown(second) == ["Mend", "Off", "After"]
        assert second.told(NotPredicted) == []
        assert len(second.told(ApprovalAnswered)) == 1
        assert ends(second) == [("Mend", "changed"), ("Off", "changed"), ("After", "changed")]
        assert len(second.told(BlockRescued)) == 1

    def test_what_was_rescued_is_over(self, tmp_path: Path) -> None:
        tale = Tale(tmp_path, CAREFUL)
        tale.boards["h1"].surprise("put", None, 1, None, None, 1)
        tale.go_on()

        second = tale.go_on()

        assert ends(second) == [("After", "changed")]
        assert shown(second) == ["After"]

    def test_one_that_failed_is_begun_anew(self, tmp_path: Path) -> None:
        tale = Tale(tmp_path, CAREFUL)
        tale.boards["h1"].surprise("put", None, 1, 1)
        first = tale.go_on()
        assert [event.hosts for event in first.told(BlockFailed)] == [["h1"]]
        assert tale.boards["h1"].switches["main"] == "off"  # for its end was reached

        second = tale.go_on()

        assert second.puts("h1") == ["put main on", "put second on", "put main off", "put third on"]
        assert second.puts("h2") == []

    def test_one_without_such_an_end_goes_on_where_it_was(self, tmp_path: Path) -> None:
        text = CAREFUL.partition("    rescue")[0]
        tale = Tale(tmp_path, text)
        tale.boards["h1"].surprise("put", None, 1)
        assert tale.go_on().told(BlockFailed) == []

        assert ends(tale.go_on()) == [("Then", "changed")]


class TestUnknown:
    def test_in_a_rescue_it_is_looked_at_when_its_turn_comes(self, tmp_path: Path) -> None:
        tale = Tale(tmp_path, CAREFUL)
        board = tale.boards["h1"]
        board.surprise("put", None, 1)
        tale.go_on(sent("Mend"))
        board.switches["mended"] = "on"  # so it was done after all

        second = tale.go_on()

        assert second.puts("h1") == ["put main off", "put third on"]
        [mend] = [event for event in second.told(TaskEnded) if event.name == "Mend"]
        assert (mend.status, mend.message) == ("changed", "had taken effect: seen on resume")

    def test_it_is_sent_where_it_had_not_been(self, tmp_path: Path) -> None:
        tale = Tale(tmp_path, CAREFUL)
        tale.boards["h1"].surprise("put", None, 1)
        tale.go_on(sent("Mend"))

        assert tale.go_on().puts("h1")[0] == "put mended on"

    def test_what_nothing_can_tell_is_asked_for_even_in_a_rescue(self, tmp_path: Path) -> None:
        text = CAREFUL.replace("switch: {name: mended, to: ", "blind: {name: mended, to: ")
        tale = Tale(tmp_path, text)
        tale.boards["h1"].surprise("put", None, 1)
        tale.go_on(sent("Mend"))

        second = tale.go_on(answers=[{"h1"}])

        assert [[p.name for p in asked] for asked in second.person.asked] == [["Mend"]]
        assert second.puts("h1")[0] == "put mended on"

    def test_what_held_before_its_turn_need_not_hold_then(self, tmp_path: Path) -> None:
        tale = Tale(tmp_path, CAREFUL)
        board = tale.boards["h1"]
        board.surprise("put", None, 1, 1, LinkLost("the link died"))
        assert ends(tale.go_on())[-1] == ("Off", "unknown")
        board.switches["main"] = "off"  # as it was to be; but it is put on again before

        second = tale.go_on()

        assert second.puts("h1") == ["put main on", "put second on", "put main off", "put third on"]


class TestRollback:
    def test_one_that_was_cut_off_is_gone_on_with(self, tmp_path: Path) -> None:
        text = THREE.replace(
            '{name: Un-one, switch: "off"}',
            '{name: Un-one, switch: "off"}, {name: Un-more, switch: {name: mended, to: "on"}}',
        )
        tale = Tale(tmp_path, text)
        tale.boards["h1"].surprise("put", None, 1)
        tale.go_on(came("Un-one", "changed"))

        second = tale.go_on()

        assert second.puts("h1") == ["put mended on"]
        assert [event.host for event in second.told(RollbackStarted)] == ["h1"]

    def test_one_that_is_over_is_not_told_again(self, tmp_path: Path) -> None:
        tale = Tale(tmp_path, THREE)
        tale.boards["h1"].surprise("put", None, 1)
        tale.go_on(came("Un-one", "changed"))

        second = tale.go_on()

        assert second.puts("h1") == []
        assert second.told(RollbackStarted) == []
        assert second.memory.stopped == {"h1"}

    def test_a_change_that_did_not_help_is_taken_back(self, tmp_path: Path) -> None:
        text = """
        mitigate:
          - name: Raise
            switch: "on"
            verify: [{name: Better, look: second, expect: result.position == 'on', within: 0.01}]
            rollback: [{name: Lower, switch: "off"}]
        """
        tale = Tale(tmp_path, text)
        tale.go_on(came("Raise", "failed"), hosts=("h1",))

        assert tale.go_on(hosts=("h1",)).puts("h1") == ["put main off"]

    def test_what_was_taken_back_is_looked_at_before_it_is_done_again(self, tmp_path: Path) -> None:
        tale = Tale(tmp_path, THREE)
        board = tale.boards["h1"]
        board.surprise("put", None, 1)
        tale.go_on()
        board.switches["main"] = "on"  # somebody has been there since

        second = tale.go_on()

        assert second.puts("h1") == ["put second on", "put third on"]
        assert shown(second) == ["Two", "Three"]


def test_a_handler_that_was_notified_before_is_shown_and_done(tmp_path: Path) -> None:
    text = """
    mitigate:
      - {name: One, switch: "on", notify: tell}
      - {name: Two, switch: {name: second, to: "on"}}
    handlers:
      - {name: tell, switch: {name: third, to: "on"}}
    """
    tale = Tale(tmp_path, text)
    tale.go_on(came("One", "changed", "h2"))

    second = tale.go_on()

    assert shown(second) == ["Two", "tell"]
    assert len(second.told(ApprovalAnswered)) == 1
    assert ends(second) == [("Two", "changed"), ("tell", "changed")]


def test_a_host_that_was_changed_in_anothers_stead_counts(tmp_path: Path) -> None:
    before = Past({("mitigate.1", "h1", None): action(1, host="h1", delegate="localhost")})
    rig = Rig(tmp_path, f"limits: {{max_hosts: 1}}\n{THREE}", hosts=("h1",), past=before)
    rig.boards["h1"].switches.update(OFF)

    with pytest.raises(GuardRefused, match=r"would change 2 hosts \(h1, localhost\)"):
        rig.mitigate()


def test_a_failure_of_before_is_not_told_again(tmp_path: Path) -> None:
    text = THREE.replace("name: One, ", "name: One, ignore_errors: true, ")
    tale = Tale(tmp_path, text)
    tale.boards["h1"].surprise("put", 1)
    tale.go_on(came("Two", "changed"))

    second = tale.go_on()

    assert ends(second) == [("Three", "changed")]
