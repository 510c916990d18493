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
    assert [set(rule.uses) for rule in playbook.severity] == [{"pool", "seen"}, set()]


def test_a_duration_may_be_a_template(tmp_path: Path) -> None:
    text = (
        "name: a\nhosts: all\ninputs: {long: {default: 5m}}\n"
        'resolve: [{look: {url: "http://x"}, hold: "{{ long }}"}]\n'
    )
    [task] = loaded(tmp_path, text).tasks("resolve")
    assert (task.text.hold, set(task.uses)) == ("{{ long }}", {"long"})


def test_one_condition_may_stand_for_a_list(tmp_path: Path) -> None:
    playbook = loaded(tmp_path, f"{HEAD}investigate: [{{check: check_mode}}]\n")
    assert playbook.tasks("investigate")[0].args == {"that": ["check_mode"]}


def test_a_command_trusted_to_only_read_is_noticed(tmp_path: Path) -> None:
    text = f"{HEAD}investigate:\n  - sh: {{script: uptime, probe: true}}\n"
    [notice] = notices(loaded(tmp_path, text))
    assert str(notice).splitlines()[0] == (
        f"{tmp_path}/book.yml:4:5: this sh is trusted to only read (probe: true)"
    )


def test_an_action_trusted_to_be_safe_to_repeat_is_noticed(tmp_path: Path) -> None:
    text = f"{HEAD}acknowledge:\n  - sh: {{script: page, record: true}}\n  - tell: on it\n"
    [notice] = notices(loaded(tmp_path, text))
    assert notice.message == (
        "this sh is trusted to be safe to repeat, and outside the hosts (record: true)"
    )


def test_a_rule_that_is_never_asked_is_noticed(tmp_path: Path) -> None:
    rules = "severity:\n  - {level: P3, on: all}\n  - {level: P1, when: pool.finding}\n"
    [notice] = notices(loaded(tmp_path, f"{HEAD}{LOOK}{rules}"))
    assert (notice.line, notice.message) == (
        6,
        "this rule is never asked: one before it always holds",
    )


NOT_PLAYBOOKS = [
    (
        "- hosts: all\n",
        "1:1: a playbook is a mapping: name, hosts and phases — "
        "it is no list of plays: take the dash away",
    ),
    ("just text\n", "1:1: a playbook is a mapping: name, hosts and phases"),
    (HEAD, "1:1: the playbook has no tasks — give it investigate or mitigate"),
]

SHARES = "on must be any, all, a number of hosts from 1, or a percentage such as 50%"

