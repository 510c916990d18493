"""`-e`: `k=v` pairs, YAML or JSON, or `@file`, as Ansible reads them; inputs give them types."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import InputError, Problem
from engine.language.source import parse, read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.language.source import Document
    from engine.vault import Vault


def extra_vars(given: Iterable[str], vault: Vault) -> dict[str, Any]:
    """All values of `-e`, later ones over earlier ones.

    Values of `k=v` stay text until the playbook's inputs say what they are.

    Args:
        given: as on the command line.
        vault: opens files that are encrypted as a whole.

    Raises:
        InputError: one cannot be read.
    """
    merged: dict[str, Any] = {}
    for text in given:
        merged |= _one(text, vault)
    return merged


def _one(text: str, vault: Vault) -> dict[str, Any]:
    if text.startswith("@"):
        document = read(Path(text[1:]), vault)
        found = _mapping(document)
        if document.sealed:
            vault.learn(found)
        return found
    if text.lstrip().startswith(("{", "[")):
        return _mapping(parse("-e", text.encode("utf-8", "surrogateescape")))
    return _pairs(text)


def _mapping(document: Document) -> dict[str, Any]:
    if document.problems:
        raise InputError(*document.problems)
    if not isinstance(document.value, dict):
        raise InputError(Problem("needs names with values", document.path))
    return document.value


def _pairs(text: str) -> dict[str, Any]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        # What cannot be taken apart is not repeated: one of the values may be a secret.
        hint = "quote the value, as in -e \"name='a value'\", or give it as JSON or @file"
        raise InputError(Problem(f"-e {_name(text)}: {str(error).lower()}", hint=hint)) from None
    pairs = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            message = f"-e {_name(text)}: needs name=value"
            raise InputError(Problem(message, hint="or YAML, or @file"))
        pairs[name] = value
    return pairs


def _name(text: str) -> str:
    """As far as its first value."""
    name, equals, _ = text.partition("=")
    return f"{name}=…" if equals else name
