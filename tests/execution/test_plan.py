"""Which task runs where, before anything is contacted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.errors import InputError
from engine.execution.plan import Selection
from tests.execution.rig import plan

if TYPE_CHECKING:
    from pathlib import Path

BOOK = """
investigate:
  - {name: Everywhere, look: main, tags: [quick, net]}
  - {name: On one, hosts: h2, look: main, tags: "slow, disk"}
  - {name: Untagged, look: main}
  - {name: Wherever, look: main, tags: always}
  - {name: Nowhere, look: main, tags: [never, deep]}
resolve:
  - {name: Last, look: main, tags: quick}
"""


def selected(tmp_path: Path, **selection: str | tuple[str, ...]) -> list[str]:
    found = plan(tmp_path, BOOK, selection=Selection(**selection))  # type: ignore[arg-type]
    return [task.name for phase in found.phases for task in found.tasks(phase)]


def test_a_task_runs_on_the_playbooks_hosts_or_its_own(tmp_path: Path) -> None:
    found = plan(tmp_path, BOOK)
    assert found.hosts == found.all_hosts == ("h1", "h2")
    assert found.grid["investigate.1"] == ("h1", "h2")
    assert found.grid["investigate.2"] == ("h2",)
    assert found.every_host() == ("h1", "h2")


def test_a_limit_holds_for_every_task_but_not_for_shares(tmp_path: Path) -> None:
    found = plan(tmp_path, BOOK, selection=Selection(limit="h1"))
    assert found.hosts == ("h1",)
    assert found.all_hosts == ("h1", "h2")
    assert found.grid["investigate.1"] == ("h1",)
    assert found.grid["investigate.2"] == ()


@pytest.mark.parametrize(
    ("tags", "skip", "names"),
    [
        ((), (), ["Everywhere", "On one", "Untagged", "Wherever", "Last"]),
        (("quick",), (), ["Everywhere", "Wherever", "Last"]),
        (("disk",), (), ["On one", "Wherever"]),
        (("tagged",), (), ["Everywhere", "On one", "Wherever", "Last"]),
        (("untagged",), (), ["Untagged", "Wherever"]),
        (("deep",), (), ["Wherever", "Nowhere"]),
        (("all",), ("net",), ["On one", "Untagged", "Wherever", "Last"]),
        ((), ("quick", "always"), ["On one", "Untagged"]),
        (("quick",), ("net",), ["Wherever", "Last"]),
        ((), ("tagged",), ["Untagged"]),
        ((), ("untagged",), ["Everywhere", "On one", "Wherever", "Last"]),
        ((), ("all",), ["Wherever"]),
        ((), ("all", "always"), []),
    ],
)
def test_tags_leave_tasks_in_and_out(
    tmp_path: Path, tags: tuple[str, ...], skip: tuple[str, ...], names: list[str]
) -> None:
    assert selected(tmp_path, tags=tags, skip_tags=skip) == names


def test_one_phase_alone(tmp_path: Path) -> None:
    assert selected(tmp_path, only="resolve") == ["Last"]


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection(only="mitigate"), "the playbook has no phase mitigate"),
        (Selection(tags=("quik",)), 'no task has the tag "quik" — did you mean "quick"'),
        (Selection(skip_tags=("nets",)), 'no task has the tag "nets" — did you mean "net"'),
        (Selection(limit="h3"), 'no host or group is named "h3"'),
    ],
)
def test_what_selects_nothing_is_an_error(
    tmp_path: Path, selection: Selection, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        plan(tmp_path, BOOK, selection=selection)


def test_hosts_may_come_from_inputs_and_have_a_place(tmp_path: Path) -> None:
    book = 'inputs: {where: {type: string}}\ninvestigate:\n  - {hosts: "{{ where }}", look: main}\n'
    assert plan(tmp_path, book, extra={"where": "h2"}).grid["investigate.1"] == ("h2",)
    with pytest.raises(InputError, match=r'book\.yml:5:5: hosts: no host .* named "h9"'):
        plan(tmp_path, book, extra={"where": "h9"})


BLOCKS = """
mitigate:
  - name: Some
    tags: some
    block: [{name: In, look: main, register: seen}, {name: Deep, tags: deep, look: main}]
    always: [{name: Last, tags: last, look: main}]
  - {name: After, when: seen.position, look: main}
  - {block: [{name: Else, tags: never, look: main}]}
"""


@pytest.mark.parametrize(
    ("tags", "names"),
    [
        ((), ["In", "Deep", "Last", "After"]),
        (("some",), ["In", "Deep", "Last"]),
        (("deep",), ["Deep"]),
        (("last",), ["Last"]),
    ],
)
def test_tags_choose_within_blocks(tmp_path: Path, tags: tuple[str, ...], names: list[str]) -> None:
    found = plan(tmp_path, BLOCKS, selection=Selection(tags=tags))
    assert [task.name for task in found.tasks("mitigate")] == names
    assert len(found.phases["mitigate"]) == 1 + ("After" in names)


def test_the_first_task_may_stand_in_a_block(tmp_path: Path) -> None:
    text = BLOCKS.replace("when: seen.position, ", "")
    found = plan(tmp_path, text, selection=Selection(start_at="D*p"))
    assert [task.name for task in found.tasks("mitigate")] == ["Deep", "Last", "After"]


def test_what_is_passed_over_cannot_be_needed(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        plan(tmp_path, BLOCKS, selection=Selection(start_at="After"))
    [problem] = caught.value.problems
    assert problem.line == 9
    assert problem.message == '"seen" is registered by "In", passed over'
    assert problem.hint == "start before that, or go on with an earlier run: quell resume"


def test_a_delegate_must_be_a_host(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='delegate_to: no host is named "h3"'):
        plan(tmp_path, "mitigate: [{look: main, delegate_to: h3}]\n")


@pytest.mark.parametrize(
    ("said", "delegates"),
    [("localhost", ("localhost",)), ("'{{ x }}'", ("h1", "h2", "localhost"))],
)
def test_delegates_are_reached_too(tmp_path: Path, said: str, delegates: tuple[str, ...]) -> None:
    text = f"vars: {{x: h1}}\nmitigate: [{{look: main, hosts: h1, delegate_to: {said}}}]\n"
    found = plan(tmp_path, text)
    assert found.delegates == delegates
    assert (found.every_host(), found.reached()) == (("h1", "h2"), ("h1", "h2", "localhost"))
