"""Whether the names that a playbook gives are free: each means one thing, wherever it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.language.drafts import BlockDraft
from engine.language.names import LOCALS, SPECIALS, WORDS
from engine.language.snippets import items

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.language.drafts import AnyDraft, Draft
    from engine.language.flaws import Way
    from engine.language.model import Place
    from engine.language.problems import Problems


def check_names(drafts: Iterable[Draft], taken: Mapping[str, str]) -> None:
    """Whether each name that a task gives is free.

    Args:
        drafts: in the order in which they run.
        taken: names of inputs and vars, and which of the two they are.
    """
    registered: dict[str, Place] = {}
    for draft in drafts:
        for name, way in draft.registered():
            place = draft.problems.document.place(way)
            sets = way[-1] != "register"
            if name in taken:
                draft.problems.at(way, f'"{name}" is one of the {taken[name]} already')
            elif name in SPECIALS | LOCALS | WORDS:
                draft.problems.at(way, f'"{name}" has a meaning of its own')
            # The same place once more is a file that is included twice.
            elif name in registered and not sets and registered[name] != place:
                line = registered[name].line
                draft.problems.at(way, f'"{name}" is registered on line {line} already')
            registered.setdefault(name, place)


def check_local_names(drafts: Iterable[AnyDraft], taken: Mapping[str, str]) -> None:
    """Whether the names that exist only in a task or a block mean nothing else.

    Args:
        drafts: tasks and blocks.
        taken: names that have a meaning everywhere, and what they are.
    """
    for draft in drafts:
        own = draft.raw.get("vars")
        own = own if isinstance(own, dict) else {}
        check_own_names(draft.problems, (*draft.way, "vars"), own)
        for name in own:
            if name in taken:
                message = f'"{name}" is one of the {taken[name]} already'
                draft.problems.at_key((*draft.way, "vars", name), message)
        if isinstance(draft, BlockDraft):
            for section in draft.sections:
                check_local_names(section, taken)
            continue
        for name in items(draft) - {"item"}:
            if name in taken or name in SPECIALS | LOCALS | WORDS:
                message = f'"{name}" has a meaning of its own'
                draft.problems.at((*draft.way, "loop_control"), message)
        check_local_names(draft.own, taken)


def check_own_names(problems: Problems, way: Way, names: Iterable[str]) -> None:
    """Whether inputs or vars have names that mean something else."""
    for name in names:
        if name in SPECIALS | LOCALS | WORDS:
            problems.at_key((*way, name), f'"{name}" has a meaning of its own')
