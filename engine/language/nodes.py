"""YAML events → values with their places, read one by one and never recursively."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import yaml
from msgspec import Struct, field

from engine.errors import InputError, Problem
from engine.language.scalars import resolve
from engine.vault import VaultError, template

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_DEPTH = 32
"""Levels of nesting, aliases written out."""

MAX_NODES = 50_000
"""Keys not counted, aliases written out: a file of 276 bytes can hold 10^9 of them."""

VAULT_TAG = "!vault"
_LONGEST_SHOWN = 200
_STANDARD = "tag:yaml.org,2002:"


class Node(Struct):
    """A value with its place, 1-based; an alias shares the node of its anchor.

    Args:
        value: dicts, lists and scalars.
        children: the node of each value in a dict or list.
        keys: line and column of each key of a dict.
        size: values within, itself included.
        height: levels of nesting, itself included.
    """

    value: Any
    line: int
    column: int
    children: dict[str | int, Node] = field(default_factory=dict)
    keys: dict[str | int, tuple[int, int]] = field(default_factory=dict)
    size: int = 1
    height: int = 1

    def adopt(self, key: str | int, child: Node) -> None:
        """Take a finished child in."""
        if isinstance(self.value, dict):
            self.value[key] = child.value
        else:
            self.value.append(child.value)
        self.children[key] = child
        self.size += child.size
        self.height = max(self.height, child.height + 1)


class _Open(Struct):
    """A collection that is being read: its anchor, and the key whose value comes next."""

    node: Node
    anchor: str | None
    key: str | None = None
    keep: bool = True


class Builder:
    """Takes the events of one document; `root` is its top node, once all are taken."""

    def __init__(self, path: str, lines: Sequence[str]) -> None:
        """Start with nothing read.

        Args:
            path: the file as the user named it.
            lines: of its text.
        """
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._path = path
        self._lines = lines
        self._open: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._nodes = 0

    def note(self, message: str, line: int, column: int, hint: str = "") -> None:
        """Remember a problem; the reading goes on."""
        source = shown(self._lines, line, column)
        self.problems.append(Problem(message, self._path, line, column, source, hint))

    def take(self, event: yaml.Event) -> None:
        """Go on with the next event.

        Raises:
            InputError: there is no sense in reading on; every problem so far is in it.
        """
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.CollectionStartEvent():
                self._start(event)
            case yaml.CollectionEndEvent():
                self._end()
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent() if self.root is not None:
                self._stop(event, "a second document starts here", "one file holds one playbook")
            case _:
                pass

    def _stop(self, event: yaml.Event, message: str, hint: str = "") -> NoReturn:
        self.note(message, *_place(event), hint)
        raise InputError(*self.problems)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if self._wants_key():
            self._refuse_tag(event)
            self._take_key(event)
            return
        self._count(event, 1)
        self._finish(Node(self._value(event), *_place(event)), event.anchor)

    def _value(self, event: yaml.ScalarEvent) -> Any:
        if event.tag == VAULT_TAG:
            return self._sealed(event)
        self._refuse_tag(event)
        return self._plain(event) if event.implicit[0] and not event.tag else event.value

    def _sealed(self, event: yaml.ScalarEvent) -> str:
        """The template that opens an encrypted value."""
        line, column = _place(event)
        try:
            return template(event.value, f"{self._path}:{line}")
        except VaultError as error:
            self.note(str(error), line, column)
            return ""

    def _plain(self, event: yaml.ScalarEvent) -> Any:
        try:
            return resolve(event.value)
        except ValueError as error:
            self.note(f"{error} is too long", *_place(event), "put it in quotes if it is text")
            return event.value

    def _take_key(self, event: yaml.ScalarEvent) -> None:
        parent, key, place = self._open[-1], event.value, _place(event)
        parent.key, parent.keep = key, True
        if event.implicit[0] and not isinstance(self._plain(event), str):
            self.note(f"the key {key or 'here'} is not text", *place, "put it in quotes")
        if event.implicit[0] and key == "<<":
            hint = "an alias can stand for a whole value only"
            self.note("merge keys (<<) are not part of YAML 1.2", *place, hint)
        if "{{" in key or "{%" in key:
            self.note("a key cannot be a template", *place)
        if key in parent.node.keys:
            line, column = parent.node.keys[key]
            first = f"it stands on line {line}, column {column} already"
            self.note(f'duplicate key "{key}"', *place, first)
            parent.keep = False
        else:
            parent.node.keys[key] = place

    def _start(self, event: yaml.CollectionStartEvent) -> None:
        self._refuse_tag(event)
        if self._wants_key():
            self._stop(event, *self._bad_key(event))
        self._count(event, 1)
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._open.append(_Open(Node(value, *_place(event)), event.anchor))
        if event.anchor:
            self._anchors[event.anchor] = None

    def _bad_key(self, event: yaml.CollectionStartEvent) -> tuple[str, str]:
        line, column = _place(event)
        if self._lines[line - 1].startswith("{{", column - 2):
            return "a template must stand in quotes", 'write "{{ … }}"'
        return "a key must be text, not a mapping or a list", ""

    def _end(self) -> None:
        closed = self._open.pop()
        self._finish(closed.node, closed.anchor)

    def _alias(self, event: yaml.AliasEvent) -> None:
        name = event.anchor
        if self._wants_key():
            self._stop(event, "a key must be text, not an alias")
        if name not in self._anchors:
            hint = "put it in quotes if it is text"
            self._stop(event, f"*{name} stands for nothing: there is no &{name} before it", hint)
        node = self._anchors[name]
        if node is None:
            self._stop(event, f"*{name} contains itself")
        self._count(event, node.size, node.height)
        self._finish(node, None)

    def _count(self, event: yaml.Event, size: int, height: int = 1) -> None:
        self._nodes += size
        if self._nodes > MAX_NODES:
            self._stop(event, f"holds more than {MAX_NODES} values, aliases written out")
        if len(self._open) + height > MAX_DEPTH:
            self._stop(event, f"is nested more than {MAX_DEPTH} levels deep")

    def _finish(self, node: Node, anchor: str | None) -> None:
        """Put a whole node where it belongs."""
        if anchor:
            self._anchors[anchor] = node
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        key: str | int = len(parent.node.children)
        if isinstance(parent.node.value, dict):
            assert parent.key is not None
            key, parent.key = parent.key, None
        if parent.keep:
            parent.node.adopt(key, node)

    def _wants_key(self) -> bool:
        top = self._open[-1] if self._open else None
        return top is not None and isinstance(top.node.value, dict) and top.key is None

    def _refuse_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag:
            tag = event.tag.replace(_STANDARD, "!!")
            self.note(f"the tag {tag} is not allowed", *_place(event), "tags make no plain values")


def shown(lines: Sequence[str], line: int, column: int) -> str:
    """The line as an error shows it: cut where it is long, empty where the caret is beyond."""
    text = lines[line - 1].rstrip() if 0 < line <= len(lines) else ""
    if len(text) <= _LONGEST_SHOWN:
        return text
    return f"{text[:_LONGEST_SHOWN]}…" if column <= _LONGEST_SHOWN else ""


def _place(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
