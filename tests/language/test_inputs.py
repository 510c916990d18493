from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import InputError
from engine.language import fill
from tests.language.playbooks import loaded

if TYPE_CHECKING:
    from pathlib import Path

    from engine.language.model import Playbook

BOOK = """
name: a
hosts: all
inputs:
  needed: {type: string}
  port: {type: integer, default: 8080, minimum: 1, maximum: 65535}
  share: {type: number, default: 0.9}
  force: {type: boolean, default: false}
  names: {type: array, default: [], items: {type: string, pattern: "^[a-z]+$"}}
  labels: {type: object, default: {}}
  level: {enum: [low, high], default: low}
  host: {pattern: "^[a-z0-9.-]+$", min_length: 2, max_length: 8, default: db1}
vars: {limit: 5}
investigate: [{look: {url: "http://x"}}]
"""

DEFAULTS = {
    "needed": "x",
    "port": 8080,
    "share": 0.9,
    "force": False,
    "names": [],
    "labels": {},
    "level": "low",
    "host": "db1",
}


@pytest.fixture
def playbook(tmp_path: Path) -> Playbook:
    return loaded(tmp_path, BOOK)


def refusals(playbook: Playbook, given: dict[str, Any]) -> list[str]:
    with pytest.raises(InputError) as caught:
        fill(playbook, given)
    return [str(p).split("\n    ", 1)[0].replace(playbook.path, "F") for p in caught.value.problems]


def test_defaults_fill_what_is_not_given(playbook: Playbook) -> None:
    assert fill(playbook, {"needed": "x"}) == DEFAULTS


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("needed", "5", "5"),
        ("needed", "false", "false"),
        ("needed", "{{ env.HOME }}", "{{ env.HOME }}"),
        ("port", "443", 443),
        ("port", 443, 443),
        ("share", "1", 1),
        ("share", ".5", 0.5),
        ("force", "false", False),
        ("force", "no", False),
        ("force", "TRUE", True),
        ("force", True, True),
        ("names", '["a", "b"]', ["a", "b"]),
        ("names", "[a, b]", ["a", "b"]),
        ("names", ["a"], ["a"]),
        ("labels", '{"a": 1}', {"a": 1}),
        ("labels", "{a: yes}", {"a": "yes"}),
        ("level", "high", "high"),
    ],
)
def test_text_takes_the_inputs_type(playbook: Playbook, name: str, text: Any, value: Any) -> None:
    filled = fill(playbook, {"needed": "x", name: text})[name]
    assert (filled, type(filled)) == (value, type(value))


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, 'F:4:3: input "needed" is missing — give it with -e needed=…'),
        ({"needed": 5}, "F:4:3: -e needed: needed must be text, not 5 — put it in quotes"),
        ({"port": "eighty"}, 'F:5:3: -e port: port must be a whole number, not "eighty"'),
        ({"port": "1.5"}, "F:5:3: -e port: port must be a whole number, not 1.5"),
        ({"port": "0"}, "F:5:3: -e port: port must be at least 1, not 0"),
        ({"port": True}, "F:5:3: -e port: port must be a whole number, not true"),
        ({"port": "9" * 400}, f'F:5:3: -e port: port must be a whole number, not "{"9" * 60}…"'),
        ({"force": "perhaps"}, 'F:7:3: -e force: force must be true or false, not "perhaps"'),
        ({"names": "[a"}, 'F:8:3: -e names: names must be a list, not "[a"'),
        ({"names": "[a, B]"}, 'F:8:3: -e names: names[1] must match "^[a-z]+$", not "B"'),
        ({"labels": "[]"}, "F:9:3: -e labels: labels must be a mapping, not a list"),
        (
            {"level": "hihg"},
            'F:10:3: -e level: level must be low or high, not "hihg" — did you mean "high"?',
        ),
        ({"host": "-oX; rm"}, 'F:11:3: -e host: host must match "^[a-z0-9.-]+$", not "-oX; rm"'),
        ({"host": "a"}, "F:11:3: -e host: host must have at least 2 characters, not 1"),
        ({"host": "a" * 9}, "F:11:3: -e host: host must have at most 8 characters, not 9"),
        ({"prot": "1"}, '-e prot: the playbook has no input "prot" — did you mean "port"?'),
    ],
)
def test_a_value_that_is_wrong(playbook: Playbook, given: dict[str, Any], problem: str) -> None:
    whole = given if not given or "needed" in given else {"needed": "x", **given}
    assert refusals(playbook, whole) == [problem]


def test_everything_wrong_is_told_in_one_go(playbook: Playbook) -> None:
    assert len(refusals(playbook, {"prot": "1", "port": "x", "force": "x"})) == 4


def test_other_values_may_be_overridden_where_they_exist(playbook: Playbook) -> None:
    given = {"needed": "x", "limit": "9", "rack": "4", "ansible_user": "root"}
    filled = fill(playbook, given, inventory_names=frozenset({"rack"}))
    assert filled == {**DEFAULTS, "limit": "9", "rack": "4", "ansible_user": "root"}
    assert refusals(playbook, given) == ['-e rack: the playbook has no input "rack"']


def test_a_pattern_meets_long_text_without_delay(tmp_path: Path) -> None:
    text = BOOK.replace("^[a-z0-9.-]+$", "^(a+)+$").replace(", max_length: 8", "")
    playbook = loaded(tmp_path, text.replace("default: db1", "default: aa"))
    [problem] = refusals(playbook, {"needed": "x", "host": "a" * 100_000 + "!"})
    assert problem.startswith('F:11:3: -e host: host must match "^(a+)+$"')
