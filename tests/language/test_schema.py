"""What `quell schema` gives an editor accepts what quell accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from engine.language.schema import editor_schema
from engine.language.source import parse
from tests.language.playbooks import HEAD, registry
from tests.language.test_load import WHOLE

if TYPE_CHECKING:
    from engine.registry import Registry


class _Sound:
    """The registry without the module that cannot be loaded."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def names(self) -> list[str]:
        return [name for name in self._registry.names() if name != "broken"]

    def __getitem__(self, name: str) -> Any:
        return self._registry[name]


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    return Draft202012Validator(editor_schema(_Sound(registry())))  # type: ignore[arg-type]


@pytest.mark.slow
def test_it_is_a_schema(validator: Draft202012Validator) -> None:
    Draft202012Validator.check_schema(validator.schema)


def test_a_whole_playbook_is_valid(validator: Draft202012Validator) -> None:
    assert list(validator.iter_errors(parse("f", WHOLE.encode()).value)) == []


@pytest.mark.parametrize(
    "task",
    [
        '{look: {url: "http://x", port: "{{ x }}", status: ["{{ x }}"], max_time: "{{ x }}"}}',
        '{look: {url: "{{ x }}", method: "{{ x }}", headers: {a: "{{ x }}"}}, within: "{{ x }}"}',
        "{sh: uptime}",
        "{sh: {script: uptime, probe: true}}",
        "{put: {a: 1, b: [2]}}",
        "{check: [a, b]}",
        "{notify: {to: x, message: y}}",
        "{tell: x, notify: somebody}",
        "{tell: x, notify: [somebody, others]}",
        "{block: [{tell: x}, {block: [{sh: x}]}], rescue: [{include: f.yml}], when: a}",
        "{include: f.yml, inputs: {a: 1}, tags: [b]}",
    ],
)
def test_a_task_is_valid(validator: Draft202012Validator, task: str) -> None:
    book = parse("f", f"{HEAD}investigate: [{task}]\n".encode()).value
    assert list(validator.iter_errors(book)) == []


@pytest.mark.parametrize(
    "task",
    [
        "{lok: {}}",
        "{look: {}}",
        '{look: {url: "http://x", port: eighty}}',
        '{look: {url: "http://x"}, sh: x}',
        '{look: {url: "http://x"}, regster: x}',
        "{name: x}",
        "{notify: somebody}",
        "{notify: {to: x}}",
        "{tell: x, notify: {to: x, message: y}}",
        "{block: [{lok: x}]}",
        "{block: [{tell: x}], rescu: []}",
        "{include: f.yml, input: {}}",
    ],
)
def test_a_task_is_not_valid(validator: Draft202012Validator, task: str) -> None:
    value = parse("f", f"{HEAD}investigate: [{task}]\n".encode()).value
    assert not validator.is_valid(value)
