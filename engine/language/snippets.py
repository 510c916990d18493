"""Every expression and template of a task, with its place and the names that exist only there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from engine.language.drafts import DURATIONS
from engine.language.expressions import is_template
from engine.language.shapes import formats

if TYPE_CHECKING:
    from engine.language.drafts import BlockDraft, Draft
    from engine.language.flaws import Way
    from engine.language.problems import Problems

_NONE: frozenset[str] = frozenset()
_RESULT = frozenset({"result"})
_SHARED = ("vars", "environment", "become_user", "delegate_to")
_OF_RESULT = ("expect", "until", "failed_when", "no_log")


class Snippet(Struct, frozen=True):
    """One text that is read as an expression or a template.

    Args:
        problems: of the document that it stands in.
        way: to it in the document.
        text: it.
        bare: a bare expression, as in `when`; else a text with templates in it.
        local: names that exist only here: `item`, `result`, those of the task's own `vars`.
        early: it is rendered before any host is contacted: inputs and vars only.
        program: what it comes to is run by a shell or a database.
    """

    problems: Problems
    way: Way
    text: str
    bare: bool
    local: frozenset[str] = _NONE
    early: bool = False
    program: bool = False


class _Place(Struct, frozen=True):
    """Where snippets stand, and the names that exist only there."""

    problems: Problems
    way: Way
    local: frozenset[str] = _NONE

    def conditions(self, value: Any, *way: str | int) -> Iterator[Snippet]:
        """A bare expression, or each of a list of them."""
        if isinstance(value, str):
            yield Snippet(self.problems, (*self.way, *way), value, bare=True, local=self.local)
        elif isinstance(value, list):
            for number, part in enumerate(value):
                yield from self.conditions(part, *way, number)

    def program(self, value: Any) -> Iterator[Snippet]:
        """A text that is run, if there is a template in it."""
        for snippet in self.deep(value):
            yield replace(snippet, program=True)

    def deep(self, value: Any, *way: str | int, early: bool = False) -> Iterator[Snippet]:
        """Every template in a value."""
        if isinstance(value, str):
            if is_template(value):
                here = (*self.way, *way)
                yield Snippet(self.problems, here, value, False, self.local, early)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                yield from self.deep(item, *way, key, early=early)
        elif isinstance(value, list):
            for number, item in enumerate(value):
                yield from self.deep(item, *way, number, early=early)


def of_task(draft: Draft, around: frozenset[str] = _NONE) -> Iterator[Snippet]:
    """Every snippet of a task itself, without those of the tasks that belong to it.

    Args:
        draft: the task.
        around: the names that a task which it belongs to gives it, such as its `item`.
    """
    raw = draft.raw
    given = draft.given | around | _keys(raw.get("vars"))
    once = _Place(draft.problems, draft.way, given)
    each = _Place(draft.problems, draft.way, given | items(draft))
    yield from _loop(once, raw.get("loop"))
    yield from once.deep(raw.get("hosts"), "hosts", early=True)
    for keyword in ("name", *_SHARED, *DURATIONS):
        yield from each.deep(raw.get(keyword), keyword)
    yield from each.deep(_keyed(raw.get("loop_control"), "label"), "loop_control", "label")
    yield from each.conditions(raw.get("when"), "when")
    own = raw.get("register")
    local = each.local | _RESULT | (frozenset({own}) if isinstance(own, str) else _NONE)
    seen = _Place(draft.problems, draft.way, local)
    for keyword in _OF_RESULT:
        yield from seen.conditions(raw.get(keyword), keyword)
    yield from _arguments(draft, each.local)


def of_block(draft: BlockDraft) -> Iterator[Snippet]:
    """Every snippet of a block itself: what it hands on to its tasks."""
    raw = draft.raw
    place = _Place(draft.problems, draft.way, draft.given | _keys(raw.get("vars")))
    yield from place.deep(raw.get("hosts"), "hosts", early=True)
    for keyword in ("name", "inputs", *_SHARED):
        yield from place.deep(raw.get(keyword), keyword)
    yield from place.conditions(raw.get("when"), "when")


def items(draft: Draft) -> frozenset[str]:
    """The names of a loop's item and of its number; none without a loop."""
    if draft.raw.get("loop") is None:
        return _NONE
    control = draft.raw.get("loop_control")
    names = (_keyed(control, "loop_var") or "item", _keyed(control, "index_var"))
    return frozenset(name for name in names if isinstance(name, str))


def conditions(problems: Problems, way: Way, value: Any) -> Iterator[Snippet]:
    """A bare expression, or each of a list of them, where no name is local."""
    yield from _Place(problems, way).conditions(value)


def deep(problems: Problems, way: Way, value: Any) -> Iterator[Snippet]:
    """Every template in a value, where no name is local."""
    yield from _Place(problems, way).deep(value)


def _loop(place: _Place, loop: Any) -> Iterator[Snippet]:
    if isinstance(loop, str) and not is_template(loop):
        yield from place.conditions(loop, "loop")
    else:
        yield from place.deep(loop, "loop")


def _arguments(draft: Draft, local: frozenset[str]) -> Iterator[Snippet]:
    forms = formats(draft.entry) if draft.entry else {}
    for name, value in draft.args.items():
        place = _Place(draft.problems, draft.args_way(name), local)
        if forms.get(name) == "expression":
            yield from place.conditions(value)
        elif forms.get(name) == "program":
            yield from place.program(value)
        else:
            yield from place.deep(value)


def _keys(value: Any) -> frozenset[str]:
    return frozenset(value) if isinstance(value, Mapping) else _NONE


def _keyed(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None
