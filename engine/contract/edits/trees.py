"""A key of a JSON or YAML file: set or removed by the least text, and proven.

Only the text of what changes is written anew. Then the whole is read again: it must mean what the
old text meant but for the key. Where that cannot be had, nothing is changed and it is said so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.contract.edits.spots import Spot, locate_json, locate_yaml
from engine.errors import ModuleFailed

if TYPE_CHECKING:
    from engine.contract.edits.spots import Member

Path = Sequence[str | int]


class Syntax(Struct, frozen=True):
    """How a file is read and written.

    Args:
        name: for people.
        locate: where the parts of a text stand.
        inline: a value as text that fits on a line, within brackets too.
        bare: likewise, outside of brackets.
        block: a value as lines, by itself.
        bracketed: a value as lines within brackets; the second argument is one more step in.
    """

    name: str
    locate: Callable[[str], Spot | None]
    inline: Callable[[Any], str]
    bare: Callable[[Any], str]
    block: Callable[[Any], str]
    bracketed: Callable[[Any, str], str]


class _Splice(Struct, frozen=True):
    """A new text for a part of the old one."""

    start: int
    end: int
    text: str

    def into(self, text: str) -> str:
        return text[: self.start] + self.text + text[self.end :]


def set_key(text: str, path: Path, value: Any, syntax: Syntax) -> str:
    """The text with a value for a key; mappings on the way to it are made where they lack.

    Raises:
        ModuleFailed: the text cannot be read, the key cannot be there, or cannot be set without
            changing more.
    """
    root = _located(text, syntax)
    wanted = _shape(value, syntax)
    if root is None:
        given = _nested(path, value)
        head = f"{text}\n" if text and not text.endswith("\n") else text
        return _proven(f"{head}{syntax.block(given)}\n", _shape(given, syntax), path, syntax)
    spots, missing = _walk(root, path)
    target = spots[-1]
    if not missing and target.shape == wanted:
        return text
    given = _nested(missing, value)
    if not missing or target.shape == _shape(None, syntax):
        splice = _replaced(text, spots, given, syntax)
    elif target.kind == "mapping":
        splice = _added(text, target, str(missing[0]), _nested(missing[1:], value), syntax)
    else:
        place = ".".join(map(str, path[: len(spots) - 1])) or "the whole"
        raise ModuleFailed(f"{_said(path)}: {place} is a {target.kind} without {missing[0]!r}")
    expected = _with(root, list(path), wanted)
    return _proven(splice.into(text), expected, path, syntax)


def remove_key(text: str, path: Path, syntax: Syntax) -> str:
    """The text without a key; as `set_key`."""
    root = _located(text, syntax)
    if root is None:
        return text
    spots, missing = _walk(root, path)
    if missing:
        return text
    parent = spots[-2]
    if parent.kind == "sequence":
        raise ModuleFailed(
            f"{_said(path)}: what follows it in the list would take its number, and go the next "
            "time; set the whole list"
        )
    if len(parent.members) == 1:
        splice = _replaced(text, spots[:-1], {}, syntax)
    else:
        member = parent.find(path[-1])
        assert member is not None
        splice = _removed(text, parent, member)
    return _proven(splice.into(text), _with(root, list(path), None), path, syntax)


def _located(text: str, syntax: Syntax) -> Spot | None:
    try:
        return syntax.locate(text)
    except (ValueError, RecursionError) as error:
        raise ModuleFailed(f"it cannot be read as {syntax.name}: {error}") from None


def _proven(text: str, expected: Any, path: Path, syntax: Syntax) -> str:
    try:
        found = syntax.locate(text)
    except (ValueError, RecursionError):
        found = None
    if found is None or found.shape != expected:
        raise ModuleFailed(
            f"{_said(path)} cannot be changed in this {syntax.name} without changing more: an "
            "alias, or a comment in its way; use line and regexp, or content"
        )
    return text


def _said(path: Path) -> str:
    return ".".join(str(step) for step in path)


def _shape(value: Any, syntax: Syntax) -> Any:
    spot = syntax.locate(syntax.inline(value))
    assert spot is not None
    return spot.shape


def _nested(path: Path, value: Any) -> Any:
    for step in reversed(path):
        value = {str(step): value}
    return value


def _walk(root: Spot, path: Path) -> tuple[list[Spot], Path]:
    """The values on the way, as far as they are there, and the steps that are left."""
    spots = [root]
    for done, step in enumerate(path):
        member = spots[-1].find(step)
        if member is None:
            return spots, path[done:]
        spots.append(member.spot)
    return spots, ()


def _with(spot: Spot, path: list[str | int], wanted: Any) -> Any:
    """The shape of a value with another one at a path; with none there, if that is None."""
    if not path:
        return wanted
    step, *rest = path
    member = spot.find(step)
    if member is None:
        shape = wanted
        for name in reversed(rest):
            shape = ("mapping", [(str(name), shape)])
        held = spot.shape[1] if spot.kind == "mapping" else []
        return ("mapping", [*held, (str(step), shape)])
    inner = []
    for each in spot.members:
        if each is not member:
            shape = each.spot.shape
        elif rest or wanted is not None:
            shape = _with(each.spot, rest, wanted)
        else:
            continue
        inner.append((each.key, shape) if spot.kind == "mapping" else shape)
    return (spot.kind, inner)


def _replaced(text: str, spots: list[Spot], value: Any, syntax: Syntax) -> _Splice:
    """Another text for the last of these values."""
    spot = spots[-1]
    if len(spots) == 1:
        return _Splice(spot.start, spot.end, syntax.inline(value))
    above = spots[-2]
    if above.flow:
        return _Splice(spot.start, spot.end, _flow(text, above, value, syntax))
    start = len(text[: spot.start].rstrip(" \n"))  # behind the colon, or the dash
    if above.kind == "mapping" and _is_full(value):
        lines = _indented(syntax.block(value), _indent(text, above) + "  ")
        return _Splice(start, spot.end, f"\n{lines}")
    if spot.flow:
        start = max(start, spot.start - 1)  # spaces that put values below each other stay
    return _Splice(start, spot.end, f" {syntax.bare(value)}")


def _is_full(value: Any) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _added(text: str, mapping: Spot, key: str, value: Any, syntax: Syntax) -> _Splice:
    """A new member at the end of a mapping."""
    if not mapping.flow:
        line_end = text.find("\n", mapping.end)
        at = line_end if line_end >= 0 else len(text)
        lines = _indented(syntax.block({key: value}), _indent(text, mapping))
        return _Splice(at, at, f"\n{lines}" + ("" if line_end >= 0 else "\n"))
    if not mapping.members:
        return _Splice(mapping.start, mapping.end, syntax.inline({key: value}))
    gap = f"\n{_indent(text, mapping)}" if _on_lines(text, mapping) else " "
    at = mapping.members[-1].spot.end
    new = f"{syntax.inline(key)}: {_flow(text, mapping, value, syntax)}"
    return _Splice(at, at, f",{gap}{new}")


def _removed(text: str, parent: Spot, member: Member) -> _Splice:
    at = parent.members.index(member)
    if parent.flow:
        if at:
            return _Splice(parent.members[at - 1].spot.end, member.spot.end, "")
        return _Splice(member.start, parent.members[1].start, "")
    line = text.rfind("\n", 0, member.start) + 1
    if text[line : member.start].strip():  # the first of a sequence's item, behind its `-`
        return _Splice(member.start, parent.members[at + 1].start, "")
    end = text.find("\n", member.spot.end)
    return _Splice(line, end + 1 if end >= 0 else len(text), "")


def _on_lines(text: str, flow: Spot) -> bool:
    return "\n" in text[flow.start : flow.members[0].start]


def _indent(text: str, spot: Spot) -> str:
    """What stands before its members, each on a line of its own."""
    if not spot.members:
        return ""
    start = spot.members[0].start
    before = text[text.rfind("\n", 0, start) + 1 : start]
    return re.sub(r"[^ \t]", " ", before)


def _flow(text: str, above: Spot, value: Any, syntax: Syntax) -> str:
    """A value as a member of something in brackets: on lines of its own, where that is."""
    if not above.members or not _on_lines(text, above) or not _is_full(value):
        return syntax.inline(value)
    indent = _indent(text, above)
    outer = text[text.rfind("\n", 0, above.start) + 1 :]
    unit = indent.removeprefix(outer[: len(outer) - len(outer.lstrip(" \t"))]) or "  "
    return syntax.bracketed(value, unit).replace("\n", f"\n{indent}")


def _indented(lines: str, indent: str) -> str:
    return "\n".join(indent + line if line else line for line in lines.split("\n"))


def _json_inline(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _json_lines(value: Any, unit: str = "  ") -> str:
    return json.dumps(value, ensure_ascii=False, indent=unit)


_BREAKS = frozenset("\n\x85\u2028\u2029")
"""What ends a line in YAML."""


def _yaml_text(value: Any, *, flow: bool) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Keeps text of several lines readable, and on one line where it must be."""

    def of_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        # Of a block at the end of a file, nobody could tell its last empty lines from the file's.
        quoted = flow or set(text[-2:]) <= _BREAKS
        style = ('"' if quoted else "|") if "\n" in text else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)

    Dumper.add_representer(str, of_text)
    text = yaml.dump(
        value,
        None,
        Dumper,
        default_flow_style=flow,
        sort_keys=False,
        allow_unicode=True,
        width=2**31,
    )
    return text.removesuffix("\n").removesuffix("\n...")


def _yaml_inline(value: Any, _unit: str = "") -> str:
    return _yaml_text([value], flow=True)[1:-1]  # as it must be written within brackets


def _yaml_bare(value: Any) -> str:
    return _yaml_text(value, flow=True)


def _yaml_lines(value: Any) -> str:
    return _yaml_text(value, flow=False)


JSON = Syntax("JSON", locate_json, _json_inline, _json_inline, _json_lines, _json_lines)
YAML = Syntax("YAML", locate_yaml, _yaml_inline, _yaml_bare, _yaml_lines, _yaml_inline)
