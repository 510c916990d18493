"""Bytes → text, without characters that a reviewer cannot see (CVE-2021-42574)."""

from __future__ import annotations

import re
import unicodedata

from engine.errors import InputError, Problem

MAX_BYTES = 1024 * 1024

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\ufffe\uffff")
"""Letters that are drawn as nothing, and two code points that are no characters."""


def decode(path: str, data: bytes) -> str:
    """The text of a file.

    Args:
        path: the file as the user named it.
        data: its bytes.

    Raises:
        InputError: too long, empty, binary, not UTF-8, or with characters that hide something.
    """
    if len(data) > MAX_BYTES:
        raise InputError(Problem(f"is larger than {MAX_BYTES // 1024} KiB", path))
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(Problem("is UTF-16", path, hint="save it as UTF-8"))
    if b"\x00" in data:
        raise InputError(Problem("is a binary file, not text", path))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(_not_utf8(path, data, error)) from None
    if not text.strip():
        raise InputError(Problem("is empty", path))
    problems = _invisible(path, text)
    if problems:
        raise InputError(*problems)
    return text


def _not_utf8(path: str, data: bytes, error: UnicodeDecodeError) -> Problem:
    before = data[: error.start].decode("utf-8-sig", "replace")
    line = before.count("\n") + 1
    column = len(before) - before.rfind("\n")
    message = f"is not UTF-8: byte 0x{data[error.start]:02x}"
    return Problem(message, path, line, column, hint="save it as UTF-8")


def _invisible(path: str, text: str) -> list[Problem]:
    """The first place of each such character."""
    if text.isascii():
        found = set(_CONTROL.findall(text))
    else:
        found = {c for c in set(text) if c not in "\t\n\r" and hides(c)}
    return [_located(path, text, character) for character in sorted(found, key=text.index)]


def hides(character: str) -> bool:
    """Whether it is a control character, or one that is drawn as nothing or turns text around."""
    return unicodedata.category(character) in _HIDDEN or character in _BLANK_LETTERS


def _located(path: str, text: str, character: str) -> Problem:
    start = text.index(character)
    line = text.count("\n", 0, start) + 1
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", start)
    source = text[line_start : line_end if line_end >= 0 else len(text)].rstrip("\r")
    shown = "".join("\N{REPLACEMENT CHARACTER}" if hides(c) and c != "\t" else c for c in source)
    code = f"U+{ord(character):04X}"
    name = unicodedata.name(character, "control character").lower()
    escape = f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"
    return Problem(
        f"invisible character {code} ({name})",
        path,
        line,
        start - line_start + 1,
        shown,
        f'remove it, or write "{escape}" in double quotes where it is meant',
    )
