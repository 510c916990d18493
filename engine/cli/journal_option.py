"""`--journal`, which every command that reads or writes runs has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

Command = TypeVar("Command", bound="Callable[..., Any]")


def journal_option(command: Command) -> Command:
    """Add it."""
    return click.option(
        "--journal",
        metavar="URL",
        envvar="QUELL_JOURNAL",
        show_envvar=True,
        help="Another journal than your own: a path, or postgresql://… for a team.",
    )(command)
