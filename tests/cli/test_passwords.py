"""The prompts of `-k` and `-K`."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from engine.cli.passwords import Passwords, ask_input, asked
from engine.errors import InputError
from engine.language.keywords import InputText


def typed(text: str, *, ssh: bool, become: bool) -> tuple[Passwords, str]:
    """What comes of it when this is typed, and what was shown."""
    found: list[Passwords] = []

    @click.command()
    def command() -> None:
        found.append(asked(ssh=ssh, become=become))

    done = CliRunner().invoke(command, input=text, catch_exceptions=False)
    return found[0], done.stderr


@pytest.mark.parametrize(
    ("text", "ssh", "become", "passwords", "shown"),
    [
        ("", False, False, Passwords(), ""),
        ("one\n", True, False, Passwords("one"), "SSH password: \n"),
        ("one\n", False, True, Passwords(None, "one"), "BECOME password: \n"),
        ("\n", False, True, Passwords(), "BECOME password: \n"),
        (
            "one\ntwo\n",
            True,
            True,
            Passwords("one", "two"),
            "SSH password: \nBECOME password [defaults to SSH password]: \n",
        ),
        (
            "one\n\n",
            True,
            True,
            Passwords("one", "one"),
            "SSH password: \nBECOME password [defaults to SSH password]: \n",
        ),
    ],
)
def test_what_is_asked_for(
    text: str, ssh: bool, become: bool, passwords: Passwords, shown: str
) -> None:
    assert typed(text, ssh=ssh, become=become) == (passwords, shown)


def test_where_nobody_is_that_is_said() -> None:
    with pytest.raises(InputError, match="SSH password: nobody answered"):
        typed("", ssh=True, become=False)


def test_a_password_is_in_no_repr() -> None:
    assert "hunter2" not in repr(Passwords("hunter2", "hunter2"))


@pytest.mark.parametrize("secret", [False, True])
def test_an_input_is_asked_for_until_it_is_one(secret: bool) -> None:
    found: list[str | None] = []
    declared = InputText(prompt="Which ticket?", pattern="^[A-Z]+-[0-9]+$", secret=secret)

    @click.command()
    def command() -> None:
        found.append(ask_input("ticket", declared))

    shown = CliRunner().invoke(command, input="lower\nOPS-7\n", catch_exceptions=False).stderr
    assert found == ["OPS-7"]
    assert shown.count("Which ticket?: ") == 2
    assert ('ticket must match "^[A-Z]+-[0-9]+$", not "lower"' in shown) is not secret
    assert ("lower" in shown) is not secret
