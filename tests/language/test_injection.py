"""Data is never code: what comes from anywhere but the playbook's text is never rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.language.templates import Scope, Templates
from tests.language.playbooks import registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REACHES = [
    "7*7",
    "''.__class__.__mro__[1].__subclasses__()",
    "lipsum.__globals__['os'].popen('{command}').read()",
    "cycler.__init__.__globals__.os.popen('{command}').read()",
    "self.__init__.__globals__.__builtins__.open('{canary}', 'w')",
    "range.__globals__",
    "namespace.__init__.__globals__['__builtins__']['open']('{canary}', 'w')",
    "result.__class__.__base__.__subclasses__()",
    "env.SECRET",
    "hostvars.other.password",
    "secret",
    "lookup('pipe', '{command}')",
    "query('pipe', '{command}')",
    "config",
    "secret | attr('__class__')",
    "'x' * 999999999",
]
FORMS = [
    "{{{{ {0} }}}}",
    "{{{{{0}}}}}",
    "{{{{- {0} -}}}}",
    "{{% if {0} %}}x{{% endif %}}",
    "{{% print({0}) %}}",
    "{{% set x = {0} %}}{{{{ x }}}}",
    "a {{{{ {0} }}}} b",
    "{{# {0} #}}",
    "{{% raw %}}{{{{ {0} }}}}{{% endraw %}}",
    "{{{{ '{{{{ {0} }}}}' }}}}",
    "!unsafe {{{{ {0} }}}}",
    "${{{0}}}",
    "$({0})",
    "#{{{0}}}",
]
OTHERS = ["{{", "}}", "{%", "{{ {{ }} }}", "\x00{{ secret }}", "{{ secret", "\u202e{{ secret }}"]

SOURCES: dict[str, Callable[[str], tuple[dict[str, Any], str]]] = {
    "input": lambda p: ({"name": p}, "name"),
    "result": lambda p: ({"log": {"stdout": p, "failed": False}}, "log.stdout"),
    "nested result": lambda p: ({"log": {"rows": [{"query": p}]}}, "log.rows[0].query"),
    "key of a result": lambda p: ({"log": {p: 1}}, "(log | list)[0]"),
    "environment": lambda p: ({"env": {"NAME": p}}, "env.NAME"),
    "hostvars": lambda p: ({"hostvars": {"db1": {"name": p}}}, "hostvars.db1.name"),
    "alert": lambda p: ({"alert": {"labels": {"pod": p}}}, "alert.labels.pod"),
    "loop item": lambda p: ({"item": p}, "item"),
    "inventory hostname": lambda p: ({"inventory_hostname": p}, "inventory_hostname"),
}


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


def payloads(canary: Path) -> list[str]:
    command = f"touch {canary}"
    reaches = [reach.format(canary=canary, command=command) for reach in REACHES]
    return [*(form.format(reach) for form in FORMS for reach in reaches), *OTHERS]


def names(data: dict[str, Any], path: str, templates: Templates) -> Scope:
    """The data, a secret beside it, and a variable of the playbook that reads it."""
    return Scope({"secret": "s3cret", **data}, {"direct": f"{{{{ {path} }}}}"}, templates)


@pytest.mark.parametrize("source", SOURCES)
def test_no_payload_is_rendered(source: str, canary: Path) -> None:
    tried = payloads(canary)
    assert len(tried) > 200
    templates = Templates()
    for payload in tried:
        data, path = SOURCES[source](payload)
        scope = names(data, path, templates)
        assert templates.evaluate(path, scope) == payload
        assert templates.render(f"{{{{ {path} }}}}", scope) == payload
        assert templates.render(f"<{{{{ {path} }}}}>", scope) == f"<{payload}>"
        assert templates.render("{{ direct }}", scope) == payload
        assert templates.render("{{ [direct] | join }}", scope) == payload
        assert templates.holds(f"{path} == direct", scope)
        assert templates.items([f"{{{{ {path} }}}}"], scope) == [payload]
        args = {"message": f"{{{{ {path} }}}}"}
        assert templates.arguments(registry()["tell"], args, scope).message == payload  # type: ignore[attr-defined]
    assert not canary.exists()


def test_a_condition_is_the_playbooks_text_and_not_what_it_reads(canary: Path) -> None:
    templates = Templates()
    for payload in payloads(canary):
        scope = Scope({"item": payload, "secret": "s3cret"}, {}, templates)
        [condition] = templates.arguments(registry()["check"], {"that": ["item"]}, scope).that  # type: ignore[attr-defined]
        assert (condition.text, condition.holds) == ("item", True)
    assert not canary.exists()
