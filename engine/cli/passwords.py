"""The prompts of `-k` and `-K`, as Ansible has them."""

from __future__ import annotations

from dataclasses import dataclass, field

import click


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
