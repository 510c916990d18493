from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import InputError
from engine.inventory import load
from engine.inventory.text import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("hosts", "", "hosts: is empty: it holds no host and no group"),
        ("hosts.yml", "", "hosts.yml: is empty: it holds no host and no group"),
        ("hosts.yml", "---\n", "hosts.yml: is empty: it holds no host and no group"),
        ("hosts", "# nobody\n; here\n", "hosts: is empty: it holds no host and no group"),
        ("hosts", b"\x7fELF\x00\x01", "hosts: is a binary file, not an inventory"),
        ("hosts", b"x" * (MAX_BYTES + 1), "hosts: is larger than 16 MiB"),
        (
            "hosts",
            "$ANSIBLE_VAULT;1.1;AES256\n61\n",
            "hosts: the encrypted text is damaged: it is cut, or not what a vault writes",
        ),
        (
            "h.toml",
            "[web]\n",
            "h.toml: TOML inventories are not supported — write it as YAML or INI",
        ),
    ],
)
def test_a_file_that_is_no_inventory(
    name: str, content: str | bytes, error: str, written: Callable[[str, str | bytes], str]
) -> None:
    source = written(name, content)
    with pytest.raises(InputError, match=f"^{re.escape(error)}$"):
        load([source])


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("prodction.yml", 'prodction.yml: no such inventory — did you mean "production.yml"?'),
        ("web1", 'web1: no such inventory — a host is named with a comma: -i "web1,"'),
        ("no/where", "no/where: no such inventory"),
        ("bare", "bare: holds no inventory file"),
        ("web1,-x,", '"-x" is not a host name: it begins with "-"'),
    ],
)
def test_a_source_that_is_not_there(
    source: str, error: str, written: Callable[[str, str], str]
) -> None:
    written("production.yml", "web:\n")
    written("bare/notes.md", "nothing")
    with pytest.raises(InputError, match=f"^{re.escape(error)}$"):
        load([source])


def test_problems_of_all_sources_come_at_once(written: Callable[[str, str], str]) -> None:
    written("dir/1.yml", "web: {hots: {}}")
    written("dir/2", "w1 x")
    with pytest.raises(InputError) as raised:
        load(["missing", "dir"])
    assert [problem.path for problem in raised.value.problems] == ["missing", "dir/1.yml", "dir/2"]


def test_a_script_is_refused_by_name(written: Callable[[str, str], str]) -> None:
    source = written("inventory.sh", "#!/bin/sh\ntouch ran\n")
    Path(source).chmod(0o755)
    with pytest.raises(
        InputError, match=r"^inventory.sh: is an inventory script, which is not yet"
    ):
        load([source])
    assert not Path("ran").exists()


def test_an_executable_bit_alone_makes_no_script(written: Callable[[str, str], str]) -> None:
    source = written("hosts", "web1\n")
    Path(source).chmod(0o755)
    assert load([source]).hosts == ("web1",)


def test_a_range_in_a_list_of_hosts() -> None:
    assert load(["db[1:3],web1"]).hosts == ("db1", "db2", "db3", "web1")
