"""JSON Lines for stdout."""

from __future__ import annotations

import json

import msgspec


def json_line(value: object) -> str:
    """The value as one line of printable ASCII, in which no terminal finds anything to obey."""
    return json.dumps(msgspec.to_builtins(value)).replace("\x7f", "\\u007f")
