"""What is known before the run is checked before the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.connections.become import BecomeSaid
from engine.errors import InputError
from engine.execution.becoming import Becoming
from engine.execution.precheck import check_arguments
from engine.language.templates import Templates
from engine.registry import Registry
from tests.execution.rig import MODULES, plan

if TYPE_CHECKING:
    from pathlib import Path


def check(tmp_path: Path, book: str, **extra: Any) -> None:
    templates = Templates()
    becoming = Becoming({}, BecomeSaid(), templates)
    laid = plan(tmp_path, book, extra=extra)
    check_arguments(laid, Registry([MODULES]), extra, becoming, templates)


def test_an_argument_that_an_input_makes_wrong(tmp_path: Path) -> None:
    book = 'mitigate:\n  - {name: Free it, port_kill: {port: "{{ port }}"}}\n'
    check(tmp_path, book, port=8080)
    with pytest.raises(InputError) as caught:
        check(tmp_path, book, port=70000)
    [problem] = caught.value.problems
    assert problem.line == 4
    assert problem.message == "Free it: port_kill: port must be at most 65535, not 70000"


@pytest.mark.parametrize("task", ["", ", verify: [{look: 'l-{{ each }}-{{ number }}'}]"])
def test_what_only_a_loop_knows_is_not_asked_for(tmp_path: Path, task: str) -> None:
    control = "loop_control: {loop_var: each, index_var: number}"
    switch = 'switch: {name: "{{ each }}", to: "{{ number }}"}'
    check(tmp_path, f"mitigate:\n  - {{{switch}, loop: [a], {control}{task}}}\n")


def test_a_time_that_an_input_makes_wrong(tmp_path: Path) -> None:
    book = 'resolve:\n  - {name: Wait, look: main, hold: "{{ time }}"}\n'
    check(tmp_path, book, time="5m")
    with pytest.raises(InputError, match="Wait: hold must be a duration such as 10s, not 'soon'"):
        check(tmp_path, book, time="soon")


def test_an_account_that_an_input_makes_wrong(tmp_path: Path) -> None:
    book = 'resolve:\n  - {name: Look, look: main, become: true, become_user: "{{ whom }}"}\n'
    check(tmp_path, book, whom="app")
    with pytest.raises(InputError, match="Look: become_user must be an account's name, not '-x'"):
        check(tmp_path, book, whom="-x")
    check(tmp_path, book.replace("become: true", "become: false"), whom="-x")


def test_every_problem_is_told(tmp_path: Path) -> None:
    book = """
    investigate:
      - {look: main, timeout: "{{ time }}"}
    mitigate:
      - port_kill: {port: "{{ port }}"}
        verify:
          - {look: main, within: "{{ time }}"}
    """
    with pytest.raises(InputError) as caught:
        check(tmp_path, book, time="soon", port=0)
    assert len(caught.value.problems) == 3


def test_what_a_run_brings_is_left_to_the_run(tmp_path: Path) -> None:
    check(
        tmp_path,
        """
        investigate:
          - {look: main, register: seen}
          - {look: "{{ seen.position }}"}
          - {look: "{{ env.NOT_SET_ANYWHERE }}"}
          - {loop: [main], look: "{{ item }}"}
        """,
    )
