"""What went wrong with a template or its value at run time, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jinja2 import nodes
from jinja2.utils import missing

from engine.language.shapes import Shape
from engine.language.words import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    import msgspec

    from engine.language.expressions import Tree
    from engine.language.sandbox import NotDefined
    from engine.registry import Entry

_MOST_KEYS = 12
_ARGUMENT = re.compile(r"at `\$\.(\w+)")


def not_defined(tree: Tree, names: Mapping[str, Any], error: NotDefined) -> str:
    """`pool.value is not defined: pool has failed, finding, msg`.

    Args:
        tree: the template or expression.
        names: the values that it was given.
        error: which of its names or keys there is not.
    """
    if error.owner is missing:
        reason = str(error)
        return f"{error.name} is not defined" if reason.endswith("is undefined") else reason
    for chain in _chains(tree):
        if chain[-1] == error.name and _same(_resolved(chain[:-1], names), error.owner):
            return f"{_dotted(chain)} is not defined: {_dotted(chain[:-1])} {_holds(error.owner)}"
    return f"{error.name} is not defined: its owner {_holds(error.owner)}"


def _chains(tree: Tree) -> Iterator[list[Any]]:
    """Every `a.b[0].c` in the text, as its parts."""
    for node in tree.body.find_all((nodes.Getattr, nodes.Getitem)):
        chain = _parts(node)
        if chain:
            yield chain


def _parts(node: nodes.Node) -> list[Any] | None:
    parts: list[Any] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getattr):
            parts.append(node.attr)
        elif isinstance(node.arg, nodes.Const):
            parts.append(node.arg.value)
        else:
            return None
        node = node.node
    return [node.name, *reversed(parts)] if isinstance(node, nodes.Name) else None


def _resolved(chain: list[Any], names: Mapping[str, Any]) -> Any:
    value: Any = names
    for part in chain:
        try:
            value = value[part]
        except (LookupError, TypeError):
            return missing
    return value


def _same(value: Any, owner: Any) -> bool:
    """Whether a value is the one that was asked; what `hostvars` has is made each time."""
    made = isinstance(owner, Mapping) and not isinstance(owner, dict)
    return value is owner or (made and isinstance(value, type(owner)) and value == owner)


def _dotted(chain: list[Any]) -> str:
    rest = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in chain[1:])
    return f"{chain[0]}{''.join(rest)}"


def _holds(owner: Any) -> str:
    if isinstance(owner, Mapping):
        keys = [str(key) for key in owner]
        more = ", …" if len(keys) > _MOST_KEYS else ""
        return f"has {', '.join(keys[:_MOST_KEYS])}{more}" if keys else "is empty"
    if isinstance(owner, list | tuple):
        return f"is a list of {len(owner)}"
    return "is nothing" if owner is None else f"is {shown(owner)}"


def wrong_argument(entry: Entry, args: Mapping[str, Any], error: msgspec.ValidationError) -> str:
    """`port must be a port number such as 8080, not "eighty"`.

    Args:
        entry: the module.
        args: rendered.
        error: what msgspec says.
    """
    found = _ARGUMENT.search(str(error))
    argument = found[1] if found else None
    for flaw in Shape(lambda: entry.schema, name=entry.name).flaws(args):
        if argument is None or flaw.way[:1] == (argument,):
            return f"{entry.name}: {flaw.message}"
    return f"{entry.name}: {error}"
