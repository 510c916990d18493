"""How the plan's hosts are reached: who says what of it, and which of it is secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.connections.settings import Defaults, Settings
from engine.errors import InputError
from engine.execution.reaching import reached
from engine.language.templates import Templates
from engine.redact import Redactor
from tests.execution.rig import plan

if TYPE_CHECKING:
    from pathlib import Path

LOOK = "investigate: [{look: main}]\n"


def h1(tmp_path: Path, variables: str, redactor: Redactor | None = None, **extra: Any) -> Settings:
    """The settings of h1, in a playbook with these vars."""
    laid = plan(tmp_path, f"vars: {{{variables}}}\n{LOOK}", extra=extra)
    given = Defaults(user="flag")
    return reached(laid, extra, given, Templates(), redactor or Redactor())["h1"]


def test_the_playbooks_variables_are_a_hosts_too(tmp_path: Path) -> None:
    found = h1(tmp_path, 'ansible_port: 2222, ansible_host: "{{ inventory_hostname }}.internal"')
    assert (found.address, found.port, found.user) == ("h1.internal", 2222, "flag")


def test_who_acts_in_anothers_stead_is_reached_too(tmp_path: Path) -> None:
    look = "{look: main, hosts: h1, delegate_to: localhost}"
    laid = plan(tmp_path, f"investigate: [{look}]\n")
    found = reached(laid, {}, Defaults(), Templates(), Redactor())
    assert found["localhost"].kind == "local"


def test_what_the_command_line_gives_overrules_them(tmp_path: Path) -> None:
    found = h1(tmp_path, "ansible_user: book, ansible_become: true", ansible_user="given")
    assert (found.user, found.become.become) == ("given", True)


def test_passwords_are_learnt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_PASSWORD", "hunter2-from-env")
    redactor = Redactor()
    found = h1(
        tmp_path,
        'ansible_become_password: "{{ env.SUDO_PASSWORD }}", ansible_password: "hunter3-{{ a }}"',
        redactor,
        a="x",
    )
    assert (found.become.password, found.password) == ("hunter2-from-env", "hunter3-x")
    assert redactor.text("hunter2-from-env hunter3-x") == "******** ********"


def test_a_variable_that_cannot_be_rendered_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"host 'h1': ansible_user: .*QUELL_NOT_SET"):
        h1(tmp_path, 'ansible_user: "{{ env.QUELL_NOT_SET }}"')
