"""Blocks, included files and handlers, as they are loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.errors import InputError
from engine.language.model import Block
from tests.language.playbooks import HEAD, loaded, problems

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """
tags: everything
environment: {PATH: /bin}
mitigate:
  - name: Outer
    when: env.A
    tags: [outer]
    vars: {half: 50, whole: "{{ half * 2 }}"}
    throttle: 2
    block:
      - name: Inner
        when: env.B
        vars: {half: 51}
        block:
          - {name: End it, kill: {port: "{{ half }}"}, tags: "a, b", throttle: 1, register: done}
    rescue:
      - {name: Say, tell: "{{ whole }}", notify: restart}
    always:
      - {name: Then, when: done.changed, kill: {port: 80}, environment: {LANG: C},
         rollback: [{sh: "{{ result.x }} {{ whole }}", when: done.changed}]}
  - {name: After, kill: {port: 81}}
handlers:
  - {name: restart, sh: "restart {{ done.x }}"}
"""


def test_a_block_is_loaded_with_its_sections(tmp_path: Path) -> None:
    outer, after = loaded(tmp_path, HEAD + WHOLE).phases["mitigate"]
    assert isinstance(outer, Block)
    [inner] = outer.block
    assert isinstance(inner, Block)
    assert [outer.id, inner.id, after.id] == ["mitigate.1", "mitigate.1.block.1", "mitigate.2"]
    playbook = loaded(tmp_path, HEAD + WHOLE)
    assert [task.id for task in playbook.tasks("mitigate")] == [
        "mitigate.1.block.1.block.1",
        "mitigate.1.rescue.1",
        "mitigate.1.always.1",
        "mitigate.2",
    ]
    assert [task.id for task in playbook.handlers] == ["handlers.1"]


def test_words_reach_the_tasks_within(tmp_path: Path) -> None:
    end, say, then, after = loaded(tmp_path, HEAD + WHOLE).tasks("mitigate")
    assert end.text.when == ["env.A", "env.B"]
    assert end.text.tags == ["everything", "outer", "a", "b"]
    assert (end.text.vars, say.text.vars) == (
        {"half": 51, "whole": "{{ half * 2 }}"},
        {"half": 50, "whole": "{{ half * 2 }}"},
    )
    assert [task.text.throttle for task in (end, say, then, after)] == [1, 2, 2, None]
    assert then.text.environment == {"PATH": "/bin", "LANG": "C"}
    [back] = then.rollback
    assert (back.text.environment, back.approve) == (then.text.environment, "auto")
    assert {"done", "result"} <= back.uses
    assert "half" not in end.uses | say.uses


WRONG = [
    ("mitigate: [{block: x}]", '3:20: block must be a list, not "x"'),
    ("mitigate: [{block: [], rescu: []}]", '3:24: unknown key "rescu" — did you mean "rescue"?'),
    (
        "investigate:\n  - block: [{check: env.A}]\n    rescue: [{check: env.A}]",
        '5:5: "rescue" has no meaning in investigate: what fails there is evidence'
        " — use when with the result's name",
    ),
    (
        "mitigate: [{block: [{kill: {port: 1}, when: nothing}]}]",
        '3:45: unknown name "nothing" — if hosts have it, give their inventory with -i',
    ),
    (
        "mitigate: [{block: [{kill: {port: 1}}], vars: {groups: 1}}]",
        '3:48: "groups" has a meaning of its own',
    ),
    (
        "mitigate: [{kill: {port: 1}, loop: [1], loop_control: {loop_var: env}}]",
        '3:55: "env" has a meaning of its own',
    ),
    (
        "mitigate: [{kill: {port: 1}, loop_control: {label: x}}]",
        '3:30: "loop_control" needs "loop"',
    ),
    (
        "mitigate: [{kill: {port: 1}, until: env.A}]",
        '3:30: "until" goes with probes only — put it into verify',
    ),
    ("mitigate: [{check: env.A, retries: 3}]", '3:27: "retries" needs "until"'),
    (
        "mitigate: [{check: env.A, until: env.A, within: 3s}]",
        '3:41: "until" and "within" exclude each other — write two tasks',
    ),
    (
        "mitigate: [{check: env.A, rollback: []}]",
        '3:27: "rollback" goes with actions only',
    ),
    (
        "always: [{kill: {port: 1}, rollback: [{kill: {port: 2}}]}]",
        '3:28: "rollback" has no meaning in always — it goes with mitigate',
    ),
    (
        "mitigate: [{kill: {port: 1}, rollback: [{kill: {port: 2}, hosts: all}]}]",
        '3:59: "hosts" has no meaning in rollback',
    ),
    (
        "mitigate: [{kill: {port: 1}, notify: x}]\nhandlers: [{name: y, kill: {port: 2}}]",
        '3:38: no handler is called "x"',
    ),
    (
        "mitigate: [{tell: x, notify: {to: x, message: y}}]",
        '3:22: a task holds one module, and here stand both "tell" and "notify"',
    ),
    (
        "mitigate: [{kill: {port: 1}}]\nhandlers: [{kill: {port: 2}}]",
        "4:12: a handler needs a name — tasks notify it by that",
    ),
    (
        "mitigate: [{kill: {port: 1}}]\n"
        "handlers: [{name: y, kill: {port: 2}}, {name: y, kill: {port: 2}}]",
        "4:47: it is a handler's on line 4 already",
    ),
    (
        "resolve: [{tell: x, notify: y}]\nhandlers: [{name: y, kill: {port: 2}}]",
        '3:29: "y" is an action, and resolve may hold none',
    ),
    (
        "mitigate: [{kill: {port: 1}}]\nhandlers: [{block: [{kill: {port: 2}}]}]",
        "4:13: handlers holds tasks only",
    ),
    ("mitigate: [{kill: {port: 1}}]\nserial: 0", "4:9: serial must be a number of hosts from 1"),
    ("mitigate: [{kill: {port: 1}}]\nserial: [1, 0%]", "4:13: serial must be a number of hosts"),
    ("mitigate: [{kill: {port: 1}}]\nmax_fail: -1", "4:11: max_fail must be a number of hosts"),
    ("mitigate: [{kill: {port: 1}, no_log: [1]}]", "3:39: no_log[0] must be an expression, not 1"),
]


@pytest.mark.parametrize(("text", "problem"), WRONG)
def test_what_is_wrong(tmp_path: Path, text: str, problem: str) -> None:
    [found] = problems(tmp_path, f"{HEAD}{text}\n")
    assert found.startswith(problem)


SHARED = """
description: Whether the service is up.
inputs:
  url: {type: string, description: of its health page}
  port: {type: integer, default: 80}
