"""Values in INI inventories: a Python literal where the text is one, else the text."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

_WORD = re.compile(r"[A-Za-z_][\w./:@%+-]*", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_CONSTANTS = {"True": True, "False": False, "None": None}


def value(text: str) -> Any:
    """The value that an INI inventory's text stands for, made of what JSON knows.

    Source: ast.literal_eval, which Ansible uses for the same.
    """
    # Most values are words and numbers, which are a hundred times faster without a parser.
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _WORD.fullmatch(text):
        return text
    if _NUMBER.fullmatch(text):
        return int(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return _plain(ast.literal_eval(text))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def _plain(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _plain(item) for key, item in found.items()}
    if isinstance(found, list | tuple):
        return [_plain(item) for item in found]
    if isinstance(found, set):
        return [_plain(item) for item in sorted(found, key=repr)]
    if isinstance(found, bytes):
        return found.decode()
    if found is ...:
        return "..."
    return str(found) if isinstance(found, complex) else found
