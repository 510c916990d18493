"""What a playbook says of itself before its tasks: its name, its inputs, the alerts it is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

from engine.errors import InputError
from engine.language import snippets
from engine.language.declaring import check_declared
from engine.language.expressions import Unreadable
from engine.language.keywords import PHASES, PlaybookText
from engine.language.matchers import Trigger, read_matchers
from engine.language.model import Playbook
from engine.language.problems import Problems
from engine.language.shapes import Shape, type_shape
from engine.language.shares import check_severity, check_shares
from engine.language.source import read
from engine.typed import convert

if TYPE_CHECKING:
    from pathlib import Path

    from engine.language.flaws import Way
    from engine.language.model import Place
    from engine.language.source import Document

_PLAIN = ("name", "description", "owner", "links", "triggers")
_BODY = frozenset({*PHASES, "severity", "handlers"})


def head(path: Path) -> Playbook:
    """A playbook without its phases: enough to say whether an alert calls for it.

    Neither the modules nor the inventory are needed for that.

    Raises:
        InputError: with every problem of these parts.
    """
    document = read(path)
    problems = Problems(document)
    value = document.value
    text: PlaybookText | None = None
    triggers: tuple[Trigger, ...] = ()
    if is_mapping(value, problems):
        own = {key: part for key, part in value.items() if key not in _BODY}
        text, triggers = read_head(problems, own, playbook_shape())
    if problems.found or text is None:
        raise InputError(*problems.found)
    return Playbook(
        path=document.path,
        digest=document.digest,
        text=text,
        files={document.path: document.digest},
        phases={},
        triggers=triggers,
        input_places=input_places(document, text),
    )


def playbook_shape() -> Shape:
    """What a playbook's keywords must be."""
    return type_shape(PlaybookText, "the playbook")


def is_mapping(value: Any, problems: Problems) -> TypeGuard[Mapping[str, Any]]:
    """Whether a file holds what a playbook is; that it does not is told."""
    if isinstance(value, Mapping):
        return True
    hint = "it is no list of plays: take the dash away" if isinstance(value, list) else ""
    problems.at((), "a playbook is a mapping: name, hosts and phases", hint)
    return False


def read_head(
    problems: Problems, value: Mapping[str, Any], shape: Shape
) -> tuple[PlaybookText | None, tuple[Trigger, ...]]:
    """A playbook's keywords, and its triggers; None where a keyword is wrong."""
    for keyword in _PLAIN:
        for snippet in snippets.deep(problems, (keyword,), value.get(keyword)):
            problems.at(snippet.way, f"{keyword} takes no templates")
    check_severity(problems, listed(value, "severity"))
    check_shares(problems, value)
    check_declared(problems, mapped(value, "inputs"))
    triggers = tuple(
        _trigger(problems, ("triggers", number), part)
        for number, part in enumerate(listed(value, "triggers"))
    )
    if problems.flaws(shape.flaws(value)):
        return None, ()
    return convert(value, PlaybookText), triggers


def input_places(document: Document, text: PlaybookText) -> dict[str, Place]:
    """Where each input is declared."""
    return {name: document.key(("inputs", name)) for name in text.inputs}


def _trigger(problems: Problems, way: Way, raw: Any) -> Trigger:
    """The matchers of one trigger; what is of another shape is told elsewhere."""
    found: list[Any] = []
    texts = listed(raw, "match") if isinstance(raw, Mapping) else None
    if texts == []:
        problems.at(way, "match holds no matcher: it would be for every alert")
    for number, text in enumerate(texts or ()):
        if isinstance(text, str):
            try:
                found += read_matchers(text)
            except Unreadable as error:
                fault = error.fault
                here = (*way, "match", number)
                problems.inside(here, fault.offset, fault.message, fault.hint)
    return tuple(found)


def listed(value: Mapping[str, Any], key: str) -> list[Any]:
    """What a file has under a key, if that is a list; what is not is told elsewhere."""
    found = value.get(key)
    return found if isinstance(found, list) else []


def mapped(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Likewise, if it is a mapping."""
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}
