"""Every expression and template of a task, with its place and the names that exist only there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.language.drafts import DURATIONS
from engine.language.expressions import is_template
from engine.language.shapes import formats

if TYPE_CHECKING:
    from engine.language.drafts import Draft
    from engine.language.flaws import Way

_NONE: frozenset[str] = frozenset()
_ITEM = frozenset({"item"})
_RESULT = frozenset({"result"})


@dataclass(frozen=True, slots=True)
class Snippet:
    """One text that is read as an expression or a template.

    Args:
        way: to it in the document.
        text: it.
        bare: a bare expression, as in `when`; else a text with templates in it.
        local: names that exist only here: `item`, `result`.
        early: it is rendered before any host is contacted: inputs and vars only.
    """

    way: Way
    text: str
    bare: bool
    local: frozenset[str] = _NONE
    early: bool = False


def of_task(draft: Draft, *, looped: bool = False) -> Iterator[Snippet]:
    """Every snippet of a task itself, without those of its `verify`.

    Args:
        draft: the task.
        looped: it stands in the `verify` of a task with a loop.
    """
    item = _ITEM if looped or draft.raw.get("loop") is not None else _NONE
    yield from _loop(draft)
    yield from deep((*draft.way, "name"), draft.raw.get("name"), item)
    yield from deep((*draft.way, "hosts"), draft.raw.get("hosts"), early=True)
    for keyword in DURATIONS:
        yield from deep((*draft.way, keyword), draft.raw.get(keyword), item)
    yield from conditions((*draft.way, "when"), draft.raw.get("when"), item)
    yield from conditions((*draft.way, "expect"), draft.raw.get("expect"), item | _RESULT)
    yield from _arguments(draft, item)


def _loop(draft: Draft) -> Iterator[Snippet]:
    loop = draft.raw.get("loop")
    way = (*draft.way, "loop")
    if isinstance(loop, str) and not is_template(loop):
        yield Snippet(way, loop, bare=True)
    else:
        yield from deep(way, loop)


def _arguments(draft: Draft, local: frozenset[str]) -> Iterator[Snippet]:
    forms = formats(draft.entry) if draft.entry else {}
    for name, value in draft.args.items():
        way = draft.args_way(name)
        if forms.get(name) == "expression":
            yield from conditions(way, value, local)
        else:
            yield from deep(way, value, local)


def conditions(way: Way, value: Any, local: frozenset[str] = _NONE) -> Iterator[Snippet]:
    """A bare expression, or each of a list of them."""
    if isinstance(value, str):
        yield Snippet(way, value, bare=True, local=local)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from conditions((*way, number), part, local)


def deep(
    way: Way, value: Any, local: frozenset[str] = _NONE, *, early: bool = False
) -> Iterator[Snippet]:
    """Every template in a value."""
    if isinstance(value, str):
        if is_template(value):
            yield Snippet(way, value, bare=False, local=local, early=early)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from deep((*way, key), item, local, early=early)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from deep((*way, number), item, local, early=early)
