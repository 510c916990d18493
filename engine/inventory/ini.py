"""INI inventories: `[group]`, `[group:children]`, `[group:vars]`.

Source: Ansible's inventory guide and its `ini` inventory plugin.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from engine.inventory import literals, names
from engine.inventory.draft import UNGROUPED
from engine.inventory.text import is_utf8
from engine.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.errors import Problem
    from engine.inventory.draft import Draft
    from engine.inventory.text import Text

_SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?")
_GROUP = re.compile(r"([^:\]\s]+)\s*(?:#.*)?")
_SIMPLE = re.compile(r"""(?:[^"'\\#]|"[^"\\]*"|'[^'\\]*')*""")
_TOKEN = re.compile(r"""(?:[^ \t"']|"[^"]*"|'[^']*')+""")
_QUOTED = re.compile(r""""([^"]*)"|'([^']*)'""")
_KINDS = ("hosts", "children", "vars")


def parse(text: Text, draft: Draft) -> list[Problem]:
    """Put the hosts and groups of an INI file into the draft; what is wrong with it."""
    reader = _Reader(text, draft)
    for number, line in enumerate(text.text.splitlines(), 1):
        stripped = line.strip()
        if stripped and stripped[0] not in "#;":
            reader.line(number, line.index(stripped[0]) + 1, stripped)
    reader.end()
    return sorted(reader.problems, key=lambda problem: problem.line)


class _Pending(Struct):
    """A group that is named as a child, or given variables, before it is declared."""

    line: int
    column: int
    message: str
    parents: list[str] = field(default_factory=list)


class _MistakeError(ValueError):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class _Reader:
    def __init__(self, text: Text, draft: Draft) -> None:
        self.problems: list[Problem] = []
        self._text = text
        self._draft = draft
        self._group = UNGROUPED
        self._readers: dict[str, Callable[[str], None]] = {
            "hosts": self._host, "children": self._child, "vars": self._variable
        }  # fmt: skip
        self._read: Callable[[str], None] | None = self._host
        self._pending: dict[str, _Pending] = {}
        self._at = (0, 1)

    def line(self, number: int, column: int, line: str) -> None:
        self._at = (number, column)
        try:
            self._line(line)
        except _MistakeError as error:
            self.problems.append(self._text.problem(str(error), *self._at, error.hint))
        except ValueError as error:
            self.problems.append(self._text.problem(str(error), *self._at))

    def _line(self, line: str) -> None:
        if not is_utf8(line):
            raise ValueError("is not UTF-8 text")
        if section := _SECTION.fullmatch(line):
            self._section(section[1], section[2] or "hosts")
        elif line.startswith("[") and line.endswith("]"):
            self._read = None
            raise ValueError(f"{line} is not a section: [group], [group:children], [group:vars]")
        elif self._read is not None:
            self._read(line)

    def end(self) -> None:
        for name, pending in self._pending.items():
            place = (pending.line, pending.column)
            hint = did_you_mean(name, set(self._draft.group_names()) - {name})
            self.problems.append(self._text.problem(pending.message, *place, hint))

    def _section(self, group: str, kind: str) -> None:
        self._read = None
        if kind not in _KINDS:
            raise _MistakeError(
                f"section [{group}:{kind}] is of no known kind", did_you_mean(kind, _KINDS)
            )
        self._read = self._readers[kind]
        self._group = group
        if kind == "vars" and not self._draft.has_group(group) and group not in self._pending:
            message = f"[{group}:vars] is for a group that is not declared"
            self._pending[group] = _Pending(*self._at, message)
        self._draft.add_group(group)
        if kind != "vars" and (pending := self._pending.pop(group, None)):
            for parent in pending.parents:
                self._draft.add_child(parent, group)

    def _host(self, line: str) -> None:
        tokens = _split(line)
        hosts, port = names.expand(tokens[0])
        variables = self._assignments(line, tokens[1:])
        for host in hosts:
            self._draft.add_host(host, self._group, port)
            for name, value in variables.items():
                self._draft.set_host(host, name, value)

    def _assignments(self, line: str, tokens: list[str]) -> dict[str, Any]:
        found = {}
        for token in tokens:
            name, equals, value = token.partition("=")
            if not equals or not name:
                self._at = (self._at[0], self._at[1] + max(line.find(token), 0))
                raise _MistakeError(f'"{token}" is not name=value', "quote a value with spaces")
            found[name] = literals.value(value)
        return found

    def _variable(self, line: str) -> None:
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not name:
            raise ValueError(f'"{line}" is not name=value')
        self._draft.set_group(self._group, name, literals.value(value))

    def _child(self, line: str) -> None:
        match = _GROUP.fullmatch(line)
        if match is None:
            raise ValueError(f'"{line}" is not a group name')
        child = match[1]
        if self._draft.has_group(child):
            self._draft.add_child(self._group, child)
            return
        message = f'group "{child}" is not declared'
        pending = self._pending.setdefault(child, _Pending(*self._at, message))
        pending.parents.append(self._group)


def _split(line: str) -> list[str]:
    # shlex goes by the character, fifty times slower; few lines have escapes or comments.
    if _SIMPLE.fullmatch(line):
        return [_QUOTED.sub(r"\1\2", token) for token in _TOKEN.findall(line)]
    try:
        return shlex.split(line, comments=True)
    except ValueError as error:
        raise ValueError(f"{str(error).lower()} in this line") from error
