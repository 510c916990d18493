"""YAML as Ansible reads it in inventories: YAML 1.1 scalars (`yes` is true), within bounds.

Unlike there, a key given twice is an error, and so is any tag but the standard scalars' own and
`!vault`.
"""

from __future__ import annotations

import datetime
import json
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml
from msgspec.structs import replace
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from engine.errors import InputError, Problem
from engine.inventory.text import is_utf8
from engine.vault import VaultError, template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.inventory.text import Text

MAX_DEPTH = 64
MAX_NODES = 2_000_000
"""With the nodes behind aliases counted at each alias."""
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_SCALARS = {_TAG + name for name in ("int", "float", "bool", "null", "timestamp")}
_VAULT = {"!vault", "!vault-encrypted"}
_TEXT = {_TAG + name for name in ("str", "merge", "value")}
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def parse(text: Text) -> Any:
    """The value of a file's one YAML or JSON document; None where there is none.

    Dates are text in ISO 8601 form.

    Raises:
        InputError: with every problem that could be found.
    """
    if not is_utf8(text.text):
        line = next(n for n, row in enumerate(text.text.splitlines(), 1) if not is_utf8(row))
        raise InputError(Problem("is not UTF-8 text", text.path, line, 1))
    if text.text.lstrip()[:1] in {"{", "["} and _nesting(text.text) <= MAX_DEPTH:
        try:
            return json.loads(text.text, object_pairs_hook=_unique)
        except ValueError:
            pass  # Not JSON, or with a key twice: as YAML it is read with positions.
    return _Reader(text).document()


class Places:
    """Where keys stand in a file that was read; only asked when there is a problem."""

    def __init__(self, text: Text) -> None:
        """Nothing is read again yet."""
        self._text = text

    def find(self, path: Sequence[object]) -> tuple[int, int]:
        """Line and column of the key at this path of keys, or of the nearest above it."""
        node, line, column = self._root, 1, 1
        for wanted in path:
            pairs = node.value if isinstance(node, yaml.MappingNode) else []
            found = [pair for pair in pairs if _is_key(pair[0], wanted)]
            if not found:
                break
            key, node = found[-1]
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
        return line, column

    @cached_property
    def _root(self) -> Any:
        try:
            return yaml.compose(self._text.text, Loader=_LOADER)
        except yaml.YAMLError:  # JSON may hold escapes that YAML does not know.
            return None


def _is_key(node: Any, wanted: object) -> bool:
    if isinstance(wanted, str):
        return bool(node.value == wanted)
    return node.tag in _SCALARS and _LOADER("").construct_object(node) == wanted


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is given twice")
    return made


def _nesting(text: str) -> int:
    depth = deepest = 0
    for token in _JSON_TOKEN.finditer(text):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        deepest = max(deepest, depth)
    return deepest


