"""An unknown name is found at load time, with its line; so is one that exists only later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.language.playbooks import loaded, problems

if TYPE_CHECKING:
    from pathlib import Path

BOOK = """\
name: a
hosts: all
inputs: {{database: {{default: app}}}}
vars: {{full: 0.9, nearly: "{{{{ late.value > full }}}}"}}
acknowledge:
  - look: {{url: "http://x"}}
    register: early
    when: {acknowledge}
investigate:
  - look: {{url: "http://x"}}
    register: pool
    when: {investigate}
  - put: {{answer: 42}}
severity:
  - {{level: P1, when: {severity}}}
mitigate:
  - kill: {{port: 80}}
    register: late
    when: {mitigate}
    verify:
      - look: {{url: "http://x"}}
        expect: {verify}
"""

FINE = [
    ("acknowledge", "database and full and inventory_hostname"),
    ("acknowledge", "groups.db and hostvars and incident and alert and env and run_id"),
    ("investigate", "early.value > full"),
    ("investigate", "nowhere is defined and nowhere.value"),
    ("investigate", "nowhere | default(1) > 0"),
    ("investigate", "2 in range(database | length)"),
    ("severity", "pool.value > full and answer and early.finding"),
    ("mitigate", "pool.value > answer"),
    ("verify", "result.value < full and pool.value"),
]

UNKNOWN = [
    ("acknowledge", "databse", '8:11: unknown name "databse" — did you mean "database"?'),
    ("acknowledge", "pool.value", '8:11: "pool" is registered later, on line 11'),
    ("acknowledge", "answer", '8:11: "answer" is registered later, on line 13'),
    ("investigate", "pool.value", '12:11: "pool" is registered later, on line 11'),
    ("investigate", "full and polo", '12:20: unknown name "polo" — did you mean "pool"?'),
    ("investigate", "nearly", '12:11: "nearly" needs "late", registered later, on line 18'),
    ("investigate", "item", '12:11: "item" exists only in a task with a loop'),
    (
        "investigate",
        "result",
        '12:11: "result" exists only where it is judged, as in expect'
        " — register the task and use that name",
    ),
    (
        "severity",
        "late.changed",
        '15:23: "late" is registered after the severity is judged, on line 18',
    ),
    (
        "severity",
        "nearly",
        '15:23: "nearly" needs "late", registered after the severity is judged, on line 18',
    ),
    ("mitigate", "late.changed", '19:11: "late" is registered later, on line 18'),
    ("verify", "late.changed", '22:17: "late" is registered later, on line 18'),
    ("verify", "itm", '22:17: unknown name "itm" — if hosts have it, give their inventory with -i'),
    (
        "mitigate",
        "self",
        '19:11: unknown name "self" — if hosts have it, give their inventory with -i',
    ),
]


def book(where: str, expression: str) -> str:
    texts = dict.fromkeys(("acknowledge", "investigate", "severity", "mitigate", "verify"), "true")
    return BOOK.format(**{**texts, where: expression})


@pytest.mark.parametrize(("where", "expression"), FINE)
def test_names_that_exist(tmp_path: Path, where: str, expression: str) -> None:
    assert loaded(tmp_path, book(where, expression)).text.name == "a"


@pytest.mark.parametrize(("where", "expression", "problem"), UNKNOWN)
def test_names_that_do_not(tmp_path: Path, where: str, expression: str, problem: str) -> None:
    assert problems(tmp_path, book(where, expression)) == [problem]


def test_a_variable_of_the_inventory_is_known(tmp_path: Path) -> None:
    text = book("mitigate", "rack == 4")
    assert loaded(tmp_path, text, inventory_names=frozenset({"rack"})).text.name == "a"
    assert problems(tmp_path, text, inventory_names=frozenset({"racks"})) == [
        '19:11: unknown name "rack" — did you mean "racks"?'
    ]


def test_item_exists_in_a_task_with_a_loop(tmp_path: Path) -> None:
    text = """
    name: a
    hosts: all
    mitigate:
      - kill: {port: "{{ item }}"}
        loop: [1, 2]
        when: item > 1
        verify: [{look: {url: "http://{{ item }}"}}]
    """
    [task] = loaded(tmp_path, text).tasks("mitigate")
    assert task.uses == {"item"}


def test_a_loop_itself_has_no_item(tmp_path: Path) -> None:
    text = 'name: a\nhosts: all\nmitigate: [{kill: {port: 1}, loop: "{{ [item] }}"}]\n'
    assert problems(tmp_path, text) == ['3:41: "item" exists only in a task with a loop']


def test_hosts_are_chosen_before_anything_is_known(tmp_path: Path) -> None:
    text = """
    name: a
    hosts: "{{ group }}"
    inputs: {group: {default: db}}
    vars: {mine: "{{ pool.value }}", ours: "{{ group }}:!db1"}
    investigate:
      - {look: {url: "http://x"}, register: pool, hosts: "{{ ours }}"}
      - {look: {url: "http://x"}, hosts: "{{ mine }}"}
      - {look: {url: "http://x"}, hosts: ["{{ pool.value }}", "{{ inventory_hostname }}"]}
    """
    assert problems(tmp_path, text) == [
        '7:42: "mine" needs "pool", not known before hosts are chosen',
        '8:43: "pool" is not known before hosts are chosen — inputs and vars are',
        '8:63: "inventory_hostname" is not known before hosts are chosen — inputs and vars are',
    ]


def test_names_of_statements_are_their_own(tmp_path: Path) -> None:
    text = """
    name: a
    hosts: all
    vars: {all: "{% for x in groups.db %}{{ x }}{% endfor %}{% set y = 1 %}{{ y }}"}
    investigate: [{look: {url: "http://x"}}]
    """
    assert loaded(tmp_path, text).text.name == "a"
