from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import InputError
from engine.inventory import load
from tests.inventory.cases import CORPUS

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTS = "[web]\nw1\n[db]\nd1\n[site:children]\nweb\ndb\n"


def test_groups_hold_their_childrens_hosts(written: Callable[[str, str], str]) -> None:
    inventory = load([written("hosts", HOSTS)])
    assert inventory.hosts == ("w1", "d1")
    assert inventory.groups == {
        "all": ("w1", "d1"),
        "ungrouped": (),
        "web": ("w1",),
        "db": ("d1",),
        "site": ("w1", "d1"),
    }
    assert inventory.groups_of("w1") == ("site", "web")


def test_names_are_those_of_every_level() -> None:
    inventory = load([str(CORPUS / "group_vars_every_level" / "hosts")])
    assert inventory.names() == {
        "a", "b", "c", "d", "e", "f", "g", "j", "own", "mine", "never", "ansible_connection"
    }  # fmt: skip


def test_files_beside_the_playbook_count_more_than_those_beside_the_inventory(
    written: Callable[[str, str], str],
) -> None:
    source = written("inv/hosts", "[web]\nw1 h=line\n[web:vars]\ng=line\n")
    for place in ("inv", "playbooks"):
        written(f"{place}/group_vars/all.yml", f"a: {place}\ng: {place} all")
        written(f"{place}/group_vars/web.yml", f"g: {place}")
        written(f"{place}/host_vars/w1.yml", f"h: {place}")
    beside_inventory = load([source])
    assert beside_inventory.variables("w1") == {"a": "inv", "g": "inv", "h": "inv"}
    beside_both = load([source], playbook_dir=Path("playbooks"))
    assert beside_both.variables("w1") == {"a": "playbooks", "g": "playbooks", "h": "playbooks"}


def test_variables_of_the_working_directory_count_for_nothing(
    written: Callable[[str, str], str],
) -> None:
    written("group_vars/all.yml", "planted: true")
    assert load(["w1,"]).variables("w1") == {}
    assert load([written("inv/hosts", "w1\n")]).variables("w1") == {}


def test_the_implicit_localhost_is_local_and_has_the_variables_of_all(
    written: Callable[[str, str], str],
) -> None:
    source = written("hosts", "w1\n[all:vars]\nx=1\n")
    assert load([source]).variables("localhost") == {"x": 1, "ansible_connection": "local"}
    assert load([]).match("localhost") == ("localhost",)
    assert load([]).hosts == ()


def test_a_host_named_like_a_group_keeps_its_own_variables(
    written: Callable[[str, str], str],
) -> None:
    inventory = load([written("hosts", "[db]\ndb own=1\nd2\n")])
    assert inventory.variables("db") == {"own": 1}
    assert inventory.variables("d2") == {}


def test_what_a_caller_does_to_variables_stays_with_it(written: Callable[[str, str], str]) -> None:
    inventory = load([written("hosts", HOSTS)])
    inventory.variables("w1")["x"] = 1
    assert inventory.variables("w1") == {}


def test_variables_of_an_unknown_host() -> None:
    message = 'no host is named "wbe1" — did you mean "web1"?'
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        load(["web1,"]).variables("wbe1")


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("group_vars/web.yml", "- a", "group_vars/web.yml:1:1: must be a mapping of variables"),
        ("group_vars/web.yml", "a: 1\na: 2", 'group_vars/web.yml:2:1: duplicate key "a"'),
        ("group_vars/web/x", "a: 2\non: 1", "group_vars/web/x:2:1: a variable's name must be text"),
        ("host_vars/w1", b"\0", "host_vars/w1: is a binary file, not an inventory"),
    ],
)
def test_a_broken_file_of_variables_is_an_error(
    name: str, content: str | bytes, error: str, written: Callable[[str, str | bytes], str]
) -> None:
    source = written("hosts", HOSTS)
    written(name, content)
    with pytest.raises(InputError, match=f"^{re.escape(error)}"):
        load([source])