class _Reader:
    """Builds values from parser events: bounds are checked before anything is built."""

    loader: Any

    def __init__(self, text: Text) -> None:
        self.text = text
        self.problems: list[Problem] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.nodes = 0

    def document(self) -> Any:
        try:
            self.loader = _LOADER(self.text.text)
            value = self._document()
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            if mark and "nesting depth" in str(error):
                # libyaml reads ahead, so its own bound may come first: ours lies before that.
                before = self.text.text[: mark.index]
                return _Reader(replace(self.text, text=before)).document()
            self.problems.append(_syntax_problem(self.text, error))
        if self.problems:
            raise InputError(*self.problems)
        return value

    def _document(self) -> Any:
        self.loader.get_event()  # The stream's start.
        if isinstance(self.loader.get_event(), StreamEndEvent):
            return None
        value = self._value(self.loader.get_event(), 1)
        self.loader.get_event()  # The document's end.
        after = self.loader.get_event()
        if not isinstance(after, StreamEndEvent):
            self._problem("a second document: an inventory file holds one", after.start_mark)
        return value

    def _value(self, event: Any, depth: int) -> Any:
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem=f"nested deeper than {MAX_DEPTH}", problem_mark=event.start_mark
            )
        before = self.nodes
        self._count(1, event.start_mark)
        if isinstance(event, ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, MappingStartEvent):
            value = self._mapping(event, depth)
        else:
            value = self._sequence(event, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, self.nodes - before)
        return value

    def _count(self, nodes: int, mark: Any) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise yaml.MarkedYAMLError(
                problem=f"more than {MAX_NODES} values, aliases expanded", problem_mark=mark
            )

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self.anchors:
            self._problem(f'alias "*{event.anchor}" has no anchor before it', event.start_mark)
            return None
        value, size = self.anchors[event.anchor]
        self._count(size, event.start_mark)
        return value

    def _scalar(self, event: Any) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            if not event.implicit[0]:
                return event.value
            tag = self.loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag in _TEXT:
            return event.value
        if tag in _VAULT:
            return self._sealed(event)
        if tag not in _SCALARS:
            self._refuse_tag(tag, event.start_mark)
            return None
        node = yaml.ScalarNode(tag, event.value)
        try:
            value = self.loader.yaml_constructors[tag](self.loader, node)
        except (ValueError, LookupError, AttributeError, OverflowError):
            kind = tag.removeprefix(_TAG)
            self._problem(f'"{event.value}" is not a valid {kind}', event.start_mark)
            return None
        return value.isoformat() if isinstance(value, datetime.date) else value

    def _sealed(self, event: Any) -> str | None:
        """The template that opens an encrypted value."""
        try:
            return template(event.value, f"{self.text.path}:{event.start_mark.line + 1}")
        except VaultError as error:
            self._problem(str(error), event.start_mark)
            return None

    def _sequence(self, event: Any, depth: int) -> list[Any]:
        if event.tag not in {None, "!", _TAG + "seq"}:
            self._refuse_tag(event.tag, event.start_mark)
        items = []
        while not isinstance(item := self.loader.get_event(), SequenceEndEvent):
            items.append(self._value(item, depth + 1))
        return items

    def _mapping(self, event: Any, depth: int) -> dict[Any, Any]:
        if event.tag not in {None, "!", _TAG + "map"}:
            self._refuse_tag(event.tag, event.start_mark)
        own: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        lines: dict[Any, int] = {}
        while not isinstance(at := self.loader.get_event(), MappingEndEvent):
            merges = isinstance(at, ScalarEvent) and at.value == "<<" and at.implicit[0]
            key = self._value(at, depth + 1)
            value = self._value(self.loader.get_event(), depth + 1)
            if merges:
                merged |= self._merged(value, at.start_mark)
            elif isinstance(key, dict | list):
                self._problem("a mapping's key must be a scalar", at.start_mark)
            elif key in own:
                hint = f"it is first on line {lines[key]}"
                self._problem(f'duplicate key "{key}"', at.start_mark, hint)
            else:
                own[key], lines[key] = value, at.start_mark.line + 1
        return merged | own if merged else own

    def _merged(self, value: Any, mark: Any) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for source in reversed(value if isinstance(value, list) else [value]):
            if isinstance(source, dict):
                found |= source
            else:
                self._problem('"<<" takes a mapping or a list of mappings', mark)
        return found

    def _refuse_tag(self, tag: str, mark: Any) -> None:
        if tag == "!unsafe":
            self._problem(f'tag "{tag}" is not yet supported', mark)
        else:
            shown = tag.replace(_TAG, "!!")
            self._problem(f'tag "{shown}" is not supported', mark)

    def _problem(self, message: str, mark: Any, hint: str = "") -> None:
        self.problems.append(self.text.problem(message, mark.line + 1, mark.column + 1, hint))


def _syntax_problem(text: Text, error: yaml.YAMLError) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.text.count("\n", 0, error.position) + 1
        return text.problem(f"character #x{error.character:04x} is not allowed in YAML", line)
    mark = getattr(error, "problem_mark", None)
    message = str(getattr(error, "problem", None) or error)
    if mark is None:
        return text.problem(message)
    rows = text.text.splitlines()
    row = rows[mark.line] if mark.line < len(rows) else ""
    if "\t" in row[: len(row) - len(row.lstrip())]:
        return text.problem("a tab in the indentation", mark.line + 1, 1, "YAML takes spaces only")
    return text.problem(message, mark.line + 1, mark.column + 1)
