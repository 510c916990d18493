from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.errors import InputError
from engine.language import load, notices
from tests.language.playbooks import HEAD, loaded, problems, registry

if TYPE_CHECKING:
    from pathlib import Path

LOOK = 'investigate: [{look: {url: "http://x"}, register: pool}]\n'

WHOLE = """
name: Pool exhaustion
description: Requests queue.
owner: platform
links: {dashboard: "http://grafana.internal/d/pg"}
inputs:
  database: {type: string, default: app}
  most: {type: integer, default: 50, minimum: 1}
vars:
  url: "http://localhost/{{ database }}"
  full: 0.9
hosts: db
limits: {max_hosts: 1, max_percent: 50}
acknowledge:
  - tell: on it
investigate:
  - name: Pool
    look: {url: "{{ url }}"}
    register: pool
    expect: result.value < full
  - put: {seen: "{{ pool.value }}"}
severity:
  - {level: P1, when: [pool.finding, seen > 0.95], on: 50%, because: half of them}
  - {level: P4}
mitigate:
  - name: End it
    kill: {port: "{{ most }}"}
    when: pool.value >= full
    loop: "{{ [1, 2] }}"
    verify:
      - look: {url: "{{ url }}"}
        expect: result.value < item
        within: 1m
resolve:
  - look: {url: "{{ url }}"}
    hold: 30m
    every: 5m
always:
  - tell: {message: "over: {{ pool.value }}", to: everybody}
"""


def test_a_playbook_is_loaded_whole(tmp_path: Path) -> None:
    playbook = loaded(tmp_path, WHOLE)
    assert playbook.text.name == "Pool exhaustion"
    assert playbook.text.limits.max_hosts == 1
    assert {phase: [t.id for t in tasks] for phase, tasks in playbook.phases.items()} == {
        "acknowledge": ["acknowledge.1"],
        "investigate": ["investigate.1", "investigate.2"],
        "mitigate": ["mitigate.1"],
        "resolve": ["resolve.1"],
        "always": ["always.1"],
    }
    assert len(playbook.digest) == 64


def test_a_task_knows_its_module_place_and_arguments(tmp_path: Path) -> None:
    playbook = loaded(tmp_path, WHOLE)
    [tell] = playbook.tasks("acknowledge")
    assert (tell.module, tell.kind, tell.args) == ("tell", "record", {"message": "on it"})
    [kill] = playbook.tasks("mitigate")
    assert (kill.name, kill.kind, kill.place.line, kill.place.column) == ("End it", "action", 25, 5)
    assert [v.id for v in kill.verify] == ["mitigate.1.verify.1"]
    assert playbook.input_places["most"].line == 7


def test_uses_reach_through_vars_and_verify(tmp_path: Path) -> None:
    playbook = loaded(tmp_path, WHOLE)
    first, second = playbook.tasks("investigate")
    assert first.uses == {"url", "database", "result", "full"}
    assert second.uses == {"pool"}
    [kill] = playbook.tasks("mitigate")
    assert {"most", "pool", "full", "url", "database", "item"} <= kill.uses
    assert [rule.uses for rule in playbook.severity] == [{"pool", "seen"}, frozenset()]


def test_a_duration_may_be_a_template(tmp_path: Path) -> None:
    text = (
        "name: a\nhosts: all\ninputs: {long: {default: 5m}}\n"
        'resolve: [{look: {url: "http://x"}, hold: "{{ long }}"}]\n'
    )
    [task] = loaded(tmp_path, text).tasks("resolve")
    assert (task.text.hold, task.uses) == ("{{ long }}", {"long"})


def test_one_condition_may_stand_for_a_list(tmp_path: Path) -> None:
    playbook = loaded(tmp_path, f"{HEAD}investigate: [{{check: check_mode}}]\n")
    assert playbook.tasks("investigate")[0].args == {"that": ["check_mode"]}


def test_a_command_trusted_to_only_read_is_noticed(tmp_path: Path) -> None:
    text = f"{HEAD}investigate:\n  - sh: {{script: uptime, probe: true}}\n"
    [notice] = notices(loaded(tmp_path, text))
    assert str(notice).splitlines()[0] == (
        f"{tmp_path}/book.yml:4:5: this sh is trusted to only read (probe: true)"
    )


