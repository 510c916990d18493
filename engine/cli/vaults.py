"""`--vault-password-file`, `--vault-id` and `-J`: where the passwords of vaults come from."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.cli.passwords import ask_password
from engine.errors import InputError, Problem
from engine.vault import DEFAULT_LABEL, Key, Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_Command = TypeVar("_Command", bound="Callable[..., Any]")
_OPTIONS = ("ask_vault_pass", "vault_ids", "vault_password_files")
_PROMPTS = ("prompt", "prompt_ask_vault_pass")
_PATIENCE = 60.0
"""Seconds that a program may take that gets a password from elsewhere."""


def vault_options(command: _Command) -> _Command:
    """The options, as Ansible has them; `vault_of` takes what was said."""
    for option in (
        click.option("-J", "--ask-vault-pass", is_flag=True, help="Ask for the vault password."),
        click.option(
            "--vault-id",
            "vault_ids",
            multiple=True,
            metavar="LABEL@SOURCE",
            help="A vault password and its label; the source is a file, a program or `prompt`.",
        ),
        click.option(
            "--vault-password-file",
            "--vault-pass-file",
            "vault_password_files",
            multiple=True,
            metavar="FILE",
            help="A file with the vault password, or a program that prints it; may be repeated.",
        ),
    ):
        command = option(command)
    return command


def vault_of(said: Mapping[str, Any]) -> Vault:
    """What opens with the passwords that were said; a person is asked for those to be typed.

    Raises:
        InputError: one cannot be had.
    """
    return Vault(keys_of(said))


def keys_of(said: Mapping[str, Any]) -> list[Key]:
    """The passwords that were said; as `vault_of`.

    Args:
        said: the command's options.

    Raises:
        InputError: one cannot be had.
    """
    return _keys(**{name: said[name] for name in _OPTIONS})


def _keys(
    *, ask_vault_pass: bool, vault_ids: tuple[str, ...], vault_password_files: tuple[str, ...]
) -> list[Key]:
    found = []
    for said in vault_ids:
        label, at, source = said.rpartition("@")
        label = label if at and label else DEFAULT_LABEL
        typed = source in _PROMPTS
        found.append(Key(label, _typed(label) if typed else _from(source, label)))
    found += [Key(DEFAULT_LABEL, _from(path, DEFAULT_LABEL)) for path in vault_password_files]
    if ask_vault_pass:
        found.append(Key(DEFAULT_LABEL, _typed(DEFAULT_LABEL)))
    return found


def _typed(label: str) -> bytes:
    named = "" if label == DEFAULT_LABEL else f" ({label})"
    return ask_password(f"Vault password{named}").encode()


def _from(source: str, label: str) -> bytes:
    """The password in a file, or that a program prints."""
    if not source:
        hint = "LABEL@SOURCE names a file, a program or `prompt`"
        raise InputError(Problem(f'--vault-id: "{label}@" has no source', hint=hint))
    path = Path(source).expanduser()
    if not path.is_file():
        raise InputError(Problem(f"vault password: there is no file {path}"))
    # Windows takes every file for a program.
    is_program = os.name == "posix" and os.access(path, os.X_OK)
    password = _printed(path, label) if is_program else _read(path)
    if not password.strip():
        raise InputError(Problem("the vault password is empty", str(path)))
    return password.strip()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(Problem(f"cannot be read: {error.strerror}", str(path))) from None


def _printed(path: Path, label: str) -> bytes:
    """What a program prints; one called `…-client` is told which password is wanted."""
    wanted = ["--vault-id", label] if path.stem.endswith("-client") else []
    try:
        done = subprocess.run(
            [str(path.absolute()), *wanted], stdout=subprocess.PIPE, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        hint = "a file with the password itself must not be executable"
        raise InputError(Problem(f"cannot be run: {error}", str(path), hint=hint)) from None
    if done.returncode != 0:
        raise InputError(Problem(f"ended with exit status {done.returncode}", str(path)))
    return done.stdout
