"""Where the parts of a JSON or YAML text stand in it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

if TYPE_CHECKING:
    import yaml

Kind = Literal["mapping", "sequence", "scalar"]
MOST = 50_000
"""Parts that a text may have, with each alias counted as all that it stands for."""


class Spot(Struct, frozen=True):
    """A value in a text.

    Args:
        kind: what it is.
        start: where its text begins.
        end: behind its last character; comments and lines behind it are no part of it.
        flow: whether it is written in brackets, as all of JSON is.
        value: of a scalar: what tells it from others.
        members: of a mapping or a sequence, in order.
    """

    kind: Kind
    start: int
    end: int
    flow: bool = True
    value: Any = None
    members: tuple[Member, ...] = ()

    @property
    def shape(self) -> Any:
        """The same for all texts that mean the same."""
        if self.kind == "scalar":
            return self.value
        named = self.kind == "mapping"
        return (self.kind, [(m.key, m.spot.shape) if named else m.spot.shape for m in self.members])

    def find(self, step: str | int) -> Member | None:
        """The member of that name or number; of several the last one, which counts."""
        name = str(step)
        return next((m for m in reversed(self.members) if m.key == name), None)


class Member(Struct, frozen=True):
    """What a mapping or a sequence holds.

    Args:
        key: its name as the text has it, or its number.
        start: where its key begins, or the `-` of a block sequence's.
        spot: its value.
    """

    key: str
    start: int
    spot: Spot


def locate_json(text: str) -> Spot | None:
    """A JSON text's value; None where there is none.

    Raises:
        ValueError: it is not JSON.
    """
    start = _skip(text, 0)
    if start == len(text):
        return None
    spot = _json(text, start)
    if _skip(text, spot.end) != len(text):
        raise json.JSONDecodeError("more than one value", text, spot.end)
    return spot


_DECODER = json.JSONDecoder()
_NULL = "tag:yaml.org,2002:null"


def _skip(text: str, at: int) -> int:
    found = re.compile(r"[ \t\r\n]*").match(text, at)
    assert found is not None
    return found.end()


def _json(text: str, start: int) -> Spot:
    bracket = text[start : start + 1]
    if bracket not in {"{", "["}:
        value, end = _DECODER.raw_decode(text, start)
        return Spot("scalar", start, end, value=(type(value).__name__, value))
    members: list[Member] = []
    closing = "}" if bracket == "{" else "]"
    at = _skip(text, start + 1)
    while text[at : at + 1] != closing or members:
        member = _json_member(text, at, len(members), named=bracket == "{")
        members.append(member)
        at = _skip(text, member.spot.end)
        if text[at : at + 1] == closing:
            break
        if text[at : at + 1] != ",":
            raise json.JSONDecodeError(f"expected , or {closing}", text, at)
        at = _skip(text, at + 1)
    kind: Kind = "mapping" if bracket == "{" else "sequence"
    return Spot(kind, start, at + 1, members=tuple(members))


def _json_member(text: str, at: int, number: int, *, named: bool) -> Member:
    if not named:
        return Member(str(number), at, _json(text, at))
    if text[at : at + 1] != '"':
        raise json.JSONDecodeError("expected a name in double quotes", text, at)
    key, end = _DECODER.raw_decode(text, at)
    colon = _skip(text, end)
    if text[colon : colon + 1] != ":":
        raise json.JSONDecodeError("expected :", text, colon)
    return Member(key, at, _json(text, _skip(text, colon + 1)))


def locate_yaml(text: str) -> Spot | None:
    """A YAML text's value; None where there is none.

    Raises:
        ValueError: it is not YAML, holds several documents, or means more than can be looked at.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        nodes = list(yaml.compose_all(text, loader))
    except yaml.MarkedYAMLError as error:
        place = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ValueError(f"{place}{error.problem}") from None  # the rest quotes the text
    except yaml.YAMLError:
        raise ValueError("there are characters in it that YAML does not have") from None
    if len(nodes) > 1:
        raise ValueError(f"it holds {len(nodes)} documents")
    if not nodes or nodes[0].start_mark.index == nodes[0].end_mark.index:
        return None
    sizes: dict[int, int] = {}
    if _size(nodes[0], sizes) > MOST:
        raise ValueError(f"it has more than {MOST} parts")
    return _yaml(text, nodes[0])


def _size(node: yaml.Node, sizes: dict[int, int]) -> int:
    """How many parts a node has; each is looked at once, however often it is an alias's."""
    if id(node) not in sizes:
        sizes[id(node)] = MOST  # one that holds itself has no end
        sizes[id(node)] = 1 + sum(_size(inner, sizes) for inner in _inner(node))
    return sizes[id(node)]


def _inner(node: yaml.Node) -> list[yaml.Node]:
    import yaml

    if isinstance(node, yaml.MappingNode):
        return [each for pair in node.value for each in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _yaml(text: str, node: yaml.Node) -> Spot:
    import yaml

    start, end = node.start_mark.index, node.end_mark.index
    if isinstance(node, yaml.ScalarNode):
        block = node.style in {"|", ">"}
        end = start + len(text[start:end].rstrip()) if block else end
        value = None if node.tag == _NULL else node.value  # it has several spellings
        return Spot("scalar", start, end, not block, (node.tag, value))
    assert isinstance(node, yaml.CollectionNode)
    flow = bool(node.flow_style)
    members: tuple[Member, ...]
    kind: Kind
    if isinstance(node, yaml.MappingNode):
        kind = "mapping"
        members = tuple(
            Member(_name(key), key.start_mark.index, _yaml(text, value))
            for key, value in node.value
        )
    else:
        kind = "sequence"
        spots = [_yaml(text, each) for each in node.value]
        begins = [s.start if flow else text.rfind("-", 0, s.start) for s in spots]
        members = tuple(Member(str(n), *at) for n, at in enumerate(zip(begins, spots, strict=True)))
    if not flow:  # its own end is where the next thing begins
        last = members[-1]
        # An alias's value stands elsewhere.
        end = last.spot.end if last.spot.end >= last.start else _line_end(text, last.start)
    return Spot(kind, start, end, flow, members=members)


def _line_end(text: str, at: int) -> int:
    found = text.find("\n", at)
    return found if found >= 0 else len(text)


def _name(key: yaml.Node) -> str:
    return key.value if isinstance(key.value, str) else f"({key.tag})"
