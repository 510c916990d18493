"""The prompts of `-k` and `-K`, as Ansible has them, and those of inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click
from msgspec import UNSET

from engine.redact import escape

if TYPE_CHECKING:
    from engine.language.keywords import InputText


@dataclass(frozen=True, slots=True)
class Passwords:
    """What was typed; None where nobody was asked.

    Args:
        ssh: for the login.
        become: for sudo and its like.
    """

    ssh: str | None = field(default=None, repr=False)
    become: str | None = field(default=None, repr=False)


def asked(*, ssh: bool, become: bool) -> Passwords:
    """Ask for these."""
    login = click.prompt("SSH password", hide_input=True, err=True) if ssh else None
    if not become:
        return Passwords(login)
    usual = " [defaults to SSH password]" if login else ""
    said = click.prompt(
        f"BECOME password{usual}", default="", show_default=False, hide_input=True, err=True
    )
    return Passwords(login, said or login)


def ask_input(name: str, declared: InputText) -> str | None:
    """Ask for an input; None where the answer is empty, which leaves the default."""
    usual = "" if declared.default is UNSET else f" [{declared.default}]"
    said: str = click.prompt(
        escape(f"{declared.prompt or name}{usual}"),
        default="",
        show_default=False,
        hide_input=declared.secret,
        err=True,
    )
    return said or None
