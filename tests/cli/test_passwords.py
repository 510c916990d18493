"""The prompts of `-k` and `-K`."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from engine.cli.passwords import Passwords, asked
from engine.errors import InputError


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
