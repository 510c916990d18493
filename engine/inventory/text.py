"""Reads one inventory file as text, within bounds, and places problems in it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.errors import InputError, Problem
from engine.vault import Vault, is_sealed

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 16 * 2**20
"""A file of 10 000 hosts with ten variables each is about 4 MiB."""


class Text(Struct, frozen=True):
    """A file's text. Bytes that are not UTF-8 are kept as lone surrogates (`surrogateescape`).

    Args:
        path: the file as the user named it.
        text: what it holds.
        digest: sha256 of its bytes, hex.
        sealed: the file is encrypted as a whole.
    """

    path: str
    text: str
    digest: str = ""
    sealed: bool = False

    def problem(self, message: str, line: int = 0, column: int = 1, hint: str = "") -> Problem:
        """A problem at this place of the file, with the source line; line 0 is the whole file."""
        lines = self.text.splitlines()
        if not 1 <= line <= len(lines):
            return Problem(message, self.path, hint=hint)
        return Problem(message, self.path, line, column, lines[line - 1], hint)


def read(path: Path, vault: Vault | None = None) -> Text:
    """The text of a file.

    Args:
        path: of the file.
        vault: opens it if it is encrypted as a whole; None: there is no password.

    Raises:
        InputError: it is missing, unreadable, too large or binary, or cannot be opened.
    """
    shown = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(Problem(f"cannot be read: {reason}", shown)) from error
    if len(data) > MAX_BYTES:
        raise InputError(Problem(f"is larger than {MAX_BYTES // 2**20} MiB", shown))
    digest, sealed = hashlib.sha256(data).hexdigest(), is_sealed(data)
    data = (vault or Vault()).file(shown, data)
    if b"\0" in data:
        raise InputError(Problem("is a binary file, not an inventory", shown))
    text = data.decode("utf-8-sig", errors="surrogateescape")
    return Text(shown, text, digest, sealed)


def is_utf8(text: str) -> bool:
    """Whether text read with `surrogateescape` was UTF-8."""
    return text.isascii() or not any("\udc80" <= c <= "\udcff" for c in text)
