"""Text → plain values, each with its place: YAML 1.2, within bounds."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import yaml
from msgspec import Struct
from msgspec.structs import replace

from engine.errors import InputError, Problem
from engine.language.characters import MAX_BYTES, decode
from engine.language.model import Place
from engine.language.nodes import Builder, Node, shown
from engine.language.syntax import explain
from engine.vault import is_sealed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engine.vault import Vault

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Document(Struct, frozen=True):
    """A file's value, with the place of everything in it.

    Args:
        path: the file, as the user named it.
        digest: sha256 of its bytes, hex.
        lines: of its text.
        root: the top node.
        problems: what is wrong but did not keep it from being read, such as a duplicate key.
        sealed: the file is encrypted as a whole.
    """

    path: str
    digest: str
    lines: tuple[str, ...]
    root: Node
    problems: tuple[Problem, ...] = ()
    sealed: bool = False

    @property
    def value(self) -> Any:
        """Dicts, lists and scalars."""
        return self.root.value

    def place(self, way: Sequence[str | int] = ()) -> Place:
        """Where the value at `way` starts; the nearest above it where there is none."""
        node = self._node(way)
        return self._at(node.line, node.column)

    def key(self, way: Sequence[str | int]) -> Place:
        """Where the key of the value at `way` stands; a list's item has only its value."""
        place = self._node(way[:-1]).keys.get(way[-1]) if way else None
        return self._at(*place) if place else self.place(way)

    def inside(self, way: Sequence[str | int], offset: int) -> Place:
        """Where the text at `way` has its character number `offset`, from 0.

        Exact where the file has the text as it stands; else the start of the value.
        """
        node = self._node(way)
        text = str(node.value)
        above = text.count("\n", 0, offset)
        line_start = text.rfind("\n", 0, offset) + 1
        wanted = text[line_start:].split("\n", 1)[0]
        is_block = "\n" in text
        number = node.line + 1 + above if is_block else node.line
        line = self.lines[number - 1] if number <= len(self.lines) else ""
        found = line.find(wanted, 0 if is_block else node.column - 1)
        if found < 0:
            return self.place(way)
        return self._at(number, found + offset - line_start + 1)

    def _node(self, way: Sequence[str | int]) -> Node:
        node = self.root
        for part in way:
            if part not in node.children:
                break
            node = node.children[part]
        return node

    def _at(self, line: int, column: int) -> Place:
        return Place(self.path, line, column, shown(self.lines, line, column))


def read(path: Path, vault: Vault | None = None) -> Document:
    """The document in a file.

    Args:
        path: of the file.
        vault: opens it if it is encrypted as a whole; None: such a file is refused.

    Raises:
        InputError: it cannot be read, or is no YAML as we accept it.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(Problem(f"cannot be read: {reason}", str(path))) from None
    sealed = is_sealed(data)
    if vault is not None:
        data = vault.file(str(path), data)
    elif sealed:
        message = "is encrypted as a whole, so that nobody can review it"
        raise InputError(
            Problem(message, str(path), hint="put secrets into vars, as !vault values")
        )
    return replace(parse(str(path), data), sealed=sealed)


def parse(path: str, data: bytes) -> Document:
    """The document in a file's bytes.

    Raises:
        InputError: it is no YAML as we accept it.
    """
    text = decode(path, data)
    lines = tuple(text.splitlines())
    builder = Builder(path, lines)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        if "nesting depth" in (error.problem or "") and error.problem_mark:
            # libyaml reads ahead, so its own bound may come first: our bound lies before that.
            return parse(path, text[: error.problem_mark.index].encode())
        fault = explain(error, lines)
        builder.note(fault.message, fault.line, fault.column, fault.hint)
        raise InputError(*builder.problems) from None
    except yaml.YAMLError as error:
        raise InputError(*builder.problems, Problem(f"is not YAML: {error}", path)) from None
    if builder.root is None:
        raise InputError(Problem("is empty: it holds comments only", path))
    digest = hashlib.sha256(data).hexdigest()
    return Document(path, digest, lines, builder.root, tuple(builder.problems))
