"""Drafts without flaws → tasks and blocks, with the names that they use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.language import snippets
from engine.language.drafts import BlockDraft, Draft
from engine.language.model import Block, Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.language.drafts import AnyDraft
    from engine.language.model import Node
    from engine.language.names import Names

Uses = dict[str, frozenset[str]]
"""Task id → the names that it uses."""


def read_uses(
    names: Names, drafts: Iterable[AnyDraft], around: frozenset[str] = frozenset()
) -> Uses:
    """What each task uses; from then on, what it registers is known.

    Args:
        names: told of each task in the order in which they run.
        drafts: tasks and blocks.
        around: the names that the blocks around them use, and so all of them do.
    """
    uses: Uses = {}
    for draft in drafts:
        if isinstance(draft, BlockDraft):
            own = around | names.read(snippets.of_block(draft))
            for section in draft.sections:
                uses |= read_uses(names, section, own)
        else:
            uses |= _read_task(names, draft, around)
    return uses


def _read_task(names: Names, draft: Draft, around: frozenset[str]) -> Uses:
    of_item = snippets.items(draft)
    own = around | names.read(snippets.of_task(draft), of_item=of_item)
    uses: Uses = {}
    for inner in draft.verify:
        uses |= _read_belonging(names, inner, of_item)
        own |= uses[inner.id]
    names.known.update(name for name, _ in draft.registered())
    for inner in draft.rollback:
        uses |= _read_belonging(names, inner, of_item | {"result"})
    uses[draft.id] = own
    return uses


def _read_belonging(names: Names, draft: Draft, around: frozenset[str]) -> Uses:
    uses: Uses = {draft.id: names.read(snippets.of_task(draft, around), of_item=around)}
    for inner in draft.verify:
        uses |= _read_belonging(names, inner, around)
        uses[draft.id] |= uses[inner.id]
    return uses


def finished(drafts: Iterable[AnyDraft], uses: Mapping[str, frozenset[str]]) -> tuple[Node, ...]:
    """The tasks and blocks that the drafts stand for."""
    return tuple(
        _block(draft, uses) if isinstance(draft, BlockDraft) else _task(draft, uses)
        for draft in drafts
    )


def _block(draft: BlockDraft, uses: Mapping[str, frozenset[str]]) -> Block:
    block, rescue, always = (finished(section, uses) for section in draft.sections)
    name = draft.raw.get("name") or draft.raw.get("include") or "block"
    place = draft.problems.document.place(draft.way)
    return Block(id=draft.id, name=name, block=block, rescue=rescue, always=always, place=place)


def _task(draft: Draft, uses: Mapping[str, frozenset[str]]) -> Task:
    assert draft.entry is not None
    assert draft.text is not None
    return Task(
        id=draft.id,
        text=draft.text,
        module=draft.entry.name,
        kind=draft.entry.kind_of(draft.args),
        args=dict(draft.args),
        verify=tuple(_task(inner, uses) for inner in draft.verify),
        rollback=tuple(_task(inner, uses) for inner in draft.rollback),
        place=draft.place(),
        uses=uses[draft.id],
    )
