"""One task at a time: what is wrong with it, where, and what to do. Line 1 is the task's first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.language.playbooks import task_problems

if TYPE_CHECKING:
    from pathlib import Path

ALL_OF_LOOK = (
    "url, port, method, matches, max_time, memory, status, headers, verify_tls, words, data"
)

MODULES = [
    ('lok: {url: "http://x"}', '1:5: no module "lok" — did you mean "look"?'),
    ("zebra: {}", '1:5: no module "zebra"'),
    ("ansible.builtin.sh: x", '1:5: no module "ansible.builtin.sh" — did you mean "sh"?'),
    (
        'look: {url: "http://x"}\ntell: x',
        '2:5: a task holds one module, and here stand both "look" and "tell"',
    ),
    (
        'look: {url: "http://x"}\nregster: x',
        '2:5: unknown key "regster" — did you mean "register"?',
    ),
    (
        'look: {url: "http://x"}\nignore_error: true',
        '2:5: unknown key "ignore_error" — did you mean "ignore_errors"?',
    ),
    (
        'look: {url: "http://x"}\nport: 80',
        '2:5: unknown key "port" — it is an argument of look: indent it below',
    ),
    ('with_items: [1]\nlook: {url: "http://x"}', '1:5: unknown key "with_items" — use "loop"'),
    (
        'look: {url: "http://x"}\nserial: 1',
        '2:5: unknown key "serial" — it is one of the playbook, not of a task',
    ),
    (
        'become: "yes"\nlook: {url: "http://x"}',
        '1:13: become must be true or false, not "yes" — YAML 1.2 writes true',
    ),
    (
        'become_user: a b\nlook: {url: "http://x"}',
        '1:18: become_user must be an account\'s name such as postgres, not "a b"',
    ),
    (
        'become_user: "{{ whom }}"\nlook: {url: "http://x"}',
        '1:22: unknown name "whom" — if hosts have it, give their inventory with -i',
    ),
    ('look: {url: "http://x"}\nrescue: []', '2:5: "rescue" goes with "block"'),
    (
        "sh: {script: uptime, probe: true}\nchanged_when: false",
        '2:5: unknown key "changed_when" — what only reads says probe: true',
    ),
    ("blok: []", '1:5: unknown key "blok" — did you mean "block"?'),
    ("include_tasks: x.yml", '1:5: unknown key "include_tasks" — use "include"'),
]

ARGUMENTS = [
    ("look: {}", '1:5: look needs "url"'),
    ("look:", '1:5: look needs "url"'),
    ('look: {urll: "http://x"}', '1:12: look has no argument "urll" — did you mean "url"?'),
    (
        'look: {url: "http://x", zzz: 1}',
        f'1:29: look has no argument "zzz" — it takes {ALL_OF_LOOK}',
    ),
    (
        "look: http://x",
        f'1:11: the arguments of look must be a mapping, not "http://x" — it takes {ALL_OF_LOOK}',
    ),
    (
        'look: {url: "http://x", port: eighty}',
        '1:35: port must be a port number such as 8080, not "eighty"',
    ),
    (
        'look: {url: "http://x", port: "80"}',
        '1:35: port must be a port number such as 8080, not "80" — take the quotes away',
    ),
    ('look: {url: "http://x", port: 70000}', "1:35: port must be at most 65535, not 70000"),
    ('look: {url: "http://x", port: 9}', "1:11: look: port 9 discards everything"),
    ("look: {url: ftp}", '1:17: url must be a URL such as http://localhost, not "ftp"'),
    (
        'look: {url: "http://x", max_time: soon}',
        '1:39: max_time must be a duration such as 10s, not "soon"',
    ),
    (
        'look: {url: "http://x", memory: lots}',
        '1:37: memory must be a size such as 512m, not "lots"',
    ),
    (
        'look: {url: "http://x", matches: "(a"}',
        "1:38: matches is not a pattern that RE2 takes: missing ): (a",
    ),
    (
        'look: {url: "http://x", matches: "a(?=b)"}',
        "1:38: matches is not a pattern that RE2 takes: invalid perl operator: (?=",
    ),
    ('look: {url: "http://x", status: [1, x]}', '1:41: status[1] must be a whole number, not "x"'),
    (
        'look: {url: "http://x", status: x}',
        '1:37: status must be a whole number or a list, not "x"',
    ),
    (
        'look: {url: "http://x", headers: {a: 1}}',
        "1:42: a must be text, not 1 — put it in quotes",
    ),
    (
        'look: {url: "http://x", verify_tls: no}',
        '1:41: verify_tls must be true or false, not "no" — YAML 1.2 writes false',
    ),
    (
        'look: {url: "http://x", method: get}',
        '1:37: method must be GET or HEAD, not "get" — did you mean "GET"?',
    ),
    ("check: [1]", "1:13: that[0] must be text, not 1 — put it in quotes"),
    ('put: {"not a name": 1}', '1:11: "not a name" is not a name'),
]

KEYWORDS = [
    (
        'look: {url: "http://x"}\nregister: a b',
        '2:15: register must be a name such as pool, not "a b"',
    ),
    ('look: {url: "http://x"}\nregister: groups', '2:15: "groups" has a meaning of its own'),
    (
        'look: {url: "http://x"}\nignore_errors: yes',
        '2:20: ignore_errors must be true or false, not "yes" — YAML 1.2 writes true',
    ),
    ('look: {url: "http://x"}\ntags: "{{ env.x }}"', "2:11: tags takes no templates"),
    ('look: {url: "http://x"}\nname: 5', "2:11: name must be text, not 5 — put it in quotes"),
    (
        'look: {url: "http://x"}\nwhen: [1]',
        "2:12: when[0] must be an expression or true or false, not 1",
    ),
    (
        'look: {url: "http://x"}\nwithin: 5 x',
        '2:13: within must be a duration such as 10s, not "5 x"',
    ),
    ('look: {url: "http://x"}\ntimeout: 0', "2:14: timeout must be more than 0"),
    (
        'look: {url: "http://x"}\nwithin: 5s\nhold: 5s',
        '3:5: "within" and "hold" exclude each other — write two tasks',
    ),
    ('look: {url: "http://x"}\nevery: 5s', '2:5: "every" needs "within" or "hold"'),
    (
        'look: {url: "http://x"}\nwithin: 1s\nevery: 5s',
        "3:12: every is longer than the 1 s of the whole",
    ),
    ('look: {url: "http://x"}\napprove: auto', '2:5: "approve" goes with actions only'),
    ('look: {url: "http://x"}\nverify: []', '2:5: "verify" goes with actions only'),
]

PLACES = [
    (
        "investigate",
        "kill: {port: 1}",
        "1:5: investigate may hold probes and checkpoints only: kill is an action",
    ),
    (
        "investigate",
        "tell: x",
        "1:5: investigate may hold probes and checkpoints only: tell is a record",
    ),
    (
        "investigate",
        "sh: x",
        "1:5: investigate may hold probes and checkpoints only: sh is an action — say "
        "probe: true if it only reads",
    ),
    (
        "acknowledge",
        "sh: x",
        "1:5: acknowledge may hold probes, records and checkpoints only: sh is an action — say "
        "probe: true if it only reads, or say record: true if it changes nothing on the hosts and "
        "may be repeated",
    ),
    (
        "investigate",
        "sh: {script: x, record: true}",
        "1:5: investigate may hold probes and checkpoints only: sh is a record — say "
        "probe: true if it only reads",
    ),
    (
        "acknowledge",
        "kill: {port: 1}",
        "1:5: acknowledge may hold probes, records and checkpoints only: kill is an action",
    ),
    (
        "resolve",
        "kill: {port: 1}",
        "1:5: resolve may hold probes, records and checkpoints only: kill is an action",
    ),
    (
        "mitigate",
        "kill: {port: 1}\nrollback:\n- ask: x",
        "3:7: rollback may hold probes, records and actions only: ask is a checkpoint",
    ),
    (
        "mitigate",
        "ask: x\nexpect: true",
        '2:5: "expect" goes with probes only',
    ),
    (
        "resolve",
        "ask: x\ndelegate_to: localhost",
        '2:5: "delegate_to" goes with probes and actions only',
    ),
    (
        "mitigate",
        "kill: {port: 1}\nexpect: true",
        '2:5: "expect" goes with probes only — put it into verify',
    ),
    (
        "mitigate",
        "kill: {port: 1}\napprove: P5",
        '2:14: approve must be always_ask, ask or auto, not "P5"',
    ),
    (
        "mitigate",
        'sh: {script: x, probe: "{{ check_mode }}"}',
        "1:28: probe must be true or false: what a task is must be known before it runs",
    ),
    (
        "mitigate",
        'sh: {script: x, record: "{{ check_mode }}"}',
        "1:29: record must be true or false: what a task is must be known before it runs",
    ),
    (
        "mitigate",
        "kill: {port: 1}\nverify:\n- kill: {port: 1}",
        "3:7: verify may hold probes only: kill is an action",
    ),
    (
        "mitigate",
        'kill: {port: 1}\nverify:\n- look: {url: "http://x"}\n  when: true',
        '4:7: "when" has no meaning in verify',
    ),
    (
        "mitigate",
        "kill: {port: 1}\nverify: [x]",
        '2:14: verify[0] must be a mapping, not "x"',
    ),
]

EXPRESSIONS = [
    ("when: a = b", '2:13: unexpected "=" — "==" compares'),
    ("when: env.a && env.b", '2:17: unexpected "&" — write "and"'),
    ("when: env.a || env.b", '2:18: unexpected "|" — write "or"'),
    ("when: (env.a", "2:16: the expression ends too early"),
    ("when: env.a == 'b", "2:20: this quote is never closed"),
    (
        'when: "{{ check_mode }}"',
        "2:12: this is an expression already, without {{ }} — write check_mode",
    ),
    ("expect: result.value | quantil(1)", '2:28: no filter "quantil" — did you mean "quantile"?'),
    ("expect: result is fail", '2:23: no test "fail" — did you mean "failed"?'),
    ('name: "{{ env.a b }}"', '2:21: unexpected "b"'),
    ('name: "{{ env.a"', "2:19: the template ends too early"),
    ("name: \"{% include 'x' %}\"", "2:12: templates have no {% include %} here"),
    (
        'name: "docker ps --format {{.Names}}"',
        '2:33: unexpected "." — '
        "text of this form that is not ours stands in {% raw %}…{% endraw %}",
    ),
]


@pytest.mark.parametrize(("task", "problem"), [*MODULES, *ARGUMENTS, *KEYWORDS])
def test_a_task_that_is_wrong(tmp_path: Path, task: str, problem: str) -> None:
    assert task_problems(tmp_path, task) == [problem]


@pytest.mark.parametrize(("phase", "task", "problem"), PLACES)
def test_a_task_in_the_wrong_place(tmp_path: Path, phase: str, task: str, problem: str) -> None:
    assert task_problems(tmp_path, task, phase=phase) == [problem]


@pytest.mark.parametrize(("keyword", "problem"), EXPRESSIONS)
def test_an_expression_that_is_wrong(tmp_path: Path, keyword: str, problem: str) -> None:
    assert task_problems(tmp_path, f'look: {{url: "http://x"}}\n{keyword}') == [problem]


def test_a_task_without_a_module_is_told_which_there_are(tmp_path: Path) -> None:
    [problem] = task_problems(tmp_path, "name: x")
    assert problem.startswith("1:5: the task has no module — name one of alertmanager_silence, ")
    assert ", assert, broken, check, " in problem


def test_a_module_file_without_a_module_is_told(tmp_path: Path) -> None:
    [problem] = task_problems(tmp_path, "broken: {}")
    assert problem.endswith("broken.py: a module's file holds one module class, not 0")


def test_a_place_within_a_block_of_text_is_exact(tmp_path: Path) -> None:
    task = 'look:\n  url: "http://x"\n  data: |\n    one\n    two {{ check_mod }}'
    assert task_problems(tmp_path, task) == [
        '5:16: unknown name "check_mod" — did you mean "check_mode"?'
    ]


def test_every_problem_of_a_task_is_told(tmp_path: Path) -> None:
    task = 'look: {urll: "http://x", port: x}\nregister: a b\nwhen: a ='
    assert task_problems(tmp_path, task) == [
        '1:12: look has no argument "urll" — did you mean "url"?',
        '1:36: port must be a port number such as 8080, not "x"',
        '2:15: register must be a name such as pool, not "a b"',
        '3:13: unexpected "=" — "==" compares',
    ]
