"""Whatever the file holds: a playbook, or problems in words, and never another exception."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError, Problem
from engine.language import load
from tests.language.playbooks import registry
from tests.language.test_load import WHOLE

pytestmark = pytest.mark.slow

WORDS = st.sampled_from(
    [
        *("name", "hosts", "inputs", "vars", "limits", "severity", "investigate", "mitigate"),
        *("look", "sh", "put", "check", "kill", "when", "register", "verify", "loop", "expect"),
        *("within", "every", "on", "level", "type", "default", "items", "pattern", "tags"),
        *("P1", "5m", "{{ x }}", "{{", "{% if %}", "a and", "item", "result", "all", "50%"),
        *("http://x", "integer", "array", "(", "env", "<<", "block"),
    ]
)
SCALARS = WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)
SCRAPS = st.sampled_from(
    [*"\t:-{}[]#&*!|>'\"%@`,? \n~<", "- ", ": ", "{{ ", " }}", "\x00", "é", "0"]
)


def said_of(data: bytes) -> list[Problem]:
    """The problems that do not name the file, which would be ours; what is no problem is raised."""
    with TemporaryDirectory() as directory:
        path = Path(directory, "book.yml")
        path.write_bytes(data)
        try:
            load([path], registry())
        except InputError as error:
            return [problem for problem in error.problems if problem.path != str(path)]
        return []


@given(st.binary(max_size=200))
@settings(max_examples=30, deadline=None)
def test_any_bytes(data: bytes) -> None:
    assert said_of(data) == []


@given(st.dictionaries(WORDS, VALUES, max_size=6))
@settings(max_examples=50, deadline=None)
def test_any_structure(value: dict[str, Any]) -> None:
    whole = {"name": "a", "hosts": "all", "investigate": [{"look": {"url": "http://x"}}], **value}
    assert said_of(yaml.safe_dump(whole, allow_unicode=True).encode("utf-8", "replace")) == []


@given(VALUES, st.sampled_from(["look", "sh", "put", "check", "when", "loop", "verify", "every"]))
@settings(max_examples=50, deadline=None)
def test_any_task(value: Any, key: str) -> None:
    task = {"look": {"url": "http://x"}, key: value}
    whole = {"name": "a", "hosts": "all", "mitigate": [task]}
    assert said_of(yaml.safe_dump(whole, allow_unicode=True).encode("utf-8", "replace")) == []


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_any_slip_of_the_finger(data: st.DataObject) -> None:
    text = WHOLE
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 6)))
        text = text[:start] + data.draw(SCRAPS) + text[end:]
    assert said_of(text.encode()) == []
