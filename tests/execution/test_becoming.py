"""As whom a task acts: the nearest word counts, and modules need not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.connections.base import Become
from engine.connections.become import BecomeSaid
from engine.events import TaskEnded
from engine.execution.becoming import Becoming
from engine.language.templates import Templates
from tests.execution.rig import Rig, plan

if TYPE_CHECKING:
    from pathlib import Path

    from engine.language.model import Task

NOTHING = BecomeSaid()


def task(tmp_path: Path, keywords: str) -> Task:
    """A task with these keywords."""
    book = f"investigate:\n  - {{look: main{keywords}}}\n"
    return plan(tmp_path, book).tasks("investigate")[0]


@pytest.mark.parametrize(
    ("keywords", "variables", "flags", "whom"),
    [
        ("", NOTHING, NOTHING, None),
        (", become: true", NOTHING, NOTHING, Become()),
        (", become: true", BecomeSaid(False), NOTHING, None),
        (", become: false", NOTHING, BecomeSaid(True), None),
        (", become_user: app", NOTHING, NOTHING, None),
        (", become_user: app", NOTHING, BecomeSaid(True, "other"), Become("app")),
        (", become_user: app", BecomeSaid(True, "its"), NOTHING, Become("its")),
        ("", NOTHING, BecomeSaid(True, "app", "su", "pw"), Become("app", "su", "pw")),
        (
            ", become: true, become_method: doas",
            BecomeSaid(password="its"),
            BecomeSaid(method="su", password="pw"),
            Become("root", "doas", "its"),
        ),
        (
            """, become: true, become_user: "{{ 'ap' + 'p' }}" """,
            BecomeSaid(method="su"),
            BecomeSaid(method="doas"),
            Become("app", "su"),
        ),
        # What is not needed is not rendered either.
        (""", become_user: "{{ 'not a name' }}" """, NOTHING, NOTHING, None),
        (""", become_user: "{{ '-' }}" """, BecomeSaid(True, "its"), NOTHING, Become("its")),
    ],
)
def test_the_hosts_variables_then_the_task_then_the_flags(
    tmp_path: Path, keywords: str, variables: BecomeSaid, flags: BecomeSaid, whom: Become | None
) -> None:
    becoming = Becoming({"h1": variables}, flags, Templates())
    assert becoming.whom("h1", task(tmp_path, keywords), {}) == whom


def test_every_command_of_a_task_and_of_its_verify_runs_as_the_account(tmp_path: Path) -> None:
    rig = Rig(
        tmp_path,
        """
        become: true
        investigate:
          - {look: main, become: false}
          - look: main
        mitigate:
          - switch: "on"
            become_user: app
            become_method: doas
            verify:
              - {look: main, within: 1s}
              - {look: main, become_user: other}
        """,
        yes=True,
        becoming={"h2": BecomeSaid(password="pw")},
    )
    for task_ in rig.plan.tasks("investigate"):
        rig.stage.run("investigate", [task_])
    assert rig.boards["h1"].whom == [None, Become()]
    assert rig.boards["h2"].whom == [None, Become(password="pw")]
    for board in rig.boards.values():
        board.whom.clear()
        board.log.clear()
    rig.mitigate()
    whom = list(zip(rig.boards["h2"].log, rig.boards["h2"].whom, strict=True))
    app = Become("app", "doas", "pw")
    assert {become for command, become in whom if command.startswith("put")} == {app}
    assert whom[-2:] == [("look main", app), ("look main", Become("other", "doas", "pw"))]
    assert {become for _, become in whom[:-1]} == {app}


def test_a_name_that_a_result_makes_wrong_fails_the_task(tmp_path: Path) -> None:
    rig = Rig(
        tmp_path,
        """
        investigate:
          - {look: main, register: seen}
          - {look: main, become: true, become_user: "-{{ seen.position }}"}
        """,
    )
    for task_ in rig.plan.tasks("investigate"):
        rig.stage.run("investigate", [task_])
    last = rig.told(TaskEnded)[-1]
    assert last.status == "failed"
    assert last.message == "become_user must be an account's name, not '-off'"
