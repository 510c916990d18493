"""A loaded playbook: what execution reads. The form of the file is in `keywords`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from engine.errors import Problem
from engine.language.keywords import (
    PHASES,
    Approve,
    Phase,
    PlaybookText,
    RuleText,
    TaskText,
)
from engine.language.matchers import Trigger
from engine.registry import Kind


class Place(Struct, frozen=True):
    """Where in a file something stands. `line` and `column` are 1-based."""

    path: str
    line: int
    column: int
    source: str = ""

    def __str__(self) -> str:
        """`path:line`."""
        return f"{self.path}:{self.line}"

    def problem(self, message: str, hint: str = "") -> Problem:
        """A problem at this place."""
        return Problem(message, self.path, self.line, self.column, self.source, hint)


class Task(Struct, frozen=True, kw_only=True):
    """A loaded task.

    Args:
        id: `investigate.2`: its phase and its number there, from 1; `mitigate.1.verify.1`;
            `mitigate.2.rescue.1` in a block.
        text: its keywords, with those of the blocks around it.
        module: the module's name.
        kind: what the module is with these arguments.
        args: the arguments as a mapping, shorthands written out, not yet rendered.
        verify: what must hold after it.
        rollback: what takes it back.
        place: of the task in the file.
        uses: every name that its templates and expressions read, statically.
    """

    id: str
    text: TaskText
    module: str
    kind: Kind
    args: dict[str, Any]
    verify: tuple[Task, ...] = ()
    rollback: tuple[Task, ...] = ()
    place: Place
    uses: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What people call it: its name, else the module's."""
        return self.text.name or self.module

    @property
    def approve(self) -> Approve:
        """Whose yes a change of it needs."""
        return self.text.approve or "ask"

    @property
    def once(self) -> bool:
        """Whether it is done on the first of its hosts only, and holds for all."""
        return self.text.run_once or self.kind == "checkpoint"

    def every(self) -> Iterator[Task]:
        """This task and those that belong to it."""
        yield self
        yield from self.verify
        for task in self.rollback:
            yield from task.every()


class Block(Struct, frozen=True, kw_only=True):
    """A loaded block; its keywords stand in its tasks.

    Args:
        id: `mitigate.2`.
        name: what people call it.
        block: its tasks and blocks.
        rescue: for the hosts where one of them failed.
        always: for all hosts, whatever happened.
    """

    id: str
    name: str
    block: tuple[Node, ...]
    rescue: tuple[Node, ...] = ()
    always: tuple[Node, ...] = ()
    place: Place

    @property
    def sections(self) -> tuple[tuple[Node, ...], ...]:
        """All that is in it, in order."""
        return (self.block, self.rescue, self.always)


Node = Task | Block
"""What a phase is made of."""


def tasks_in(nodes: Iterable[Node]) -> Iterator[Task]:
    """The tasks of a phase, those in blocks too, in the order of the file."""
    for node in nodes:
        if isinstance(node, Block):
            for section in node.sections:
                yield from tasks_in(section)
        else:
            yield node


def acts(node: Node) -> bool:
    """Whether a task is an action, or a block holds one."""
    return any(task.kind == "action" for task in tasks_in([node]))


class Rule(Struct, frozen=True, kw_only=True):
    """A loaded severity rule; `uses` as in a task."""

    text: RuleText
    place: Place
    uses: frozenset[str] = frozenset()


class Playbook(Struct, frozen=True, kw_only=True):
    """A loaded playbook: valid as far as can be known without a host.

    Args:
        path: the file, as the user named it.
        digest: sha256 of its bytes, and those of the files that it includes, hex.
        files: all of them, with the sha256 of each.
        text: its keywords.
        phases: the tasks and blocks of each phase that it has.
        severity: the rules.
        handlers: tasks that others notify.
        triggers: the alerts that call for it.
        input_places: where each input is declared.
        place: where its `hosts` stands.
    """

    path: str
    digest: str
    files: dict[str, str]
    text: PlaybookText
    phases: dict[Phase, tuple[Node, ...]]
    severity: tuple[Rule, ...] = ()
    handlers: tuple[Task, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    input_places: dict[str, Place] = {}
    place: Place | None = None

    def tasks(self, phase: Phase) -> tuple[Task, ...]:
        """The tasks of a phase, those in blocks too; none if it is absent."""
        return tuple(tasks_in(self.phases.get(phase, ())))

    def every_task(self) -> Iterator[Task]:
        """All tasks of all phases and the handlers, those that belong to others too."""
        for phase in PHASES:
            for task in self.tasks(phase):
                yield from task.every()
        for handler in self.handlers:
            yield from handler.every()
