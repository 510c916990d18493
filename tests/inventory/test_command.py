from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from engine.cli.inventory import command
from engine.errors import InputError
from tests.inventory.cases import FOR_PATTERNS, SHIPPED

if TYPE_CHECKING:
    from collections.abc import Callable


def show(*arguments: str) -> str:
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def refusal(*arguments: str) -> str:
    with pytest.raises(InputError) as raised:
        CliRunner().invoke(command, arguments, catch_exceptions=False)
    return str(raised.value)


def test_list_of_some_hosts() -> None:
    assert json.loads(show("-i", FOR_PATTERNS, "--list", "--limit", "db:!canary")) == {
        "_meta": {"hostvars": {}, "profile": "inventory_legacy"},
        "all": {
            "children": [
                "ungrouped",
                "canary",
                "ipv6",
                "site",
                "web1",
                "mail.example.com",
                "nobody",
            ]
        },
        "db": {"hosts": ["db1", "db3"]},
        "site": {"children": ["db", "app"]},
    }


def test_list_is_json_that_a_file_can_hold_whatever_the_keys(
    written: Callable[[str, str], str],
) -> None:
    source = written("hosts.yml", "web: {hosts: {w1: {m: {2: a, b: c, yes: d, ~: e}}}}")
    hostvars = json.loads(show("-i", source, "--list"))["_meta"]["hostvars"]
    assert hostvars == {"w1": {"m": {"2": "a", "b": "c", "true": "d", "null": "e"}}}


def test_host_shows_its_variables() -> None:
    production = str(SHIPPED / "production.example.yml")
    assert json.loads(show("-i", production, "--host", "db2")) == {
        "ansible_host": "10.20.0.12",
        "ansible_port": 2222,
        "ansible_ssh_private_key_file": "~/.ssh/oncall_ed25519",
        "ansible_user": "postgres-oncall",
    }


def test_graph_of_a_group() -> None:
    assert show("-i", FOR_PATTERNS, "--graph", "canary").splitlines() == [
        "@canary:",
        "  |--db2",
        "  |--app1.example.com",
    ]


def test_graph_shows_control_characters_instead_of_obeying_them(
    written: Callable[[str, str], str],
) -> None:
    source = written("hosts.yml", 'web: {vars: {x: "\\e]0;title\\a"}}')
    assert r"{x = \e]0;title\u0007}" in show("-i", source, "--graph", "--vars")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "bd1"], 'no host or group is named "bd1" — did you mean "db1"?'),
        (["--host", "db"], '--host: "db" names 3 hosts, not one'),
        (["--graph", "canari"], 'no group is named "canari" — did you mean "canary"?'),
        (["--list", "-l", "dbb"], '--limit: no host or group is named "dbb" — did you mean "db"?'),
    ],
)
def test_a_selector_that_names_nothing_is_an_error(arguments: list[str], message: str) -> None:
    assert re.fullmatch(re.escape(message), refusal("-i", FOR_PATTERNS, *arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give one of --list, --host HOST, --graph"),
        (["--list", "--graph"], "give one of --list, --host HOST, --graph"),
        (["--list", "--vars"], "--vars goes with --graph"),
        (["--list", "web"], "GROUP goes with --graph"),
        (["--graph", "--limit", "web"], "--limit goes with --list"),
    ],
)
def test_options_that_do_not_go_together(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 2
    assert message in done.stderr


def test_local_is_this_machine_in_the_groups_of_the_shipped_playbooks() -> None:
    listing = json.loads(show("-i", str(SHIPPED / "local.yml"), "--list"))
    assert listing["app"] == listing["db"] == {"hosts": ["localhost"]}
    assert listing["_meta"]["hostvars"] == {"localhost": {"ansible_connection": "local"}}
