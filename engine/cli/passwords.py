"""The prompts of `-k` and `-K`, as Ansible has them, and those of inputs."""

from __future__ import annotations

from dataclasses import dataclass, field

import click
from msgspec import UNSET, structs

from engine.language.keywords import InputText
from engine.redact import escape


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


def ask_secret(name: str, declared: InputText | None) -> str | None:
    """Ask once more for what was secret; None where the answer is empty."""
    return ask_input(name, structs.replace(declared or InputText(), secret=True, default=UNSET))
