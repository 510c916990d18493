from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.registry import Registry
from tests.modules.fakes import FakeConnection, target
from tests.modules.sequence import module, probe


def test_the_tasks_keys_become_variables() -> None:
    host = FakeConnection()
    outcome = probe("set", {"container": "backend", "sizes": [1, 2]}, target(host))
    assert outcome.seen == {"vars": {"container": "backend", "sizes": [1, 2]}}
    assert outcome.summary == 'container = "backend", sizes = [1, 2]'
    assert outcome.finding is None
    assert Registry()["set"].cls.defines_vars
    assert host.commands == []


@pytest.mark.parametrize("name", ["with space", "1st", "a-b", "", "{{ name }}"])
def test_a_key_must_be_a_name(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        module("set", {name: 1})


@pytest.mark.parametrize("args", [None, "text", [1]])
def test_a_set_without_keys_is_refused(args: Any) -> None:
    entry = Registry()["set"]
    with pytest.raises(msgspec.ValidationError):
        entry.convert(entry.normal(args))  # type: ignore[arg-type]
