"""More of a result than a line: what `-v` and `--diff` show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from engine.redact import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.cli.style import Painter
    from engine.events import TaskEnded

_INDENT = " " * 6
_FLAGS = frozenset({"changed", "failed", "finding", "skipped", "unreachable", "msg"})
_LINES = {1: 20, 2: 200}


def described(alert: Mapping[str, Any]) -> str:
    """An alert in one line: its title and its labels."""
    labels = ", ".join(f"{name}={text}" for name, text in alert["labels"].items())
    return f"{alert['title']} ({labels})" if labels else str(alert["title"])


def details(event: TaskEnded, verbosity: int) -> list[str]:
    """A result's fields, one a line; long text as a block, cut where it is longer than that.

    Args:
        event: the task's end.
        verbosity: 1 cuts at 20 lines a field, 2 at 200, more not at all.
    """
    lines = [f"{_INDENT}{event.host} · {event.module} · {event.place} · {event.seconds:.3f} s"]
    for name, value in event.result.items():
        if name in _FLAGS or value in ("", None, [], {}):
            continue
        lines += _field(escape(name), value, _LINES.get(verbosity))
    return lines


def _field(name: str, value: Any, most: int | None) -> list[str]:
    if isinstance(value, str):
        text = value.rstrip("\n")
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
        if len(text) > 100:
            text = json.dumps(value, ensure_ascii=False, default=str, indent=2)
    rows = text.split("\n")
    if len(rows) == 1:
        return [f"{_INDENT}{escape(name)}: {escape(rows[0])}"]
    shown = rows if most is None else rows[:most]
    block = [f"{_INDENT}  {escape(row)}" for row in shown]
    if len(rows) > len(shown):
        block.append(f"{_INDENT}  … {len(rows) - len(shown)} more lines")
    return [f"{_INDENT}{escape(name)}:", *block]


def diff_lines(before: Any, after: Any, paint: Painter) -> list[str]:
    """A change's state before and after, as a diff of their lines."""
    import difflib

    old, new = _document(before), _document(after)
    lines = difflib.unified_diff(old, new, "before", "after", lineterm="", n=2)
    return [_INDENT + _coloured(line, paint) for line in lines]


def _document(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return value.split("\n")
    return json.dumps(value, ensure_ascii=False, default=str, indent=2).split("\n")


def _coloured(line: str, paint: Painter) -> str:
    colour = {"-": "red", "+": "green", "@": "cyan"}.get(line[:1])
    return paint(colour, escape(line)) if colour else escape(line)
