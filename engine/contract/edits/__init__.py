"""Edits of configuration files: the least text that says it, all else stays byte for byte.

Each takes a file's text and gives the new one, which is the old one where there is nothing to do.
They work on lines that end in a newline alone; `on_plain_lines` sees to that.
"""

from __future__ import annotations

from engine.contract.edits.difference import Difference, difference, fingerprint
from engine.contract.edits.lines import remove_lines, set_line
from engine.contract.edits.plain import decoded, encoded, on_plain_lines
from engine.contract.edits.settings import (
    remove_option,
    remove_variable,
    set_option,
    set_variable,
)
from engine.contract.edits.trees import JSON, YAML, Syntax, remove_key, set_key

__all__ = [
    "JSON",
    "YAML",
    "Difference",
    "Syntax",
    "decoded",
    "difference",
    "encoded",
    "fingerprint",
    "on_plain_lines",
    "remove_key",
    "remove_lines",
    "remove_option",
    "remove_variable",
    "set_key",
    "set_line",
    "set_option",
    "set_variable",
]
