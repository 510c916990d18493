"""What playbooks, blocks and tasks hand on to the tasks in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.language.playbooks import loaded

if TYPE_CHECKING:
    from pathlib import Path

    from engine.language.model import Task

BECOMING = """\
name: Book
hosts: all
become: true
become_user: app
investigate:
  - look: {url: "http://a"}
  - {look: {url: "http://b"}, become: false}
mitigate:
  - become_user: "{{ 'x' }}"
    block:
      - kill: {port: 80}
        become_method: doas
        verify:
          - look: {url: "http://c"}
          - {look: {url: "http://d"}, become_user: root}
        rollback:
          - kill: {port: 79}
      - {kill: {port: 81}, become_user: other}
handlers:
  - {name: tell, kill: {port: 82}}
"""


def said(task: Task) -> tuple[bool | None, str | None, str | None]:
    return task.text.become, task.text.become_user, task.text.become_method


def test_whom_to_become_is_the_nearest_word_on_it(tmp_path: Path) -> None:
    playbook = loaded(tmp_path, BECOMING)
    assert [said(task) for task in playbook.tasks("investigate")] == [
        (True, "app", None),
        (False, "app", None),
    ]
    first, second = playbook.tasks("mitigate")
    assert said(first) == (True, "{{ 'x' }}", "doas")
    assert [said(task) for task in first.verify] == [
        (True, "{{ 'x' }}", "doas"),
        (True, "root", "doas"),
    ]
    assert [said(task) for task in first.rollback] == [(True, "{{ 'x' }}", "doas")]
    assert said(second) == (True, "other", None)
    assert [said(task) for task in playbook.handlers] == [(True, "app", None)]


def test_where_nothing_is_said_nothing_is_known(tmp_path: Path) -> None:
    playbook = loaded(tmp_path, 'name: a\nhosts: b\ninvestigate: [{look: {url: "http://a"}}]')
    assert said(playbook.tasks("investigate")[0]) == (None, None, None)


def test_an_account_may_be_named_by_a_result_before_it(tmp_path: Path) -> None:
    playbook = loaded(
        tmp_path,
        """
        name: a
        hosts: b
        investigate:
          - {look: {url: "http://a"}, register: owner}
          - {look: {url: "http://b"}, become_user: "{{ owner.user }}"}
        """,
    )
    assert playbook.tasks("investigate")[1].uses == {"owner"}
