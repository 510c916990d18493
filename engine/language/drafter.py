"""The tasks, blocks and included files of a phase → drafts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from engine.errors import InputError
from engine.language.declaring import check_declared, check_given, refuse_of_playbooks
from engine.language.drafts import BlockDraft, Draft
from engine.language.inheriting import inherit
from engine.language.keywords import BlockText, IncludeText, Shared, TaskFileText
from engine.language.problems import Problems
from engine.language.shapes import type_shape
from engine.language.source import read
from engine.language.tasks import TaskReader

if TYPE_CHECKING:
    from engine.language.drafts import AnyDraft, Part
    from engine.language.flaws import Way
    from engine.language.keywords import Phase
    from engine.registry import Registry

MOST_INCLUDED = 8
"""Files that may include one another in a row."""

_SHARED = frozenset(Shared.__struct_fields__)


class Where(Struct, frozen=True):
    """What surrounds a task or block.

    Args:
        problems: of the document that it stands in.
        phase: that it belongs to.
        outer: the keywords around it, as `inherit` made them.
        given: the names that they give.
        part: what the tasks are there for.
        trail: the files that include one another here, the playbook first.
    """

    problems: Problems
    phase: Phase
    outer: Mapping[str, Any]
    given: frozenset[str] = frozenset()
    part: Part = "task"
    trail: tuple[Path, ...] = ()

    def within(self, own: Mapping[str, Any]) -> Where:
        """The same inside a block with these keywords."""
        given = own.get("vars", {})
        return replace(
            self,
            outer=inherit(self.outer, {k: v for k, v in own.items() if k in _SHARED}),
            given=self.given | given.keys(),
        )


class Drafter:
    """Reads what phases are made of; remembers shapes, so that many files cost little."""

    def __init__(self, registry: Registry) -> None:
        """Read tasks that name modules of this registry."""
        self._tasks = TaskReader(registry)
        self._blocks = type_shape(BlockText, "the block")
        self._includes = type_shape(IncludeText, "the include")
        self._files = type_shape(TaskFileText, "a file of tasks")
        self.opened: list[Problems] = []
        """Of every included file, since it was last cleared."""
        self.missed = False
        """Whether one could not be read, so that its names are not known."""

    def clear(self) -> None:
        """Begin with another playbook."""
        self.opened.clear()
        self.missed = False

    def drafts(self, where: Where, way: Way, items: Any, prefix: str) -> tuple[AnyDraft, ...]:
        """The tasks and blocks of a list.

        Args:
            where: what surrounds them.
            way: to the list.
            items: it; those of the wrong shape are told elsewhere.
            prefix: of their ids.
        """
        return tuple(
            self._draft(where, (*way, number), f"{prefix}.{number + 1}", raw)
            for number, raw in enumerate(items if isinstance(items, list) else ())
            if isinstance(raw, Mapping)
        )

    def _draft(self, where: Where, way: Way, name: str, raw: Mapping[str, Any]) -> AnyDraft:
        if "block" in raw:
            return self._block(where, way, name, raw)
        if "include" in raw:
            return self._include(where, way, name, raw)
        draft = Draft(where.problems, way, name, where.phase, raw, where.part, where.given)
        return self._tasks.read(draft, where.outer)

    def _block(self, where: Where, way: Way, name: str, raw: Mapping[str, Any]) -> BlockDraft:
        self._refuse_in_handlers(where, way, "block")
        flawed = where.problems.flaws(self._blocks.flaws(raw), way)
        inner = where if flawed else where.within(raw)
        block, rescue, always = (
            self.drafts(inner, (*way, section), raw.get(section), f"{name}.{section}")
            for section in ("block", "rescue", "always")
        )
        return BlockDraft(where.problems, way, name, raw, block, rescue, always, where.given)

    def _include(self, where: Where, way: Way, name: str, raw: Mapping[str, Any]) -> BlockDraft:
        self._refuse_in_handlers(where, way, "include")
        block = BlockDraft(where.problems, way, name, raw, (), given=where.given)
        if where.problems.flaws(self._includes.flaws(raw), way):
            return block
        opened = self._open(where, (*way, "include"), raw["include"])
        if opened is None or opened[1].flaws(self._files.flaws(opened[1].document.value)):
            self.missed = True
            return block
        path, problems = opened
        value = problems.document.value
        declared = value.get("inputs", {})
        check_declared(problems, declared)
        refuse_of_playbooks(problems, declared)
        values = check_given(where.problems, way, raw, declared)
        inner = where.within({**raw, "vars": {**raw.get("vars", {}), **values}})
        inner = replace(inner, problems=problems, trail=(*where.trail, path))
        return replace(block, block=self.drafts(inner, ("tasks",), value["tasks"], name))

    def _open(self, where: Where, way: Way, named: str) -> tuple[Path, Problems] | None:
        """An included file, or None: what is wrong with it is told."""
        path = Path(where.problems.document.path).parent / named
        if path.resolve() in {file.resolve() for file in where.trail}:
            where.problems.at(way, f"{path} includes itself, by way of others or directly")
            return None
        if len(where.trail) > MOST_INCLUDED:
            message = f"more than {MOST_INCLUDED} files include one another in a row"
            where.problems.at(way, message)
            return None
        try:
            problems = Problems(read(path))
        except InputError as error:
            for problem in error.problems:
                if problem.line:
                    where.problems.found.append(problem)
                else:
                    where.problems.at(way, f"{path} {problem.message}")
            return None
        self.opened.append(problems)
        return path, problems

    def _refuse_in_handlers(self, where: Where, way: Way, word: str) -> None:
        if where.part == "handler":
            where.problems.at_key((*way, word), "handlers holds tasks only")