tasks:
  - name: Look
    look: {url: "{{ url }}", port: "{{ port }}"}
    register: up
  - {name: Check, check: up.value > database}
"""
INCLUDING = """
inputs: {database: {type: integer, default: 5}}
investigate:
  - name: First
    include: shared/up.yml
    inputs: {url: "http://{{ database }}"}
    when: env.A
  - include: shared/up.yml
    inputs: {url: http://other, port: 81}
  - {check: up.value}
"""


def include(tmp_path: Path, shared: str, text: str = INCLUDING) -> list[str]:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "up.yml").write_text(shared)
    try:
        loaded(tmp_path, HEAD + text)
    except InputError:
        return [problem.removeprefix(str(tmp_path)) for problem in problems(tmp_path, HEAD + text)]
    return []


def test_a_file_stands_as_a_block(tmp_path: Path) -> None:
    assert include(tmp_path, SHARED) == []
    playbook = loaded(tmp_path, HEAD + INCLUDING)
    look, check, again, *_ = playbook.tasks("investigate")
    assert [look.id, check.id, again.id] == [
        "investigate.1.1",
        "investigate.1.2",
        "investigate.2.1",
    ]
    assert look.text.vars == {"url": "http://{{ database }}", "port": 80}
    assert again.text.vars == {"url": "http://other", "port": 81}
    assert look.text.when == "env.A"
    assert str(look.place) == f"{tmp_path}/shared/up.yml:7"


def test_the_digest_is_of_all_files(tmp_path: Path) -> None:
    include(tmp_path, SHARED)
    before = loaded(tmp_path, HEAD + INCLUDING).digest
    (tmp_path / "shared" / "up.yml").write_text(f"{SHARED}# more\n")
    assert loaded(tmp_path, HEAD + INCLUDING).digest != before


@pytest.mark.parametrize(
    ("shared", "expected"),
    [
        (SHARED.replace("look:", "lok:"), '/shared/up.yml:8:5: no module "lok"'),
        (
            SHARED.replace("{{ port }}", "{{ prt }}"),
            '/shared/up.yml:8:40: unknown name "prt" — did you mean "port"?',
        ),
        (
            SHARED.replace("tasks:", "task:"),
            '/shared/up.yml:6:1: unknown key "task" — did you mean "tasks"?',
        ),
        (SHARED.replace("- name", "\t- name"), "/shared/up.yml:7:3: a tab indents this line"),
        (
            SHARED.replace("default: 80", "default: x"),
            "/shared/up.yml:5:34: the default does not fit: port must be a whole number",
        ),
        (
            SHARED.replace("url: {", "uri: {"),
            '7:5: shared/up.yml needs the input "uri" — give it under inputs',
        ),
        (
            f"{SHARED}  - include: up.yml\n",
            "/shared/up.yml:11:14: {here}/shared/up.yml includes itself",
        ),
    ],
)
def test_errors_point_into_the_file_that_they_are_in(
    tmp_path: Path, shared: str, expected: str
) -> None:
    assert expected.replace("{here}", str(tmp_path)) in include(tmp_path, shared)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("include: shared/down.yml", "/shared/down.yml cannot be read: no such file or directory"),
        ("include: shared/up.yml", 'shared/up.yml needs the input "url" — give it under inputs'),
        (
            "include: shared/up.yml\n    inputs: {url: http://x, port: eighty}",
            'port must be a whole number, not "eighty"',
        ),
        (
            "include: shared/up.yml\n    inputs: {url: http://x}\n    input: {}",
            'unknown key "input" — did you mean "inputs"?',
        ),
    ],
)
def test_errors_of_the_include_itself(tmp_path: Path, text: str, expected: str) -> None:
    found = include(tmp_path, SHARED, f"vars: {{database: x}}\ninvestigate:\n  - {text}\n")
    assert expected in found[0]
