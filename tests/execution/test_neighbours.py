"""Two runs and one journal: whose target it is, when it was hit last, what is on hold."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from engine.contract import Change, Identity
from engine.errors import GuardRefused
from engine.events import ApprovalAsked, GuardHeld, Intent, TaskEnded
from engine.execution.neighbours import Neighbours
from engine.execution.pace import Pace
from engine.journal import open_journal
from engine.journal.guards import Target
from engine.policy import Policies
from tests.execution.build import order, policy
from tests.execution.rig import Alone, Rig
from tests.journal.events import started

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from engine.journal.base import Journal, Recorder
    from engine.journal.guards import Holder

MAIN = Target("h1", "switch", "main")
SECOND = Target("h1", "switch", "second")
ON = "mitigate: [{name: On, hosts: h1, switch: 'on'}]"
BAD = """
mitigate:
  - name: On
    hosts: h1
    switch: "on"
    verify: [{name: Works, look: main, expect: result.position == 'works', within: 1ms}]
"""
UNFORESEEN = """
mitigate:
  - {name: First, hosts: h1, switch: {name: second, to: "on"}, register: first}
  - {name: On, hosts: h1, switch: "on", when: first.changed}
"""
TAKEN_BACK = """
mitigate:
  - name: On
    hosts: h1
    switch: "on"
    rollback: [{name: Off, switch: "off"}]
  - {name: Stuck, hosts: h1, switch: {name: second, to: "on"}}