ORIGINS = (
    "an alert has labels.NAME, annotations.NAME, title, startsAt, status, fingerprint, "
    "generatorURL or source"
)
LINE_4 = [
    ("hsots: x", 'unknown key "hsots" — did you mean "hosts"?'),
    ("triggers: {}", "triggers must be a list, not a mapping"),
    ("triggers: [{match: []}]", "match holds no matcher: it would be for every alert"),
    ("triggers: [{match: ['a=b{'], on: x}]", 'unknown key "on"'),
    (
        "triggers: [{match: ['severity']}]",
        "one of =, !=, =~ and !~ is missing — "
        'such as alertname="DiskFull" or severity=~"critical|page"',
    ),
    ("triggers: [{match: ['a=~\"(\"']}]", "is not a pattern that RE2 takes: missing ): ("),
    ("triggers: [{match: ['a=\"{{ x }}\"']}]", "triggers takes no templates"),
    ("mitigate:", "mitigate must be a list, not nothing"),
    ("become_method: runas", 'become_method must be doas, su or sudo, not "runas"'),
    ('become_user: "-x"', 'become_user must be an account\'s name such as postgres, not "-x"'),
    (
        'become_user: "{{ noone }}"',
        'unknown name "noone" — if hosts have it, give their inventory with -i',
    ),
    ('become_user: "{{ pool }}"', '"pool" is registered later, on line 3'),
    ("limits: {max_hosts: 0}", "max_hosts must be at least 1, not 0"),
    ("limits: {max_percent: 150}", "max_percent must be at most 100, not 150"),
    ('owner: "{{ env.me }}"', "owner takes no templates"),
    ("hosts: db", 'duplicate key "hosts" — it stands on line 2, column 1 already'),
    ("inputs: {a b: {}}", '"a b" is not a name such as pool'),
    ("inputs: {env: {}}", '"env" has a meaning of its own'),
    ("inputs: {a: {from: label.x}}", f'{ORIGINS} — did you mean "labels"?'),
    ("inputs: {a: {from: alert.labels.x}}", f'{ORIGINS} — leave out "alert."'),
    (
        "inputs: {a: {from: labels}}",
        'must name one of the labels — labels.NAME, or labels["NAME"] for any name',
    ),
    ("inputs: {a: {from: startsAt.x}}", "startsAt is a text, with nothing in it"),
    ("inputs: {a: {secret: true, type: integer}}", "a secret is text, and no integer"),
    (
        "inputs: {a: {secret: true, default: x}}",
        "a secret has no default: all could read it here — "
        "leave it out: it is asked for; or put it into vars, as a !vault value",
    ),
    ('inputs: {a: {prompt: "{{ x }}"}}', "prompt takes no templates"),
    (
        "inputs: {a: {type: int}}",
        "type must be array, boolean, integer, number, object or string, "
        'not "int" — did you mean "integer"?',
    ),
    (
        "inputs: {a: {type: integer, default: x}}",
        'the default does not fit: a must be a whole number, not "x"',
    ),
    (
        'inputs: {a: {default: "{{ x }}"}}',
        "a default cannot be a template — put it into vars",
    ),
    ('inputs: {a: {pattern: "("}}', "pattern is none that RE2 takes: missing ): ("),
    (
        'inputs: {a: {type: array, items: {$ref: "http://x"}}}',
        'items may not hold "$ref" — it takes a plain JSON Schema',
    ),
    (
        "inputs: {a: {type: array, items: {type: text}}}",
        "items is not a JSON Schema: 'text' is not valid under any of the given schemas",
    ),
    ('vars: {a: "{{ a }}"}', '"a" refers to itself, by way of other vars or directly'),
    (
        'vars: {a: "{{ bcd }}"}',
        'unknown name "bcd" — if hosts have it, give their inventory with -i',
    ),
    ('severity: [{level: P1, because: "{{ x }}"}]', "because takes no templates"),
    ("severity: [{level: P5}]", 'level must be P1, P2, P3 or P4, not "P5"'),
    ("severity: [{level: P1, on: 0}]", SHARES),
    ("severity: [{level: P1, on: 101%}]", SHARES),
    ("severity: [{level: P1, on: some}]", SHARES),
    ('severity: [{level: P1, on: "2"}]', f"{SHARES} — take the quotes away"),
    ("severity: [{level: P1, when: poool.value}]", 'unknown name "poool" — did you mean "pool"?'),
    (
        'always: [{look: {url: "http://x"}, register: pool}]',
        '"pool" is registered on line 3 already',
    ),
]


@pytest.mark.parametrize(("text", "problem"), NOT_PLAYBOOKS)
def test_a_file_that_is_no_playbook(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, text) == [problem]


@pytest.mark.parametrize(("line", "problem"), LINE_4)
def test_a_line_that_is_wrong(tmp_path: Path, line: str, problem: str) -> None:
    [found] = problems(tmp_path, f"{HEAD}{LOOK}{line}\n")
    place, _, message = found.partition(": ")
    assert message == problem
    assert place.startswith("4:")


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    assert problems(tmp_path, LOOK) == [
        '1:1: the playbook needs "name"',
        '1:1: the playbook needs "hosts"',
    ]


def test_a_default_is_checked_beside_other_problems(tmp_path: Path) -> None:
    assert problems(
        tmp_path, f"{HEAD}{LOOK}inputs: {{a: {{type: integer, default: x}}}}\nx: 1\n"
    ) == [
        '4:38: the default does not fit: a must be a whole number, not "x"',
        '5:1: unknown key "x"',
    ]


def test_vars_in_a_circle(tmp_path: Path) -> None:
    assert problems(tmp_path, HEAD + LOOK + 'vars: {a: "{{ b }}", b: "{{ a }}"}\n') == [
        '4:8: "a" refers to itself, by way of other vars or directly',
        '4:22: "b" refers to itself, by way of other vars or directly',
    ]


def test_a_result_may_not_take_the_name_of_an_input(tmp_path: Path) -> None:
    assert problems(tmp_path, f"{HEAD}{LOOK}inputs: {{pool: {{}}}}\n") == [
        '3:51: "pool" is one of the inputs already'
    ]


def test_all_problems_of_all_files_come_in_one_go(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(f"{HEAD}{LOOK}triggers: {{}}\nhsots: x\n")
    (tmp_path / "b.yml").write_text("")
    (tmp_path / "c.yml").write_text(f"{HEAD}{LOOK}")
    paths = [tmp_path / name for name in ("a.yml", "b.yml", "c.yml", "d.yml")]
    with pytest.raises(InputError) as caught:
        load(paths, registry())
    assert [(p.path, p.line, p.message) for p in caught.value.problems] == [
        (f"{tmp_path}/a.yml", 4, "triggers must be a list, not a mapping"),
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
