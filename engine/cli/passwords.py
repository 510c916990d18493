"""The prompts of `-k` and `-K`, as Ansible has them, and those of inputs."""

from __future__ import annotations

from typing import ClassVar

import click
from msgspec import UNSET, structs

from engine.discreet import Discreet
from engine.errors import InputError
from engine.language.keywords import InputText
from engine.redact import escape


class Passwords(Discreet, frozen=True):
    """What was typed; None where nobody was asked.

    Args:
        ssh: for the login.
        become: for sudo and its like.
    """

    hides: ClassVar[tuple[str, ...]] = ("ssh", "become")

    ssh: str | None = None
    become: str | None = None


def asked(*, ssh: bool, become: bool) -> Passwords:
    """Ask for these."""
    login = ask_password("SSH password") if ssh else None
    if not become:
        return Passwords(login)
    usual = " [defaults to SSH password]" if login else ""
    said = ask_password(f"BECOME password{usual}", default="")
    return Passwords(login, said or login)


def ask_password(prompt: str, default: str | None = None) -> str:
    """What is typed, and not shown.

    Args:
        prompt: to ask with.
        default: where the answer is empty; without one it is asked again.

    Raises:
        InputError: the input has ended: there is nobody to ask.
        click.Abort: Ctrl-C at the prompt.
    """
    try:
        said: str = click.prompt(
            prompt, default=default, show_default=False, hide_input=True, err=True
        )
    except click.Abort as abort:
        if not isinstance(abort.__context__, EOFError):
            raise
        click.echo("", err=True)
        raise InputError(f"{prompt}: nobody answered; it is asked for at a terminal") from None
    return said


def ask_input(name: str, declared: InputText) -> str | None:
    """Ask for an input until it is one; None for an empty answer, which leaves the default."""
    from engine.language import answer_flaws

    def fitting(answer: str) -> str:
        flaws = answer_flaws(name, declared, answer) if answer else []
        if flaws:  # of what is hidden, click says only that it is not right
            raise click.UsageError(escape("; ".join(flaws)))
        return answer

    usual = "" if declared.default is UNSET else f" [{declared.default}]"
    said: str = click.prompt(
        escape(f"{declared.prompt or name}{usual}"),
        default="",
        show_default=False,
        hide_input=declared.secret,
        err=True,
        value_proc=fitting,
    )
    return said or None


def ask_secret(name: str, declared: InputText | None) -> str | None:
    """Ask once more for what was secret; None where the answer is empty."""
    return ask_input(name, structs.replace(declared or InputText(), secret=True, default=UNSET))