"""
COOL = policy(cooldown={"switch": "1h"})


class Runs:
    """Runs of playbooks, one after the other or side by side, in one journal."""

    def __init__(self, directory: Path, journal: Journal, stack: ExitStack) -> None:
        self._directory = directory
        self._journal = journal
        self._stack = stack
        self._count = 0

    def begin(self) -> Recorder:
        """The recorder of another run."""
        self._count += 1
        recorder = self._stack.enter_context(self._journal.begin(f"run{self._count}"))
        recorder.tell(started(f"run{self._count}"))
        return recorder

    def rig(self, text: str, **options: Any) -> Rig:
        """A run of this playbook."""
        journal = (self._journal, self.begin())
        rig = Rig(self._directory, text, journal=journal, **{"yes": True, **options})
        for board in rig.boards.values():
            board.switches = dict.fromkeys(("main", "second", "third"), "off")
        return rig


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(str(tmp_path / "journal.db")) as opened:
        yield opened


@pytest.fixture
def runs(tmp_path: Path, journal: Journal) -> Iterator[Runs]:
    with ExitStack() as stack:
        yield Runs(tmp_path, journal, stack)


def refused(rig: Rig) -> str:
    """The guard that refuses the mitigation before anything is changed, after it said so."""
    with pytest.raises(GuardRefused) as caught:
        rig.mitigate()
    assert rig.puts("h1") == []
    assert rig.told(Intent) == []
    assert [event.guard for event in rig.told(GuardHeld)] == [caught.value.guard]
    return f"{caught.value.guard}: {caught.value}"


class TestLocks:
    def test_what_another_run_holds_is_refused_before_anything_is_changed(self, runs: Runs) -> None:
        text = (
            "mitigate: [{name: First, switch: {name: second, to: 'on'}}, {name: On, switch: 'on'}]"
        )
        runs.begin().lock([MAIN])

        rig = runs.rig(text)
        said = refused(rig)
        assert said.startswith("lock: switch main on h1 is held by run run1, by ")
        assert said.endswith(". It is free once that run is over")
        assert rig.puts("h2") == []

    def test_another_target_is_nobodys_business(self, runs: Runs) -> None:
        runs.begin().lock([SECOND])
        rig = runs.rig(ON)
        rig.mitigate()
        assert rig.puts("h1") == ["put main on"]

    def test_it_is_held_from_the_yes_until_all_is_done(self, runs: Runs, journal: Journal) -> None:
        held: dict[str, bool] = {}
        rig = runs.rig(TAKEN_BACK)
        rig.boards["h1"].surprise("put", None, 1)

        def note(command: str) -> None:
            held[command] = journal.holder(MAIN) is not None

        rig.boards["h1"].then = note
        rig.mitigate()

        assert held["put main on"]
        assert held["put second on"]
        assert held["put main off"]
        assert journal.holder(MAIN) is None
        assert journal.holder(SECOND) is None

    def test_a_later_phase_locks_anew(self, runs: Runs, journal: Journal) -> None:
        rig = runs.rig(f"{ON}\nalways: [{{name: Off, hosts: h1, switch: 'off'}}]")
        held = []
        rig.boards["h1"].then = lambda command: (
            held.append(journal.holder(MAIN) is not None) if command.startswith("put") else None
        )
        rig.run.execute()
        assert rig.puts("h1") == ["put main on", "put main off"]
        assert held == [True, True]

    def test_what_always_runs_is_refused_likewise(self, runs: Runs) -> None:
        runs.begin().lock([MAIN])
        rig = runs.rig(ON.replace("mitigate", "always"))
        rig.run.execute()
        assert rig.puts("h1") == []
        assert rig.events[-1].exit_code == 5  # type: ignore[union-attr]
        assert rig.events[-1].message.startswith(  # type: ignore[union-attr]
            "always: switch main on h1 is held by run run1"
        )

    def test_what_nobody_said_yes_to_is_left_to_others(self, runs: Runs) -> None:
        runs.begin().lock([Target("h2", "switch", "main")])
        rig = runs.rig("mitigate: [{name: On, switch: 'on'}]", yes=False, answers=[{"h1"}])
        rig.mitigate()
        assert (rig.puts("h1"), rig.puts("h2")) == (["put main on"], [])

    def test_looking_takes_no_lock(self, runs: Runs, journal: Journal) -> None:
        holders = []
        rig = runs.rig(ON, check=True)
        rig.boards["h1"].then = lambda _: holders.append(journal.holder(MAIN))
        rig.mitigate()
        assert holders == [None]

    def test_an_action_that_was_not_foreseen_meets_it_too(self, runs: Runs) -> None:
        runs.begin().lock([MAIN])
        rig = runs.rig(UNFORESEEN)
        rig.run.execute()

        assert rig.puts("h1") == ["put second on"]
        last = rig.told(TaskEnded)[-1]
        assert (last.name, last.status, last.intent) == ("On", "failed", None)
        [held] = rig.told(GuardHeld)
        assert (held.guard, held.host, held.task) == ("lock", "h1", last.task)
        assert rig.events[-1].exit_code == 5  # type: ignore[union-attr]
        assert rig.events[-1].message.startswith(  # type: ignore[union-attr]
            "On on h1: switch main on h1 is held by run run1"
        )

    def test_a_rollback_meets_it_too(self, runs: Runs) -> None:
        other = runs.begin()
        text = TAKEN_BACK.replace('Off, switch: "off"', 'Off, switch: {name: third, to: "on"}')
        other.lock([Target("h1", "switch", "third")])
        rig = runs.rig(text)
        rig.boards["h1"].surprise("put", None, 1)
        rig.mitigate()
        assert "put third on" not in rig.puts("h1")
        assert [event.guard for event in rig.told(GuardHeld)] == ["lock"]


class TestPace:
    def test_another_runs_action_cools_down(self, runs: Runs) -> None:
        runs.rig(ON).mitigate()
        assert refused(runs.rig(ON, policies=[COOL])).startswith(
            "cooldown: On on h1: switch was sent to switch main on h1 at "
        )

    def test_nobody_is_asked_for_what_is_refused(self, runs: Runs) -> None:
        runs.rig(ON).mitigate()
        rig = runs.rig(ON, policies=[COOL], yes=False)
        refused(rig)
        assert rig.told(ApprovalAsked) == []

    def test_broken_glass_lifts_a_cool_down_and_no_lock(self, runs: Runs) -> None:
        runs.rig(ON).mitigate()
        rig = runs.rig(ON, policies=[COOL], break_glass="a fire")
        rig.mitigate()
        assert rig.puts("h1") == ["put main on"]

        runs.begin().lock([MAIN])
        assert refused(runs.rig(ON, break_glass="a fire")).startswith("lock: ")

    def test_a_run_is_not_held_up_by_itself(self, runs: Runs) -> None:
        text = """
            mitigate:
              - {name: On, hosts: h1, switch: "on"}
              - {name: Off, hosts: h1, switch: "off"}
        """
        rig = runs.rig(text, policies=[COOL])
        rig.boards["h1"].switches["main"] = "broken"
        rig.mitigate()
        assert rig.puts("h1") == ["put main on", "put main off"]

    def test_what_was_done_is_taken_back_however_soon(self, runs: Runs) -> None:
        rig = runs.rig(TAKEN_BACK, policies=[policy(at_most={"switch": "1 in 1h"})])
        rig.boards["h1"].surprise("put", None, 1)
        rig.mitigate()
        assert rig.puts("h1") == ["put main on", "put second on", "put main off"]

    def test_nothing_that_helped_opens_the_breaker(self, runs: Runs) -> None:
        for _ in range(2):
            runs.rig(BAD).mitigate()
        assert refused(runs.rig(ON, break_glass="a fire")).startswith(
            "breaker: On on h1: the last 2 actions on switch main on h1 did not help"
        )

    def test_one_that_was_there_since_the_prediction_is_seen_under_the_lock(
        self, runs: Runs
    ) -> None:
        rig = runs.rig(ON, policies=[COOL], yes=False, answers=[{"h1"}])
        answer = rig.person.ask

        def meanwhile(proposals: Any) -> Any:
            runs.rig(ON).mitigate()
            return answer(proposals)

        rig.person.ask = meanwhile  # type: ignore[method-assign]
        assert refused(rig).startswith("cooldown: switch was sent to switch main on h1")

    def test_so_is_one_before_an_action_that_was_not_foreseen(self, runs: Runs) -> None:
        rig = runs.rig(UNFORESEEN, policies=[policy(cooldown={"switch": "1h"})])

        def meanwhile(command: str) -> None:
            if command == "put second on":
                runs.rig(ON).mitigate()

        rig.boards["h1"].then = meanwhile
        rig.mitigate()
        assert rig.puts("h1") == ["put second on"]
        assert [event.guard for event in rig.told(GuardHeld)] == ["cooldown"]

    def test_one_that_lets_go_just_before_the_lock_is_seen(
        self, runs: Runs, journal: Journal
    ) -> None:
        class Slow(Alone):
            def lock(self, targets: Iterable[Target]) -> dict[Target, Holder]:
                runs.rig(ON).mitigate()
                return super().lock(targets)

        made = Neighbours(Slow(), journal, Pace(Policies((COOL,)), journal))
        on = order("h1", kind="action", module="switch")
        change = Change(summary="on", on=(Identity("switch", "main", {}),))
        made.check(on, change)
        with pytest.raises(GuardRefused, match="switch was sent to switch main on h1"):
            made.sending(on, change)


class TestHold:
    def test_nobody_is_asked_while_all_actions_are_on_hold(
        self, runs: Runs, journal: Journal
    ) -> None:
        journal.hold_all("the rack is moved", 3600)
        rig = runs.rig(ON, yes=False)
        said = refused(rig)
        assert said.startswith("hold: all actions are on hold by ")
        assert ", until " in said
        assert said.endswith(": the rack is moved")
        assert rig.told(ApprovalAsked) == []

    def test_one_that_comes_in_the_middle_ends_the_run_as_refused(
        self, runs: Runs, journal: Journal
    ) -> None:
        rig = runs.rig(UNFORESEEN)

        def meanwhile(command: str) -> None:
            if command == "put second on":
                journal.hold_all("enough")

        rig.boards["h1"].then = meanwhile
        rig.run.execute()
        assert rig.puts("h1") == ["put second on"]
        assert [event.guard for event in rig.told(GuardHeld)] == ["hold"]
        assert rig.events[-1].exit_code == 5  # type: ignore[union-attr]

    def test_check_mode_needs_no_yes(self, runs: Runs, journal: Journal) -> None:
        journal.hold_all("the rack is moved")
        rig = runs.rig(ON, check=True)
        rig.mitigate()
        assert rig.changes.predicted == 1


def test_records_are_nobodys_targets(runs: Runs) -> None:
    runs.begin().lock([Target("h1"), Target("h2")])
    for _ in range(2):
        cool = policy(cooldown={"*": "1h"})
        rig = runs.rig("mitigate: [{name: Tell, tell: on it}]", policies=[cool])
        rig.mitigate()
        assert {event.status for event in rig.told(TaskEnded)} == {"changed"}


def test_what_was_not_foreseen_and_somebody_else_must_approve_ends_the_run_as_refused(
    runs: Runs,
) -> None:
    text = UNFORESEEN.replace('switch: "on"', 'blind: {name: main, to: "on"}')
    others = policy(approve=[{"modules": ["blind"], "by": ["nobody-here"]}])
    rig = runs.rig(text, policies=[others])
    rig.run.execute()
    assert rig.puts("h1") == ["put second on"]
    assert [event.guard for event in rig.told(GuardHeld)] == ["approval"]
    assert rig.events[-1].exit_code == 5  # type: ignore[union-attr]
