"""`-e`: `k=v` pairs, YAML or JSON, or `@file`, as Ansible reads them; inputs give them types."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from engine.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable


def extra_vars(given: Iterable[str]) -> dict[str, Any]:
    """All values of `-e`, later ones over earlier ones.

    Values of `k=v` stay text until the playbook's inputs say what they are.

    Raises:
        InputError: one cannot be read.
    """
    merged: dict[str, Any] = {}
    for text in given:
        merged |= _one(text)
    return merged


def _one(text: str) -> dict[str, Any]:
    if text.startswith("@"):
        path = Path(text[1:])
        try:
            return _mapping(path.read_text(encoding="utf-8"), str(path))
        except OSError as error:
            why = (error.strerror or "").lower()
            raise InputError(f"-e {text}: cannot be read: {why}") from None
        except UnicodeDecodeError:
            raise InputError(f"-e {text}: is not UTF-8 text") from None
    if text.lstrip().startswith(("{", "[")):
        return _mapping(text, "-e")
    return _pairs(text)


def _mapping(text: str, source: str) -> dict[str, Any]:
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(Problem(f"not YAML or JSON: {error}", source)) from None
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise InputError(Problem("needs names with values", source))
    return value


def _pairs(text: str) -> dict[str, Any]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"-e {text}: {error}") from None
    pairs = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise InputError(Problem(f"-e {text}: needs name=value", hint="or YAML, or @file"))
        pairs[name] = value
    return pairs