BAD = [
    ("- hosts: all\n", ["1:1: a playbook is a mapping: name, hosts and phases — it is no list of plays: take the dash away"]),
    ("just text\n", ["1:1: a playbook is a mapping: name, hosts and phases"]),
    (HEAD, ["1:1: the playbook has no tasks — give it investigate or mitigate"]),
    (LOOK, ['1:1: the playbook needs "name"', '1:1: the playbook needs "hosts"']),
    (f"{HEAD}{LOOK}hsots: x\n", ['4:1: unknown key "hsots" — did you mean "hosts"?']),
    (f"{HEAD}{LOOK}serial: 1\n", ['4:1: "serial" is not supported yet by this version']),
    (f"{HEAD}{LOOK}mitigate:\n", ["4:10: mitigate must be a list, not nothing"]),
    (f"{HEAD}{LOOK}limits: {{max_hosts: 0, max_percent: 150}}\n", [
        "4:21: max_hosts must be at least 1, not 0",
        "4:37: max_percent must be at most 100, not 150",
    ]),
    (f"{HEAD}{LOOK}owner: \"{{{{ env.me }}}}\"\n", ["4:8: owner takes no templates"]),
    (f"{HEAD}{LOOK}hosts: db\n", ['4:1: duplicate key "hosts" — it stands on line 2, column 1 already']),
    (f"{HEAD}{LOOK}inputs: {{a b: {{}}}}\n", ['4:10: "a b" is not a name such as pool']),
    (f"{HEAD}{LOOK}inputs: {{env: {{}}}}\n", ['4:10: "env" has a meaning of its own']),
    (f"{HEAD}{LOOK}inputs: {{pool: {{}}}}\n", ['3:51: "pool" is one of the inputs already']),
    (f"{HEAD}{LOOK}inputs: {{a: {{from: x}}}}\n", ['4:14: "from" is not supported yet by this version']),
    (f"{HEAD}{LOOK}inputs: {{a: {{type: int}}}}\n", ['4:20: type must be array, boolean, integer, number, object or string, not "int" — did you mean "integer"?']),
    (f"{HEAD}{LOOK}inputs: {{a: {{type: integer, default: x}}}}\n", ['4:38: the default does not fit: a must be a whole number, not "x"']),
    (f"{HEAD}{LOOK}inputs: {{a: {{default: \"{{{{ x }}}}\"}}}}\n", ["4:23: a default cannot be a template — put it into vars"]),
    (f"{HEAD}{LOOK}inputs: {{a: {{pattern: \"(\"}}}}\n", ["4:23: pattern is none that RE2 takes: missing ): ("]),
    (f"{HEAD}{LOOK}inputs: {{a: {{type: array, items: {{$ref: \"http://x\"}}}}}}\n", ['4:34: items may not hold "$ref" — it takes a plain JSON Schema']),
    (f"{HEAD}{LOOK}inputs: {{a: {{type: array, items: {{type: text}}}}}}\n", ["4:34: items is not a JSON Schema: 'text' is not valid under any of the given schemas"]),
    (f"{HEAD}{LOOK}vars: {{a: \"{{{{ b }}}}\", b: \"{{{{ a }}}}\"}}\n", [
        '4:8: "a" refers to itself, by way of other vars or directly',
        '4:22: "b" refers to itself, by way of other vars or directly',
    ]),
    (f"{HEAD}{LOOK}vars: {{a: \"{{{{ bcd }}}}\"}}\n", ['4:15: unknown name "bcd" — if hosts have it, give their inventory with -i']),
    (f"{HEAD}{LOOK}severity: [{{level: P5}}]\n", ['4:20: level must be P1, P2, P3 or P4, not "P5"']),
    (f"{HEAD}{LOOK}severity: [{{level: P1, on: 0}}, {{level: P2, on: 101%}}, {{level: P3, on: some}}]\n", [
        "4:28: on must be any, all, a number of hosts from 1, or a percentage such as 50%",
        "4:48: on must be any, all, a number of hosts from 1, or a percentage such as 50%",
        "4:71: on must be any, all, a number of hosts from 1, or a percentage such as 50%",
    ]),
    (f"{HEAD}{LOOK}severity: [{{level: P1, when: poool.value}}]\n", ['4:30: unknown name "poool" — did you mean "pool"?']),
    (f"{HEAD}{LOOK}always: [{{look: {{url: \"http://x\"}}, register: pool}}]\n", ['4:46: "pool" is registered on line 3 already']),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), BAD)
def test_a_playbook_that_is_wrong(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert problems(tmp_path, text) == expected


def test_all_problems_of_all_files_come_in_one_go(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(f"{HEAD}{LOOK}serial: 1\nhsots: x\n")
    (tmp_path / "b.yml").write_text("")
    (tmp_path / "c.yml").write_text(f"{HEAD}{LOOK}")
    paths = [tmp_path / name for name in ("a.yml", "b.yml", "c.yml", "d.yml")]
    with pytest.raises(InputError) as caught:
        load(paths, registry())
    assert [(p.path, p.line, p.message) for p in caught.value.problems] == [
        (f"{tmp_path}/a.yml", 4, '"serial" is not supported yet by this version'),
        (f"{tmp_path}/a.yml", 5, 'unknown key "hsots"'),
        (f"{tmp_path}/b.yml", 0, "is empty"),
        (f"{tmp_path}/d.yml", 0, "cannot be read: no such file or directory"),
    ]


def test_very_many_problems_are_counted_not_told(tmp_path: Path) -> None:
    keys = "".join(f"key{number}: 1\n" for number in range(150))
    told = problems(tmp_path, f"{HEAD}{LOOK}{keys}")
    assert len(told) == 101
    assert told[-1] == "and 50 problems more"


def test_a_problem_shows_the_line_and_a_caret(tmp_path: Path) -> None:
    path = tmp_path / "book.yml"
    path.write_text(f"{HEAD}{LOOK}hsots: x\n")
    with pytest.raises(InputError) as caught:
        load([path], registry())
    assert str(caught.value) == (
        f'{path}:4:1: unknown key "hsots" — did you mean "hosts"?\n    hsots: x\n    ^'
    )
