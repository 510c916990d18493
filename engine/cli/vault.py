"""`quell vault`: encrypt a value for a playbook or an inventory, and show an encrypted file."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Any

import click

from engine.cli.vaults import keys_of, vault_options
from engine.errors import InputError, Problem

INDENT = 4


@click.group("vault")
def command() -> None:
    """Encrypt values, and look into encrypted files, in ansible-vault's format."""


@command.command("encrypt-string")
@vault_options
@click.argument("name", required=False)
def encrypt_string(name: str | None, **vaults: Any) -> None:
    """Encrypt a value, which is typed or comes by standard input; NAME is the variable's.

    What is printed goes into `vars`, or into a file of variables, as it is.
    """
    from engine.vault import seal

    keys = keys_of(vaults)
    if len(keys) != 1:
        raise InputError(
            Problem(
                f"a value is encrypted with one vault password, and {len(keys)} were given",
                hint="give it with --vault-password-file, --vault-id or -J",
            )
        )
    if sys.stdin.isatty():
        text = click.prompt("Value", hide_input=True, confirmation_prompt=True, err=True)
    else:
        text = sys.stdin.read().removesuffix("\n")
    sealed = textwrap.indent(seal(text, keys[0]), " " * INDENT)
    click.echo(f"{f'{name}: ' if name else ''}!vault |\n{sealed}")


@command.command("view")
@vault_options
@click.argument("path", metavar="FILE", type=Path)
def view(path: Path, **vaults: Any) -> None:
    """Show what is in FILE, which is encrypted as a whole."""
    from engine.vault import Vault, is_sealed

    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(Problem(f"cannot be read: {error.strerror}", str(path))) from None
    if not is_sealed(data):
        raise InputError(Problem("is not encrypted as a whole", str(path)))
    click.echo(Vault(keys_of(vaults)).file(str(path), data), nl=False)
