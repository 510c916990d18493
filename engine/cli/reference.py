"""A module's reference: what its class, docstring and schema say, in one place."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import msgspec

from engine.language.shapes import schema_of
from engine.language.words import described, shown

if TYPE_CHECKING:
    from engine.registry import Entry, Kind

_ARGUMENT = re.compile(r"^    (\w+): (.*)$")


class Argument(msgspec.Struct, frozen=True):
    """One argument.

    Args:
        type: in words.
        standing: `required`, or its default in words.
    """

    name: str
    type: str
    standing: str
    description: str


class Reference(msgspec.Struct, frozen=True):
    """One module.

    Args:
        summary: the docstring's first sentence.
        text: the docstring without its arguments.
    """

    name: str
    kind: Kind
    summary: str
    text: str
    arguments: list[Argument]
    example: str

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def reference(entry: Entry) -> Reference:
    """What there is to know about a module."""
    body, arguments, source = _split(inspect.getdoc(entry.cls) or "")
    return Reference(
        name=entry.name,
        kind=entry.kind,
        summary=_first_sentence(body),
        text=f"{body}\n\n{source}".strip(),
        arguments=_arguments(entry.schema, arguments),
        example=entry.example,
    )


def keywords(kind: type) -> list[Argument]:
    """The keywords of a part of the language, as its type declares them."""
    _, arguments, _ = _split(inspect.getdoc(kind) or "")
    for base in kind.__mro__[1:]:
        if base.__module__ == kind.__module__:
            arguments = _split(inspect.getdoc(base) or "")[1] | arguments
    return _arguments(schema_of(kind), arguments)


def _arguments(schema: dict[str, Any], said: dict[str, str]) -> list[Argument]:
    """Each property, as the author tells them: a base class's would otherwise come first."""
    properties = schema["properties"]
    return [
        Argument(
            name,
            described(properties[name], schema.get("$defs", {})),
            _standing(name, schema),
            said.get(name, ""),
        )
        for name in sorted(properties, key=[*said, *properties].index)
    ]


def _split(doc: str) -> tuple[str, dict[str, str], str]:
    """A docstring's text, its arguments, and what comes after them."""
    body, _, rest = doc.partition("\nArgs:\n")
    lines = rest.splitlines()
    end = next((n for n, line in enumerate(lines) if line and not line.startswith(" ")), len(lines))
    arguments: dict[str, str] = {}
    name = ""
    for line in lines[:end]:
        found = _ARGUMENT.match(line)
        if found:
            name = found[1]
            arguments[name] = found[2]
        elif name and line.strip():
            arguments[name] += f" {line.strip()}"
    return body.strip(), arguments, "\n".join(lines[end:]).strip()


def _first_sentence(body: str) -> str:
    paragraph = " ".join(body.partition("\n\n")[0].split())
    sentence, dot, _ = paragraph.partition(". ")
    return f"{sentence}." if dot else paragraph


def _standing(name: str, schema: dict[str, Any]) -> str:
    if name in schema.get("required", ()):
        return "required"
    default = schema["properties"][name].get("default")
    if default is None or isinstance(default, dict) or default in ("", [], ()):
        return "optional"
    plain = default if isinstance(default, list | tuple) else [default]
    return f"default {', '.join(shown(each).strip(chr(34)) for each in plain)}"
