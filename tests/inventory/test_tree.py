from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.errors import InputError
from engine.inventory import load

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("- web", "1:1: must be a mapping of groups\n    - web\n    ^"),
        ("plugin: aws_ec2", " configures an inventory plugin of Ansible, which is not supported"),
        (
            "web: [w1]",
            '1:1: group "web" must be a mapping of hosts, vars and children\n    web: [w1]\n    ^',
        ),
        ("5: {}", "1:1: a group's name must be text, not 5\n    5: {}\n    ^"),
        (
            "web:\n  hosts: [w1]",
            '2:3: "hosts" of group "web" must be a mapping — end each name with a colon: "name:"\n'
            "      hosts: [w1]\n      ^",
        ),
        (
            "web:\n  chidren: {}",
            '2:3: unknown key "chidren" in group "web" — did you mean "children"?\n'
            "      chidren: {}\n      ^",
        ),
        (
            "web:\n  w1: {}",
            '2:3: unknown key "w1" in group "web" — a group holds hosts, vars and children\n'
            "      w1: {}\n      ^",
        ),
        (
            "web:\n  hosts:\n    10: {}",
            "3:5: a host's name must be text, not 10 — quote it\n        10: {}\n        ^",
        ),
        (
            "web: {hosts: {w1: x}}",
            '1:15: variables of host "w1" must be a mapping\n'
            "    web: {hosts: {w1: x}}\n                  ^",
        ),
        (
            "web: {hosts: {w1: {yes: x}}}",
            "1:20: a variable's name must be text, not True\n"
            "    web: {hosts: {w1: {yes: x}}}\n                       ^",
        ),
        (
            "web: {vars: {ansible_group_priority: high}}",
            "1:14: ansible_group_priority must be a whole number, not 'high'\n"
            "    web: {vars: {ansible_group_priority: high}}\n                 ^",
        ),
        (
            "a: {children: {b: {children: {a: }}}}",
            '1:16: group "b" in "a" would make a loop\n'
            "    a: {children: {b: {children: {a: }}}}\n                   ^",
        ),
        (
            "ungrouped: {children: {a: }}",
            '1:24: group "a" in "ungrouped": "ungrouped" belongs to no tree\n'
            "    ungrouped: {children: {a: }}\n                           ^",
        ),
        (
            "a: {children: {all: }}",
            '1:16: group "all" in "a" would make a loop\n'
            "    a: {children: {all: }}\n                   ^",
        ),
    ],
)
def test_a_wrong_structure_is_shown_where_it_is(
    text: str, error: str, written: Callable[[str, str], str]
) -> None:
    source = written("hosts.yml", text)
    with pytest.raises(InputError) as raised:
        load([source])
    assert str(raised.value) == f"hosts.yml:{error}"


def test_json_has_positions_too(written: Callable[[str, str], str]) -> None:
    source = written("hosts.json", '{"web":\n  {"host": {}}}')
    with pytest.raises(InputError, match=r'^hosts.json:2:4: unknown key "host" in group "web"'):
        load([source])
