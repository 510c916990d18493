"""`-e`, as Ansible reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.cli.extra import extra_vars
from engine.errors import InputError
from engine.vault import Vault

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ([], {}),
        (["port=8080"], {"port": "8080"}),
        (["a=1 b='two words' c=x=y"], {"a": "1", "b": "two words", "c": "x=y"}),
        (["a="], {"a": ""}),
        (['{"port": 8080, "deep": {"on": [true]}}'], {"port": 8080, "deep": {"on": [True]}}),
        (["{port: 8080, name: web}"], {"port": 8080, "name": "web"}),
        (["a=1", "{a: 2}", "b=3"], {"a": 2, "b": "3"}),
    ],
)
def test_values_and_what_they_come_to(given: list[str], values: dict[str, Any]) -> None:
    assert extra_vars(given, Vault()) == values


def test_a_file_of_values(tmp_path: Path) -> None:
    file = tmp_path / "vars.yml"
    file.write_text("port: 8080\nname: web\n")
    assert extra_vars([f"@{file}", "name=db"], Vault()) == {"port": 8080, "name": "db"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("port", "-e port: needs name=value — or YAML, or @file"),
        ("=8080", "-e =…: needs name=value — or YAML, or @file"),
        (
            "a='1",
            "-e a=…: no closing quotation — quote the value, as in -e \"name='a value'\", or give "
            "it as JSON or @file",
        ),
        ("a=some secret", "-e a=…: needs name=value — or YAML, or @file"),
        ("[1, 2]", "-e: needs names with values"),
        ("@/none", "/none: cannot be read: no such file or directory"),
        ("@/", "/: cannot be read: is a directory"),
    ],
)
def test_what_cannot_be_read(given: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        extra_vars([given], Vault())
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{a: [", "-e:2:1: the file ends too early"),
        ("[" * 3000, "-e:1:33: is nested more than 32 levels deep"),
        ("{a: 1, a: 2}", '-e:1:8: duplicate key "a"'),
        ("{a: !!python/none x}", "-e:1:5: "),
    ],
)
def test_what_is_no_yaml_that_a_playbook_may_hold(given: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        extra_vars([given], Vault())
    assert str(caught.value).startswith(message)


def test_scalars_are_those_of_playbooks() -> None:
    assert extra_vars(["{day: 2024-13-45, sure: no}"], Vault()) == {
        "day": "2024-13-45",
        "sure": "no",
    }


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    file = tmp_path / "vars.yml"
    file.write_bytes(b"name: \xe9\n")
    with pytest.raises(InputError, match=r"vars\.yml:1:7: is not UTF-8"):
        extra_vars([f"@{file}"], Vault())
